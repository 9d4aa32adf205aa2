"""Where one sound is in another: by samples, whatever noise or echo is mixed in. Pure."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from voxterm.audio.resample import resample
from voxterm.bench.conversation.witness import Speech
from voxterm.engines.protocols import Samples

SILENT = 1e-3
"""A loudspeaker whose samples stay below this is silent: −60 dBFS."""

ONSET_S = 0.15
ONSET_SHARE = 0.25
"""The beginning of a voice is there if so much of its amplitude is found in its place (−12 dB)."""

COMPARED_S = 1.0
"""How much of a voice is looked for, from its beginning or its end: enough to be found in noise."""

LEFT_OUT_S = 0.02

TEMPLATE_S = 0.25
FADE_S = 0.03
"""The end of a reply that was cut off fades out within this, and is not compared."""

ALIKE = 0.6
"""Two sounds are the same if they correlate so far; speech of other words reaches half of that."""


def voiced_runs(samples: Samples, rate_hz: int, gap_s: float) -> list[tuple[float, float]]:
    """When the samples (N,) sound, in seconds from the first of them; shorter gaps belong to the sound."""
    loud = np.flatnonzero(np.abs(samples) > SILENT)
    if not len(loud):
        return []
    breaks = np.flatnonzero(np.diff(loud) > gap_s * rate_hz)
    begins = loud[np.concatenate([[0], breaks + 1])]
    ends = loud[np.concatenate([breaks, [len(loud) - 1]])] + 1
    return [(float(begin) / rate_hz, float(end) / rate_hz) for begin, end in zip(begins, ends, strict=True)]


def place_of(voice: Samples, heard: Samples, rate_hz: int) -> int | None:
    """At which sample of `heard` (N,) the voice (M,) begins; None where its beginning is not in it."""
    if len(heard) == 0:
        return None
    at = _best_place(voice[: round(COMPARED_S * rate_hz)], heard)
    onset = voice[: round(ONSET_S * rate_hz)]
    found = heard[max(0, at) : max(0, at) + len(onset)]
    if at < 0 or len(found) < len(onset):
        return None
    share = float(found @ onset) / float(onset @ onset)
    return at if share >= ONSET_SHARE else None


def lacks_some(voice: Samples, heard: Samples, rate_hz: int) -> bool:
    """Whether the end of a voice (M,) comes too early after its beginning in `heard` (N,)."""
    compared = round(COMPARED_S * rate_hz)
    begins = _best_place(voice[:compared], heard)
    ends = _best_place(voice[-compared:], heard) - max(0, len(voice) - compared)
    return begins - ends > LEFT_OUT_S * rate_hz


def words_heard(loudspeaker: Samples, rate_hz: int, speeches: Sequence[Speech]) -> int | None:
    """How many words of some speeches, spoken one after the other, had ended when the loudspeaker (N,) did.

    None where the end of what it played is not found in them.
    """
    parts = [resample(speech.samples, speech.rate_hz, rate_hz) for speech in speeches]
    whole = np.concatenate(parts)
    fade = round(FADE_S * rate_hz)
    before = loudspeaker[:-fade]
    sounded = (
        np.flatnonzero(np.abs(before) > SILENT)[-1:] + 1
    )  # a sentence may have been faded out as it began
    template = before[: int(sounded.sum())][-round(TEMPLATE_S * rate_hz) :]
    if len(template) < fade or len(whole) < len(template):
        return None
    at, likeness = likest_place(template, whole)
    if likeness < ALIKE:
        return None
    heard_s = (at + len(template) + 2 * fade) / rate_hz
    ended, begins_s = 0, 0.0
    for speech, part in zip(speeches, parts, strict=True):
        ended += _words_until(heard_s - begins_s, speech, part, rate_hz)
        begins_s += len(part) / rate_hz
    return ended


def _words_until(heard_s: float, speech: Speech, samples: Samples, rate_hz: int) -> int:
    """How many words of a speech have ended by then: each where the next one begins, the last with the sound.

    A mark may stand for two words that are spoken as one ("of a").
    """
    sounding_until = np.flatnonzero(np.abs(samples) > SILENT)[-1:] + 1
    if len(sounding_until) and heard_s >= sounding_until[0] / rate_hz:
        return len(speech.text.split())
    sounding = [mark for mark in speech.words if mark.end > mark.start and mark.at_s <= heard_s]
    return len(speech.text[: sounding[-1].start].split()) if sounding else 0


def _best_place(part: Samples, whole: Samples) -> int:
    """Where a part fits best into the whole; negative where it begins before it."""
    size = len(part) + len(whole) - 1
    spectrum = np.fft.rfft(whole, size) * np.conj(np.fft.rfft(part, size))
    at = int(np.argmax(np.fft.irfft(spectrum, size)))
    return at if at < len(whole) else at - size


def likest_place(part: Samples, whole: Samples) -> tuple[int, float]:
    """Where in the whole something is most like a part, and how much: 1 for the same."""
    size = len(part) + len(whole) - 1
    spectrum = np.fft.rfft(whole, size) * np.conj(np.fft.rfft(part, size))
    places = len(whole) - len(part) + 1
    power = np.concatenate([[0.0], np.cumsum(np.square(whole, dtype=np.float64))])
    there = np.sqrt(np.maximum(power[len(part) :] - power[:places], 1e-12))
    likeness = np.fft.irfft(spectrum, size)[:places] / (there * float(np.linalg.norm(part)))
    at = int(np.argmax(likeness))
    return at, float(likeness[at])
