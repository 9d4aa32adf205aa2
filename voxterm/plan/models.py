"""The models that can be planned for, and what each needs at each precision.

Another model is one more `Model` in the table, or a `ModelNeed` written down where its parts are few.
Weights and KV cache are exact; activations, graphs and what a codec works with are estimates, named so.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from voxterm.engines.protocols import SHORTEST_CONTEXT_TOKENS, Precision
from voxterm.plan.shapes import (
    Decoder,
    Encoder,
    Tensors,
    Weights,
    config_tensors,
    table_bytes,
)

SPEECH_TOKENS_PER_S = 82.0
"""Orpheus: seven tokens are a frame of 2048 samples at 24 kHz."""

ORPHEUS_OUTPUTS = 28_684
"""Ids of Orpheus' vocabulary that speech can use; the output layer reads only their rows."""

SNAC_BYTES = 4 * 19_842_914
"""Weights of hubertsiuzdak/snac_24khz in float32."""

CODEC_WORK_BYTES = 40_000_000
"""Estimate: what SNAC's decoder works with on a window of a few frames, and its graph."""

GRAPHS_BYTES = 80_000_000
"""Estimate: the captured steps of a model, one for each span of the cache, greedy and sampled."""

BYTES_PER_LOGIT = 32
"""Estimate: logits, probabilities, their order and what was seen, while a token is drawn."""

CONTEXT_LOSS = (0, 1, 5)
"""What it counts to give up nothing, half or three quarters of the context; see `choice`."""


@dataclass(frozen=True, slots=True)
class Parts:
    """What a model takes at one precision and context, in bytes."""

    weights_bytes: int
    kv_cache_bytes: int
    activations_bytes: int
    codec_bytes: int
    graphs_bytes: int

    @property
    def total_bytes(self) -> int:
        return (
            self.weights_bytes
            + self.kv_cache_bytes
            + self.activations_bytes
            + self.codec_bytes
            + self.graphs_bytes
        )


@dataclass(frozen=True, slots=True)
class ModelNeed:
    """What a model needs, and what its role in a conversation is."""

    model: str  # its key in `Plan.placements`
    title: str
    weights_bytes: Mapping[Precision, int]
    step_bytes: Mapping[Precision, int]  # weights that one decoded token reads
    contexts: tuple[int, ...]  # tokens of a row that it may have, the best first
    stand_in: str  # the embedded engines that can take its role, and what they do in it
    importance: int  # of two models that do not fit together the one with more stays
    kv_bytes: int = 0  # of one position of all rows
    prefill_bytes: int = 0  # estimate: activations of one token of a prompt
    prefill_tokens: int | None = None  # the longest prompt; None: the whole context
    encoder_bytes: int = 0  # estimate: activations of the audio encoder; never at the same time as prefill
    dense_bytes: int = 0  # a quantised matrix made dense, while a prompt is read
    fixed_bytes: int = 0  # estimate: logits and sampling
    codec_bytes: int = 0
    graphs_bytes: int = GRAPHS_BYTES
    real_time_tokens_per_s: float | None = None  # what it must reach to be of use
    loss: Mapping[Precision, int] = field(default_factory=dict)  # what it counts to give up precision
    cost: Mapping[Precision, str] = field(default_factory=dict)  # the same in words

    def parts(self, precision: Precision, context_tokens: int) -> Parts:
        prefill_tokens = min(self.prefill_tokens or context_tokens, context_tokens)
        is_quantised = precision in ("int8", "int4")
        return Parts(
            weights_bytes=self.weights_bytes[precision],
            kv_cache_bytes=self.kv_bytes * context_tokens * (2 if precision == "float32" else 1),
            activations_bytes=max(self.encoder_bytes, self.prefill_bytes * prefill_tokens)
            + self.dense_bytes * is_quantised
            + self.fixed_bytes,
            codec_bytes=self.codec_bytes,
            graphs_bytes=self.graphs_bytes,
        )

    def tokens_per_s(
        self, precision: Precision, context_tokens: int, bandwidth_bytes_s: float | None
    ) -> float | None:
        """Tokens a second that reading alone allows, with the cache half full.

        None where the memory's speed is not known.
        """
        read_bytes = self.step_bytes[precision] + self.kv_bytes * context_tokens // 2
        return bandwidth_bytes_s / read_bytes if bandwidth_bytes_s and read_bytes else None


@dataclass(frozen=True, slots=True)
class Model:
    """A published model, as its checkpoint describes it."""

    name: str
    title: str
    checkpoint: str
    architectures: tuple[str, ...]
    config: Mapping[str, Any]
    rows: int  # of the KV cache
    context_tokens: int
    stand_in: str
    importance: int
    loss: Mapping[Precision, int]
    cost: Mapping[Precision, str]
    can_shrink: bool = False  # whether its context may be halved to fit
    prefill_tokens: int | None = None
    outputs: int | None = None  # rows of the output layer that are read; None: all
    codec: str = ""  # the checkpoint of the codec that belongs to it
    codec_name: str = ""
    codec_bytes: int = 0
    real_time_tokens_per_s: float | None = None


