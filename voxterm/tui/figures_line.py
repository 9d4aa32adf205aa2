"""The instruments folded into one line of figures, for a terminal that is too small for panes."""

from __future__ import annotations

from typing import TypeAlias

from textual.content import Content
from textual.reactive import reactive
from textual.widget import Widget

from voxterm.events import DeviceStatus, Levels
from voxterm.gauges import Gauges
from voxterm.latency import STAGES
from voxterm.tui.figures import NOTHING, decibels, milliseconds, verdict
from voxterm.tui.gauge_lines import one_line
from voxterm.tui.latency_pane import TOTALS
from voxterm.tui.model import Device, Devices, Latencies

_Part: TypeAlias = "tuple[str, str]"  # text, style


class FiguresLine(Widget):
    latencies: reactive[Latencies] = reactive(())
    levels: reactive[Levels | None] = reactive(None)
    devices: reactive[Devices] = reactive(Devices())
    gauges: reactive[Gauges | None] = reactive(None)

    def __init__(self) -> None:
        super().__init__(id="figures")

    def render(self) -> Content:
        machine = [("  ", ""), *one_line(self.gauges)] if self.gauges else []
        return Content.assemble(" ", *self._latency(), *self._audio(), *machine)

    def _latency(self) -> list[_Part]:
        parts: list[_Part] = []
        for stage in STAGES:
            if stage.key in TOTALS:
                value_ms = self.latencies[-1].get(stage.key) if self.latencies else None
                sign, colour = verdict(stage, value_ms)
                parts += [
                    (f"{stage.label} ", "$foreground 60%"),
                    (f"{milliseconds(value_ms):>5} {sign}  ", colour),
                ]
        return parts

    def _audio(self) -> list[_Part]:
        levels, devices = self.levels, self.devices
        mic, out = (levels.microphone_dbfs, levels.loudspeaker_dbfs) if levels else (None, None)
        speech = f"{levels.speech_probability:.2f}" if levels else NOTHING
        return [
            ("mic ", "$foreground 60%"),
            (f"{_level(mic, devices.microphone):<7} ", ""),
            ("out ", "$foreground 60%"),
            (f"{_level(out, devices.loudspeaker):<7} ", ""),
            ("speech ", "$foreground 60%"),
            (speech, ""),
        ]


def _level(dbfs: float | None, device: Device) -> str:
    if device.status is DeviceStatus.MISSING:
        return "missing"
    return NOTHING if dbfs is None else decibels(dbfs)
