"""The texts of a picture: how wide they are at most, how they are wrapped, and what of them is shown.

No font is known here: the picture is drawn wherever it is looked at. Widths are those of a broad sans-serif,
so that a text takes the room that was left for it, or less.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache

from voxterm.errors import one_line

_NARROW = frozenset("fijlrtI.,:;'|!()[]{}/\\\" -")
_BROAD = frozenset("mwMWO@%Q&…—")
_JOINERS = re.compile("([\u200c\u200d])")  # Devanagari, Persian and others cannot be spelled without them


def shown(text: str) -> str:
    """The text on one line: control characters, and such as turn the reading order, as escapes."""
    parts = _JOINERS.split(" ".join(text.split()))
    return "".join(part if _JOINERS.fullmatch(part) else _escaped(part) for part in parts)


def _escaped(part: str) -> str:
    """`one_line` strips, and a space at a joiner belongs to the text."""
    return one_line(f"|{part}|")[1:-1]


def width_px(text: str, size_px: float) -> float:
    """How wide the text is at most, in a font of that size."""
    return sum(map(_width_em, text)) * size_px


@lru_cache(maxsize=4096)
def _width_em(character: str) -> float:
    if character in _NARROW:
        return 0.42
    if character in _BROAD:
        return 1.02
    if unicodedata.category(character) in ("Mn", "Me", "Cf"):
        return 0.0
    if unicodedata.east_asian_width(character) in "WF":
        return 1.3 if unicodedata.category(character) == "So" else 1.05
    if character.isascii():
        return 0.8 if character.isupper() else 0.66
    return 0.85


@dataclass(frozen=True, slots=True)
class Run:
    """A piece of text in one style, which is a class of the style sheet; "" for the text around it."""

    text: str
    style: str = ""


def wrapped(runs: Iterable[Run], size_px: float, room_px: float, most_lines: int) -> list[list[Run]]:
    """The runs in lines that fit into the room, broken between words where they can be. What is beyond the
    last line is an ellipsis."""
    lines: list[list[Run]] = []
    left_px = 0.0
    for run in runs:
        for word in _words(run.text, size_px, room_px):
            needed_px = width_px(word.rstrip(), size_px)
            if not lines or needed_px > left_px:
                if len(lines) == most_lines:
                    last = lines[-1].pop()
                    lines[-1] += [Run(last.text.rstrip(), last.style), Run("…", run.style)]
                    return lines
                lines.append([])
                left_px = room_px - width_px("…", size_px)
            _append(lines[-1], Run(word, run.style))
            left_px -= width_px(word, size_px)
    return lines


def _append(line: list[Run], run: Run) -> None:
    if line and line[-1].style == run.style:
        line[-1] = Run(line[-1].text + run.text, run.style)
    else:
        line.append(run)


def _words(text: str, size_px: float, room_px: float) -> Iterator[str]:
    """Words with the spaces after them; one that is longer than a line in pieces."""
    for word in re.findall(r"\s+|\S+\s*", text):
        if width_px(word, size_px) <= room_px / 2:
            yield word
        else:
            yield from _pieces(word, size_px, room_px / 2)


def _pieces(word: Sequence[str], size_px: float, room_px: float) -> Iterator[str]:
    """Never broken before a mark that stands on the character before it."""
    piece, used_px = "", 0.0
    for character in word:
        wide_px = width_px(character, size_px)
        if piece and wide_px and used_px + wide_px > room_px:
            yield piece
            piece, used_px = "", 0.0
        piece += character
        used_px += wide_px
    yield piece
