"""A Kokoro of a tiny checkpoint, and what it said, for its tests."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from voxterm.engines.declared.kokoro import KokoroSettings
from voxterm.engines.kokoro.engine import Kokoro, placed
from voxterm.engines.protocols import Placement, Samples, SpeechChunk, Voice

HEART = Voice("heart", "kokoro", "en-US", "af_heart")
SHORT = "Good morning!"


def made(checkpoint: Path) -> Kokoro:
    """Not loaded yet."""
    settings = KokoroSettings(checkpoint=str(checkpoint), front_end="espeak")
    return placed(Placement("cpu", "float32"), settings)


def spoken(engine: Kokoro, text: str, voice: Voice = HEART, speed: float = 1.0) -> Samples:
    return heard(engine.speak(text, voice, speed))


def heard(chunks: Iterator[SpeechChunk]) -> Samples:
    return np.concatenate([np.zeros(0, np.float32), *(chunk.samples for chunk in chunks)])
