"""What is sent makes a terminal show what Textual drew, and is no more than what changed."""

from __future__ import annotations

import pyte
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.color import ColorSystem
from rich.console import RenderableType
from rich.segment import Segment
from rich.style import Style
from textual._compositor import ChopsUpdate, CompositorUpdate, LayoutUpdate
from textual.app import App, ComposeResult
from textual.geometry import Region
from textual.screen import Screen
from textual.strip import Strip
from textual.widgets import Static

from voxterm.tui.terminal.changes import Changes

WIDTH, HEIGHT = 40, 8
BOLD, PLAIN = Style(bold=True, color="red"), Style()


class Terminal:
    """A terminal in memory, behind `Changes`."""

    def __init__(self, width: int = WIDTH, height: int = HEIGHT) -> None:
        self.changes = Changes()
        self.sent = ""
        self._size = (width, height)
        self._screen = pyte.Screen(width, height)
        self._stream = pyte.Stream(self._screen)

    def take(self, update: CompositorUpdate) -> str:
        written = self.changes.since_last(update, self._size, ColorSystem.TRUECOLOR)
        self.sent = "" if written is None else written.render_segments(None)  # type: ignore[arg-type]
        self._stream.feed(self.sent)
        return self.sent

    @property
    def rows(self) -> list[str]:
        return [row.rstrip() for row in self._screen.display]

    def is_bold(self, x: int, y: int) -> bool:
        return bool(self._screen.buffer[y][x].bold)


def picture(*rows: Strip) -> LayoutUpdate:
    blank = Strip.blank(WIDTH)
    filled = [row.adjust_cell_length(WIDTH) for row in rows] + [blank] * (HEIGHT - len(rows))
    return LayoutUpdate([[row] for row in filled], Region(0, 0, WIDTH, HEIGHT))


def text(*pieces: tuple[str, Style]) -> Strip:
    return Strip([Segment(*piece) for piece in pieces])


def test_what_is_the_same_is_not_sent() -> None:
    terminal = Terminal()
    terminal.take(picture(text(("hello", PLAIN))))
    assert terminal.rows[0] == "hello"
    assert terminal.take(picture(text(("hello", PLAIN)))) == ""


def test_only_the_cells_that_differ_are_sent() -> None:
    terminal = Terminal()
    terminal.take(picture(text(("level  -18 dB     speech 0.97", PLAIN))))
    sent = terminal.take(picture(text(("level  -19 dB     speech 0.91", PLAIN))))
    assert terminal.rows[0] == "level  -19 dB     speech 0.91"
    assert "level" not in sent
    assert len(sent) < 40


def test_a_change_of_style_alone_is_sent() -> None:
    terminal = Terminal()
    terminal.take(picture(text(("one two", PLAIN))))
    assert not terminal.is_bold(4, 0)
    terminal.take(picture(text(("one ", PLAIN), ("two", BOLD))))
    assert [terminal.is_bold(x, 0) for x in (3, 4, 6)] == [False, True, True]


def test_after_forgetting_all_is_sent_again() -> None:
    terminal = Terminal()
    terminal.take(picture(text(("hello", PLAIN))))
    terminal.changes.forget()
    assert "hello" in terminal.take(picture(text(("hello", PLAIN))))


def test_a_part_of_a_picture_that_was_higher_is_left_out() -> None:
    """The terminal was made lower, and what was drawn for the old size came afterwards. It ended the app."""
    terminal = Terminal()
    terminal.take(picture(text(("one", PLAIN)), text(("two", PLAIN))))
    stale = ChopsUpdate([{0: Strip.blank(WIDTH)}] * 20, [(1, 0, 5), (19, 0, 5)], [[WIDTH]] * 20)
    terminal.take(stale)
    assert terminal.rows[:2] == ["one", ""]
    lower = terminal.changes.since_last(stale, (WIDTH, 2), ColorSystem.TRUECOLOR)
    assert lower is None  # nothing is known of the new size until a whole picture comes


LETTERS = st.text(st.sampled_from("ab █▌太é\u0301क"), max_size=18)
ROWS = st.lists(st.tuples(LETTERS, LETTERS), min_size=1, max_size=HEIGHT)


@settings(max_examples=150, deadline=None)
@given(st.lists(ROWS, min_size=2, max_size=4))
def test_any_picture_after_any_other(pictures: list[list[tuple[str, str]]]) -> None:
    """Wide letters are never cut in two, marks stay on their letters, and nothing of the old is left."""
    one_by_one = Terminal()
    for rows in pictures:
        drawn = picture(*(text((a, PLAIN), (b, BOLD)) for a, b in rows))
        one_by_one.take(drawn)
        at_once = Terminal()
        at_once.take(drawn)
        assert one_by_one.rows == at_once.rows


class Overlapping(App[None]):
    """Widgets of which some are drawn anew alone, one over another."""

    CSS = "Static { width: 20; height: 3; } #over { layer: top; offset: 8 -2; } Screen { layers: base top; }"

    def __init__(self, terminal: Terminal) -> None:
        super().__init__()
        self._terminal = terminal

    def compose(self) -> ComposeResult:
        yield Static("under", id="under")
        yield Static("beside", id="beside")
        yield Static("over", id="over")

    def _display(self, screen: Screen[object], renderable: RenderableType | None) -> None:
        if isinstance(renderable, CompositorUpdate):
            self._terminal.take(renderable)
        super()._display(screen, renderable)


@pytest.mark.parametrize("name", ["under", "beside", "over"])
async def test_a_widget_that_is_drawn_alone(name: str) -> None:
    terminal = Terminal()
    app = Overlapping(terminal)
    async with app.run_test(size=(WIDTH, HEIGHT)) as pilot:
        await pilot.pause()
        app.query_one(f"#{name}", Static).update("x\nyy\nchanged")
        await pilot.pause()
        assert terminal.sent
        drawn = [strip.text.rstrip() for strip in app.screen._compositor.render_strips()]
        assert terminal.rows == drawn
