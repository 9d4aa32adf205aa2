"""The latency of every stage: the last turn, the median and the slow end of the last turns, the target."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TypeAlias

from textual.content import Content
from textual.reactive import reactive
from textual.widget import Widget

from voxterm.latency import STAGES, Stage, Summary, summarize
from voxterm.tui.model import LATENCY_TURNS, Latencies
from voxterm.tui.panes.figures import BEYOND, columns, meter, milliseconds, verdict

TOTALS = ("response", "voice_to_voice")
"""The stages that say what a person gets; they stand apart."""

_LABEL_CELLS = max(len(stage.label) for stage in STAGES)
_FIGURE_CELLS, _TARGET_CELLS = 5, 7
_FIGURES_CELLS = 3 * _FIGURE_CELLS + _TARGET_CELLS + 2  # last, p50, p95, target, and the sign
_LEAST_BAR_CELLS = 6
_ROWS = len(STAGES) + 2  # with the heads of the columns and the sparkline
_LEAST_SCALE_MS = 300.0
_LEAST_MARKED_ROWS, _MOST_HISTORY_ROWS = 4, 16
_HISTORY = f"voice-to-voice, last {LATENCY_TURNS} turns"

_DIM, _RULE = "$foreground 60%", "$foreground 25%"

_Part: TypeAlias = "tuple[str, str]"  # text, style


class LatencyPane(Widget):
    BORDER_TITLE = "latency (ms)"

    latencies: reactive[Latencies] = reactive(())

    def __init__(self) -> None:
        super().__init__(id="latency")

    def on_resize(self) -> None:
        self.border_subtitle = "" if _has_rules(self.content_size.height) else _HISTORY

    def render(self) -> Content:
        lines = list(_lines(self.latencies, self.content_size.width, self.content_size.height))
        return Content("\n").join(Content.assemble(*line) for line in lines)


def _lines(latencies: Latencies, width: int, height: int) -> Iterator[list[_Part]]:
    """The table, as wide and high as there is room; the lines between its parts go first."""
    summaries = summarize(latencies)
    bar_cells = max(0, width - _LABEL_CELLS - _FIGURES_CELLS - 2)
    bar_cells = bar_cells if bar_cells >= _LEAST_BAR_CELLS else 0
    top_ms = max(
        [_LEAST_SCALE_MS, *(value for value in (latencies[-1] if latencies else {}).values() if value)]
    )
    has_rules = _has_rules(height)
    yield _heads(bar_cells)
    for stage in STAGES:
        if has_rules and stage.key == TOTALS[0]:
            yield [("─" * width, _RULE)]
        yield _row(stage, latencies, summaries.get(stage.key), bar_cells, top_ms)
    if has_rules:
        yield [("─ ", _RULE), (_HISTORY, _DIM), (f" {'─' * (width - len(_HISTORY) - 3)}", _RULE)]
    yield from _history(latencies, width, min(_MOST_HISTORY_ROWS, height - _ROWS - 1) if has_rules else 1)


def _has_rules(height: int) -> bool:
    """Whether there is room for lines between the parts of the table."""
    return height >= _ROWS + 2


def _heads(bar_cells: int) -> list[_Part]:
    figures = "".join(f"{head:>{_FIGURE_CELLS}}" for head in ("last", "p50", "p95"))
    figures += f"{'target':>{_TARGET_CELLS}}"
    return [(" " * (_LABEL_CELLS + (bar_cells + 2 if bar_cells else 0)) + figures, _DIM)]


def _row(
    stage: Stage, latencies: Latencies, summary: Summary | None, bar_cells: int, top_ms: float
) -> list[_Part]:
    last_ms = latencies[-1].get(stage.key) if latencies else None
    p50_ms, p95_ms = (summary.p50, summary.p95) if summary else (None, None)
    sign, colour = verdict(stage, last_ms if last_ms is not None else p50_ms)
    weight = "bold" if stage.key in TOTALS else ""
    parts: list[_Part] = [(f"{stage.label:<{_LABEL_CELLS}}", weight)]
    if bar_cells:
        full, empty = meter((last_ms or 0.0) / top_ms, bar_cells)
        parts += [(" ", ""), (full, _bar_colour(stage, last_ms)), (f"{empty} ", "")]
    return [
        *parts,
        (f"{milliseconds(last_ms):>{_FIGURE_CELLS}}", f"{weight} {colour}" if sign == BEYOND else weight),
        (f"{milliseconds(p50_ms):>{_FIGURE_CELLS}}{milliseconds(p95_ms):>{_FIGURE_CELLS}}", weight),
        (f"{milliseconds(stage.target_ms):>{_TARGET_CELLS}}", _DIM),
        (f" {sign}", colour),
    ]


def _history(latencies: Latencies, width: int, rows: int) -> Iterator[list[_Part]]:
    """Voice-to-voice of the last turns, newest at the right; a turn on target is half as high as there is
    room. Where that is more than a few rows, a line marks the target."""
    target = next(stage for stage in STAGES if stage.key == "voice_to_voice")
    target_ms = target.target_ms or 0.0
    values = [turn.get(target.key) for turn in latencies][-width:]
    colours = [_bar_colour(target, value) for value in values]
    top_ms = max([2 * target_ms, *(value for value in values if value is not None)])
    marked = _row_of(target_ms / top_ms, rows) if rows >= _LEAST_MARKED_ROWS else None
    for row, bars in enumerate(columns(values, top_ms, rows)):
        mark = f"{milliseconds(target_ms)} " if row == marked else ""
        rule = "╌" if row == marked else " "
        yield [
            (mark, _DIM),
            (rule * (width - len(bars) - len(mark)), _RULE),
            *(
                (rule, _RULE) if bar == " " else (bar, colour)
                for bar, colour in zip(bars, colours, strict=True)
            ),
        ]


def _row_of(fraction: float, rows: int) -> int:
    """The row of a chart that a bar of so much of its height ends in, from its top."""
    return rows - 1 - int(fraction * (8 * rows - 1) + 0.5) // 8


def _bar_colour(stage: Stage, value_ms: float | None) -> str:
    sign, colour = verdict(stage, value_ms)
    return colour if sign == BEYOND else "$primary"
