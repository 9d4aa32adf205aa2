"""Samples from one rate to another: live streams with about a millisecond of delay, and whole arrays.

Live audio goes through a polyphase filter of our own. soxr's stream works in blocks and so holds back
20–40 ms at a time (measured for 48 kHz → 16 kHz at LQ and MQ), which a person would feel in every reply.
"""

from __future__ import annotations

import math

import numpy as np
import soxr  # type: ignore[import-untyped]
from numpy.lib.stride_tricks import sliding_window_view

from voxterm.engines.protocols import Samples

_CROSSINGS = 24  # zero crossings of the filter on each side: 1.5 ms at 16 kHz, 80 dB with this beta
_KAISER_BETA = 7.86  # 80 dB by Kaiser's formula, 0.1102 (A − 8.7)
_CUTOFF = 0.92  # of the lower Nyquist: flat to 6.5 kHz at 16 kHz, and silent from 8.2 kHz
_BLOCK_SAMPLES = 4096  # outputs computed at once, which bounds the memory of a long push


class StreamResampler:
    """One stream of samples to another rate. The sound of output k is that of the input at k / to_hz seconds.

    However the input is cut into pushes, the output is the same. Equal rates pass through.
    """

    def __init__(self, from_hz: int, to_hz: int) -> None:
        common = math.gcd(from_hz, to_hz)
        self._from_hz = from_hz
        self._to_hz = to_hz
        self._up = to_hz // common  # phases of the filter
        self._down = from_hz // common
        self._half = math.ceil(_CROSSINGS * max(1.0, from_hz / to_hz))
        self._filters = (
            None if from_hz == to_hz else _filters(self._up, self._half, min(1.0, to_hz / from_hz))
        )
        self._kept: Samples = np.zeros(self._half - 1, np.float32)  # input that later outputs still need
        self._first_kept = 1 - self._half  # which input sample _kept[0] is
        self._taken = 0
        self._given = 0

    @property
    def delay_s(self) -> float:
        """How much more sound went in than came out by now, in seconds."""
        return self._taken / self._from_hz - self._given / self._to_hz

    def push(self, samples: Samples) -> Samples:
        """Take the next samples (N,) at from_hz; give what is certain by now, at to_hz, perhaps nothing."""
        self._taken += len(samples)
        if self._filters is None:
            self._given += len(samples)
            return samples
        self._kept = np.concatenate([self._kept, samples])
        # Output k needs the input up to floor(k · down / up) + half.
        return self._give(-(-(self._taken - self._half) * self._up // self._down))

    def finish(self) -> Samples:
        """The rest, as if silence followed. In all there are ceil(samples in · to_hz / from_hz) samples."""
        if self._filters is None:
            return np.zeros(0, np.float32)
        self._kept = np.concatenate([self._kept, np.zeros(self._half, np.float32)])
        return self._give(-(-self._taken * self._up // self._down))

    def _give(self, until: int) -> Samples:
        """The outputs from where it stands to `until`, and forget the input that no later one needs."""
        blocks: list[Samples] = [np.zeros(0, np.float32)]
        while self._given < until:
            end = min(until, self._given + _BLOCK_SAMPLES)
            blocks.append(self._filtered(self._given, end))
            self._given = end
        needed = self._given * self._down // self._up - self._half + 1
        self._kept = self._kept[needed - self._first_kept :]
        self._first_kept = needed
        return np.concatenate(blocks)

    def _filtered(self, begin: int, end: int) -> Samples:
        assert self._filters is not None
        places = np.arange(begin, end, dtype=np.int64) * self._down
        firsts = places // self._up - self._half + 1 - self._first_kept
        windows = sliding_window_view(self._kept, 2 * self._half)[firsts]  # (K, taps)
        filtered: Samples = np.einsum("kt,kt->k", windows, self._filters[places % self._up])
        return filtered


def resample(samples: Samples, from_hz: int, to_hz: int) -> Samples:
    """A whole array (N,) at another rate, in soxr's high quality."""
    if from_hz == to_hz:
        return samples
    resampled: Samples = soxr.resample(
        np.ascontiguousarray(samples, np.float32), from_hz, to_hz, quality="HQ"
    )
    return resampled


def _filters(phases: int, half: int, narrowing: float) -> Samples:
    """A windowed sinc for each phase, `half` input samples to either side of the output's place."""
    offsets = np.arange(1 - half, half + 1)[None, :] - np.arange(phases)[:, None] / phases  # (phases, taps)
    cutoff = _CUTOFF * narrowing
    window = np.i0(_KAISER_BETA * np.sqrt(np.maximum(0.0, 1.0 - (offsets / half) ** 2)))
    taps = np.sinc(offsets * cutoff) * window
    taps /= taps.sum(axis=1, keepdims=True)  # each phase passes a constant unchanged
    return taps.astype(np.float32)
