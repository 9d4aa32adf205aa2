"""The talk: both sides, what is not final in grey, the word that sounds marked, errors in their place."""

from __future__ import annotations

from typing import ClassVar, get_args

from rich.cells import cell_len
from rich.segment import Segment
from rich.style import Style
from textual import events
from textual.geometry import Size
from textual.reactive import reactive
from textual.scroll_view import ScrollView
from textual.selection import Selection
from textual.strip import Strip

from voxterm.tui.dialogue import Dialogue
from voxterm.tui.panes.matches import Match, matches_in
from voxterm.tui.panes.turn_lines import WORD_MARK, Line, StyleName, gutter_of, lines_of, sounding_row
from voxterm.tui.terminal.placed_strip import placed


class ConversationPane(ScrollView, can_focus=False):
    """Draws only the lines that are in view, and lays out only the entries that have changed.

    It follows the talk, unless the person has scrolled back: then what is in view stays in view.
    """

    BORDER_TITLE = "conversation"
    COMPONENT_CLASSES: ClassVar[set[str]] = {
        *(f"conversation--{name}" for name in get_args(StyleName)),
        "conversation--match",
        "conversation--match-now",
    }

    dialogue: reactive[Dialogue] = reactive((), repaint=False)

    def __init__(self) -> None:
        super().__init__(id="conversation")
        self._laid_out: Dialogue = ()  # the entries whose lines are in _lines
        self._starts: list[int] = []  # the first line of each of them
        self._lines: list[Line] = []
        self._width = 0
        self._follows = True
        self._is_following_now = False  # it scrolls by itself, not by the person's hand
        self._sought = ""
        self._found: list[list[Match]] = []  # of each entry
        self._matches: list[Match] = []  # from the top
        self._match_at = 0  # the one that is shown
        self._marks: dict[int, list[tuple[int, int, int]]] = {}  # row → (match, first character, end)

    @property
    def allow_select(self) -> bool:
        return True

    def watch_dialogue(self) -> None:
        if self._width:
            self._lay_out()

    def on_resize(self, event: events.Resize) -> None:
        width = self.scrollable_content_region.width
        if width != self._width:
            top = self._entry_at(round(self.scroll_y))
            self._width = width
            self._laid_out, self._starts, self._lines = (), [], []
            self._lay_out()
            if not self._follows and top < len(self._starts):
                self.scroll_to(y=self._starts[top], animate=False, immediate=True, force=True)
        elif self._follows:
            self.follow()

    def watch_scroll_y(self, old_value: float, new_value: float) -> None:
        super().watch_scroll_y(old_value, new_value)
        if not self._is_following_now:
            self._follows = round(new_value) >= self._followed_y()
        self._tell_what_is_below()

    def follow(self) -> None:
        """Go to where the talk is, and stay with it."""
        self._follows = self._is_following_now = True
        self.scroll_to(y=self._followed_y(), animate=False, immediate=True, force=True)
        self._is_following_now = False
        self.vertical_scrollbar.position = self.scroll_y  # it may have been hidden until now

    def page(self, direction: int) -> None:
        """Scroll by a page: −1 back, +1 forth."""
        rows = max(1, self.scrollable_content_region.height - 1)
        self.scroll_to(y=self.scroll_y + direction * rows, animate=False, immediate=True, force=True)

    def to_start(self) -> None:
        """Scroll to the beginning of the talk."""
        self.scroll_to(y=0, animate=False, immediate=True, force=True)

    def search(self, sought: str) -> tuple[int, int]:
        """Mark a text wherever it stands, and show the last of these places: which one it is, of how many."""
        self._sought = sought
        self._find()
        self._match_at = len(self._matches) - 1
        self.refresh()
        return self.next_match(0)

    def next_match(self, direction: int) -> tuple[int, int]:
        """Show the next place, 1, or the one before, −1: which one it is, of how many."""
        count = len(self._matches)
        if count:
            self._match_at = (self._match_at + direction) % count
            height = self.scrollable_content_region.height
            row = self._matches[self._match_at].row
            if not self.scroll_y <= row < self.scroll_y + height:
                self.scroll_to(y=max(0, row - height // 2), animate=False, immediate=True, force=True)
            self.refresh()
        return self._match_at, count

    def _find(self, first: int = 0) -> None:
        """Find anew, from the entry with this number on."""
        del self._found[first:]
        if self._sought:
            self._found.extend(self._found_in(number) for number in range(first, len(self._starts)))
        self._matches = [
            match.moved(start)
            for start, found in zip(self._starts, self._found, strict=False)
            for match in found
        ]
        self._match_at = min(self._match_at, len(self._matches) - 1)
        self._marks = {}
        for number, match in enumerate(self._matches):
            for row, start, end in match.spans:
                self._marks.setdefault(row, []).append((number, start, end))

    def _found_in(self, number: int) -> list[Match]:
        """The places in one entry, their rows counted from its first."""
        gutter, start = gutter_of(self._width), self._starts[number]
        end = self._starts[number + 1] if number + 1 < len(self._starts) else len(self._lines)
        lines = ["".join(text for text, _ in line)[gutter:] for line in self._lines[start:end]]
        return matches_in([line.replace(WORD_MARK, " ") for line in lines], self._sought)

    def render_line(self, y: int) -> Strip:
        row = y + round(self.scroll_y)
        width = self.scrollable_content_region.width
        base = self.rich_style
        if row >= len(self._lines):
            return Strip.blank(width, base)
        pieces = [
            Segment(text, self.get_component_rich_style(f"conversation--{style}"))
            for text, style in self._lines[row]
        ]
        strip = self._selected(self._marked(Strip(pieces), row), row).apply_offsets(0, row)
        if (
            self.app.is_headless or self.app.screen is not self.screen
        ):  # a picture, or a dialog cuts the lines
            return strip.adjust_cell_length(width, base)
        return placed(strip, self.content_region.x, width, base)

    def get_selection(self, selection: Selection) -> tuple[str, str] | None:
        text = "\n".join("".join(piece for piece, _ in line) for line in self._lines)
        return selection.extract(text), "\n"

    def selection_updated(self, selection: Selection | None) -> None:
        self.refresh()

    def _marked(self, strip: Strip, row: int) -> Strip:
        """With the places in this row that were searched for."""
        gutter, text = gutter_of(self._width), strip.text
        for number, start, end in self._marks.get(row, ()):
            name = "match-now" if number == self._match_at else "match"
            style = self.get_component_rich_style(f"conversation--{name}")
            at, to = cell_len(text[: gutter + start]), cell_len(text[: gutter + end])
            before, inside, after = strip.divide([at, to, strip.cell_length])
            strip = Strip.join([before, inside.apply_style(style), after])
        return strip

    def _selected(self, strip: Strip, row: int) -> Strip:
        span = self.text_selection.get_span(row) if self.text_selection else None
        if span is None:
            return strip
        start, end = span
        end = strip.cell_length if end == -1 else end
        style: Style = self.screen.get_component_rich_style("screen--selection")
        before, inside, after = strip.divide([start, end, strip.cell_length])
        return Strip.join([before, inside.apply_style(style), after])

    def _lay_out(self) -> None:
        """Bring the lines up to date, from the first entry that has changed."""
        same = 0
        for old, new in zip(self._laid_out, self.dialogue, strict=False):
            if old is not new:
                break
            same += 1
        del self._lines[self._starts[same] if same < len(self._starts) else len(self._lines) :]
        del self._starts[same:]
        for entry in self.dialogue[same:]:
            self._starts.append(len(self._lines))
            self._lines.extend(lines_of(entry, self._width))
        self._laid_out = self.dialogue
        self.virtual_size = Size(self._width, max(0, len(self._lines) - 1))
        if self._sought:
            self._find(same)
        elif self._follows:
            self.follow()
        self._tell_what_is_below()
        self.refresh()

    def _followed_y(self) -> int:
        """The first line in view while it follows: the end, or less where the end is far from being heard."""
        end = max(0, len(self._lines) - 1 - self.scrollable_content_region.height)
        row = sounding_row(self._laid_out[-1], self._width) if self._laid_out else None
        if row is None:
            return end
        return min(end, max(0, self._starts[-1] + row - self.scrollable_content_region.height * 2 // 3))

    def _entry_at(self, row: int) -> int:
        """The entry that the row belongs to."""
        return max(0, sum(start <= row for start in self._starts) - 1)

    def _tell_what_is_below(self) -> None:
        below = len(self._lines) - 1 - round(self.scroll_y) - self.scrollable_content_region.height
        self.border_subtitle = "" if self._follows else f"↓ {below} lines below · end follows"
