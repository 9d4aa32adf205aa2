"""The sound that says "ready", by whose echo the room is measured: two soft bells over a breath of noise."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from voxterm.engines.protocols import Samples

CHIME_S = 0.6

_BELLS_HZ = ((659.26, 0.0), (987.77, 0.14))  # E5, then B5, a fifth above, so many seconds later
_PARTIALS = ((1.0, 1.0), (2.0, 0.35), (3.01, 0.15), (4.17, 0.06))  # times the tone, loudness
_FADE_S = 0.16
_BELL, _BREATH = 0.05, 0.044  # amplitudes: together about -26 dBFS


def chime(rate_hz: int) -> Samples:
    """CHIME_S of it (N,), the same each time. The breath, a noise of up to 7 kHz, is what measures."""
    time_s = np.arange(round(CHIME_S * rate_hz)) / rate_hz
    sound = _BREATH * _breath(time_s, rate_hz)
    for tone_hz, begins_s in _BELLS_HZ:
        since_s = np.maximum(0.0, time_s - begins_s)
        rise = 1 - np.exp(-since_s / 0.004)
        for multiple, loudness in _PARTIALS:
            fade = np.exp(-since_s * multiple / _FADE_S)
            sound += _BELL * loudness * rise * fade * np.sin(2 * np.pi * tone_hz * multiple * since_s)
    sound *= np.minimum(1.0, (CHIME_S - time_s) / 0.05)  # no click at its end
    return sound.astype(np.float32)


def _breath(time_s: NDArray[np.float64], rate_hz: int) -> NDArray[np.float64]:
    """Noise that swells and fades, the same at every rate as far as that can be."""
    noise = np.random.default_rng(5).normal(0.0, 1.0, len(time_s))
    spectrum = np.fft.rfft(noise)
    spectrum[np.fft.rfftfreq(len(noise), 1 / rate_hz) > 7000] = 0.0
    shaped = np.fft.irfft(spectrum, len(noise)) * np.sin(np.pi * time_s / CHIME_S)
    breath: NDArray[np.float64] = shaped / float(np.sqrt(np.mean(np.square(shaped))))
    return breath
