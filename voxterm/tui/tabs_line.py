"""The panes as tabs, for a terminal that has no room for all of them."""

from __future__ import annotations

from textual import events
from textual.content import Content
from textual.reactive import reactive
from textual.widget import Widget

from voxterm.tui.model import Warned

VIEWS = ("talk", "latency", "memory", "audio", "log")
"""In the order of their keys, from 1."""


class TabsLine(Widget):
    view: reactive[str] = reactive(VIEWS[0])
    warnings: reactive[tuple[Warned, ...]] = reactive(())

    def __init__(self) -> None:
        super().__init__(id="tabs")

    def render(self) -> Content:
        return Content.assemble(
            *(
                part
                for number, name in enumerate(VIEWS, start=1)
                for part in (
                    (f" {number} ", "bold $text-accent"),
                    (self._title(name), "reverse" if name == self.view else "$foreground 60%"),
                )
            )
        )

    async def on_click(self, event: events.Click) -> None:
        at = 0
        for name in VIEWS:
            at += len(f" 1 {self._title(name)}")
            if event.x < at:
                await self.run_action(f"screen.view('{name}')")
                return

    def _title(self, name: str) -> str:
        count = f"▲{len(self.warnings)} " if name == "log" and self.warnings else ""
        return f" {name} {count}"
