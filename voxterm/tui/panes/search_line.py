"""The line for searching the talk. It stands in the place of the line for typing."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal
from textual.message import Message
from textual.widgets import Static

from voxterm.tui.panes.safe_input import SafeInput

MAX_CHARS = 200


class SearchInput(SafeInput):
    """An input that tells where to go and when it is over."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "leave", "done", show=False),
        Binding("down", "go(1)", "next", show=False),
        Binding("up,shift+enter", "go(-1)", "before", show=False),
    ]

    @dataclass
    class Gone(Message):
        """To the next match, 1, or the one before, −1."""

        direction: int

    class Ended(Message):
        """The person has done with it."""

    def __init__(self) -> None:
        super().__init__(MAX_CHARS, id="sought", placeholder="search the talk …")

    def action_leave(self) -> None:
        self.post_message(self.Ended())

    def action_go(self, direction: int) -> None:
        self.post_message(self.Gone(direction))


class SearchLine(Horizontal):
    def __init__(self) -> None:
        super().__init__(id="search")

    def compose(self) -> ComposeResult:
        yield Static(" / ", id="search-sign", markup=False)
        yield SearchInput()
        yield Static("", id="found", markup=False)

    def show_found(self, at: int, count: int) -> None:
        """`2 of 5`; `at` counts from 0."""
        nothing = "nothing found " if self.query_one(SearchInput).value else ""
        text = f"{at + 1} of {count} " if count else nothing
        self.query_one("#found", Static).update(text)
