"""What the marks of a time line say: where its axis has zero, its pauses, attempts and stages."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import NamedTuple

from voxterm.events import Mark, TurnTimeline
from voxterm.latency import STAGES, Stage, Stamps

BEFORE, AFTER = 0.06, 0.08
"""How much is shown before and after the answer's stages, as a share of the time they take."""
AFTER_S = 0.08
"""…and afterwards at least so much, so that the reply is seen to begin."""


class Zero(NamedTuple):
    """Where the axis has its zero, and what that moment is."""

    at_s: float
    what: str


class Attempt(NamedTuple):
    """An answer that was begun, until it sounded or was withdrawn."""

    from_s: float
    until_s: float
    withdrawn: bool


class Span(NamedTuple):
    from_s: float
    until_s: float


@dataclass(frozen=True, slots=True)
class TimedStage:
    """A stage of the answer, and where it lies."""

    stage: Stage
    from_s: float
    ms: float


def stamps_of(timeline: TurnTimeline) -> Stamps:
    """Of the answer that the turn got in the end: the last mark of each name."""
    names = {field.name for field in fields(Stamps)}
    found = {f"{mark.what}_s": mark.at_s for mark in timeline.marks}
    return Stamps(**{name: at_s for name, at_s in found.items() if name in names})


def end_s(timeline: TurnTimeline) -> float:
    """Where the time line ends."""
    heard_s = len(timeline.microphone_dbfs) * timeline.frame_s
    return max([heard_s, timeline.frame_s, *(mark.at_s for mark in timeline.marks)])


def is_typed(timeline: TurnTimeline) -> bool:
    """Nobody spoke: it was made with the keyboard."""
    return not any(mark.what in ("speech", "last_speech") for mark in timeline.marks)


def zero_of(timeline: TurnTimeline) -> Zero:
    """The last sample of the person's speech, if that is known: what they wait is counted from there."""
    stamps = stamps_of(timeline)
    if stamps.last_speech_s is not None:
        return Zero(stamps.last_speech_s, "the end of your speech")
    begun = [mark.at_s for mark in timeline.marks if mark.what == "speech"]
    if begun:
        return Zero(begun[0], "you began to speak")
    return Zero(stamps.judged_over_s or 0.0, "you pressed enter")


def pauses_of(timeline: TurnTimeline) -> list[Span]:
    """From the person's falling silent until they went on, or were judged to have finished."""
    ends = ("resumed", "judged_over", "finished")
    return [Span(mark.at_s, _next(timeline.marks[at:], ends)[1]) for at, mark in _all(timeline, "pause")]


def attempts_of(timeline: TurnTimeline) -> list[Attempt]:
    """Every answer that was begun, in order; the last may have sounded."""
    attempts = []
    for at, mark in _all(timeline, "asked"):
        what, until_s = _next(
            timeline.marks[at:], ("withdrawn", "resumed", "handed", "interrupted", "finished")
        )
        attempts.append(Attempt(mark.at_s, until_s, withdrawn=what in ("withdrawn", "resumed")))
    return attempts


def stages_of(timeline: TurnTimeline) -> list[TimedStage]:
    """Those that this turn had, in the order of STAGES."""
    stamps = stamps_of(timeline)
    found = []
    for stage in STAGES:
        ms = stamps.breakdown()[stage.key]
        if ms is not None:
            found.append(TimedStage(stage, getattr(stamps, stage.begins), ms))
    return found


def answer_span(timeline: TurnTimeline) -> Span | None:
    """All stages of the answer and a little around them; None where there are none, or they take no time."""
    stages = stages_of(timeline)
    if not stages:
        return None
    from_s = min(stage.from_s for stage in stages)
    until_s = max(stage.from_s + stage.ms / 1000 for stage in stages)
    took_s = until_s - from_s
    after_s = max(took_s * AFTER, AFTER_S)
    span = Span(max(0.0, from_s - took_s * BEFORE), min(end_s(timeline), until_s + after_s))
    return span if span.until_s > span.from_s else None


def _all(timeline: TurnTimeline, what: str) -> list[tuple[int, Mark]]:
    return [(at, mark) for at, mark in enumerate(timeline.marks) if mark.what == what]


def _next(marks: Sequence[Mark], ends: tuple[str, ...]) -> tuple[str, float]:
    """The name and the time of the first of these marks that is an end; else of the last."""
    found = next((mark for mark in marks if mark.what in ends), marks[-1])
    return found.what, found.at_s
