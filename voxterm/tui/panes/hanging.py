"""Texts behind leads of their own, whose further lines hang under their first one."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from textual.content import Content
from textual.geometry import Size
from textual.reactive import reactive
from textual.widget import Widget

from voxterm.tui.panes.wrap import wrap

LEAST_CELLS = 12
"""A text is never narrower than this: rather it is cut."""


@dataclass(frozen=True, slots=True)
class Hanging:
    """`text` is safe to be shown; what hangs under it begins where it begins."""

    lead: Content
    text: str = ""
    style: str = ""

    def lines(self, width: int) -> Iterator[Content]:
        indent = self.lead.cell_length
        for row, (start, end) in enumerate(wrap(self.text, max(LEAST_CELLS, width - indent))):
            lead = " " * indent if row else self.lead
            yield Content.assemble(lead, (self.text[start:end], self.style))


class HangingText(Widget):
    """As high as its paragraphs."""

    paragraphs: reactive[tuple[Hanging, ...]] = reactive((), layout=True)

    def __init__(self, paragraphs: tuple[Hanging, ...] = ()) -> None:
        super().__init__()
        self.set_reactive(HangingText.paragraphs, paragraphs)

    def render(self) -> Content:
        return Content("\n").join(self._lines(self.content_size.width))

    def get_content_height(self, container: Size, viewport: Size, width: int) -> int:
        return len(self._lines(width))

    def _lines(self, width: int) -> list[Content]:
        return [line for paragraph in self.paragraphs for line in paragraph.lines(width)]
