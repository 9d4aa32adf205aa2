"""A line of text that keeps its place where terminals disagree on the width of its letters.

The vowel signs of Devanagari and its kin take a cell of their own in some terminals (xterm, tmux and those
with glibc's or VTE's tables) and none in others. Textual counts none, so that all that stands to the right of
such a line would be moved. Here the line says where it ends: what it covers is erased first, its blanks are
as many as fit in any terminal, and the cursor is then set to the column behind it.

The sequences ride on the pieces of text and come out only as these are written (`Strip.render` formats them):
as segments of their own, Textual 8 counts them as letters when it crops a line.
"""

from __future__ import annotations

from rich.segment import Segment
from rich.style import Style
from textual.strip import Strip

from voxterm.tui.panes.wrap import disputed_cells


class _Written(str):
    """A text that is measured as itself and written as something else."""

    written: str

    def __format__(self, spec: str) -> str:
        return self.written


def placed(strip: Strip, x: int, width: int, style: Style) -> Strip:
    """The strip filled up to `width` cells, to be drawn from column `x` of the screen on."""
    blanks = width - strip.cell_length
    disputed = disputed_cells(strip.text)
    if not disputed or blanks < disputed:
        return strip.adjust_cell_length(width, style)
    first, *rest = strip
    erasing = _written(first.text, f"\x1b[{width}X{first.text}")
    filling = _written(" " * blanks, f"{' ' * (blanks - disputed)}\x1b[{x + width + 1}G")
    return Strip([Segment(erasing, first.style), *rest, Segment(filling, style)], width)


def is_placed(strip: Strip) -> bool:
    """Whether a part of the strip is written as something else than itself."""
    return any(isinstance(segment.text, _Written) for segment in strip)


def _written(text: str, written: str) -> str:
    piece = _Written(text)
    piece.written = written
    return piece
