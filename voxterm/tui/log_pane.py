"""The last warnings, the newest first."""

from __future__ import annotations

from collections.abc import Sequence

from textual.app import ComposeResult
from textual.containers import VerticalScroll
from textual.content import Content
from textual.reactive import reactive
from textual.widgets import Static

from voxterm.tui.model import Warned
from voxterm.tui.safe_text import safe_line, safe_text

MAX_CHARS = 1000
"""How much of a text is shown."""

SHOWN = 50
"""How many warnings the pane shows; the dialog shows all that are known."""


class LogPane(VerticalScroll, can_focus=False):
    BORDER_TITLE = "log"

    warnings: reactive[tuple[Warned, ...]] = reactive(())

    def __init__(self) -> None:
        super().__init__(id="log")

    def compose(self) -> ComposeResult:
        yield Static(markup=False)

    def watch_warnings(self) -> None:
        if self.is_mounted:
            self.query_one(Static).update(log_text(self.warnings[-SHOWN:]))

    def on_mount(self) -> None:
        self.watch_warnings()


def log_text(warnings: Sequence[Warned]) -> Content:
    """Time and kind, what, and the remedy of each."""
    if not warnings:
        return Content.styled("Nothing has gone wrong so far.", "$foreground 60%")
    return Content("\n").join(_warned(warned) for warned in reversed(warnings)).rstrip()


def _warned(warned: Warned) -> Content:
    return Content.assemble(
        (f"{warned.at:%H:%M:%S}  ", "$foreground 60%"),
        (f"{safe_line(warned.category)}\n", "$text-warning"),
        f"{_bounded(warned.what)}\n",
        (f"→ {_bounded(warned.remedy)}\n" if warned.remedy else "", "$foreground 60%"),
    )


def _bounded(text: str) -> str:
    return safe_text(text if len(text) <= MAX_CHARS else f"{text[:MAX_CHARS]}…")
