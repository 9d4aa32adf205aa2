"""A turn's time line in a byte a value: 6 kB for a minute.

Levels are kept to half a decibel between silence and full scale, probabilities to 1/255.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass, field

from voxterm.audio.levels import SILENT_DBFS
from voxterm.events import Mark, TurnTimeline

LEVELS_PER_DB = 2
PROBABILITY_STEPS = 255


@dataclass(frozen=True, slots=True)
class PackedTimeline:
    """What of a time line is stored; each series has a byte for every `frame_s`."""

    frame_s: float
    microphone: bytes = field(repr=False)
    loudspeaker: bytes = field(repr=False)
    speech: bytes = field(repr=False)
    marks: tuple[Mark, ...]

    def unpacked(self, turn: int) -> TurnTimeline:
        """As it was, to the precision above, under the number of its turn."""
        return TurnTimeline(
            turn=turn,
            frame_s=self.frame_s,
            microphone_dbfs=tuple(-value / LEVELS_PER_DB for value in self.microphone),
            loudspeaker_dbfs=tuple(-value / LEVELS_PER_DB for value in self.loudspeaker),
            speech_probability=tuple(value / PROBABILITY_STEPS for value in self.speech),
            marks=self.marks,
        )


def packed(timeline: TurnTimeline) -> PackedTimeline:
    return PackedTimeline(
        timeline.frame_s,
        _levels(timeline.microphone_dbfs),
        _levels(timeline.loudspeaker_dbfs),
        bytes(_within(round(value * PROBABILITY_STEPS), 255) for value in timeline.speech_probability),
        timeline.marks,
    )


def marks_as_text(marks: Iterable[Mark]) -> str:
    return json.dumps([[mark.what, mark.at_s] for mark in marks], separators=(",", ":"))


def marks_of_text(text: str) -> tuple[Mark, ...]:
    """Raises ValueError: it is none that `marks_as_text` gave."""
    return tuple(Mark(str(what), float(at_s)) for what, at_s in json.loads(text))


def _levels(levels_dbfs: Iterable[float]) -> bytes:
    return bytes(
        _within(round(-level * LEVELS_PER_DB), round(-SILENT_DBFS) * LEVELS_PER_DB) for level in levels_dbfs
    )


def _within(value: int, most: int) -> int:
    return min(max(value, 0), most)
