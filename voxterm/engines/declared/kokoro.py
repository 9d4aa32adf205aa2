"""Kokoro 82M: speaks nine languages, fast enough on a CPU."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Literal

from voxterm.engines.declared.declaration import Declaration
from voxterm.engines.declared.model import Model, Sizes
from voxterm.engines.declared.section import Section, Text

CHECKPOINT = "hexgrad/Kokoro-82M"

PARAMETERS = 81_810_022

WORK_BYTES = 600_000_000
"""Estimate: what it works with on its longest piece, 6 s of speech."""


class KokoroSettings(Section):
    """Which checkpoint, and what turns a text into its phonemes."""

    checkpoint: Text = CHECKPOINT
    front_end: Literal["auto", "espeak", "misaki"] = "auto"


def sizes(config: Mapping[str, Any]) -> Sizes:
    """It decodes no tokens, and has no cache."""
    return Sizes(is_tied=False, head=None, fixed_bytes=WORK_BYTES)


def tensors(config: Mapping[str, Any]) -> Iterator[tuple[str, tuple[int, ...]]]:
    """All as one: there is no other edition of it."""
    yield "all", (PARAMETERS,)


MODEL = Model(
    name="kokoro",
    title="Kokoro",
    checkpoint=CHECKPOINT,
    architectures=(),  # its config names none
    config={},
    context_tokens=512,  # phonemes
    loss={"float32": 0},
    cost={},
    cpu_parameters=100_000_000,  # it speaks in a third of real time on one core
    sizes=sizes,
    tensors=tensors,
)

KOKORO = Declaration(
    name="kokoro",
    title="Kokoro",
    role="synthesizer",
    place="voxterm.engines.kokoro.engine:placed",
    packages=("torch", "transformers", "huggingface-hub", "kokoro>=0.9.4"),
    model=MODEL,
    first_voice="af_heart",
    stand_in="voxterm.engines.stand_ins.kokoro:write",
)
