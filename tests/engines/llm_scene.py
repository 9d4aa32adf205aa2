"""The local LLM as its tests ask it, and what its model is then given to read."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from demo_clips import no_progress

from voxterm.decoding import DecodeLoop, Decoder
from voxterm.engines.declared.llm import LlmSettings
from voxterm.engines.llm.engine import TransformersLlm
from voxterm.engines.protocols import Delta, Message, Placement, Replied

ON_CPU = Placement("cpu", "float32", 1024)
LIMIT = 16
SYSTEM = Message("system", "Be kind.")
HELLO = [SYSTEM, Message("user", "Hello there. Who are you?")]


def loaded(folder: Path, placement: Placement = ON_CPU, **settings: Any) -> TransformersLlm:
    """As it says the same each time, unless `settings` say otherwise."""
    wanted = {"reply_tokens": LIMIT, "temperature": 0.0, "seed": 1, **settings}
    engine = TransformersLlm(placement, LlmSettings(checkpoint=str(folder), **wanted))
    engine.load(no_progress)
    return engine


def said(items: Iterator[Replied]) -> str:
    return "".join(item.text for item in items if isinstance(item, Delta))


class Reads:
    """How many positions each prefill reads, and the prompts and replies in ids."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.read: list[int] = []
        self.prompts: list[list[int]] = []
        self.replies: list[list[int]] = []
        prefill, generate = Decoder.prefill, DecodeLoop.generate

        def counted(decoder: Decoder, x: torch.Tensor, *others: Any) -> torch.Tensor:
            self.read.append(len(x))
            return prefill(decoder, x, *others)

        def recorded(loop: DecodeLoop, prompts: Any, *others: Any) -> Iterator[tuple[int | None, ...]]:
            self.prompts.append(list(prompts[0].ids))
            self.replies.append([])
            for step in generate(loop, prompts, *others):
                self.replies[-1] += [token for token in step if token is not None]
                yield step

        monkeypatch.setattr(Decoder, "prefill", counted)
        monkeypatch.setattr(DecodeLoop, "generate", recorded)
