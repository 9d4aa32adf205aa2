"""Whisper: hears, in some hundred languages."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any, Literal

from pydantic import Field

from voxterm.engines.declared.declaration import MODEL_PACKAGES, Declaration
from voxterm.engines.declared.model import Model, Sizes, encoder_bytes
from voxterm.engines.declared.section import Section, Text
from voxterm.engines.declared.shapes import Encoder


class WhisperSettings(Section):
    """How it hears. The bounds are those of OpenAI's own program."""

    checkpoint: Text = "openai/whisper-large-v3-turbo"
    backend: Literal["transformers", "faster_whisper"] = "transformers"
    language: Text = "auto"
    partial_every_s: float = Field(default=0.5, ge=0.1, le=30.0)
    no_speech: float = Field(default=0.6, ge=0.0, le=1.0)
    log_probability: float = Field(default=-1.0, ge=-20.0, le=0.0)
    compression: float = Field(default=2.4, ge=1.0, le=100.0)
    retries: int = Field(default=2, ge=0, le=5)


WORK_BYTES = 100_000_000
"""Estimate: a step of the decoder, and the audio of a turn."""


def sizes(config: Mapping[str, Any]) -> Sizes:
    """Its caches are as large for every turn: 448 tokens, and what was encoded of 30 s."""
    positions = config["max_source_positions"] + config["max_target_positions"]
    cache_bytes = 2 * 2 * config["decoder_layers"] * positions * config["d_model"]
    return Sizes(
        is_tied=True,
        head=None,
        encoder_bytes=encoder_bytes(_encoder(config)),
        fixed_bytes=cache_bytes + WORK_BYTES,
    )


def tensors(config: Mapping[str, Any]) -> Iterator[tuple[str, tuple[int, ...]]]:
    """Encoder and decoder; the output layer is the table of embeddings."""
    hidden, mlp = config["d_model"], config["decoder_ffn_dim"]
    yield from _encoder(config).tensors()
    yield "model.decoder.embed_tokens.weight", (config["vocab_size"], hidden)
    yield "model.decoder.embed_positions.weight", (config["max_target_positions"], hidden)
    for layer in range(config["decoder_layers"]):
        place = f"model.decoder.layers.{layer}"
        for attention in ("self_attn", "encoder_attn"):
            for name in ("q", "k", "v", "out"):
                yield f"{place}.{attention}.{name}_proj.weight", (hidden, hidden)
                if name != "k":
                    yield f"{place}.{attention}.{name}_proj.bias", (hidden,)
        for name, outputs, inputs in (("fc1", mlp, hidden), ("fc2", hidden, mlp)):
            yield f"{place}.{name}.weight", (outputs, inputs)
            yield f"{place}.{name}.bias", (outputs,)
        for name in ("self_attn_layer_norm", "encoder_attn_layer_norm", "final_layer_norm"):
            yield f"{place}.{name}.weight", (hidden,)
            yield f"{place}.{name}.bias", (hidden,)
    yield "model.decoder.layer_norm.weight", (hidden,)
    yield "model.decoder.layer_norm.bias", (hidden,)


def _encoder(config: Mapping[str, Any]) -> Encoder:
    return Encoder(
        layers=config["encoder_layers"],
        hidden=config["d_model"],
        mlp=config["encoder_ffn_dim"],
        positions=config["max_source_positions"],
        mel_bins=config["num_mel_bins"],
    )


MODEL = Model(
    name="whisper",
    title="Whisper",
    checkpoint="openai/whisper-large-v3-turbo",
    architectures=("WhisperForConditionalGeneration",),
    config={
        "d_model": 1280,
        "encoder_layers": 32,
        "encoder_ffn_dim": 5120,
        "decoder_layers": 4,
        "decoder_ffn_dim": 5120,
        "vocab_size": 51_866,
        "num_mel_bins": 128,
        "max_source_positions": 1500,
        "max_target_positions": 448,
    },
    context_tokens=448,
    loss={"float32": 0, "bf16": 0},
    cost={},
    cpu_parameters=100_000_000,  # tiny and base: a quarter of real time on one core, small takes half
    sizes=sizes,
    tensors=tensors,
)


def by_backend(settings: WhisperSettings) -> Declaration:
    """CTranslate2 needs no torch, and checkpoints that were converted for it, whose configs name no model."""
    if settings.backend == "transformers":
        return WHISPER
    converted = replace(MODEL, architectures=("",), checkpoint=settings.checkpoint)
    return replace(WHISPER, packages=("faster-whisper>=1.1",), model=converted)


WHISPER = Declaration(
    name="whisper",
    title="Whisper",
    role="transcriber",
    place="voxterm.engines.whisper.engine:placed",
    packages=MODEL_PACKAGES,
    model=MODEL,
    stand_in="voxterm.engines.stand_ins.whisper:write",
    variant=by_backend,
)
