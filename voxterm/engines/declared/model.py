"""A published model as its checkpoint describes it, and what it needs by that or by its own files."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from voxterm.engines.declared.need import SPEECH_TOKENS_PER_S, ModelNeed
from voxterm.engines.declared.shapes import (
    Decoder,
    Encoder,
    Matrix,
    Tensors,
    Weights,
    config_tensors,
    table_bytes,
)

if TYPE_CHECKING:  # what is declared is read with the settings, before numpy is needed
    from voxterm.engines.protocols import Precision

CODEC_WORK_BYTES = 40_000_000
"""Estimate: what SNAC's decoder works with on a window of a few frames, and its graph."""

BYTES_PER_LOGIT = 32
"""Estimate: logits, probabilities, their order and what was seen, while a token is drawn."""

CONTEXT_LOSS = (0, 1, 5)
"""What it counts to give up nothing, half or three quarters of the context; see `plan.choice`."""


@dataclass(frozen=True, slots=True)
class Sizes:
    """What a model has beside its weights, by its config. In bytes, at bf16."""

    is_tied: bool  # the output layer is the table of embeddings
    head: Matrix | None  # the output layer; None: it decodes no tokens
    kv_bytes: int = 0  # of one position of one row
    prefill_bytes: int = 0  # estimate: activations of one token of a prompt
    encoder_bytes: int = 0  # estimate: activations of the audio encoder
    dense_bytes: int = 0  # a quantised matrix made dense
    fixed_bytes: int = 0  # estimate: caches and buffers that do not grow with the context


def decoder_sizes(config: Mapping[str, Any]) -> Sizes:
    """Those of a Llama, or of a Voxtral: text model and audio tower."""
    decoder = Decoder.of(config.get("text_config", config))
    return Sizes(
        is_tied=decoder.is_tied,
        head=(decoder.vocabulary, decoder.hidden),
        kv_bytes=decoder.kv_bytes(1),
        prefill_bytes=2 * (3 * decoder.mlp + 4 * decoder.hidden),
        encoder_bytes=encoder_bytes(Encoder.of(config["audio_config"])) if "audio_config" in config else 0,
        dense_bytes=2 * 2 * decoder.mlp * decoder.hidden,
    )


@dataclass(frozen=True, slots=True)
class Model:
    """A published model, as its checkpoint describes it."""

    name: str
    title: str
    checkpoint: str
    architectures: tuple[str, ...]
    config: Mapping[str, Any]
    context_tokens: int
    loss: Mapping[Precision, int]
    cost: Mapping[Precision, str]
    rows: int = 1  # of the KV cache
    can_shrink: bool = False  # whether its context may be halved to fit
    prefill_tokens: int | None = None
    outputs: int | None = None  # rows of the output layer that are read; None: all
    codec: str = ""  # the checkpoint of the codec that belongs to it
    codec_name: str = ""
    codec_bytes: int = 0
    real_time_tokens_per_s: float | None = None
    cpu_tokens_per_s: float = SPEECH_TOKENS_PER_S  # what it must reach on a CPU
    is_one_of_many: bool = False  # any checkpoint will do: what its config leaves out is not as published
    cpu_parameters: int = 0  # with no more than so many it keeps up on any CPU
    sizes: Callable[[Mapping[str, Any]], Sizes] = decoder_sizes
    tensors: Callable[[Mapping[str, Any]], Tensors] = config_tensors


def need_of(
    model: Model,
    stand_in: str,
    importance: int,
    *,
    config: Mapping[str, Any] | None = None,
    tensors: Tensors | None = None,
    codec_bytes: int | None = None,
    context_tokens: int | None = None,
) -> ModelNeed:
    """What a model needs: by its own config and tensors where they are given, else by its published shape.

    Args:
        stand_in: who can take its role, and what they do in it.
        importance: of two models that do not fit together the one with more stays.
    """
    config = config if config and model.is_one_of_many else _completed(model.config, config or {})
    sizes = model.sizes(config)
    weights = Weights.of(tensors if tensors is not None else model.tensors(config), sizes.is_tied)
    head = (min(model.outputs or sizes.head[0], sizes.head[0]), sizes.head[1]) if sizes.head else (0, 0)
    codec_bytes = model.codec_bytes if codec_bytes is None else codec_bytes
    return ModelNeed(
        model=model.name,
        title=model.title,
        weights_bytes={precision: weights.memory_bytes(precision) for precision in model.loss},
        step_bytes={
            p: weights.layers_bytes(p) + table_bytes(head, p) if sizes.head else 0 for p in model.loss
        },
        contexts=_contexts(context_tokens or model.context_tokens, model.can_shrink),
        stand_in=stand_in,
        importance=importance,
        kv_bytes=sizes.kv_bytes * model.rows,
        prefill_bytes=sizes.prefill_bytes,
        prefill_tokens=model.prefill_tokens,
        encoder_bytes=sizes.encoder_bytes,
        dense_bytes=sizes.dense_bytes,
        fixed_bytes=sizes.fixed_bytes + model.rows * head[0] * BYTES_PER_LOGIT,
        codec_bytes=codec_bytes + CODEC_WORK_BYTES if model.codec else 0,
        real_time_tokens_per_s=model.real_time_tokens_per_s,
        suits_cpu=weights.count <= model.cpu_parameters,
        loss=model.loss,
        cost=model.cost,
        cpu_tokens_per_s=model.cpu_tokens_per_s,
    )


def encoder_bytes(encoder: Encoder) -> int:
    """Estimate for one window: a layer and the convolutions in bf16, the mel spectrum in float32."""
    layer = 2 * encoder.positions * (2 * encoder.mlp + 6 * encoder.hidden)
    return (
        layer + 2 * 3 * encoder.positions * encoder.hidden + 2 * 4 * 2 * encoder.positions * encoder.mel_bins
    )


def _completed(published: Mapping[str, Any], found: Mapping[str, Any]) -> Mapping[str, Any]:
    """The config that was found; what it leaves out is as published. Null means left out."""
    given = {key: value for key, value in found.items() if value is not None}
    nested = {
        key: _completed(value, given.get(key, {}))
        for key, value in published.items()
        if isinstance(value, Mapping)
    }
    return {**published, **given, **nested}


def _contexts(wanted_tokens: int, can_shrink: bool) -> tuple[int, ...]:
    from voxterm.engines.protocols import SHORTEST_CONTEXT_TOKENS

    steps = [wanted_tokens]
    while can_shrink and len(steps) < len(CONTEXT_LOSS) and steps[-1] // 2 >= SHORTEST_CONTEXT_TOKENS:
        steps.append(steps[-1] // 2)
    return tuple(steps)
