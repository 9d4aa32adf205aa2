"""A tiny checkpoint of Voxtral Realtime's real architecture, with its real processor and token ids."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import torch

from voxterm.engines.stand_ins.voxtral_realtime import write_streaming_tekken
from voxterm.engines.voxtral_realtime import engine as voxtral_realtime
from voxterm.engines.voxtral_realtime.prompt import RealtimePrompt

VOCABULARY = 131_072
HIDDEN = 64
SCALE = HIDDEN**-0.5
"""Standard deviation of the weights: each layer passes on about what it gets, so context and order matter."""

AUDIO_GAIN = 3.0
"""Makes the audio louder than the last token, or a model with tied embeddings says that token for ever."""

ENCODER_WINDOW = 50
"""Positions: 1 s, where the published one looks back over 15. A short clip then shows what is forgotten."""


def tiny_voxtral_realtime(folder: Path, text_window: int = 8192) -> Path:
    """An encoder and a text model of two layers each, bfloat16, in several files; no download."""
    from transformers import (
        VoxtralRealtimeConfig,
        VoxtralRealtimeFeatureExtractor,
        VoxtralRealtimeForConditionalGeneration,
    )

    small = {
        "hidden_size": HIDDEN,
        "intermediate_size": 2 * HIDDEN,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "head_dim": 16,
        "initializer_range": SCALE,
        "rms_norm_eps": 1e-5,
        "rope_parameters": {"rope_type": "default", "rope_theta": 1e6},
    }
    config = VoxtralRealtimeConfig(
        audio_config={**small, "sliding_window": ENCODER_WINDOW},
        text_config={
            **small,
            "vocab_size": VOCABULARY,
            "num_key_value_heads": 2,
            "sliding_window": text_window,
            "max_position_embeddings": 131_072,
            "tie_word_embeddings": True,
        },
    )
    torch.manual_seed(20)
    model: Any = VoxtralRealtimeForConditionalGeneration(config)
    with torch.no_grad():
        model.model.multi_modal_projector.linear_2.weight *= AUDIO_GAIN
    model.to(torch.bfloat16)
    model.generation_config.pad_token_id = 11
    model.save_pretrained(folder, max_shard_size="12MB")
    features: Any = VoxtralRealtimeFeatureExtractor
    features().save_pretrained(folder)
    write_streaming_tekken(folder / "tekken.json")
    return folder


@contextmanager
def vocabulary_read_once() -> Iterator[None]:
    """Engines that are loaded inside share it: to read it takes longer than all else."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(voxtral_realtime, "RealtimePrompt", cache(RealtimePrompt))
        patch.setattr(RealtimePrompt, "sentence_ends", cache(RealtimePrompt.sentence_ends))
        yield
