"""What both sides did, frame by frame and moment by moment, until a turn's time line is cut out of it.

A conversation gives it every frame of the microphone, and a mark whenever something happens in a turn. Both
are cheap and bounded: frames for as long as a turn and its reply may take, marks for the turns under way.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Mapping
from dataclasses import fields
from typing import NamedTuple

from voxterm.audio.levels import SILENT_DBFS
from voxterm.audio.protocols import FRAME_S
from voxterm.events import (
    Event,
    Interrupted,
    Mark,
    ReplyWentOn,
    ReplyWithdrawn,
    ReplyYielded,
    SpeechPaused,
    SpeechResumed,
    SpeechStarted,
    TurnEnded,
    TurnTimeline,
)
from voxterm.latency import Stamps

LEAD_S = 0.5
"""How much a time line shows of what came before its turn."""

MOST_MARKS = 256
"""Of one turn; the oldest are forgotten."""

MOST_TURNS = 16
"""How many turns may be under way, those included that were dropped and never asked for."""

SAME_S = 0.005
"""A mark and a stamp of one name that are this near are one thing told twice."""


class _Frame(NamedTuple):
    ended_at_s: float
    microphone_dbfs: float
    loudspeaker_dbfs: float
    speech_probability: float


_MARKED: Mapping[type[Event], str] = {
    SpeechStarted: "speech",
    SpeechPaused: "pause",
    SpeechResumed: "resumed",
    TurnEnded: "judged_over",
    ReplyYielded: "yielded",
    ReplyWentOn: "went_on",
    ReplyWithdrawn: "withdrawn",
    Interrupted: "interrupted",
}

_QUIET = _Frame(0.0, SILENT_DBFS, SILENT_DBFS, 0.0)


class Track:
    """Lives on the event loop. All times are seconds on the conversation's clock."""

    def __init__(self, kept_s: float) -> None:
        """`kept_s`: the longest that a turn and its reply may take; of a longer one the beginning is lost."""
        self._kept_s = kept_s
        self._frames: deque[_Frame] = deque(maxlen=math.ceil(kept_s / FRAME_S))
        self._marks: dict[int, deque[tuple[str, float]]] = {}  # by turn, in the order they were made

    def frame(
        self, at_s: float, microphone_dbfs: float, loudspeaker_dbfs: float, speech_probability: float
    ) -> None:
        """Take the next 32 ms, which ended at `at_s`."""
        levels = round(microphone_dbfs, 1), round(loudspeaker_dbfs, 1)
        self._frames.append(_Frame(at_s, *levels, round(speech_probability, 3)))

    def mark(self, turn: int, what: str, at_s: float) -> None:
        """Something happened in a turn: `events.Mark` tells what may. Its speech begins a turn anew, since
        the number of one that was dropped is used again."""
        if what == "speech" or turn not in self._marks:
            self._marks.pop(turn, None)
            self._marks[turn] = deque(maxlen=MOST_MARKS)
        self._marks[turn].append((what, at_s))
        if len(self._marks) > MOST_TURNS:
            del self._marks[next(iter(self._marks))]

    def follow(self, event: Event, now_s: float) -> None:
        """Take an event of the conversation, for those that are marks."""
        what = _MARKED.get(type(event))
        if what:
            turn: int = getattr(event, "turn")  # noqa: B009, that every one of these has
            self.mark(turn, what, getattr(event, "at_s", now_s))

    def timeline(
        self, turn: int, from_s: float, until_s: float, stamps: Stamps | None = None
    ) -> TurnTimeline:
        """The time line of a turn that began at `from_s` and has finished at `until_s`; its marks are then
        forgotten. `stamps` are those of the reply that it got in the end: each becomes a mark of its name."""
        from_s = max(from_s, until_s - self._kept_s)
        begin_s, cells = self._cells(from_s - LEAD_S, until_s)
        marks = [
            (what, at_s)
            for what, at_s in _with_stamps(self._marks.pop(turn, ()), stamps)
            if from_s <= at_s <= until_s
        ]
        marks.sort(key=lambda mark: mark[1])
        marks.append(("finished", max(from_s, until_s)))
        _, microphone_dbfs, loudspeaker_dbfs, speech_probability = (
            zip(*cells, strict=True) if cells else [()] * 4
        )
        return TurnTimeline(
            turn=turn,
            frame_s=FRAME_S,
            microphone_dbfs=microphone_dbfs,
            loudspeaker_dbfs=loudspeaker_dbfs,
            speech_probability=speech_probability,
            marks=tuple(Mark(what, round(at_s - begin_s, 4)) for what, at_s in marks),
        )

    def _cells(self, from_s: float, until_s: float) -> tuple[float, list[_Frame]]:
        """When the first cell of that span begins, and the cells from there on, one every `FRAME_S`.

        A frame lasts until the next, but no longer than two: where frames were lost it is quiet.
        """
        frames = [frame for frame in self._frames if from_s + FRAME_S <= frame.ended_at_s <= until_s]
        if not frames:
            return from_s, []
        begin_s = min(frames).ended_at_s - FRAME_S
        begin_s -= max(0, round((begin_s - from_s) / FRAME_S) - 1) * FRAME_S
        places = [round((frame.ended_at_s - begin_s) / FRAME_S) - 1 for frame in frames]
        cells = [_QUIET] * (max(places) + 1)
        for shift in (1, 0):  # each first where the next one belongs, and is written over by it
            for place, frame in zip(places, frames, strict=True):
                if place + shift < len(cells):
                    cells[place + shift] = frame
        return begin_s, cells


def _with_stamps(
    marks: deque[tuple[str, float]] | tuple[()], stamps: Stamps | None
) -> list[tuple[str, float]]:
    """The marks, and the stamps that are not among them: `judged_over_s` is the mark `judged_over`."""
    told = list(marks)
    for stamp in fields(Stamps) if stamps else ():
        what, at_s = stamp.name.removesuffix("_s"), getattr(stamps, stamp.name)
        if at_s is not None and not any(what == name and abs(at_s - at) < SAME_S for name, at in told):
            told.append((what, at_s))
    return told
