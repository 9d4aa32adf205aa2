"""What left the loudspeaker, sample by sample at 16 kHz: the sound that an echo is made of.

The thread that plays hands blocks over; the event loop takes them in and reads them at fractional positions.
Positions count samples at 16 kHz from the first block on. A hole in what was played is silence, so that the
time at which position 0 would have left (`origin_s`) changes by little from block to block.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from functools import cache

import numpy as np

from voxterm.audio.resample import StreamResampler
from voxterm.engines.protocols import HEARING_RATE_HZ, Samples

KEPT_S = 3.0
"""How long it is remembered: an echo comes within half a second, and devices wait for a little more."""

_WAITING_S = 4.0  # this much may wait to be taken in; what is played then is lost
_HOLE_S = 0.1  # a stamp that is later by less was only estimated anew
_TAPS = 32
_PHASES = 256
_KAISER_BETA = 7.86  # 80 dB


@dataclass(frozen=True, slots=True)
class _Block:
    samples: Samples  # (N,) at rate_hz
    rate_hz: int
    left_s: float


class Reference:
    """`played` may be called on any thread, one at a time; everything else on the event loop."""

    def __init__(self) -> None:
        self.until = 0
        """The position after the last sample that is known."""
        self.origin_s: float | None = None
        """When position 0 left, by the newest block; None: nothing was played yet."""
        self._waiting: deque[_Block] = deque()
        self._queued_s = 0.0  # ever put into _waiting, counted by the thread that plays
        self._taken_s = 0.0  # ever taken out of it
        self._resampler: StreamResampler | None = None
        self._rate_hz = 0
        self._begun = 0  # the position at which this run of blocks without a hole begins
        self._run = 0  # samples of it, at rate_hz
        self._next_s = 0.0  # when the next block leaves if nothing is missing
        self._kept: Samples = np.zeros(2 * round(KEPT_S * HEARING_RATE_HZ), np.float32)
        self._first = 0  # the position of _kept[0]

    def played(self, samples: Samples, rate_hz: int, left_s: float) -> None:
        """A block (N,) whose first sample leaves at `left_s`. Copies it and returns."""
        if self._queued_s - self._taken_s < _WAITING_S:
            self._waiting.append(_Block(samples.copy(), rate_hz, left_s))
            self._queued_s += len(samples) / rate_hz

    def take_in(self) -> None:
        """Make what was played since the last call readable."""
        while self._waiting:
            block = self._waiting.popleft()
            seconds = len(block.samples) / block.rate_hz
            self._taken_s += seconds
            if self._resampler is None or block.rate_hz != self._rate_hz or self._hole_s(block) > 0:
                self._begin_run(block)
            assert self._resampler is not None
            position = self._begun + self._run * HEARING_RATE_HZ / block.rate_hz
            self.origin_s = block.left_s - position / HEARING_RATE_HZ
            self._run += len(block.samples)
            self._next_s = block.left_s + seconds
            self._append(self._resampler.push(block.samples))

    def read(self, begin: float, end: float, count: int) -> Samples:
        """The sound (count,) at so many even steps between two positions; silence where nothing is known."""
        positions = begin + np.arange(count) * ((end - begin) / count)
        whole = np.floor(positions)
        window = self._window(int(whole[0]) - _TAPS // 2 + 1, int(whole[-1]) + _TAPS // 2 + 1)
        near = window[(whole.astype(np.int64) - int(whole[0]))[:, None] + np.arange(_TAPS)]  # (N, taps)
        phase = (positions - whole) * _PHASES
        row = phase.astype(np.int64)
        table = _interpolation()
        between = (phase - row).astype(np.float32)[:, None]
        sound: Samples = np.einsum("nt,nt->n", near, table[row] * (1 - between) + table[row + 1] * between)
        return sound

    def loudest(self, begin: int, end: int) -> float:
        """The largest amplitude between two positions."""
        return float(np.abs(self._window(begin, end)).max(initial=0.0))

    def _hole_s(self, block: _Block) -> float:
        """How much silence lies before this block; 0 where the stamps only differ a little."""
        hole_s = block.left_s - self._next_s
        return hole_s if hole_s > _HOLE_S else 0.0

    def _begin_run(self, block: _Block) -> None:
        if self._resampler is not None:
            self._append(self._resampler.finish())
            silence_s = min(self._hole_s(block), KEPT_S)
            self._append(np.zeros(round(silence_s * HEARING_RATE_HZ), np.float32))
        self._resampler = StreamResampler(block.rate_hz, HEARING_RATE_HZ)
        self._rate_hz, self._run, self._begun = block.rate_hz, 0, self.until

    def _append(self, samples: Samples) -> None:
        """The newest KEPT_S at least stay; they are moved to the front when the array is full."""
        stay = len(self._kept) // 2
        if len(samples) > stay:
            self.until += len(samples) - stay
            self._first, samples = self.until, samples[-stay:]
        held = self.until - self._first
        if held + len(samples) > len(self._kept):
            self._kept[:stay] = self._kept[held - stay : held]
            self._first, held = self.until - stay, stay
        self._kept[held : held + len(samples)] = samples
        self.until += len(samples)

    def _window(self, begin: int, end: int) -> Samples:
        """What lies between two positions; silence where nothing is known, or no longer."""
        window = np.zeros(max(0, end - begin), np.float32)
        first, last = max(begin, self._first), min(end, self.until)
        if first < last:
            window[first - begin : last - begin] = self._kept[first - self._first : last - self._first]
        return window


@cache
def _interpolation() -> Samples:
    """A windowed sinc for each phase: (phases + 1, taps), tap 15 at the whole position."""
    phases = np.arange(_PHASES + 1)[:, None] / _PHASES
    offsets = np.arange(1 - _TAPS // 2, _TAPS // 2 + 1)[None, :] - phases
    window = np.i0(_KAISER_BETA * np.sqrt(np.maximum(0.0, 1.0 - (offsets / (_TAPS / 2)) ** 2)))
    taps = np.sinc(offsets) * window
    return np.asarray(taps / taps.sum(axis=1, keepdims=True), np.float32)
