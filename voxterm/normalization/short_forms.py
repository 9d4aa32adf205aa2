"""Abbreviations, Roman numerals where they are certain, and signs such as & and §."""

from __future__ import annotations

import re
from functools import lru_cache

from voxterm.normalization.forms import SpokenForm, rewritten
from voxterm.normalization.numerals import in_words, roman_value
from voxterm.normalization.words import Words, words_for

_RULERS = (
    "Louis|Ludwig|Luis|Luigi|Henry|Henri|Heinrich|Enrique|Enrico|Charles|Karl|Carlos|Carlo|Elizabeth|Elisabeth"
    "|Isabel|George|Georg|Edward|James|William|Wilhelm|Richard|Philip|Philipp|Felipe|Philippe|Frederick"
    "|Friedrich|Napoleon|Napoléon|Alexander|Nicholas|Nikolaus|Catherine|Katharina|Peter|Ivan|Alfonso|Fernando"
    "|Ferdinand|Otto|Paul|Pablo|Paolo|Pius|Pío|Pio|Benedict|Benedikt|Leo|Gregory|Innocent|Clement|Urban|Juan"
    "|Ramses|Ramesses|Darius|Xerxes|Umberto|Vittorio Emanuele"
)
_ROMAN = r"(?=[IVXLC]{2}|[VX])(?:XC|XL|L?X{0,3})(?:IX|IV|V?I{0,3})"
_ENDS = "\"'”’»)]*_"
_FRACTIONS_OF_WORDS = re.compile(r"(?<=[^\W\d_])/(?=[^\W\d_])")
_ARROW = re.compile(r"\s?(?:→|⇒|->|=>)\s?(?=\w)")
_DOUBLE_PLUS = re.compile(r"(?<=[A-Za-z])\+\+")
_AT = re.compile(r"(?<=\w)\s@\s(?=\w)")


def with_short_forms(form: SpokenForm, words: Words) -> SpokenForm:
    """The form with its abbreviations and Roman numerals in full, for a language that has its tables."""
    form = rewritten(form, _abbreviations(words.language), lambda short: _in_full(short, words))
    return rewritten(form, _roman(words.language), lambda numeral: _roman_in_words(numeral, words))


def with_signs(form: SpokenForm, words: Words) -> SpokenForm:
    """The form with the names of its signs."""
    form = rewritten(form, _FRACTIONS_OF_WORDS, lambda slash: " ")
    if words.has_tables:
        form = rewritten(form, _ARROW, lambda arrow: f" {words.terms['to']} ")
        form = rewritten(form, _AT, lambda at: f" {words.terms['at']} ")
        form = rewritten(form, _DOUBLE_PLUS, lambda plus: " ".join(["", words.terms["plus"]] * 2))
        form = rewritten(form, _signs(words.language), lambda sign: _apart(sign, words.symbols[sign[0]]))
    return form


@lru_cache(maxsize=8)
def _abbreviations(language: str) -> re.Pattern[str]:
    words = words_for(language)
    own = "|".join(map(_pattern, sorted(words.abbreviations, key=len, reverse=True)))
    before_number = "|".join(map(_pattern, sorted(words.before_numbers, key=len, reverse=True)))
    return re.compile(rf"(?<![\w.])(?:(?P<short>{own})|(?P<number>{before_number})(?=\s?\d))(?!\w)")


def _pattern(short: str) -> str:
    """As it is written; its first letter may be a capital, and a space in it a narrow one."""
    first = short[0] if short[0].isupper() else f"[{short[0]}{short[0].upper()}]"
    return first + re.escape(short[1:]).replace(r"\ ", r"\s")


def _in_full(match: re.Match[str], words: Words) -> str:
    short = re.sub(r"\s", " ", match[0])
    table = words.abbreviations if match["short"] else words.before_numbers
    said = table.get(short) or table[short[0].lower() + short[1:]]
    if short not in table:
        said = said[0].upper() + said[1:]
    ends_sentence = short.endswith(".") and not match.string[match.end() :].strip().strip(_ENDS)
    return f"{said}." if ends_sentence else said


@lru_cache(maxsize=8)
def _roman(language: str) -> re.Pattern[str]:
    table = words_for(language).roman
    heads = "|".join(map(re.escape, table["heads"].split()))
    century = (
        rf"|(?<!\w)(?P<century>{_ROMAN})(?:e|ème)?(?=\s{table['century']}s?\b)" if "century" in table else ""
    )
    return re.compile(
        rf"\b(?P<ruler>{_RULERS})\s(?P<regnal>{_ROMAN})(?:\.(?=\s[a-zß-ü]))?(?!\w)"
        rf"|\b(?P<head>{heads})\s(?P<counted>{_ROMAN})(?!\w){century}"
    )


def _roman_in_words(match: re.Match[str], words: Words) -> str:
    language, found = words.language, match.groupdict()
    if found.get("century"):
        return in_words(roman_value(found["century"]), language, "ordinal")
    if found["counted"]:
        return f"{found['head']} {in_words(roman_value(found['counted']), language)}"
    value = roman_value(found["regnal"])
    said = {"cardinal": in_words(value, language), "ordinal": in_words(value, language, "ordinal")}
    return f"{found['ruler']} {words.roman['regnal'].format(**said)}"


@lru_cache(maxsize=8)
def _signs(language: str) -> re.Pattern[str]:
    return re.compile("|".join(map(re.escape, sorted(words_for(language).symbols, key=len, reverse=True))))


def _apart(sign: re.Match[str], said: str) -> str:
    """With a space where a word stands beside it."""
    before = " " if sign.string[: sign.start()][-1:].isalnum() else ""
    return before + said + " " * sign.string[sign.end() : sign.end() + 1].isalnum()
