"""What Orpheus is given to read: tags that its voice knows, pieces that fit, and how long each may take.

Pure. Orpheus reads a sentence or a few at a time; what is longer loses its thread.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator

PIECE_SIZE = 300
"""Of a piece in Latin letters: about 20 s of speech."""

LIMIT_BASE_TOKENS = 246  # three seconds, for what stands around the words
LIMIT_TOKENS = 12  # for each letter: less than half as fast as a slow reader
TAG_SIZE = 20  # a laugh takes its time

_TAG = re.compile(r"<(?:/?[^\W\d]|\|)[^<>]{0,60}>")
_JOINERS = "\u200c\u200d"  # they shape letters of Hindi and Persian
_ENDS = (
    re.compile(r".*[.!?…]['\"”’)\]]*\s|.*[。！？।]", re.DOTALL),  # of a sentence
    re.compile(r".*[,;:–—]\s|.*[，、；：]", re.DOTALL),  # of a clause
    re.compile(r".*\s", re.DOTALL),  # of a word
)


def readable(text: str, tags: Collection[str]) -> str:
    """The text with those tags that the voice knows, and without everything else in angle brackets.

    "" where there is nothing to say. White space is folded, and what is not printable is left out.
    """
    kept = _TAG.sub(lambda match: match[0].lower() if match[0].lower() in tags else " ", text)
    folded = " ".join("".join(c if c.isprintable() or c in _JOINERS else " " for c in kept).split())
    spoken = any(c.isalnum() for c in _TAG.sub("", folded)) or any(tag in folded for tag in tags)
    return folded if spoken else ""


def pieces(text: str) -> Iterator[str]:
    """Cut a text at the last sentence, else clause, else word that ends within PIECE_SIZE."""
    rest = text.strip()
    while (fits := _fitting(rest)) < len(rest):
        found = (pattern.match(rest[:fits]) for pattern in _ENDS)
        end = next((match.end() for match in found if match), fits)
        yield rest[:end].strip()
        rest = rest[end:].strip()
    if rest:
        yield rest


def token_limit(text: str) -> int:
    """How many tokens a text can need at the very most; whatever goes on for longer has run away."""
    size = sum(map(_size, _TAG.sub("", text))) + TAG_SIZE * len(_TAG.findall(text))
    return LIMIT_BASE_TOKENS + LIMIT_TOKENS * size


def _fitting(text: str) -> int:
    """How many characters of a text fit into a piece."""
    size = 0
    for index, char in enumerate(text):
        size += _size(char)
        if size > PIECE_SIZE:
            return index
    return len(text)


def _size(char: str) -> int:
    """How long a character takes to say, in Latin letters: a digit is a word, a wide character a syllable."""
    if char.isdigit():
        return 4
    return (
        3
        if "\u3040" <= char <= "\u30ff" or "\u3400" <= char <= "\u9fff" or "\uac00" <= char <= "\ud7af"
        else 1
    )
