"""The latency of every stage: the last turn, the median and the slow end of the last turns, the target."""

from __future__ import annotations

from typing import TypeAlias

from textual.content import Content
from textual.reactive import reactive
from textual.widget import Widget

from voxterm.latency import STAGES, Stage, Summary, summarize
from voxterm.tui.figures import BEYOND, milliseconds, sparkline, verdict
from voxterm.tui.model import LATENCY_TURNS, Latencies

TOTALS = ("response", "voice_to_voice")
"""The stages that say what a person gets; they stand apart."""

_Part: TypeAlias = "tuple[str, str]"  # text, style


class LatencyPane(Widget):
    BORDER_TITLE = "latency (ms)"
    BORDER_SUBTITLE = f"voice-to-voice, last {LATENCY_TURNS} turns"

    latencies: reactive[Latencies] = reactive(())

    def __init__(self) -> None:
        super().__init__(id="latency")

    def render(self) -> Content:
        summaries = summarize(self.latencies)
        parts: list[_Part] = [(f"{'':14}{'last':>6}{'p50':>6}{'p95':>6}{'target':>8}\n", "$foreground 60%")]
        for stage in STAGES:
            if stage.key == TOTALS[0]:
                parts.append((f"{'─' * 40}\n", "$foreground 25%"))
            parts.extend(self._row(stage, summaries.get(stage.key)))
        parts.append((f"{'─' * 40}\n", "$foreground 25%"))
        parts.extend(self._history())
        return Content.assemble(*parts)

    def _row(self, stage: Stage, summary: Summary | None) -> list[_Part]:
        last_ms = self.latencies[-1].get(stage.key) if self.latencies else None
        p50_ms, p95_ms = (summary.p50, summary.p95) if summary else (None, None)
        sign, colour = verdict(stage, last_ms if last_ms is not None else p50_ms)
        weight = "bold" if stage.key in TOTALS else ""
        return [
            (f"{stage.label:<14}", weight),
            (f"{milliseconds(last_ms):>6}", colour if sign == BEYOND else weight),
            (f"{milliseconds(p50_ms):>6}{milliseconds(p95_ms):>6}", weight),
            (f"{milliseconds(stage.target_ms):>6}", "$foreground 60%"),
            (f" {sign}\n", colour),
        ]

    def _history(self) -> list[_Part]:
        """Voice-to-voice of the last turns, newest at the right; a turn on target is half a line high."""
        target = next(stage for stage in STAGES if stage.key == "voice_to_voice")
        values = [turn.get(target.key) for turn in self.latencies]
        bars = sparkline(values, 2 * (target.target_ms or 0.0))
        colours = [verdict(target, value)[1] for value in values]
        return [(" " * (LATENCY_TURNS - len(bars)), ""), *zip(bars, colours, strict=True)]
