"""Whisper's log-mel spectrogram, computed where the model is: what `WhisperFeatureExtractor` gives.

As `VoxtralProcessor` has it: the audio is padded with silence to whole windows of 30 s, the spectrogram is
taken of all of it at once, and its dynamic range is cut at 80 dB below the loudest point of the whole.
"""

from __future__ import annotations

import torch
from torch import Tensor

from voxterm.engines.architectures import from_transformers

RATE_HZ = 16_000
FFT_SAMPLES = 400
HOP_SAMPLES = 160
WINDOW_SAMPLES = 30 * RATE_HZ
WINDOW_FRAMES = WINDOW_SAMPLES // HOP_SAMPLES  # 3000
RANGE_LOG10 = 8.0  # of power: 80 dB
QUIETEST_POWER = 1e-10


def windows_of(samples: int) -> int:
    """How many windows of 30 s so many samples fill; the last one may be filled in part."""
    return -(-samples // WINDOW_SAMPLES)


def mel_filters(mel_bins: int, device: torch.device) -> Tensor:
    """Power by frequency → power by mel bin. (mel_bins, 201) float32"""
    mel_filter_bank = from_transformers("mel_filter_bank", "transformers.audio_utils")
    filters = mel_filter_bank(  # (201, mel_bins) float64
        num_frequency_bins=1 + FFT_SAMPLES // 2,
        num_mel_filters=mel_bins,
        min_frequency=0.0,
        max_frequency=RATE_HZ / 2,
        sampling_rate=RATE_HZ,
        norm="slaney",
        mel_scale="slaney",
    )
    return torch.from_numpy(filters).to(device, torch.float32).T


class LogMel:
    """The log-mel of audio at 16 kHz on one device."""

    def __init__(self, mel_bins: int, device: torch.device) -> None:
        self._device = device
        self._filters = mel_filters(mel_bins, device)
        self._taper = torch.hann_window(FFT_SAMPLES, device=device)

    def __call__(self, samples: Tensor) -> Tensor:
        """float32 samples (N,), on any device → (windows, mel_bins, 3000), float32."""
        padded = torch.zeros(windows_of(len(samples)) * WINDOW_SAMPLES, device=self._device)
        padded[: len(samples)] = samples
        waves = torch.stft(padded, FFT_SAMPLES, HOP_SAMPLES, window=self._taper, return_complex=True)
        power = (waves[:, :-1].abs() ** 2).contiguous()  # (201, frames)
        levels = (self._filters @ power).clamp(min=QUIETEST_POWER).log10()  # (mel_bins, frames)
        levels = torch.maximum(levels, levels.max() - RANGE_LOG10)
        scaled = (levels + 4.0) / 4.0
        return scaled.view(len(scaled), -1, WINDOW_FRAMES).transpose(0, 1)
