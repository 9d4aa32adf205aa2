"""Rows of columns to choose one from, filtered by what is searched for. Only the rows in view are drawn."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Generic, TypeVar

from rich.cells import cell_len
from rich.segment import Segment
from rich.style import Style
from textual import events
from textual.geometry import Size
from textual.message import Message
from textual.scroll_view import ScrollView
from textual.strip import Strip

from voxterm.tui.dialogs.row_filter import best_first, folded
from voxterm.tui.panes.wrap import cells_of
from voxterm.tui.terminal.placed_strip import placed
from voxterm.tui.terminal.safe_text import safe_line, shortened

T = TypeVar("T")

MAX_CHARS = 300
"""How much of a text is looked at: more than the widest row holds."""

FIXED_CELLS = 20
"""The most that a column takes which does not give way."""

FLEXIBLE_CELLS = 12
"""What a column that gives way is left with before others are left out."""

GAP = "  "
CURSOR, CURRENT = "›", "●"
_SIGN_CELLS = 3


@dataclass(frozen=True, slots=True)
class Cell:
    """A text that is safe to show, its width, and what a search looks at."""

    text: str
    cells: int
    searched: str

    @classmethod
    def of(cls, text: str) -> Cell:
        safe = safe_line(shortened(text, MAX_CHARS))
        return cls(safe, sum(map(cells_of, safe)), folded(safe))


@dataclass(frozen=True, slots=True)
class Row(Generic[T]):
    value: T
    cells: tuple[Cell, ...]
    is_current: bool = False

    @classmethod
    def of(cls, value: T, *texts: str, is_current: bool = False) -> Row[T]:
        """A row of any texts. What is costly is done here, so that it can be done on a thread."""
        return cls(value, tuple(map(Cell.of, texts)), is_current)


@dataclass(frozen=True, slots=True)
class Column:
    is_flexible: bool = False  # is cut where there is little room
    is_spare: bool = False  # is left out where there is less
    is_number: bool = False  # stands to the right


class ChoiceList(ScrollView, Generic[T], can_focus=False):
    """The row under the cursor is always in view: the keys move it, and it goes along as the view scrolls.

    A click chooses the row, or, where not `click_chooses`, moves the cursor to it and a second one chooses.
    """

    ALLOW_SELECT = False
    COMPONENT_CLASSES: ClassVar[set[str]] = {
        "choice-list--cursor",
        "choice-list--sign",
        "choice-list--detail",
        "choice-list--nothing",
    }

    class Moved(Message):
        """The cursor is on another row, or the rows are others."""

    class Chosen(Message):
        """The row under the cursor was clicked."""

    def __init__(self, columns: Sequence[Column], click_chooses: bool = True) -> None:
        super().__init__()
        self._columns = columns
        self._click_chooses = click_chooses
        self._all: Sequence[Row[T]] = ()
        self._found: Sequence[Row[T]] = ()
        self._query = ""
        self._nothing = ""
        self._cursor = 0
        self._is_fresh = True  # nobody has moved or searched yet
        self._natural: list[int] = []
        self._widths: tuple[int, ...] = ()

    @property
    def row(self) -> Row[T] | None:
        """The row under the cursor."""
        return self._found[self._cursor] if self._found else None

    @property
    def count(self) -> int:
        return len(self._all)

    @property
    def found_count(self) -> int:
        return len(self._found)

    def fill(self, rows: Sequence[Row[T]], start: int = 0) -> None:
        """Show these rows, as far as they are searched for, with the cursor on the one of that number."""
        self._is_fresh = not self._all
        self._all = rows
        columns = range(len(self._columns))
        self._natural = [max((row.cells[at].cells for row in rows), default=0) for at in columns]
        self._lay_out()
        self._find(rows[start] if start < len(rows) else None)

    def search(self, query: str) -> None:
        """Show the rows that fit, with the cursor on the best; without a query, where it was."""
        self._query = query
        self._is_fresh = False
        self._find(None if query.strip() else self.row)

    def say_nothing(self, text: str) -> None:
        """What stands there while there are no rows."""
        self._nothing = safe_line(text)
        self.refresh()

    def move(self, rows: int) -> None:
        self._move_to(self._cursor + rows)

    def page(self, direction: int) -> None:
        self.move(direction * max(1, self.scrollable_content_region.height - 1))

    def jump(self, to_end: bool) -> None:
        self._move_to(len(self._found) - 1 if to_end else 0)

    def get_content_height(self, container: Size, viewport: Size, width: int) -> int:
        return max(1, self.count)

    def on_resize(self, event: events.Resize) -> None:
        self._lay_out()
        self._keep_in_view()

    def on_click(self, event: events.Click) -> None:
        at = event.y + round(self.scroll_y)
        if event.x < self.scrollable_content_region.width and at < len(self._found):
            self._move_to(at)
            if self._click_chooses or event.chain == 2:
                self.post_message(self.Chosen())

    def watch_scroll_y(self, old_value: float, new_value: float) -> None:
        super().watch_scroll_y(old_value, new_value)
        top = round(new_value)
        in_view = min(max(self._cursor, top), top + max(1, self.scrollable_content_region.height) - 1)
        if self._found and in_view != self._cursor:
            self._cursor = min(in_view, len(self._found) - 1)
            self.refresh()
            self.post_message(self.Moved())

    def render_line(self, y: int) -> Strip:
        at = y + round(self.scroll_y)
        width = self.scrollable_content_region.width
        is_under_cursor = at == self._cursor
        base = self.rich_style
        if at < len(self._found):
            strip = self._drawn(self._found[at], is_under_cursor)
            base = self.get_component_rich_style("choice-list--cursor") if is_under_cursor else base
        else:
            text = cut(self._nothing, width - _SIGN_CELLS) if at == 0 else ""
            style = self.get_component_rich_style("choice-list--nothing")
            strip = Strip([Segment(" " * _SIGN_CELLS + text, style)])
        return strip.adjust_cell_length(width, base)

    def _drawn(self, row: Row[T], is_under_cursor: bool) -> Strip:
        names = ("cursor",) * 3 if is_under_cursor else ("sign", "", "detail")
        sign, first, detail = (
            self.get_component_rich_style(f"choice-list--{name}") if name else self.rich_style
            for name in names
        )
        signs = f"{CURSOR if is_under_cursor else ' '}{CURRENT if row.is_current else ' '} "
        pieces = [Strip([Segment(signs, sign)])]
        x = self.content_region.x + _SIGN_CELLS
        for at, cells in enumerate(self._widths):
            if cells:
                pieces.append(self._cell(row.cells[at], at, x, detail if at else first))
                x += cells + len(GAP)
        return Strip.join(pieces)

    def _cell(self, cell: Cell, column: int, x: int, style: Style) -> Strip:
        """The text in its column, which begins at `x` of the screen, and the gap behind it."""
        width = self._widths[column]
        text = cut(cell.text, width)
        if self._columns[column].is_number:
            text = " " * (width - cell_len(text)) + text
        strip = Strip([Segment(text, style)])
        if self.app.is_headless or self.app.screen is not self.screen:  # as in the conversation
            return strip.adjust_cell_length(width + len(GAP), style)
        return placed(strip, x, width + len(GAP), style)

    def _find(self, cursor_on: Row[T] | None) -> None:
        found = best_first(self._query, [[cell.searched for cell in row.cells] for row in self._all])
        self._found = [self._all[at] for at in found]
        self._cursor = next((at for at, row in enumerate(self._found) if row is cursor_on), 0)
        self.virtual_size = Size(self.scrollable_content_region.width, len(self._found))
        self._keep_in_view()
        self.refresh()
        self.post_message(self.Moved())

    def _move_to(self, at: int) -> None:
        at = max(0, min(at, len(self._found) - 1))
        if at != self._cursor:
            self._cursor = at
            self._is_fresh = False
            self._keep_in_view()
            self.refresh()
            self.post_message(self.Moved())

    def _keep_in_view(self) -> None:
        rows = max(1, self.scrollable_content_region.height)
        if self._is_fresh:  # as much around the cursor as there is
            top = self._cursor - rows // 2
        else:
            top = min(max(round(self.scroll_y), self._cursor - rows + 1), self._cursor)
        self.scroll_to(y=top, animate=False, immediate=True, force=True)

    def _lay_out(self) -> None:
        width = self.scrollable_content_region.width
        self._widths = column_widths(self._columns, self._natural, width - _SIGN_CELLS - len(GAP))
        self.virtual_size = Size(width, len(self._found))
        self.refresh()


def column_widths(columns: Sequence[Column], natural: Sequence[int], width: int) -> tuple[int, ...]:
    """The cells that each column takes of `width`, 0 for one left out.

    Spare columns are left out from the last on, until the others have their least. What the fixed ones leave
    is shared: a narrow flexible column gets all it needs, and wide ones are cut to the same width.
    """
    kept = [at for at, cells in enumerate(natural) if cells]
    least = [
        min(cells, FLEXIBLE_CELLS if column.is_flexible else FIXED_CELLS)
        for column, cells in zip(columns, natural, strict=False)
    ]
    for at in reversed(kept.copy()):
        if columns[at].is_spare and sum(least[other] + len(GAP) for other in kept) - len(GAP) > width:
            kept.remove(at)
    widths = {at: least[at] for at in kept if not columns[at].is_flexible}
    flexible = sorted((at for at in kept if columns[at].is_flexible), key=lambda at: natural[at])
    room = width - len(GAP) * (len(kept) - 1) - sum(widths.values())
    for still, at in zip(range(len(flexible), 0, -1), flexible, strict=True):
        widths[at] = max(1, min(natural[at], room // still))
        room -= widths[at]
    return tuple(widths.get(at, 0) for at in range(len(natural)))


def cut(text: str, cells: int) -> str:
    """The text in at most so many cells, whatever the terminal; with an ellipsis where some is missing."""
    if text.isascii() and len(text) <= cells:
        return text
    used = 0
    last = 0  # text[:last] leaves room for the ellipsis
    for at, character in enumerate(text):
        if used <= cells - 1:
            last = at
        used += cells_of(character)
        if used > cells:
            return f"{text[:last].rstrip()}…" if cells > 0 else ""
    return text
