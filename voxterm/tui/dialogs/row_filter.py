"""What a person types to find a row → the rows it fits, the best first. Pure."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence

_PLAIN = str.maketrans({"ø": "o", "ł": "l", "đ": "d", "ð": "d", "ħ": "h", "ı": "i", "æ": "ae", "œ": "oe"})
"""Letters of one piece that people without the keyboard for them type as others."""

_BEGINS_TEXT, _BEGINS_WORD, _INSIDE = range(3)
_PER_COLUMN = 3
"""A hit in an earlier column is better than any in a later one."""


def folded(text: str) -> str:
    """The text as it is compared: without case, accents and the forms of wide or ligated letters."""
    if text.isascii():
        return text.lower()
    pieces = unicodedata.normalize("NFKD", text.casefold())
    return "".join(piece for piece in pieces if not unicodedata.combining(piece)).translate(_PLAIN)


def best_first(query: str, rows: Sequence[Sequence[str]]) -> list[int]:
    """The rows, each the folded texts of its columns, in which every word of the query is found somewhere.

    Rows that fit equally well stay in their order; an empty query is found in all of them.
    """
    words = folded(query).split()
    penalties = {at: _penalty(words, row) for at, row in enumerate(rows)}
    found = [at for at, penalty in penalties.items() if penalty is not None]
    return sorted(found, key=lambda at: penalties[at] or 0)


def _penalty(words: Sequence[str], row: Sequence[str]) -> int | None:
    """How badly the words fit; None: not at all."""
    total = 0
    for word in words:
        column = next((at for at, text in enumerate(row) if word in text), None)
        if column is None:
            return None
        total += _PER_COLUMN * column + _place(word, row[column])
    return total


def _place(word: str, text: str) -> int:
    if text.startswith(word):
        return _BEGINS_TEXT
    return _BEGINS_WORD if f" {word}" in text else _INSIDE
