"""An Orpheus whose model says what it is told, and whose codec gives each frame a level of its own."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from voxterm.decoding import Sampling
from voxterm.engines.orpheus.engine import (
    ENGLISH,
    Orpheus,
    OrpheusSettings,
)
from voxterm.engines.orpheus.stream import FRAME_SAMPLES
from voxterm.engines.orpheus.tokens import Frame, layers
from voxterm.engines.protocols import (
    Placement,
    Samples,
    SpeechChunk,
    Spoken,
    Voice,
)

PLACEMENT = Placement("cpu", "float32", 2048)


TAGS = ("<laugh>", "<sigh>")


TARA = Voice("tara", "orpheus", "en", "tara", checkpoint=ENGLISH, tags=TAGS)


class FakeModel:
    """Says for each text the tokens it was given, and keeps what it was asked."""

    name = "fake"
    weight_bytes, cache_bytes = 10, 20

    def __init__(self, says: Sequence[Sequence[int]]) -> None:
        self.says = list(says)
        self.asked: list[tuple[str, str, int, Sampling, int]] = []
        self.given = 0
        self.open = 0

    def speech(self, speaker: str, text: str, limit: int, sampling: Sampling, seed: int) -> Iterator[int]:
        tokens = self.says[len(self.asked) % len(self.says)]
        self.asked.append((speaker, text, limit, sampling, seed))
        self.open += 1
        try:
            for token in tokens[:limit]:
                self.given += 1
                yield token
        finally:
            self.open -= 1

    def warm_up(self) -> None: ...

    def close(self) -> None: ...


class Codec:
    """Knows no codes: the samples of a frame are its first code over 4096, all the same."""

    frame_samples, rate_hz, memory_bytes = FRAME_SAMPLES, 24_000, 30

    def decode(self, codes: Sequence[Any], first_frame: int = 0) -> Samples:
        return np.repeat(codes[0] / 4096, FRAME_SAMPLES).astype(np.float32)

    def close(self) -> None: ...


def tokens(frames: Sequence[Frame]) -> list[int]:
    return [128_266 + slot * 4096 + code for frame in frames for slot, code in enumerate(frame)]


def frames(count: int, seed: int = 0) -> list[Frame]:
    random = np.random.default_rng(seed)
    return [tuple(row) for row in random.integers(100, 4096, (count, 7)).tolist()]


def fake(*says: Sequence[int], seed: int | None = 1, **settings: Any) -> tuple[Orpheus, FakeModel]:
    """An engine over a model that says this; no time passes."""
    orpheus = Orpheus(PLACEMENT, OrpheusSettings("fake", seed=seed, **settings), lambda: 0.0)
    model = FakeModel(says)
    orpheus._codec = Codec()  # type: ignore[assignment]
    orpheus._model = model  # type: ignore[assignment]
    return orpheus, model


def samples_of(items: Iterator[Spoken]) -> Samples:
    chunks = [item.samples for item in items if isinstance(item, SpeechChunk)]
    return np.concatenate([np.zeros(0, np.float32), *chunks])


def decoded(spoken: Sequence[Frame]) -> Samples:
    return Codec().decode(layers(spoken))
