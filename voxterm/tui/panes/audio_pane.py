"""What the microphone and the loudspeaker do: level, speech, buffer, losses, and which devices they are.

Ten times a second something moves here, and every cell that changes is sent over the line. So the meters move
by whole cells, and the figures beside them follow once in five glances.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TypeAlias

from textual.content import Content
from textual.reactive import reactive
from textual.widget import Widget

from voxterm.events import DeviceStatus, Levels
from voxterm.tui.model import Device, Devices
from voxterm.tui.panes.figures import BEYOND, NOTHING, decibels, level_fraction, whole_meter
from voxterm.tui.terminal.safe_text import safe_line

GLANCES_A_FIGURE = 5

_LABEL_CELLS = 7
_FIGURE_CELLS = 8
_ALL_LINES = 6

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
    threshold: reactive[float] = reactive(0.5)
    """The probability from which it is speech."""

    def __init__(self) -> None:
        super().__init__(id="audio")
        self._figures: Levels | None = None  # what the figures say
        self._glances = 0

    def watch_levels(self) -> None:
        if self._glances % GLANCES_A_FIGURE == 0 or _marks(self.levels) != _marks(self._figures):
            self._figures = self.levels
        self._glances += 1

    def render(self) -> Content:
        lines = self._lines(self.content_size.width, self.content_size.height >= _ALL_LINES)
        return Content("\n").join(Content.assemble(*line) for line in lines)

    def _lines(self, width: int, is_whole: bool) -> Iterator[list[_Part]]:
        levels, figures = self.levels, self._figures
        for label, device, dbfs, figure_dbfs in (
            (
                "mic",
                self.devices.microphone,
                levels.microphone_dbfs if levels else None,
                figures.microphone_dbfs if figures else None,
            ),
            (
                "out",
                self.devices.loudspeaker,
                levels.loudspeaker_dbfs if levels else None,
                figures.loudspeaker_dbfs if figures else None,
            ),
        ):
            is_there = device.status is not DeviceStatus.MISSING  # else what is measured says nothing
            yield _level(label, dbfs if is_there else None, figure_dbfs if is_there else None, width)
            if is_whole:
                yield _device(device, width, _echo(figures) if label == "mic" else "")
        yield _speech(levels, figures, self.threshold, width)
        if is_whole:
            yield _buffer(figures)


def _marks(levels: Levels | None) -> tuple[object, ...]:
    """What is shown at once: losses, and speech that is made too slowly."""
    return (levels.overruns, levels.underruns, levels.speech_behind) if levels else ()


def _level(label: str, dbfs: float | None, figure_dbfs: float | None, width: int) -> list[_Part]:
    full, empty = whole_meter(0.0 if dbfs is None else level_fraction(dbfs), _bar_cells(width))
    figure = NOTHING if figure_dbfs is None else decibels(figure_dbfs)
    return [
        (f"{label:<{_LABEL_CELLS}}", "$foreground 60%"),
        (full, "$primary"),
        (empty, "$foreground 25%"),
        (f"{figure:>{_FIGURE_CELLS}}", ""),
    ]


def _echo(levels: Levels | None) -> str:
    """What is taken off the loudspeaker's sound in the microphone, while there is any."""
    reduced_db = levels.echo_reduced_db if levels else None
    return "" if reduced_db is None else f"echo {-round(max(0.0, min(reduced_db, 99.0)))} dB"


def _device(device: Device, width: int, note: str = "") -> list[_Part]:
    sign, colour, word = _STATUS[device.status]
    name = safe_line(device.name)
    text = f"{word}: {name}" if name and device.status is not DeviceStatus.OPEN else name or word
    cells = max(1, width - _LABEL_CELLS - 2)
    name_cells = max(1, cells - len(note) - 1) if note else cells
    shown = Content(text).truncate(name_cells, pad=bool(note), ellipsis=True).plain
    parts = [(f"{'':{_LABEL_CELLS}}{sign} ", colour), (shown, "$foreground 60%")]
    return [*parts, (f" {note}", "")] if note else parts


def _speech(levels: Levels | None, figures: Levels | None, threshold: float, width: int) -> list[_Part]:
    """The probability of speech; a mark stands where it begins to count."""
    bar_cells = _bar_cells(width)
    probability = levels.speech_probability if levels else 0.0
    full, empty = whole_meter(probability, bar_cells)
    bar, at = full + empty, min(bar_cells - 1, round(threshold * bar_cells))
    colour = "$text-success" if probability >= threshold else "$primary"
    styles = [colour] * len(full) + ["$foreground 25%"] * len(empty)
    parts = [*zip(bar[:at], styles[:at], strict=True), ("│", "")]
    parts += zip(bar[at + 1 :], styles[at + 1 :], strict=True)
    figure = f"{figures.speech_probability:.2f}" if figures else NOTHING
    return [(f"{'speech':<{_LABEL_CELLS}}", "$foreground 60%"), *parts, (f"{figure:>{_FIGURE_CELLS}}", "")]


def _buffer(levels: Levels | None) -> list[_Part]:
    """How much speech waits; marked where it is made more slowly than it is played."""
    behind = levels is not None and levels.speech_behind
    buffered = f"{min(levels.buffered_ms, 99_999):.0f} ms" if levels else NOTHING
    return [
        (f"{'buffer':<{_LABEL_CELLS}}", "$foreground 60%"),
        (f"{BEYOND * behind}{buffered:<{8 - behind}}", "$text-error" if behind else ""),
        *_losses("overruns", levels.overruns if levels else 0),
        *_losses("underruns", levels.underruns if levels else 0),
    ]


def _losses(label: str, count: int) -> list[_Part]:
    shown = f"{count}" if count < 100 else "99+"
    return [(f" {label} ", "$foreground 60%"), (f"{shown:<3}", "$text-error" if count else "")]


def _bar_cells(width: int) -> int:
    return max(4, width - _LABEL_CELLS - _FIGURE_CELLS)