MODELS: Mapping[str, Model] = {
    "voxtral": Model(
        name="voxtral",
        title="Voxtral",
        checkpoint="mistralai/Voxtral-Mini-3B-2507",
        architectures=("VoxtralForConditionalGeneration",),
        config={
            "text_config": {
                "num_hidden_layers": 30,
                "hidden_size": 3072,
                "num_attention_heads": 32,
                "num_key_value_heads": 8,
                "head_dim": 128,
                "intermediate_size": 8192,
                "vocab_size": 131_072,
                "tie_word_embeddings": False,
            },
            "audio_config": {
                "num_hidden_layers": 32,
                "hidden_size": 1280,
                "intermediate_size": 5120,
                "max_source_positions": 1500,
                "num_mel_bins": 128,
            },
        },
        rows=2,  # the transcript and the answer
        context_tokens=4096,
        stand_in="PocketSphinx and ELIZA hear and answer",
        importance=2,
        loss={"float32": 0, "bf16": 0, "int8": 1, "int4": 4},
        cost={"int8": "hardly to be noticed", "int4": "expect a few more words misheard and weaker answers"},
        can_shrink=True,
    ),
    "orpheus": Model(
        name="orpheus",
        title="Orpheus",
        checkpoint="canopylabs/orpheus-3b-0.1-ft",
        architectures=("LlamaForCausalLM",),
        config={
            "num_hidden_layers": 28,
            "hidden_size": 3072,
            "num_attention_heads": 24,
            "num_key_value_heads": 8,
            "head_dim": 128,
            "intermediate_size": 8192,
            "vocab_size": 156_940,
            "tie_word_embeddings": True,
        },
        rows=1,
        context_tokens=2048,
        stand_in="eSpeak NG speaks",
        importance=1,
        loss={"float32": 0, "bf16": 0, "int8": 2, "int4": 5},
        cost={"int8": "hardly to be heard", "int4": "expect a rougher voice and a slip now and then"},
        prefill_tokens=512,
        outputs=ORPHEUS_OUTPUTS,
        codec="hubertsiuzdak/snac_24khz",
        codec_name="snac",
        codec_bytes=SNAC_BYTES,
        real_time_tokens_per_s=SPEECH_TOKENS_PER_S,
    ),
}


def need_of(
    model: Model,
    config: Mapping[str, Any] | None = None,
    tensors: Tensors | None = None,
    codec_bytes: int | None = None,
    context_tokens: int | None = None,
) -> ModelNeed:
    """What a model needs: by its own config and tensors where they are given, else by its published shape."""
    config = _completed(model.config, config or {})
    decoder = Decoder.of(config.get("text_config", config))
    weights = Weights.of(tensors if tensors is not None else config_tensors(config), decoder.is_tied)
    head = (min(model.outputs or decoder.vocabulary, decoder.vocabulary), decoder.hidden)
    codec_bytes = model.codec_bytes if codec_bytes is None else codec_bytes
    return ModelNeed(
        model=model.name,
        title=model.title,
        weights_bytes={precision: weights.memory_bytes(precision) for precision in model.loss},
        step_bytes={p: weights.layers_bytes(p) + table_bytes(head, p) for p in model.loss},
        contexts=_contexts(context_tokens or model.context_tokens, model.can_shrink),
        stand_in=model.stand_in,
        importance=model.importance,
        kv_bytes=decoder.kv_bytes(model.rows),
        prefill_bytes=2 * (3 * decoder.mlp + 4 * decoder.hidden),
        prefill_tokens=model.prefill_tokens,
        encoder_bytes=_encoder_bytes(config),
        dense_bytes=2 * 2 * decoder.mlp * decoder.hidden,
        fixed_bytes=model.rows * head[0] * BYTES_PER_LOGIT,
        codec_bytes=codec_bytes + CODEC_WORK_BYTES if model.codec else 0,
        real_time_tokens_per_s=model.real_time_tokens_per_s,
        loss=model.loss,
        cost=model.cost,
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
    steps = [wanted_tokens]
    while can_shrink and len(steps) < len(CONTEXT_LOSS) and steps[-1] // 2 >= SHORTEST_CONTEXT_TOKENS:
        steps.append(steps[-1] // 2)
    return tuple(steps)


def _encoder_bytes(config: Mapping[str, Any]) -> int:
    """Estimate for one window: a layer and the convolutions in bf16, the mel spectrum in float32."""
    if "audio_config" not in config:
        return 0
    encoder = Encoder.of(config["audio_config"])
    layer = 2 * encoder.positions * (2 * encoder.mlp + 6 * encoder.hidden)
    return (
        layer + 2 * 3 * encoder.positions * encoder.hidden + 2 * 4 * 2 * encoder.positions * encoder.mel_bins
    )
