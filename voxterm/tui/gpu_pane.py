"""What the models cost: the memory by holder, the load, and how fast they decode."""

from __future__ import annotations

from textual.content import Content
from textual.reactive import reactive
from textual.widget import Widget

from voxterm.gauges import Gauges
from voxterm.tui.gauge_lines import gauge_lines, gauge_title


class GpuPane(Widget):
    """Shows as much as its height has room for, the most important first."""

    BORDER_TITLE = "memory"

    gauges: reactive[Gauges | None] = reactive(None)

    def __init__(self) -> None:
        super().__init__(id="gpu")

    def watch_gauges(self) -> None:
        self.border_title = Content(gauge_title(self.gauges))  # a str would be read as markup

    def render(self) -> Content:
        lines = gauge_lines(self.gauges, *self.content_size)
        return Content("\n").join(Content.assemble(*line) for line in lines)
