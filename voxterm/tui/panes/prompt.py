"""The line for typing."""

from __future__ import annotations

from typing import ClassVar

from textual import events
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal
from textual.widgets import Static

from voxterm.tui.panes.safe_input import SafeInput
from voxterm.tui.terminal.safe_text import safe_line

MAX_CHARS = 4000
"""More than a minute of fast speech."""


class TypedLine(SafeInput):
    """What is said with the keyboard; `Esc` leaves it."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape", "leave", "done", show=False)]

    def __init__(self) -> None:
        super().__init__(MAX_CHARS, id="typed", placeholder="t to type instead of talking …")

    def _on_paste(self, event: events.Paste) -> None:
        """Several lines become one; Textual would take the first alone."""
        event.prevent_default()
        event.stop()
        self.replace(" ".join(event.text.splitlines()), *self.selection)

    def action_leave(self) -> None:
        self.screen.set_focus(None)

    def take(self) -> str:
        """What was typed, on one line; the input is empty afterwards."""
        text = safe_line(self.value)
        self.clear()
        return text


class Prompt(Horizontal):
    def __init__(self) -> None:
        super().__init__(id="prompt")

    def compose(self) -> ComposeResult:
        yield Static(" › ", id="prompt-sign", markup=False)
        yield TypedLine()
