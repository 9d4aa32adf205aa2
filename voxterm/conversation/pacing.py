"""Where speech is made more slowly than it is played, the pauses fall between words.

Pure. While the voice keeps up, everything passes at once. When it does not, and what is buffered would not
last until the next word is whole, only what ends in a quiet place passes; the rest is held back until the
next quiet place or the end of the text is there. A word of which a part has passed is not held back: its
pause could only become longer.
"""

from __future__ import annotations

import math
from collections import deque

import numpy as np

from voxterm.engines.protocols import Samples

HELD_LIMIT_S = 1.5
"""More than this is never held back: a voice that leaves no pause in it is broken somewhere."""

AHEAD_S = 5.0
"""With so much in the buffer nothing is measured: speech may come slowly because there is no room for it."""

MEASURED_S = 2.0  # of making speech: how far back the measure of its speed looks
EVIDENCE_S = 0.25  # of it must have been seen before the measure says anything

WINDOW_S = 0.01
QUIET_WINDOWS = 3
QUIET_BELOW_PEAK_DB = 30.0
"""Speech pauses where its level stays this far below its own peak, as in `tape`."""

PEAK_KEPT = 0.99
"""What is left of the peak after another 10 ms of speech: half in 0.7 s."""


class Pacing:
    """Of one reply: `push` its chunks, `finish` each of its texts. No sample is lost, doubled or moved."""

    def __init__(self, rate_hz: int) -> None:
        self.behind = False
        """Speech is being made more slowly than it is played."""
        self._rate_hz = rate_hz
        self._quiet = QuietPlaces(rate_hz)
        self._held: Samples = np.zeros(0, np.float32)
        self._passed = 0
        self._arrived_s: float | None = None  # the chunk before, of the same text
        self._made: deque[tuple[float, float]] = deque()  # seconds that a chunk took, seconds of speech in it

    def push(self, samples: Samples, now_s: float, buffered_s: float) -> Samples:
        """Take the next chunk (N,); what of it and of those before may be played now.

        `buffered_s`: how much waits for the loudspeaker without it.
        """
        if not len(samples):
            return samples
        self._measure(len(samples) / self._rate_hz, now_s, buffered_s)
        self._quiet.listen(samples)
        self._held = np.concatenate([self._held, samples])
        self.behind = self._speed() < 1.0
        if not self.behind or self._lasts(buffered_s + len(self._held) / self._rate_hz):
            return self._pass(len(self._held))
        whole = max(0, self._quiet.newest - self._passed)
        is_too_long = len(self._held) - whole > HELD_LIMIT_S * self._rate_hz
        has_begun = self._passed > self._quiet.newest_ends
        return self._pass(len(self._held) if has_begun or is_too_long else whole)

    def finish(self, rest: Samples) -> Samples:
        """The text is complete with these samples; all that may be played now."""
        self._arrived_s = None  # the next text takes its time to begin, which says nothing of the speed
        self._quiet.listen(rest)
        self._held = np.concatenate([self._held, rest])
        return self._pass(len(self._held))

    def _measure(self, speech_s: float, now_s: float, buffered_s: float) -> None:
        if buffered_s >= AHEAD_S:
            self._made.clear()
        elif self._arrived_s is not None:
            self._made.append((now_s - self._arrived_s, speech_s))
            while self._took_s() - self._made[0][0] >= MEASURED_S:
                self._made.popleft()
        self._arrived_s = now_s

    def _took_s(self) -> float:
        return sum(took_s for took_s, _ in self._made)

    def _speed(self) -> float:
        """Seconds of speech that are made in a second."""
        took_s = self._took_s()
        return sum(speech_s for _, speech_s in self._made) / took_s if took_s >= EVIDENCE_S else math.inf

    def _lasts(self, available_s: float) -> bool:
        """Whether that much to play lasts until a word of the longest kind is made, chunk by chunk."""
        longest_s = max(took_s for took_s, _ in self._made)
        return available_s >= longest_s + HELD_LIMIT_S * (1.0 / self._speed() - 1.0)

    def _pass(self, count: int) -> Samples:
        passes, self._held = self._held[:count], self._held[count:]
        self._passed += len(passes)
        return passes


class QuietPlaces:
    """Finds where speech pauses for 30 ms or more, to 10 ms."""

    def __init__(self, rate_hz: int) -> None:
        self.newest = 0
        """The middle of the newest one so far, in samples since the first."""
        self.newest_ends = 0
        """Its end, with the 10 ms behind it: a part of them may be quiet too."""
        self._window = round(rate_hz * WINDOW_S)
        self._rest: Samples = np.zeros(0, np.float32)  # not a whole window yet
        self._windows = 0
        self._quiet_windows = 0  # in a row, up to now
        self._peak = 0.0  # power

    def listen(self, samples: Samples) -> None:
        """Take the next samples (N,)."""
        heard = np.concatenate([self._rest, samples])
        whole = len(heard) // self._window
        self._rest = heard[whole * self._window :]
        windows = heard[: whole * self._window].reshape(whole, self._window)
        powers = np.einsum("wn,wn->w", windows, windows) / self._window
        for power in powers:
            self._hear(float(power))

    def _hear(self, power: float) -> None:
        """10 ms more."""
        self._windows += 1
        if power > self._peak * 10 ** (-QUIET_BELOW_PEAK_DB / 10):
            self._quiet_windows = 0
            self._peak = max(power, self._peak * PEAK_KEPT)
            return
        self._quiet_windows += 1
        if self._quiet_windows >= QUIET_WINDOWS:
            self.newest = round((self._windows - self._quiet_windows / 2) * self._window)
            self.newest_ends = (self._windows + 1) * self._window
