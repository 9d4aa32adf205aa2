"""A question that is answered by yes or no; no is the answer of Enter and Esc."""

from __future__ import annotations

from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import Static

from voxterm.tui.dialogs.parts import DialogFrame, FootLine
from voxterm.tui.terminal.safe_text import safe_text, shortened

MAX_CHARS = 300


class Question(ModalScreen[bool]):
    """Its result is True for yes."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("y", "answer(True)", show=False),
        Binding("n,enter,escape", "answer(False)", show=False),
    ]

    def __init__(self, text: str) -> None:
        super().__init__()
        self._text = safe_text(shortened(text, MAX_CHARS))

    def compose(self) -> ComposeResult:
        with DialogFrame():
            yield Static(Content(self._text), markup=False)
            yield FootLine((("y", "yes", "answer(True)"), ("n enter esc", "no", "answer(False)")))

    def action_answer(self, answer: bool) -> None:
        self.dismiss(answer)
