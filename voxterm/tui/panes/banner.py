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
from voxterm.tui.model import Device, Devices, EngineLoad, Status
from voxterm.tui.panes.figures import brief, gigabytes, meter
from voxterm.tui.panes.wrap import wrap
from voxterm.tui.terminal.safe_text import safe_line

MAX_LINES = 9

WHOLE_HEIGHT = 30
"""From this height of the screen on, what is missing is told with its remedies; below it the log has them."""

LONG_S = 5.0
"""After this time of loading whoever waits is told how long it takes, and that they need not wait."""

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
        if waiting := _waiting(self.status):
            yield Content.styled(f"  {waiting}", "$foreground 60%")
        is_whole = self.screen.size.height >= WHOLE_HEIGHT
        yield from _missing(self.devices, width) if is_whole else _missing_in_brief(self.devices, width)


def _waiting(status: Status) -> str:
    """What is said to who waits for engines; "" for nothing."""
    if not status.loading:
        return ""
    if status.leaving:
        return "ending; what still hangs in a few seconds is left behind"
    took_s = max((load.now - load.since).total_seconds() for load in status.loading)
    return f"for {brief(took_s)} now; q quits" if took_s >= LONG_S else ""


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
    missing = _missing_devices(devices)
    for otherwise, device in missing.items():
        yield from _hanging("▲ ", safe_line(device.what) or otherwise, "bold $text-error", width)
    for remedy in dict.fromkeys(safe_line(device.remedy) for device in missing.values()):
        if remedy:
            yield from _hanging("→ ", remedy, "", width)
    if "no microphone" in missing:
        yield Content.styled("  press t to type, p to play a recording into the talk", "$foreground 60%")


def _missing_in_brief(devices: Devices, width: int) -> Iterator[Content]:
    """The same in two lines."""
    missing = _missing_devices(devices)
    if not missing:
        return
    whats = "; ".join(safe_line(device.what) or otherwise for otherwise, device in missing.items())
    keys = "press l for what to do"
    if "no microphone" in missing:
        keys += ", t to type, p to play a recording into the talk"
    yield Content.styled(f"▲ {whats}", "bold $text-error").truncate(width, ellipsis=True)
    yield Content.styled(f"  {keys}", "$foreground 60%").truncate(width, ellipsis=True)


def _missing_devices(devices: Devices) -> dict[str, Device]:
    """By what is said of one that does not say it itself."""
    named = {"no microphone": devices.microphone, "no loudspeaker": devices.loudspeaker}
    return {name: device for name, device in named.items() if device.status is DeviceStatus.MISSING}


def _hanging(sign: str, text: str, style: str, width: int) -> Iterator[Content]:
    for row, (start, end) in enumerate(wrap(text, width - len(sign))):
        yield Content.styled((sign if row == 0 else "  ") + text[start:end], style)
