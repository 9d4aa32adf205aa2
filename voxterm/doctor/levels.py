"""Levels of recorded samples, and whether one tone stands out of them. Pure."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from voxterm.audio.levels import SILENT_DBFS, dbfs
from voxterm.engines.protocols import Samples

CLIPPED = 0.985
"""From this on a sample has reached full scale, give or take what a resampler does to it."""

WINDOW_S = 0.2
NEIGHBOURS_HZ = tuple(step for step in range(-120, 121, 20) if abs(step) >= 40)
"""Far enough from the tone for none of it to leak there out of a Hann window of 0.2 s, and near enough to
stand for the noise around it."""

STANDS_OUT_DB = 20.0
"""Noise gets there once in 10^30 windows, one held vowel may: hence twice, and only while the tone is on."""

AUDIBLE_DBFS = -85.0


@dataclass(frozen=True, slots=True)
class Level:
    """How loud samples are, in dB below full scale; at least SILENT_DBFS."""

    rms_dbfs: float
    peak_dbfs: float
    clipped: int  # samples at full scale


def level_of(samples: Samples) -> Level:
    """The level of samples (N,)."""
    if not len(samples):
        return Level(SILENT_DBFS, SILENT_DBFS, 0)
    magnitudes = np.abs(samples.astype(np.float64))
    rms = float(np.sqrt(np.mean(magnitudes**2)))
    return Level(dbfs(rms), dbfs(float(magnitudes.max())), int((magnitudes >= CLIPPED).sum()))


def hears_tone(samples: Samples, rate_hz: int, tone_hz: float, span_s: tuple[float, float]) -> bool:
    """Whether the tone is in samples (N,), within the span in seconds in which it should be, and not outside.

    Outside counts too, since a hum or a song is no echo.
    """
    width = round(WINDOW_S * rate_hz)
    inside: list[float] = []
    outside: list[float] = []
    for first in range(0, len(samples) - width + 1, width // 2):
        begin_s, end_s = first / rate_hz, (first + width) / rate_hz
        above_db = _above_neighbours_db(samples[first : first + width], rate_hz, tone_hz)
        if begin_s >= span_s[0] and end_s <= span_s[1]:
            inside.append(above_db)
        elif end_s <= span_s[0] or begin_s >= span_s[1]:
            outside.append(above_db)
    standing_out = sum(above_db >= STANDS_OUT_DB for above_db in inside)
    return standing_out >= 2 and float(np.median([*outside, 0.0])) < STANDS_OUT_DB


def _above_neighbours_db(window: Samples, rate_hz: int, tone_hz: float) -> float:
    """How far the tone is above the frequencies around it; 0 where it could not be heard at all."""
    frequencies_hz = np.array([tone_hz, *(tone_hz + step for step in NEIGHBOURS_HZ)])
    shape = np.hanning(len(window))
    turns = np.exp(-2j * np.pi * np.outer(frequencies_hz, np.arange(len(window)) / rate_hz))
    amplitudes = 2.0 * np.abs(turns @ (window * shape)) / shape.sum()  # of each as a sine
    if dbfs(float(amplitudes[0])) < AUDIBLE_DBFS:
        return 0.0
    return float(20.0 * np.log10(amplitudes[0] / max(float(np.median(amplitudes[1:])), 1e-12)))
