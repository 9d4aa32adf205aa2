"""What of a picture a terminal must be sent: the cells that differ from those it has, as curses does it.

Textual sends a whole widget for each of its changes. Over a slow line that is too much: a meter that moves by
a cell ten times a second would cost as much as its whole pane. Here every row that Textual draws is compared
with the row as it was sent last, and only the runs of cells that differ are written.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import lru_cache
from itertools import groupby
from typing import TypeAlias

from rich.cells import get_character_cell_size
from rich.color import ColorSystem
from rich.console import Console
from rich.style import Style
from textual._compositor import ChopsUpdate, CompositorUpdate, LayoutUpdate
from textual.strip import Strip

from voxterm.tui.terminal.placed_strip import is_placed

CLOSE_CELLS = 6
"""Equal cells between two runs that are sent all the same: to move the cursor costs as many bytes."""

Cell: TypeAlias = "tuple[str, str]"
"""A letter with the marks on it, and the codes of its style; the second cell of a wide letter is empty."""


class Changes:
    """Remembers what the terminal shows. `forget` it when the terminal may show something else."""

    def __init__(self) -> None:
        self._rows: list[Strip | None] = []
        self._width = 0

    def forget(self) -> None:
        self._rows.clear()

    def since_last(
        self, update: CompositorUpdate, size: tuple[int, int], colours: ColorSystem
    ) -> CompositorUpdate | None:
        """What brings the terminal from the last update to this one; None where it shows that already.

        `size`: columns and rows of the screen.
        """
        width, height = size
        if width != self._width or len(self._rows) != height:
            self._width, self._rows = width, [None] * height
        written = []
        for y, new in self._drawn(update):
            written.append(self._row(y, new, colours))
            self._rows[y] = new
        sequences = "".join(written)
        return _Written(sequences) if sequences else None

    def _drawn(self, update: CompositorUpdate) -> Iterator[tuple[int, Strip]]:
        """The rows that Textual has drawn, whole."""
        if isinstance(update, LayoutUpdate):
            for y, strips in enumerate(update.strips[: len(self._rows)], update.region.y):
                yield y, Strip.join(strips)
        elif isinstance(update, ChopsUpdate):
            for y, spans in groupby(sorted(update.spans), lambda span: span[0]):
                if y < len(self._rows) and self._rows[y] is not None:  # else a whole picture is on its way
                    yield y, self._completed(y, [(start, end) for _, start, end in spans], update)

    def _completed(self, y: int, spans: list[tuple[int, int]], update: ChopsUpdate) -> Strip:
        """A row of which only these spans were drawn, with what the terminal has of the rest."""
        row = self._rows[y] or Strip.blank(self._width)
        ends = update.chop_ends[y]
        drawn = Strip.join(
            strip or Strip.blank(end - x)
            for (x, strip), end in zip(update.chops[y].items(), ends, strict=False)
        )
        for start, end in spans:
            row = Strip.join([row.crop(0, start), drawn.crop(start, end), row.crop(end)])
        return row

    def _row(self, y: int, new: Strip, colours: ColorSystem) -> str:
        old = self._rows[y]
        if old is not None and old == new:
            return ""
        if is_placed(new) or (old is not None and is_placed(old)):
            return _moved(y, 0) + _painted((text, _codes(style, colours)) for text, style, _ in new)
        before, after = _cells(old, colours) if old else [], _cells(new, colours)
        runs = _differing(before, after)
        return "".join(_moved(y, start) + _painted(after[start:end]) for start, end in runs)


class _Written(CompositorUpdate):
    """An update that was worked out."""

    def __init__(self, sequences: str) -> None:
        self._sequences = sequences

    def render_segments(self, console: Console) -> str:
        return self._sequences


def _cells(strip: Strip, colours: ColorSystem) -> list[Cell]:
    cells: list[Cell] = []
    for text, style, _ in strip:
        codes = _codes(style, colours)
        for character in text:
            width = get_character_cell_size(character)
            if width == 0:
                _put_on_last(cells, character)
                continue
            cells.append((character, codes))
            if width == 2:
                cells.append(("", codes))
    return cells


def _put_on_last(cells: list[Cell], mark: str) -> None:
    """A mark stands on the letter before it; one without a letter is not shown."""
    at = len(cells) - 1
    while at >= 0 and cells[at][0] == "":
        at -= 1
    if at >= 0:
        cells[at] = (cells[at][0] + mark, cells[at][1])


def _differing(before: list[Cell], after: list[Cell]) -> list[tuple[int, int]]:
    """Runs of cells to send, (start, end); those that are close are one. None begins inside a wide letter."""
    runs: list[tuple[int, int]] = []
    for at, cell in enumerate(after):
        if at < len(before) and before[at] == cell:
            continue
        start, end = at, at + 1
        while start > 0 and after[start][0] == "":
            start -= 1
        while end < len(after) and after[end][0] == "":
            end += 1
        if runs and start - runs[-1][1] <= CLOSE_CELLS:
            start, end = runs[-1][0], max(end, runs.pop()[1])
        runs.append((start, end))
    return runs


def _moved(y: int, x: int) -> str:
    return f"\x1b[{y + 1};{x + 1}H"


def _painted(pieces: Iterable[tuple[str, str]]) -> str:
    """Text in its styles, each told once."""
    written = []
    for codes, group in groupby(pieces, lambda piece: piece[1]):
        text = "".join(f"{letters}" for letters, _ in group)  # formatted: a placed text is written otherwise
        written.append(f"\x1b[0;{codes}m{text}" if codes else f"\x1b[0m{text}")
    return "".join(written) + "\x1b[0m"


@lru_cache(maxsize=4096)
def _codes(style: Style | None, colours: ColorSystem) -> str:
    """The codes of a style without what the terminal does not show of it."""
    return Strip.render_ansi(style, colours) if style else ""
