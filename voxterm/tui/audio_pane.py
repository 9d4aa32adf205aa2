"""What the microphone and the loudspeaker do: level, speech, buffer, losses, and which devices they are."""

from __future__ import annotations

from typing import TypeAlias

from textual.content import Content
from textual.reactive import reactive
from textual.widget import Widget

from voxterm.events import DeviceStatus, Levels
from voxterm.tui.figures import BEYOND, NOTHING, decibels, level_fraction, meter
from voxterm.tui.model import Device, Devices
from voxterm.tui.safe_text import safe_line

_METER_CELLS = 24

_STATUS: dict[DeviceStatus | None, tuple[str, str, str]] = {  # sign, colour, word where there is no name
    None: (NOTHING, "$foreground 60%", "not open yet"),
    DeviceStatus.OPEN: ("✓", "$text-success", "open"),
    DeviceStatus.RECONNECTING: ("↻", "$text-warning", "reconnecting"),
    DeviceStatus.MISSING: ("▲", "$text-error", "missing"),
}

_Part: TypeAlias = "tuple[str, str]"  # text, style


class AudioPane(Widget):
    BORDER_TITLE = "audio"

    levels: reactive[Levels | None] = reactive(None)
    devices: reactive[Devices] = reactive(Devices())

    def __init__(self) -> None:
        super().__init__(id="audio")

    def render(self) -> Content:
        levels, microphone, loudspeaker = self.levels, self.devices.microphone, self.devices.loudspeaker
        return Content.assemble(
            *_level("mic", None if levels is None else levels.microphone_dbfs, microphone),
            *_device(microphone),
            *_level("out", None if levels is None else levels.loudspeaker_dbfs, loudspeaker),
            *_device(loudspeaker),
            *_speech(levels),
            *_buffer(levels),
        )


def _level(label: str, dbfs: float | None, device: Device) -> list[_Part]:
    if device.status is DeviceStatus.MISSING:
        dbfs = None  # what is measured in its place says nothing
    full, empty = meter(0.0 if dbfs is None else level_fraction(dbfs), _METER_CELLS)
    figure = NOTHING if dbfs is None else decibels(dbfs)
    return [
        (f"{label:<7}", "$foreground 60%"),
        (full, "$primary on $foreground 15%"),
        (empty, "on $foreground 15%"),
        (f"{figure:>9}\n", ""),
    ]


def _device(device: Device) -> list[_Part]:
    sign, colour, word = _STATUS[device.status]
    name = safe_line(device.name)
    text = f"{word}: {name}" if name and device.status is not DeviceStatus.OPEN else name or word
    shown = Content(text).truncate(31, ellipsis=True).plain
    return [(f"{'':7}{sign} ", colour), (f"{shown}\n", "$foreground 60%")]


def _speech(levels: Levels | None) -> list[_Part]:
    probability = levels.speech_probability if levels else 0.0
    full, empty = meter(probability, _METER_CELLS)
    figure = f"{probability:.2f}" if levels else NOTHING
    return [
        ("speech ", "$foreground 60%"),
        (full, "$primary on $foreground 15%"),
        (empty, "on $foreground 15%"),
        (f"{figure:>9}\n", ""),
    ]


def _buffer(levels: Levels | None) -> list[_Part]:
    """How much speech waits; marked where it is made more slowly than it is played."""
    behind = levels is not None and levels.speech_behind
    buffered = f"{min(levels.buffered_ms, 99_999):.0f} ms" if levels else NOTHING
    return [
        ("buffer ", "$foreground 60%"),
        (f"{BEYOND * behind}{buffered:<{8 - behind}}", "$text-error" if behind else ""),
        *_losses("overruns", levels.overruns if levels else 0),
        *_losses("underruns", levels.underruns if levels else 0),
    ]


def _losses(label: str, count: int) -> list[_Part]:
    shown = f"{count}" if count < 100 else "99+"
    return [(f" {label} ", "$foreground 60%"), (f"{shown:<2}", "$text-error" if count else "")]
