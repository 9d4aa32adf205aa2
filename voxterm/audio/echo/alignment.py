"""A slow servo: from the jittery time stamps of two devices to one smooth offset between their samples.

Pure. The two devices' clocks differ by up to some hundred parts per million, so the offset between their
sample counts drifts; their stamps jitter by a millisecond, and now and then jump. An echo canceller cannot
follow a reference that jitters: so small errors are followed slowly and big ones, once they last, by a jump.
"""

from __future__ import annotations

from collections import deque

import numpy as np

FASTEST_DRIFT = 500e-6
"""Samples a sample: two devices of 200 ppm each, and what it takes to catch up."""

_FAR_SAMPLES = 40.0  # 2.5 ms at 16 kHz: more is no jitter
_LASTING = 10  # so many steps in a row
_JITTER = 10.0  # variance of a stamp: 3 samples, 0.2 ms
_DRIFT = 0.02**2  # variance of the drift at first: 125 ppm at steps of 160 samples
_WANDER = 1e-13  # how much that grows with each step: a quartz follows the temperature
_PULL_STEPS = 1000  # for the way to the estimate, once so many were taken: a steady reference counts more


class Alignment:
    """The smoothed offset, in samples. `step` is called once for each block of the microphone.

    A Kalman filter for an offset and its drift: quick at first, and the slower the more it has seen.
    """

    def __init__(self, block_samples: int) -> None:
        self.jumps = 0
        """How often it jumped, the first step included."""
        self._fastest = FASTEST_DRIFT * block_samples
        self._offset: float | None = None  # as given
        self._far: deque[float] = deque(maxlen=_LASTING)
        self._doubt = (0.0, 0.0, 0.0)
        self._begin(0.0)

    def forget(self) -> None:
        """Another device, or a gap: the next step jumps."""
        self._offset = None

    def step(self, measured: float) -> tuple[float, float]:
        """The offset at the beginning of a block and at its end; they differ by FASTEST_DRIFT at most."""
        if self._offset is None:
            return self._jump(measured)
        begin = self._offset
        if abs(measured - begin) > _FAR_SAMPLES:
            self._far.append(measured)
            if len(self._far) == _LASTING:
                return self._jump(float(np.median(self._far)))
            self._estimate += self._drift
        else:
            self._far.clear()
            self._learn(measured)
        self._steps += 1
        moved = self._drift + (self._estimate - begin) / min(self._steps, _PULL_STEPS)
        self._offset = begin + min(self._fastest, max(-self._fastest, moved))
        return begin, self._offset

    def _learn(self, measured: float) -> None:
        """One step of the Kalman filter; its covariance is (a, b; b, c)."""
        a, b, c = self._doubt
        a, b, c = a + 2 * b + c, b + c, c + _WANDER
        offset_gain, drift_gain = a / (a + _JITTER), b / (a + _JITTER)
        error = measured - (self._estimate + self._drift)
        self._estimate += self._drift + offset_gain * error
        self._drift += drift_gain * error
        self._doubt = ((1 - offset_gain) * a, (1 - offset_gain) * b, c - drift_gain * b)

    def _jump(self, offset: float) -> tuple[float, float]:
        self._begin(offset)
        self._offset = offset
        self._far.clear()
        self.jumps += 1
        return offset, offset

    def _begin(self, offset: float) -> None:
        self._steps = 0
        self._estimate = offset
        self._drift = 0.0  # samples a step
        self._doubt = (_JITTER, 0.0, _DRIFT)
