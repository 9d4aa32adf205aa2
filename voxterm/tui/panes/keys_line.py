"""The line at the bottom: what the keys do now, and how many warnings the log holds."""

from __future__ import annotations

from typing import TypeAlias

from textual import events
from textual.content import Content
from textual.reactive import reactive
from textual.widget import Widget

from voxterm.tui.keys import APP_KEYS
from voxterm.tui.model import Status, Warned

Key: TypeAlias = "tuple[str, str, str]"  # what is on the key, what it does, the app's action

KEYS: tuple[Key, ...] = tuple(
    (key.shown, key.label, key.click or key.action) for key in APP_KEYS if key.on_line
)

TYPING_KEYS: tuple[Key, ...] = (("enter", "say it", ""), ("esc", "done", ""), ("ctrl+q", "quit", "leave"))
ENDED_KEYS: tuple[Key, ...] = (
    ("q", "quit", "leave"),
    ("ctrl+s", "save", "save"),
    ("l", "log", "log"),
    ("?", "help", "help"),
)
"""What still works when the conversation has ended."""

SEARCHING_KEYS: tuple[Key, ...] = (("enter", "further back", ""), ("↓", "forth", ""), ("esc", "done", ""))

_GIVEN_UP_FIRST = (
    *("persona", "log", "devices", "sessions", "voice"),
    *("mute", "interrupt", "type", "toggle_talk"),
)
"""What goes where the line is too short; help tells of all of them."""


class KeysLine(Widget):
    warnings: reactive[tuple[Warned, ...]] = reactive(())
    status: reactive[Status] = reactive(Status())
    typing: reactive[bool] = reactive(False)
    searching: reactive[bool] = reactive(False)

    def __init__(self) -> None:
        super().__init__(id="keys")

    def render(self) -> Content:
        counted = self._counted()
        line = Content(" ").join(
            Content.assemble((f" {key} ", "bold $text-primary"), does) for key, does, _ in self._keys()
        )
        gap = max(0, self.size.width - len(counted) - line.cell_length)
        return Content.assemble(line, " " * gap, (counted, "$text-warning"))

    async def on_click(self, event: events.Click) -> None:
        """A click on a key does what the key does; one on the warnings opens the log."""
        at = 0
        for key, does, action in self._keys():
            at += len(key) + len(does) + 3
            if event.x < at:
                if action:
                    await self.run_action(f"app.{action}")
                return
        if event.x >= self.size.width - len(self._counted()):
            await self.run_action("app.log")

    def _counted(self) -> str:
        count = len(self.warnings)
        return f"▲ {count} warning{'s' if count != 1 else ''} " if count else ""

    def _keys(self) -> list[Key]:
        """The keys that fit."""
        keys = list(self._that_work())
        for action in _GIVEN_UP_FIRST:
            if sum(len(key) + len(does) + 3 for key, does, _ in keys) <= self.size.width - len(
                self._counted()
            ):
                break
            keys = [key for key in keys if key[2] != action]
        return keys

    def _that_work(self) -> tuple[Key, ...]:
        if self.searching:
            return SEARCHING_KEYS
        if self.typing:
            return TYPING_KEYS[1:] if self.status.failure else TYPING_KEYS
        return ENDED_KEYS if self.status.failure else KEYS
