"""A line that a person types or pastes into."""

from __future__ import annotations

from typing import Any

from textual.widgets import Input

from voxterm.tui.terminal.safe_text import safe_text


class SafeInput(Input):
    """An input of at most `max_chars` that never holds what a terminal must not be given."""

    def __init__(self, max_chars: int, **settings: Any) -> None:
        """`settings`: of Textual's input."""
        super().__init__(compact=True, max_length=max_chars, **settings)
        self._max_chars = max_chars

    def validate_value(self, value: str) -> str:
        return safe_text(value[: self._max_chars]).replace("\n", " ")[: self._max_chars]
