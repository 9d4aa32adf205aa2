"""A bare app that shows one dialog and keeps its result, and texts that try to steer it."""

from __future__ import annotations

import unicodedata
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from rich.console import Console
from textual.app import App
from textual.pilot import Pilot
from textual.screen import Screen

import voxterm.tui

STYLES = Path(voxterm.tui.__file__).parent / "dialogs" / "dialogs.tcss"

HOSTILE = {
    "markup": "[bold red]x[/] [/] [b [link=http://x]y[/link] [$error]z[/]",
    "click": "[@click=app.quit]press me[/]",
    "ansi": "\x1b[31mred\x1b[2J\x1b[H\x1b[?1049l\x9b5n",
    "osc": "\x1b]52;c;cm0gLXJmIC8=\x07\x1b]8;;http://evil\x1b\\click\x1b]8;;\x1b\\",
    "bidi": "user\u202etxt.exe\u2066\u2069\u200f",
    "marks": "Z" + "\u0301\u0489" * 500,
    "joiners": "\u200d" * 500 + "\u200b" * 500 + "\ufeff",
    "lines": "a\r\nb\rc\x0bd\x0ce\u2028f\u2029g",
    "surrogate": "\ud800\udfff\x00\x7f",
    "endless": "x" * 100_000,
    "endless wide": "太" * 20_000,
    "indic": "सबसे ऊँचा पहाड़ कौन सा है " * 1000,
    "nothing": "",
}


class Stage(App[None]):
    CSS_PATH = STYLES
    ENABLE_COMMAND_PALETTE = False

    def __init__(self) -> None:
        super().__init__()
        self.results: list[Any] = []  # of the dialogs that have been closed


@asynccontextmanager
async def staged(
    dialog: Screen[Any], size: tuple[int, int] = (80, 24)
) -> AsyncIterator[tuple[Stage, Pilot[None]]]:
    """The dialog on the screen, and what it looked for found."""
    app = Stage()
    async with app.run_test(size=size) as pilot:
        app.push_screen(dialog, app.results.append)
        await pilot.pause()
        await settled(pilot)
        yield app, pilot


async def settled(pilot: Pilot[None]) -> None:
    """Return when nothing is under way and all of it is on the screen."""
    await pilot.app.workers.wait_for_complete()
    await pilot.pause()
    await pilot.pause()


async def pressed(pilot: Pilot[None], *keys: str) -> None:
    await pilot.press(*keys)
    await settled(pilot)


def lines(app: App[Any]) -> list[str]:
    """What is on the screen, line by line."""
    rows = app.screen._compositor.render_strips()
    return ["".join(segment.text for segment in strip) for strip in rows]


def shown(app: App[Any]) -> str:
    return "\n".join(lines(app))


def cursor_line(app: App[Any]) -> str:
    """The row under the cursor, without its frame."""
    return next((line.strip("│ ").removeprefix("›").strip() for line in lines(app) if "│ ›" in line), "")


def spot(app: App[Any], text: str) -> tuple[int, int]:
    """Where the text begins on the screen: column, line. All before it takes one cell a letter."""
    return next((line.index(text), at) for at, line in enumerate(lines(app)) if text in line)


def assert_harmless(app: App[Any]) -> None:
    for character in shown(app):
        assert character in "\n\u200c\u200d" or character.isprintable(), f"U+{ord(character):04X}"
        assert unicodedata.bidirectional(character) not in ("RLO", "LRO", "RLE", "LRE", "RLI", "LRI", "FSI")
    for row in app.screen._compositor.render_strips():
        assert row.cell_length == app.size.width
        assert "\x1b]" not in row.render(Console(force_terminal=True))
        for segment in row:
            assert "@click" not in (segment.style.meta if segment.style else {})


def assert_frame_is_whole(app: App[Any]) -> None:
    """The border of the dialog is straight: no row is wider or narrower than its place."""
    frame = app.screen.query("DialogFrame").first().region
    strips = app.screen._compositor.render_strips()[frame.y : frame.bottom]
    edges = [(strip.crop(frame.x, frame.x + 1), strip.crop(frame.right - 1, frame.right)) for strip in strips]
    left, right = ("".join(edge.text for edge in side) for side in zip(*edges, strict=True))
    sides = "│" * (frame.height - 2)
    assert (left, right) == (f"╭{sides}╰", f"╮{sides}╯")
