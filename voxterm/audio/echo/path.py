"""How loud the loudspeaker is in the microphone, and how late: measured from whatever is played.

Both sides are correlated in the frequency domain, half a second at a time, each frequency weighed by how much
of it was played; so a chime shows the room as well as a reply does. A person who speaks, or noise, is spread
over all delays, an echo lies at its own.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from voxterm.audio.echo.adaptive import BLOCK_SAMPLES
from voxterm.engines.protocols import Samples

SPAN_SAMPLES = 8000
"""Half a second: what is looked at together, and the longest delay."""

_MEMORY = 0.85  # of the spans before
_AUDIBLE = 1e-6  # -60 dBFS: less is nothing played
_REGULAR = 0.01  # -20 dB: frequencies that were played less say less
_CERTAIN = 7.0  # deviations above the noise; of 8000 values of noise the highest lies near 4
_BEFORE_SAMPLES, _AFTER_SAMPLES = 32, 1600  # what of the room's response is taken for the echo
_STRONGEST_SHARE = 0.5  # of an echo's power, that comes at one delay; to bound an echo that was not found


@dataclass(frozen=True, slots=True)
class EchoMeasure:
    """What was found. `coupling_db` is the echo's level beside what was played; where none was found, the
    level below which it must lie, and `delay_samples` is None. `quietest_dbfs` is the microphone's level when
    it heard least."""

    coupling_db: float
    delay_samples: int | None
    quietest_dbfs: float
    echo_share: float
    """How much of what was heard is the echo, as far as it was found; in power."""


class EchoPath:
    """Fed with blocks of 160 samples of both sides. Not meant for longer delays than half a second."""

    def __init__(self) -> None:
        self.forget()

    def forget(self) -> None:
        """Another room, or other places in the reference."""
        bins = SPAN_SAMPLES + 1
        self._cross: NDArray[np.complex128] = np.zeros(bins, np.complex128)
        self._power: NDArray[np.float64] = np.zeros(bins)
        self._before: Samples = np.zeros(SPAN_SAMPLES, np.float32)  # the reference of the last span
        self._heard: list[Samples] = []
        self._played: list[Samples] = []

    @property
    def span_complete(self) -> bool:
        return len(self._heard) * BLOCK_SAMPLES >= SPAN_SAMPLES

    def push(self, heard: Samples, reference: Samples) -> None:
        self._heard.append(heard)
        self._played.append(reference)

    def measure(self) -> EchoMeasure | None:
        """Call when a span is complete; None where nothing was played in it or just before."""
        heard, played = np.concatenate(self._heard), np.concatenate(self._played)
        both = np.concatenate([self._before, played])
        self._heard, self._played, self._before = [], [], played
        if float(np.mean(np.square(both))) < _AUDIBLE:
            return None
        # What was played is seen twice, with an echo in its own span and in the next, and counted once.
        silence = np.zeros(SPAN_SAMPLES, np.float32)
        later = np.fft.rfft(np.concatenate([silence, heard]))
        self._cross = _MEMORY * self._cross + np.fft.rfft(both).conj() * later
        power = np.abs(np.fft.rfft(np.concatenate([silence, played]))) ** 2
        self._power = _MEMORY * self._power + power
        return self._judged(heard, _power(played) / max(_power(heard), 1e-12))

    def _judged(self, heard: Samples, louder: float) -> EchoMeasure:
        """`louder`: how many times the power of what was heard is in what was played."""
        quietest_dbfs = _quietest_dbfs(heard)
        weight = self._power + _REGULAR * float(self._power.mean())
        response = np.fft.irfft(self._cross / weight)[:SPAN_SAMPLES]
        peak = int(np.argmax(np.abs(response)))
        deviation = 1.4826 * float(np.median(np.abs(response)))
        if abs(response[peak]) <= _CERTAIN * deviation:
            excited = float(np.mean(self._power / weight))
            bound = (_CERTAIN * deviation / excited) ** 2 / _STRONGEST_SHARE
            return EchoMeasure(_decibels(bound), None, quietest_dbfs, 0.0)
        begin, end = max(0, peak - _BEFORE_SAMPLES), min(peak + _AFTER_SAMPLES, SPAN_SAMPLES)
        near = np.zeros(2 * SPAN_SAMPLES)
        near[begin:end] = response[begin:end]
        echo = np.abs(np.fft.rfft(near)) ** 2 * self._power
        found = float(np.sum(np.square(near)))
        noise = deviation**2 * (end - begin)
        echo *= max(float(response[peak]) ** 2, found - noise) / found
        coupling = float(echo.sum() / self._power.sum())
        return EchoMeasure(_decibels(coupling), peak, quietest_dbfs, coupling * louder)


def _power(samples: Samples) -> float:
    return float(np.mean(np.square(samples)))


def _quietest_dbfs(heard: Samples) -> float:
    """The level that a fifth of the blocks do not reach."""
    powers = np.mean(np.square(heard.reshape(-1, BLOCK_SAMPLES)), axis=1)
    return _decibels(float(np.percentile(powers, 20)))


def _decibels(power: float) -> float:
    return 10 * math.log10(max(power, 1e-12))
