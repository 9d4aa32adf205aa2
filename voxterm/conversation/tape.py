"""The newest frames of the microphone: where a turn takes its beginning from, and the time of any sample."""

from __future__ import annotations

from collections import deque

import numpy as np

from voxterm.audio.protocols import FRAME_S, MicrophoneFrame
from voxterm.engines.protocols import HEARING_RATE_HZ, Samples

SPEECH_END_WINDOW_S = 0.01
"""The grain in which the end of speech is looked for."""

SPEECH_END_BELOW_PEAK_DB = 30.0
"""Speech has ended where the level stays this far below its own peak; ITU-T P.56 draws its line 15.9 dB below
the active level, which lies some 14 dB below the peak."""

SPEECH_END_ABOVE_NOISE_DB = 6.0
"""…or this close to the noise around it, where that is louder."""


class Tape:
    """Frames in order, at most `kept_s` of them."""

    def __init__(self, kept_s: float) -> None:
        self._frames: deque[MicrophoneFrame] = deque(maxlen=round(kept_s / FRAME_S))

    def append(self, frame: MicrophoneFrame) -> None:
        self._frames.append(frame)

    @property
    def end_sample(self) -> int:
        """The index after the newest sample."""
        return _end(self._frames[-1]) if self._frames else 0

    def since(self, sample: int) -> Samples:
        """What was heard from this sample on, as far as it is still there. (N,)"""
        parts = []
        for frame in reversed(self._frames):
            if _end(frame) <= sample:
                break
            parts.append(frame.samples[max(0, sample - frame.first_sample) :])
        return np.concatenate(parts[::-1]) if parts else np.zeros(0, np.float32)

    def time_of(self, sample: int) -> float:
        """When this sample was sound in the air.

        Raises:
            IndexError: nothing was heard yet.
        """
        nearest = (
            next((f for f in reversed(self._frames) if f.first_sample <= sample), None) or self._frames[0]
        )
        return nearest.ended_at_s - (_end(nearest) - sample) / HEARING_RATE_HZ

    def speech_end(self, near_sample: int, within_s: float = 0.5) -> int:
        """The last sample of speech, to 10 ms: a VAD says it only to a frame, and lags.

        Looks at the level in windows of 10 ms around `near_sample`, and takes the last that is neither far
        below the loudest nor lost in the noise.
        """
        reach = round(within_s * HEARING_RATE_HZ)
        from_sample = max(near_sample - reach, 0)
        heard = self.since(from_sample)
        from_sample = self.end_sample - len(heard)
        heard = heard[: near_sample + reach // 4 - from_sample]
        window = round(SPEECH_END_WINDOW_S * HEARING_RATE_HZ)
        whole = len(heard) // window
        if whole == 0:
            return near_sample
        levels = np.sqrt(np.mean(np.square(heard[: whole * window].reshape(whole, window)), axis=1))
        quiet = levels.max() * _ratio(-SPEECH_END_BELOW_PEAK_DB)
        noise = np.percentile(levels, 10) * _ratio(SPEECH_END_ABOVE_NOISE_DB)
        loud = np.flatnonzero(levels > max(quiet, noise))
        return from_sample + (int(loud[-1]) + 1) * window if len(loud) else near_sample


def _end(frame: MicrophoneFrame) -> int:
    return frame.first_sample + len(frame.samples)


def _ratio(decibel: float) -> float:
    return float(10 ** (decibel / 20))
