"""The part of a loudspeaker that runs on the sound thread: it fills blocks, fades, and notes what left when.

One thread fills, the event loop does the rest. They share a lock-free ring and a few values that one side
alone replaces, each whole at once, so neither ever waits for the other.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

import numpy as np

from voxterm.audio.ring import SampleRing
from voxterm.engines.protocols import Samples

_SAME_MOMENT_S = 0.002  # blocks that follow each other this closely are one run
_RUNS = 1024


@dataclass(frozen=True, slots=True)
class _Run:
    """Samples that left the loudspeaker one after the other."""

    first: int  # index of its first sample among all that were written and not dropped
    count: int
    left_s: float  # when the first of them left


@dataclass(frozen=True, slots=True)
class _Cut:
    """What was written before this position is dropped, and fades out over so many samples."""

    until: int = 0
    fade_samples: int = 0


class Playing:
    """What waits to be played at `rate_hz`, and the record of what was."""

    def __init__(self, rate_hz: int, capacity_samples: int) -> None:
        self.underruns = 0
        self.in_reply = False
        """Whether running dry is an underrun. Set by the event loop."""
        self._rate_hz = rate_hz
        self._ring = SampleRing(capacity_samples)
        self._cut = _Cut()
        self._handed_at = (0, 0)  # samples handed over in all, and the ring's position then; replaced whole
        self._tail: Samples = np.zeros(0, np.float32)  # what still fades out
        self._dry = False
        self._runs: deque[_Run] = deque(maxlen=_RUNS)
        self._played = 0

    # On the event loop

    def put(self, samples: Samples) -> int:
        """Queue as many as there is room for; how many that was."""
        return self._ring.put(samples)

    def cut(self, fade_s: float) -> None:
        """Drop what waits; the next block fades it out."""
        self.in_reply = False
        self._cut = _Cut(self._ring.written, round(fade_s * self._rate_hz))

    def written(self) -> int:
        """Samples ever written, less those that were dropped."""
        cut = self._cut  # read first: while it waits to be done, what it drops no longer counts
        handed, position = self._handed_at
        return handed + self._ring.written - max(position, cut.until)

    def played(self, now_s: float) -> int:
        """Samples that have left the loudspeaker. Never goes back."""
        for run in reversed(list(self._runs)):
            if run.left_s <= now_s:
                passed = int((now_s - run.left_s) * self._rate_hz + 1e-6)  # against 0.1 · 10 < 1
                self._played = max(self._played, run.first + min(run.count, passed))
                break
        return self._played

    def left_at(self, sample: int) -> float | None:
        """When this sample leaves or left the loudspeaker, as far as it is known."""
        for run in reversed(list(self._runs)):
            if run.first <= sample < run.first + run.count:
                return run.left_s + (sample - run.first) / self._rate_hz
        return None

    # On the thread that fills

    def fill(self, block: Samples, left_s: float) -> None:
        """Fill a block (N,) whose first sample will leave the loudspeaker at `left_s`."""
        self._do_cut()
        faded = min(len(self._tail), len(block))
        block[:faded] = self._tail[:faded]
        self._tail = self._tail[faded:]
        taken = self._ring.take(block[faded:])
        block[faded + taken :] = 0.0
        if taken:
            self._dry = False
            self._note(taken, left_s + faded / self._rate_hz)
        if taken < len(block) - faded:
            self.note_dry()

    def note_dry(self) -> None:
        """Count an underrun, once each time that a reply runs dry."""
        if self.in_reply and not self._dry:
            self.underruns += 1
            self._dry = True

    def _do_cut(self) -> None:
        cut = self._cut
        if cut.until > self._ring.read:
            fade = np.linspace(1.0, 0.0, cut.fade_samples, dtype=np.float32)
            self._tail = self._ring.cut(fade, cut.until)
            self._handed_at = (self._handed_at[0], self._ring.read)

    def _note(self, count: int, left_s: float) -> None:
        handed = self._handed_at[0]
        last = self._runs[-1] if self._runs else None
        if last and abs(last.left_s + last.count / self._rate_hz - left_s) < _SAME_MOMENT_S:
            self._runs[-1] = _Run(last.first, last.count + count, last.left_s)
        else:
            self._runs.append(_Run(handed, count, left_s))
        self._handed_at = (handed + count, self._ring.read)
