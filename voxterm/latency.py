"""Time stamps of a turn → how long each stage took; many turns → percentiles; figures → within target or not.

Pure: takes seconds on any one clock, gives milliseconds.

The stages of a spoken turn, in the order they run:

    last speech sample ─ endpoint wait ─► judged over
    asked ─ audio encode ─► taken in ─ first text ─► first delta ─ first sentence ─► piece
          ─ first speech ─► speech tokens ─ codec ─► samples
    taken in ─ transcript ─► text
    handed over ─ playout ─► out of the loudspeaker

The transcript is beside the way: an engine may decode it and the reply at once, and the reply then begins
before the transcript is complete. So both are counted from where the audio was taken in; of an engine that
answers the transcript, `first text` contains it. The targets of the way, without it, add up to that of the
response.

`asked` lies before `judged over` when the answer was started in the pause (speculation). So the stages do
not add up to the response; two figures say what a person gets:

    response        judged over → first sample handed to the loudspeaker
    voice-to-voice  last speech sample → first sample out of the loudspeaker
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

Breakdown: TypeAlias = "Mapping[str, float | None]"
"""Milliseconds by `Stage.key`; None where a turn has no such stage (a typed turn has no endpoint wait)."""


@dataclass(frozen=True, slots=True)
class Stage:
    key: str
    label: str
    begins: str  # the field of Stamps where it begins
    ends: str
    target_ms: float | None


STAGES: tuple[Stage, ...] = (
    Stage("endpoint_wait", "endpoint wait", "last_speech_s", "judged_over_s", None),
    Stage("audio_encode", "audio encode", "asked_s", "audio_encoded_s", 15.0),
    Stage("transcript", "transcript", "audio_encoded_s", "transcript_s", 50.0),
    Stage("first_text", "first text", "audio_encoded_s", "first_text_s", 25.0),
    Stage("first_sentence", "first sentence", "first_text_s", "first_sentence_s", 40.0),
    Stage("first_speech", "first speech", "first_sentence_s", "first_speech_s", 60.0),
    Stage("codec", "codec", "first_speech_s", "first_samples_s", 10.0),
    Stage("playout", "playout", "handed_s", "left_s", 30.0),
    Stage("response", "response", "judged_over_s", "handed_s", 150.0),
    Stage("voice_to_voice", "voice-to-voice", "last_speech_s", "left_s", 300.0),
)


@dataclass(slots=True)
class Stamps:
    """When each thing happened, in seconds on one clock; None: not yet, or never."""

    last_speech_s: float | None = None
    judged_over_s: float | None = None
    asked_s: float | None = None
    audio_encoded_s: float | None = None
    transcript_s: float | None = None
    first_text_s: float | None = None
    first_sentence_s: float | None = None
    first_speech_s: float | None = None
    first_samples_s: float | None = None
    handed_s: float | None = None
    left_s: float | None = None

    def breakdown(self) -> dict[str, float | None]:
        """Milliseconds of every stage; a stage without both its ends is None, one that ran backwards 0."""
        return {stage.key: self._span_ms(stage) for stage in STAGES}

    def _span_ms(self, stage: Stage) -> float | None:
        begins: float | None = getattr(self, stage.begins)
        ends: float | None = getattr(self, stage.ends)
        if begins is None or ends is None:
            return None
        return max(0.0, (ends - begins) * 1000.0)


def percentile(values: Sequence[float], percent: float) -> float:
    """The percentile by linear interpolation between ranks (numpy's default, Hyndman-Fan type 7).

    Raises:
        ValueError: no values, or a percentage outside 0…100.
    """
    if not values:
        raise ValueError("no values to take a percentile of")
    if not 0.0 <= percent <= 100.0:
        raise ValueError(f"a percentile lies in 0…100, not at {percent}")
    ordered = sorted(values)
    rank = (len(ordered) - 1) * percent / 100.0
    low = math.floor(rank)
    high = math.ceil(rank)
    return ordered[low] + (ordered[high] - ordered[low]) * (rank - low)


@dataclass(frozen=True, slots=True)
class Summary:
    """A stage over many turns."""

    p50: float
    p95: float
    n: int


def summarize(turns: Iterable[Breakdown]) -> dict[str, Summary]:
    """Each stage that any turn had, over the turns that had it, in the order of STAGES."""
    rows = list(turns)
    summaries: dict[str, Summary] = {}
    for stage in STAGES:
        values = [value for row in rows if (value := row.get(stage.key)) is not None]
        if values:
            summaries[stage.key] = Summary(percentile(values, 50), percentile(values, 95), len(values))
    return summaries


def within_target(stage: Stage, value_ms: float | None) -> bool | None:
    """True, False, or None where there is no target or no value."""
    if stage.target_ms is None or value_ms is None:
        return None
    return value_ms <= stage.target_ms
