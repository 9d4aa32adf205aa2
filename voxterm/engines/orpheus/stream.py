"""Frames of codes in, samples out: the first as soon as they sound right, all of them exactly once.

The codec's decoder looks at what lies around a sample, to both sides. What lies before is always there. What
comes after has to be waited for, and how long is the trade: the less look-ahead, the earlier a sample is
there and the less exact it is. Signal to error at the edge, against the decode of the whole (the real sizes
with random weights; the lower figure with the codec's noise, the upper without): 768 samples of look-ahead
17…34 dB, 1024 19…35, 2048 31…48, 3072 41…58, 4096 68…85, 4608 121…133.

So the first chunk comes with little look-ahead, and all that follow with 4608 samples, as long as there is
speech in hand; where it runs out, with as much as there is. Each chunk runs a little further than what is
given out, and the next is faded in over it, so that no seam can be heard.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np

from voxterm.engines.orpheus.tokens import Frame
from voxterm.engines.protocols import Samples

FRAME_SAMPLES = 2048
RATE_HZ = 24_000

LEFT_FRAMES = 3
LOOK_AHEAD_SAMPLES = 4608
LEAST_LOOK_AHEAD_SAMPLES = 768
SECOND_LOOK_AHEAD_SAMPLES = 2048  # of a first chunk that waited for more than one frame
SEAM_SAMPLES = 256

FIRST_LIMIT_FRAMES = 4
"""For so many frames a slow model's first chunk is held back, so that the second comes before it ends."""
LONGEST_CHUNK_FRAMES = 4
LONGEST_WINDOW_FRAMES = 11
"""Of the windows that are decoded; shorter ones come at the beginning and in haste."""

HASTE = 1.5  # the next frame may take so much longer than the last
MARGIN_S = 0.005  # and a little later
LEAD_LIMIT_S = 0.5  # a loudspeaker takes no more ahead

Decode = Callable[[Sequence[Frame], int], Samples]
"""(frames of a window, number of the first) → (W · 2048,) samples"""


class SpeechStream:
    """One speech from its first frame to its last."""

    def __init__(
        self, decode: Decode, now: Callable[[], float], first_chunk_frames: int = 2, speed: float = 1.0
    ) -> None:
        """`now` gives seconds; `speed` is how fast the samples will be played."""
        self._decode = decode
        self._played_hz = RATE_HZ * speed
        self._now = now
        self._first_chunk_frames = first_chunk_frames
        self._frames: list[Frame] = []  # those that a window may still need
        self._dropped = 0  # frames before them
        self._given = 0  # samples
        self._tail: Samples = np.zeros(0, np.float32)  # what the last window had behind the samples given
        self._chunk_frames = 1  # that the next chunk must have at least, where there is time
        self._lead_s = 0.0  # how much of what was given is not played yet, if it was played at once
        self._frame_s = 0.0  # how long the last frame took to come
        self._decode_s = 0.0  # and the last window to be decoded
        self._since_s = now()

    def resume(self) -> None:
        """The time since the last call was not the model's: whoever listens had other things to do."""
        self._since_s = self._now()

    def push(self, frame: Frame) -> Samples | None:
        """Take the next frame; the next samples, when it is time for them."""
        self._frame_s = self._pass()
        self._frames.append(frame)
        end = self._first_end() if self._given == 0 else self._next_end()
        return self._give(end) if end > self._given else None

    def finish(self) -> Samples | None:
        """All that is left. Behind it there is nothing, so it is exact."""
        return self._give(self._ready) if self._ready > self._given else None

    def _pass(self) -> float:
        """The time since it was last asked, in which what was in hand was played."""
        now_s = self._now()
        passed_s, self._since_s = now_s - self._since_s, now_s
        self._lead_s = max(0.0, self._lead_s - passed_s)
        return passed_s

    @property
    def _ready(self) -> int:
        """The samples that the frames so far stand for."""
        return (self._dropped + len(self._frames)) * FRAME_SAMPLES

    @property
    def _needed_s(self) -> float:
        """How much has to be in hand to last until the next frame."""
        return HASTE * self._frame_s + self._decode_s + MARGIN_S

    def _first_end(self) -> int:
        if len(self._frames) < self._first_chunk_frames:
            return 0
        single = len(self._frames) == 1
        end = self._ready - (LEAST_LOOK_AHEAD_SAMPLES if single else SECOND_LOOK_AHEAD_SAMPLES)
        lasts = end / self._played_hz >= self._needed_s
        return end if lasts or len(self._frames) >= FIRST_LIMIT_FRAMES else 0

    def _next_end(self) -> int:
        """How far to speak now; not beyond what was given where nothing is due."""
        exact = self._ready - LOOK_AHEAD_SAMPLES
        if exact - self._given >= self._chunk_frames * FRAME_SAMPLES:
            self._chunk_frames = min(2 * self._chunk_frames, LONGEST_CHUNK_FRAMES)
            return exact
        short_s = self._needed_s - self._lead_s
        if short_s <= 0:
            return self._given
        seams = math.ceil((short_s + self._decode_s) * self._played_hz / SEAM_SAMPLES)
        hasty = min(self._given + seams * SEAM_SAMPLES, self._ready - LEAST_LOOK_AHEAD_SAMPLES)
        end = max(exact, hasty)
        return end if end - self._given >= SEAM_SAMPLES else self._given

    def _give(self, end: int) -> Samples:
        """Decode what leads up to there, and fade from what the last window had of it."""
        first = max(0, self._given // FRAME_SAMPLES - LEFT_FRAMES)
        del self._frames[: first - self._dropped]
        self._dropped = first
        window = self._decode(self._frames, first)[self._given - first * FRAME_SAMPLES :].copy()
        self._decode_s = self._pass()
        size = end - self._given
        seam = len(self._tail)
        if seam:
            fade = np.linspace(0.0, 1.0, seam, endpoint=False, dtype=np.float32)
            window[:seam] = self._tail + (window[:seam] - self._tail) * fade
        self._tail = window[size : size + SEAM_SAMPLES]
        self._given = end
        self._lead_s = min(self._lead_s + size / self._played_hz, LEAD_LIMIT_S)
        return window[:size]
