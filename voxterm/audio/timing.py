"""When each sample of a device's stream was, or will be, sound in the air: sample count → the one clock.

Pure. Two sources are at hand, and each is used for what it is good at. (Measured on PulseAudio in a room that
is recorded sample by sample; input and output together then agree with the recording to 5 ms.)

- When the callback comes. It may be late, since it waits for the interpreter, but nothing makes it early: so
  the earliest of the last seconds tell the truth. An input block comes when its last sample is there, an
  output block when there is room for it.
- How far PortAudio says the buffer is from now (`inputBufferAdcTime`, `outputBufferDacTime`). It knows what
  waits in the device, 5 ms more than the latency claimed at the opening. But it jitters, for 1.3 s after a
  start it may be off by 0.6 s, and it wanders by 10 ms and more in seconds, where the calls of two streams on
  one clock agree to 0.2 ms. So it counts from 2 s on, by the median of a quarter of a second, and then
  stays as it is until it is plainly another.
"""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass

from voxterm.audio.devices import Kind

_SPAN_S = (
    1.0  # the earliest call is one of the last 1–2 s: long against jitter, short against drift (100 ppm)
)
_STALL_S = 0.25  # a stream that was not called for this long does not go on where it stopped
_SETTLING_S = 2.0
_BELIEVABLE_S = 1.0  # some host APIs give 0 for a time they do not know
_LEARNING_BLOCKS = 51  # for the first median: a quarter of a second of blocks of 5 ms
_BLOCKS = 255  # for those after it: 1.3 s
_ANOTHER_S = 0.06  # a delay that differs by so much is no wandering


@dataclass(frozen=True, slots=True)
class BlockTimes:
    called_s: float  # our clock when the block came
    ahead_s: float  # how far from then the first sample of the block is in the air, as PortAudio says


class SampleTimes:
    """Maps the samples of one stream to the clock. Fed with every block; answers for any sample near them."""

    def __init__(self, kind: Kind, rate_hz: int, latency_s: float) -> None:
        """`latency_s` as claimed when the stream was opened; what an output has until it has settled."""
        self._hears = kind == "microphone"
        self._rate_hz = rate_hz
        self._claimed_s = 0.0 if self._hears else latency_s
        self._called_s = -math.inf
        self.forget()

    def forget(self) -> None:
        """The device lost samples, or paused: what was learnt is void."""
        self._earliest = _Least()
        self._begun_s: float | None = None
        self._delays_s: deque[float] = deque(maxlen=_BLOCKS)
        self._delay_s = self._claimed_s

    def observe(self, first_sample: int, count: int, times: BlockTimes) -> None:
        """Take in a block of `count` samples that begins with this one."""
        if times.called_s - self._called_s > _STALL_S:
            self.forget()
        self._called_s = times.called_s
        if self._begun_s is None:
            self._begun_s = times.called_s
        block_s = count / self._rate_hz if self._hears else 0.0
        self._earliest.add(times.called_s - block_s - first_sample / self._rate_hz, times.called_s)
        if times.called_s - self._begun_s > _SETTLING_S and abs(times.ahead_s) < _BELIEVABLE_S:
            # Sound cannot be heard before it is there, nor leave before it is handed over.
            delay_s = min(0.0, times.ahead_s + block_s) if self._hears else max(0.0, times.ahead_s)
            self._learn(delay_s)

    def _learn(self, delay_s: float) -> None:
        learning = len(self._delays_s) < _LEARNING_BLOCKS
        self._delays_s.append(delay_s)
        median_s = sorted(self._delays_s)[len(self._delays_s) // 2]
        if learning or abs(median_s - self._delay_s) > _ANOTHER_S:
            self._delay_s = median_s

    def at(self, sample: float) -> float:
        """The moment on the clock when this sample is in the air. Call after the first `observe`."""
        return self._earliest.value + self._delay_s + sample / self._rate_hz


class _Least:
    """The least value of the last 1–2 s."""

    def __init__(self) -> None:
        self._before = math.inf
        self._lately = math.inf
        self._since_s = -math.inf

    def add(self, value: float, now_s: float) -> None:
        if now_s - self._since_s >= _SPAN_S:
            self._before, self._lately, self._since_s = self._lately, math.inf, now_s
        self._lately = min(self._lately, value)

    @property
    def value(self) -> float:
        return min(self._before, self._lately)
