"""The two recordings that voxterm ships, as samples, with what is said in them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import soundfile  # type: ignore[import-untyped]

import voxterm
from voxterm.engines.protocols import HEARING_RATE_HZ, Samples

DATA = Path(voxterm.__file__).parent / "data"
TEXTS = {
    "demo-1": "produced the block books which were the immediate predecessors of the true printed book",
    "demo-2": "has never been surpassed",
}


def clip(name: str) -> Samples:
    samples, rate_hz = soundfile.read(DATA / f"{name}.flac", dtype="float32")
    assert rate_hz == HEARING_RATE_HZ
    return np.asarray(samples, dtype=np.float32)


def faint_noise(seconds: float, level: float = 1e-4) -> Samples:
    """A quiet room."""
    noise = np.random.default_rng(0).normal(0.0, level, round(seconds * HEARING_RATE_HZ))
    return noise.astype(np.float32)


def word_errors(said: str, heard: str) -> int:
    """Words inserted, left out or replaced (Levenshtein)."""
    words = heard.split()
    row = list(range(len(words) + 1))
    for i, wanted in enumerate(said.split(), start=1):
        diagonal, row[0] = row[0], i
        for j, word in enumerate(words, start=1):
            diagonal, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, diagonal + (wanted != word))
    return row[-1]


def no_progress(done_bytes: int, total_bytes: int) -> None:
    """For tests in which nobody watches the loading."""
