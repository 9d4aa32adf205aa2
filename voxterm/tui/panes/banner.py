"""What stands over the talk while it lasts: engines that load, devices that are missing."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from typing import TypeAlias

from rich.cells import cell_len
from textual.content import Content
from textual.geometry import Size
from textual.reactive import reactive
from textual.widget import Widget

from voxterm.events import DeviceStatus
from voxterm.tui.model import Devices, EngineLoad, Status
from voxterm.tui.panes.figures import brief, gigabytes, meter
from voxterm.tui.panes.wrap import wrap
from voxterm.tui.terminal.safe_text import safe_line

MAX_LINES = 9

_Part: TypeAlias = "tuple[str, str]"  # text, style


class Banner(Widget):
    status: reactive[Status] = reactive(Status(), layout=True)
    devices: reactive[Devices] = reactive(Devices(), layout=True)

    def __init__(self) -> None:
        super().__init__(id="banner")

    def watch_status(self) -> None:
        self._show_or_hide()

    def watch_devices(self) -> None:
        self._show_or_hide()

    def get_content_height(self, container: Size, viewport: Size, width: int) -> int:
        return len(list(islice(self._lines(width), MAX_LINES)))

    def render(self) -> Content:
        return Content("\n").join(islice(self._lines(self.content_size.width), MAX_LINES))

    def _show_or_hide(self) -> None:
        self.display = any(True for _ in self._lines(80))

    def _lines(self, width: int) -> Iterator[Content]:
        names = max((cell_len(safe_line(load.engine)) for load in self.status.loading), default=0)
        for load in self.status.loading:
            yield Content.assemble(*_load(load, min(names, 24)))
        yield from _missing(self.devices, width)


def _load(load: EngineLoad, name_cells: int) -> list[_Part]:
    name = Content(safe_line(load.engine)).truncate(name_cells, ellipsis=True, pad=True).plain
    if not load.total_bytes:
        return [("◌ ", "$text-warning"), (f"{name}  ", ""), ("loading …", "$foreground 60%")]
    is_done = load.done_bytes >= load.total_bytes
    full, empty = meter(load.done_bytes / load.total_bytes, 16)
    amount = f"  {gigabytes(load.done_bytes)} of {gigabytes(load.total_bytes)}"
    if load.left_s is not None:
        amount += f", {brief(load.left_s)} left"
    return [
        ("✓ ", "$text-success") if is_done else ("◌ ", "$text-warning"),
        (f"{name}  ", ""),
        (full, "$primary on $foreground 15%"),
        (empty, "on $foreground 15%"),
        (amount, "$foreground 60%"),
    ]


def _missing(devices: Devices, width: int) -> Iterator[Content]:
    """What is missing, every remedy once, and what can be done without."""
    missing = {
        otherwise: device
        for otherwise, device in (
            ("no microphone", devices.microphone),
            ("no loudspeaker", devices.loudspeaker),
        )
        if device.status is DeviceStatus.MISSING
    }
    for otherwise, device in missing.items():
        yield from _hanging("▲ ", safe_line(device.what) or otherwise, "bold $text-error", width)
    for remedy in dict.fromkeys(safe_line(device.remedy) for device in missing.values()):
        if remedy:
            yield from _hanging("→ ", remedy, "", width)
    if "no microphone" in missing:
        yield Content.styled("  press t to type, p to play a recording into the talk", "$foreground 60%")


def _hanging(sign: str, text: str, style: str, width: int) -> Iterator[Content]:
    for row, (start, end) in enumerate(wrap(text, width - len(sign))):
        yield Content.styled((sign if row == 0 else "  ") + text[start:end], style)
