"""What the models cost: the memory by holder, the load, and how fast they decode."""

from __future__ import annotations

from textual.content import Content
from textual.geometry import Size
from textual.reactive import reactive
from textual.widget import Widget

from voxterm.gauges import Gauges
from voxterm.tui.panes.gauge_lines import gauge_lines, gauge_title


class GpuPane(Widget):
    """Shows as much as its height has room for, the most important first."""

    BORDER_TITLE = "memory"

    gauges: reactive[Gauges | None] = reactive(None)

    def __init__(self) -> None:
        super().__init__(id="gpu")

    def get_content_height(self, container: Size, viewport: Size, width: int) -> int:
        """All of it, where the style does not say how high it is."""
        return len(gauge_lines(self.gauges, width, viewport.height))

    def watch_gauges(self, before: Gauges | None, now: Gauges | None) -> None:
        if self.is_mounted and _shape(before) != _shape(now):
            self.refresh(layout=True)
        self.border_title = Content(gauge_title(self.gauges))  # a str would be read as markup

    def render(self) -> Content:
        lines = gauge_lines(self.gauges, *self.content_size)
        return Content("\n").join(Content.assemble(*line) for line in lines)


def _shape(gauges: Gauges | None) -> tuple[object, ...]:
    """What its height depends on; not the figures, which are new every second."""
    return (
        (len(gauges.memories), [*gauges.memories[0].holders], [*gauges.speeds])
        if gauges and gauges.memories
        else ()
    )
