"""What Smart Turn hears: Whisper's log-mel spectrogram of the last 8 s of a turn, in numpy alone.

The same as Transformers' `WhisperFeatureExtractor(chunk_length=8)` with `do_normalize=True`, of a turn that
was padded at its front: the wave is brought to mean 0 and variance 1, its power is taken in 80 mel bands
(Slaney's scale, triangles of equal area), and the range is cut at 80 dB below the loudest point.
"""

from __future__ import annotations

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from voxterm.engines.protocols import HEARING_RATE_HZ, Samples

WINDOW_SAMPLES = 8 * HEARING_RATE_HZ
FFT_SAMPLES = 400
HOP_SAMPLES = 160
MEL_BANDS = 80
FRAMES = WINDOW_SAMPLES // HOP_SAMPLES  # 800
RANGE_LOG10 = 8.0  # of power: 80 dB
QUIETEST_POWER = 1e-10
LEAST_VARIANCE = 1e-7

LINEAR_UP_TO_HZ = 1000.0  # Slaney's scale: 200/3 Hz a mel up to here,
MELS_AT_KNEE = 15.0
LOG_STEP = np.log(6.4) / 27.0  # and 27 mels for each factor of 6.4 above


class Features:
    """Computes them; holds the filters."""

    def __init__(self) -> None:
        self._taper = np.hanning(FFT_SAMPLES + 1)[:-1]  # (400,), periodic
        self._filters = mel_filters()  # (80, 201)

    def __call__(self, turn: Samples) -> NDArray[np.float32]:
        """(N,) at 16 kHz → (1, 80, 800). A turn shorter than 8 s has silence before it."""
        wave = np.zeros(WINDOW_SAMPLES, np.float32)
        latest = turn[-WINDOW_SAMPLES:]
        wave[WINDOW_SAMPLES - len(latest) :] = latest
        wave = (wave - wave.mean()) / np.sqrt(wave.var() + LEAST_VARIANCE)
        padded = np.pad(wave.astype(np.float64), FFT_SAMPLES // 2, mode="reflect")
        windows = sliding_window_view(padded, FFT_SAMPLES)[::HOP_SAMPLES][:FRAMES]  # (800, 400)
        waves = np.fft.rfft(windows * self._taper)  # (800, 201)
        power = self._filters @ (waves.real**2 + waves.imag**2).T  # (80, 800)
        levels = np.log10(np.maximum(power, QUIETEST_POWER))
        levels = np.maximum(levels, levels.max() - RANGE_LOG10)
        scaled: NDArray[np.float32] = ((levels + 4.0) / 4.0).astype(np.float32)
        return scaled[np.newaxis]


def mel_filters() -> NDArray[np.float64]:
    """Triangles over the bins of the FFT, (80, 201): each rises from the middle of the one before it and
    falls to the middle of the one after it."""
    bins_hz = np.linspace(0.0, HEARING_RATE_HZ / 2, FFT_SAMPLES // 2 + 1)
    top_mel = MELS_AT_KNEE + np.log(HEARING_RATE_HZ / 2 / LINEAR_UP_TO_HZ) / LOG_STEP
    corners_hz = _hz_of(np.linspace(0.0, top_mel, MEL_BANDS + 2))
    low, middle, high = (corners_hz[i : i + MEL_BANDS, np.newaxis] for i in range(3))
    rising = (bins_hz - low) / (middle - low)
    falling = (high - bins_hz) / (high - middle)
    filters: NDArray[np.float64] = np.maximum(0.0, np.minimum(rising, falling)) * 2.0 / (high - low)
    return filters


def _hz_of(mels: NDArray[np.float64]) -> NDArray[np.float64]:
    above_knee: NDArray[np.float64] = LINEAR_UP_TO_HZ * np.exp(LOG_STEP * (mels - MELS_AT_KNEE))
    return np.where(mels < MELS_AT_KNEE, LINEAR_UP_TO_HZ / MELS_AT_KNEE * mels, above_knee)
