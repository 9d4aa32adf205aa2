"""Text → lines that fit into a width. Pure; widths are terminal cells, positions are characters."""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache
from typing import TypeAlias

from rich.cells import get_character_cell_size

Slice: TypeAlias = "tuple[int, int]"
"""A line is `text[start:end]`."""

_TOKEN = re.compile(r"\n|[^\S\n]+|[!-~]+|[^\s]")
"""A line end, spaces, a word of ASCII, or any other single character."""


@lru_cache(maxsize=4096)
def cells_of(character: str) -> int:
    """The most cells that the character takes in any terminal: Indic vowel signs take one in some."""
    return 1 if unicodedata.category(character) == "Mc" else get_character_cell_size(character)


def disputed_cells(text: str) -> int:
    """By how many cells terminals may disagree on the width of a text."""
    return 0 if text.isascii() else sum(unicodedata.category(character) == "Mc" for character in text)


@lru_cache(maxsize=16)
def wrap(text: str, width: int) -> tuple[Slice, ...]:
    """Break at spaces, between wide characters, and inside a word only where it is longer than a line.

    Spaces at a break belong to no line. A text without characters is one empty line.
    """
    lines: list[Slice] = []
    for start, end in _paragraphs(text):
        _wrap_paragraph(text, start, end, max(2, width), lines)
    return tuple(lines)


def _paragraphs(text: str) -> list[Slice]:
    ends = [found.start() for found in re.finditer("\n", text)]
    starts = [0, *(end + 1 for end in ends)]
    return list(zip(starts, [*ends, len(text)], strict=True))


def _wrap_paragraph(text: str, start: int, end: int, width: int, lines: list[Slice]) -> None:
    line_start, line_end, used = start, start, 0  # the line so far is text[line_start:line_end]
    for word_start, word_end, cells in _words(text, start, end):
        gap = word_start - line_end
        if line_start < line_end and used + gap + cells > width:
            lines.append((line_start, line_end))
            line_end = line_start
        if line_start == line_end:
            line_start, gap, used = word_start, 0, 0
        if cells > width:
            line_start, used = _break_word(text, word_start, word_end, width, lines)
        else:
            used += gap + cells
        line_end = word_end
    lines.append((line_start, line_end))


def _words(text: str, start: int, end: int) -> list[tuple[int, int, int]]:
    """(start, end, cells) of everything that is not broken unless it must be."""
    words: list[tuple[int, int, int]] = []
    glued = False  # the last word goes on without a break
    for token in _TOKEN.finditer(text, start, end):
        piece = token.group()
        if piece.isspace():
            glued = False
            continue
        is_wide = len(piece) == 1 and cells_of(piece) == 2
        cells = len(piece) if piece.isascii() else cells_of(piece)
        if words and words[-1][1] == token.start() and (cells == 0 or (glued and not is_wide)):
            first, _, before = words[-1]
            words[-1] = (first, token.end(), before + cells)
        else:
            words.append((token.start(), token.end(), cells))
        if cells:
            glued = not is_wide
    return words


def _break_word(text: str, start: int, end: int, width: int, lines: list[Slice]) -> tuple[int, int]:
    """Put the full lines of a word that is too long; where its last line starts, and that line's cells."""
    if text.isascii():
        last = start + (end - start - 1) // width * width
        lines.extend((at, at + width) for at in range(start, last, width))
        return last, end - last
    used = 0
    for at in range(start, end):
        cells = cells_of(text[at])
        if used + cells > width:
            lines.append((start, at))
            start, used = at, 0
        used += cells
    return start, used
