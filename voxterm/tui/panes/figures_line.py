"""The instruments folded into one line of figures, for a terminal that is too small for panes."""

from __future__ import annotations

from textual.content import Content
from textual.reactive import reactive
from textual.widget import Widget

from voxterm.events import DeviceStatus, Levels
from voxterm.gauges import Gauges
from voxterm.latency import STAGES
from voxterm.tui.model import Device, Devices, Latencies
from voxterm.tui.panes.figures import BEYOND, NOTHING, decibels, milliseconds, verdict
from voxterm.tui.panes.gauge_lines import Part, one_line
from voxterm.tui.panes.latency_pane import TOTALS

_DIM = "$foreground 60%"
_GAP = "  "

_FIRST = ("voice_to_voice", "response", "mic", "machine", "speech", "out")
"""What there has to be room for first; the panes tell of all of them."""


class FiguresLine(Widget):
    latencies: reactive[Latencies] = reactive(())
    levels: reactive[Levels | None] = reactive(None)
    devices: reactive[Devices] = reactive(Devices())
    gauges: reactive[Gauges | None] = reactive(None)

    def __init__(self) -> None:
        super().__init__(id="figures")

    def render(self) -> Content:
        """The figures in their places, as many as there is room for whole."""
        figures = {**self._latency(), **self._audio()}
        if self.gauges:
            figures["machine"] = one_line(self.gauges)
        room = self.size.width - 2 + len(_GAP)
        kept = set()
        for key in _FIRST:
            cells = len(_GAP) + sum(Content(text).cell_length for text, _ in figures.get(key, ()))
            if cells <= room:
                kept.add(key)
                room -= cells
        shown = [Content.assemble(*parts) for key, parts in figures.items() if key in kept]
        return Content.assemble(" ", Content(_GAP).join(shown))

    def _latency(self) -> dict[str, list[Part]]:
        figures: dict[str, list[Part]] = {}
        for stage in STAGES:
            if stage.key in TOTALS:
                value_ms = self.latencies[-1].get(stage.key) if self.latencies else None
                sign, colour = verdict(stage, value_ms)
                figures[stage.key] = [
                    (f"{stage.label} ", _DIM),
                    (f"{milliseconds(value_ms):>4} ", colour if sign == BEYOND else ""),
                    (sign, colour),
                ]
        return figures

    def _audio(self) -> dict[str, list[Part]]:
        levels, devices = self.levels, self.devices
        mic, out = (levels.microphone_dbfs, levels.loudspeaker_dbfs) if levels else (None, None)
        speech = f"{levels.speech_probability:.2f}" if levels else NOTHING
        return {
            "mic": [("mic ", _DIM), (f"{_level(mic, devices.microphone):<7}", "")],
            "out": [("out ", _DIM), (f"{_level(out, devices.loudspeaker):<7}", "")],
            "speech": [("speech ", _DIM), (f"{speech:<4}", "")],
        }


def _level(dbfs: float | None, device: Device) -> str:
    if device.status is DeviceStatus.MISSING:
        return "missing"
    return NOTHING if dbfs is None else decibels(dbfs)
