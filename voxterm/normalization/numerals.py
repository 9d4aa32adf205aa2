"""Numbers in words, by language. Pure; the library is taken up with the first number."""

from __future__ import annotations

from functools import lru_cache
from typing import Literal

LANGUAGES = frozenset({"en", "de", "fr", "es", "it", "ko", "pt", "nl"})
"""Those whose whole numbers num2words gets right by themselves, without a look at the noun."""

LONGEST_DIGITS = 15
"""Longer ones are read digit by digit: nobody follows trillions."""

Kind = Literal["cardinal", "ordinal", "year"]


@lru_cache(maxsize=1024)
def in_words(number: int, language: str, kind: Kind = "cardinal") -> str:
    """A number of at most LONGEST_DIGITS digits, 0 or more, in a language of LANGUAGES."""
    from num2words import num2words  # type: ignore[import-untyped]

    return str(num2words(number, lang=language, to=kind)).replace(",", "")


def digit_by_digit(digits: str, language: str) -> str:
    """Each decimal digit as a word."""
    return " ".join(in_words(int(digit), language) for digit in digits)


def whole_number(digits: str, language: str) -> str:
    """Digits as they are said: one with leading zeros, or a very long one, digit by digit."""
    if len(digits) > LONGEST_DIGITS or (len(digits) > 1 and digits[0] == "0"):
        return digit_by_digit(digits, language)
    return in_words(int(digits), language)


_ROMAN = {"I": 1, "V": 5, "X": 10, "L": 50, "C": 100}


def roman_value(numeral: str) -> int:
    """The value of a numeral of I, V, X, L and C."""
    values = [_ROMAN[char] for char in numeral]
    following = [*values[1:], 0]
    return sum(-value if value < after else value for value, after in zip(values, following, strict=True))
