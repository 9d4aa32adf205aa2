"""Where a recording is silent, by its loudness alone. Pure."""

from __future__ import annotations

import numpy as np

from voxterm.engines.protocols import HEARING_RATE_HZ, Samples

QUIETEST_SPEECH_RMS = 5e-4
"""−66 dBFS: audio whose loudest 32 ms are below this is silence, and is not given to a model, which would
make up words for it. Quiet speech into a badly set microphone is some 15 dB louder."""

RMS_SAMPLES = 512

PAUSE_SAMPLES = round(0.2 * HEARING_RATE_HZ)
"""A quiet place is looked for over so much: longer than the closure of a "t" or "k", shorter than a pause."""


def is_silence(samples: Samples) -> bool:
    """Whether no 32 ms of it are as loud as QUIETEST_SPEECH_RMS."""
    frames = np.pad(samples, (0, -len(samples) % RMS_SAMPLES)).reshape(-1, RMS_SAMPLES)
    power = np.einsum("ij,ij->i", frames, frames) / RMS_SAMPLES
    return bool((power < QUIETEST_SPEECH_RMS**2).all())


def quiet_place(samples: Samples, first: int, last: int) -> int:
    """The sample from `first` to `last` around which PAUSE_SAMPLES are the quietest, the latest of several.

    The place to cut speech that is too long for a model: WhisperX does it where its voice activity detector
    is least sure of a voice (Bain et al. 2023, "WhisperX", section 2.2). Half of PAUSE_SAMPLES must lie
    before `first`, and as many after `last`.
    """
    half = PAUSE_SAMPLES // 2
    near = samples[first - half : last + half].astype(np.float64)
    energy = np.concatenate([[0.0], np.cumsum(near**2)])
    around = energy[PAUSE_SAMPLES:] - energy[:-PAUSE_SAMPLES]  # [n]: around the sample first + n
    return last - int(np.argmin(around[::-1]))
