"""What a character is to a voice: a gap between words, a mark that is not spoken, a syllable of its own."""

from __future__ import annotations

import unicodedata

NEWLINES = frozenset("\n\r\v\f\x85\u2028\u2029")
JOINERS = frozenset("\u200c\u200d")  # they shape letters of Hindi and Persian

_MARKUP = frozenset("*_`#\ufe0e\ufe0f\u20e3")
_UNSEEN = frozenset({"Cc", "Cf", "Cs", "Co", "Cn"})


def is_blank(char: str) -> bool:
    """Whitespace, or a pictograph, which stands between words just as a space does."""
    return char.isspace() or (char >= "\u2190" and unicodedata.category(char) == "So")


def is_unspoken(char: str) -> bool:
    """A visible or invisible mark that no synthesizer is to see."""
    if char in _MARKUP or "\U0001f3fb" <= char <= "\U0001f3ff":
        return True
    if char.isascii():
        return not char.isprintable()
    return char not in JOINERS and unicodedata.category(char) in _UNSEEN


def is_wide(char: str) -> bool:
    """A character of Chinese, Japanese or Korean: a syllable or more, and no space need stand before it."""
    return "\u3040" <= char <= "\u30ff" or "\u3400" <= char <= "\u9fff" or "\uac00" <= char <= "\ud7af"


def joins_words(text: str, index: int) -> bool:
    """The underscore of snake_case, which is spoken as two words."""
    return text[index] == "_" and text[index - 1 : index].isalnum() and text[index + 1 : index + 2].isalnum()


def is_sharp(text: str, index: int) -> bool:
    """The sign of C#, which is no Markdown mark."""
    return text[index] == "#" and text[index - 1 : index].isalpha()
