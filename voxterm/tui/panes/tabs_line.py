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
        tabs = [
            Content.assemble(
                (f"{self._gap}{number} ", "bold $text-primary"),
                (f" {name} ", "reverse" if name == self.view else "$foreground 60%"),
                (self._count(name), "$text-warning"),
            )
            for number, name in enumerate(VIEWS, start=1)
        ]
        return Content().join(tabs)

    async def on_click(self, event: events.Click) -> None:
        at = 0
        for name in VIEWS:
            at += len(f"{self._gap}1  {name} {self._count(name)}")
            if event.x < at:
                await self.run_action(f"screen.view('{name}')")
                return

    def _count(self, name: str) -> str:
        return f"▲{len(self.warnings)} " if name == "log" and self.warnings else ""

    @property
    def _gap(self) -> str:
        """Between two tabs, where there is room for it."""
        cells = sum(len(f" 1  {name} {self._count(name)}") for name in VIEWS)
        return " " if cells <= self.size.width else ""
