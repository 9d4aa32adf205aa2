"""Chunks of speech as a loudspeaker would play them: whether it ever ran dry. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Arrival:
    """A chunk: when it came, and how long it sounds."""

    at_s: float
    duration_s: float


@dataclass(frozen=True, slots=True)
class Playback:
    """How it went."""

    least_buffered_ms: float
    """What was still to be played when the next chunk came, at the worst moment; 0 where it ran dry."""
    underruns: int
    silence_ms: float  # in the underruns together


def played(arrivals: Sequence[Arrival]) -> Playback:
    """Play the chunks from the moment the first one comes, each as soon as it can.

    With a single chunk nothing can run dry, and all of it counts as buffered.
    """
    ends_at_s = arrivals[0].at_s + arrivals[0].duration_s
    least_s, underruns, silence_s = arrivals[0].duration_s, 0, 0.0
    for arrival in arrivals[1:]:
        buffered_s = ends_at_s - arrival.at_s
        if buffered_s < 0:
            underruns += 1
            silence_s -= buffered_s
        least_s = min(least_s, max(0.0, buffered_s))
        ends_at_s = max(ends_at_s, arrival.at_s) + arrival.duration_s
    return Playback(1000 * least_s, underruns, 1000 * silence_s)
