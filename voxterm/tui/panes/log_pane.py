"""The last warnings, the newest first."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from textual.app import ComposeResult
from textual.containers import VerticalScroll
from textual.content import Content
from textual.reactive import reactive

from voxterm.tui.model import Warned
from voxterm.tui.panes.hanging import Hanging, HangingText
from voxterm.tui.terminal.safe_text import safe_line, safe_text, shortened

MAX_CHARS = 1000
"""How much of a text is shown."""

SHOWN = 50
"""How many warnings the pane shows; the dialog shows all that are known."""

_EMPTY = Hanging(Content())


class LogPane(VerticalScroll, can_focus=False):
    BORDER_TITLE = "log"

    warnings: reactive[tuple[Warned, ...]] = reactive(())

    def __init__(self) -> None:
        super().__init__(id="log")

    def compose(self) -> ComposeResult:
        yield HangingText()

    def watch_warnings(self) -> None:
        if self.is_mounted:
            self.query_one(HangingText).paragraphs = log_paragraphs(self.warnings[-SHOWN:])

    def on_mount(self) -> None:
        self.watch_warnings()


def log_paragraphs(warnings: Sequence[Warned]) -> tuple[Hanging, ...]:
    """Time and kind, what, and the remedy of each, the newest first."""
    if not warnings:
        return (Hanging(Content(), "Nothing has gone wrong so far.", "$foreground 60%"),)
    paragraphs = [paragraph for warned in reversed(warnings) for paragraph in (*_warned(warned), _EMPTY)]
    return tuple(paragraphs[:-1])


def _warned(warned: Warned) -> Iterator[Hanging]:
    yield Hanging(
        Content.styled(f"{warned.at:%H:%M:%S}  ", "$foreground 60%"),
        safe_line(warned.category),
        "$text-warning",
    )
    yield Hanging(_EMPTY.lead, safe_text(shortened(warned.what, MAX_CHARS)))
    if warned.remedy:
        remedy = safe_text(shortened(warned.remedy, MAX_CHARS))
        yield Hanging(Content.styled("→ ", "$foreground 60%"), remedy, "$foreground 60%")
