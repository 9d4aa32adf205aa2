"""Voxtral Mini 4B Realtime: hears while the person speaks."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Literal, TypeAlias

from pydantic import Field

from voxterm.engines.declared.declaration import Declaration
from voxterm.engines.declared.model import Model, Sizes
from voxterm.engines.declared.section import Section, Text
from voxterm.engines.declared.shapes import AUDIO_TOWER, Decoder

DelayMs: TypeAlias = Literal[
    80, 160, 240, 320, 400, 480, 560, 640, 720, 800, 880, 960, 1040, 1120, 1200, 2400
]
"""The delays that the model was trained for."""

TOKENS_PER_S = 12.5

ADA_NORM_SIZE = 32
"""Of what the delay is put through, beside each layer."""

WORK_BYTES = 200_000_000
"""Estimate: a step of the encoder, and the tensors of a step of the text model."""

SPARE_FRAMES = 150
"""Frames that the encoder's ring holds beyond its window, for the silence behind a turn."""


class VoxtralRealtimeSettings(Section):
    """How it hears. 480 ms is the delay that the model's authors recommend."""

    checkpoint: Text = "mistralai/Voxtral-Mini-4B-Realtime-2602"
    delay_ms: DelayMs = 480
    context_tokens: int = Field(default=2048, ge=1024, le=8192)


def sizes(config: Mapping[str, Any]) -> Sizes:
    """The KV cache of the text model grows with the context; that of the encoder is a ring."""
    decoder, audio = Decoder.of(config["text_config"]), config["audio_config"]
    slots = audio["sliding_window"] + SPARE_FRAMES
    ring_bytes = 2 * 2 * audio["num_hidden_layers"] * slots * audio["num_attention_heads"] * audio["head_dim"]
    return Sizes(
        is_tied=decoder.is_tied,
        head=(decoder.vocabulary, decoder.hidden),
        kv_bytes=decoder.kv_bytes(1),
        dense_bytes=2 * 2 * decoder.mlp * decoder.hidden,
        fixed_bytes=ring_bytes + WORK_BYTES,
    )


def tensors(config: Mapping[str, Any]) -> Iterator[tuple[str, tuple[int, ...]]]:
    """Text model with its delay, audio tower, and the projector between them."""
    decoder, audio = Decoder.of(config["text_config"]), config["audio_config"]
    hidden, mlp = audio["hidden_size"], audio["intermediate_size"]
    inner = audio["num_attention_heads"] * audio["head_dim"]
    yield from decoder.tensors()
    for layer in range(decoder.layers):
        yield f"model.layers.{layer}.ada_rms_norm.linear1.weight", (ADA_NORM_SIZE, decoder.hidden)
        yield f"model.layers.{layer}.ada_rms_norm.linear2.weight", (decoder.hidden, ADA_NORM_SIZE)
    for name, inputs in (("conv1", audio["num_mel_bins"]), ("conv2", hidden)):
        yield f"{AUDIO_TOWER}.embedder.{name}.weight", (hidden, inputs, 3)
        yield f"{AUDIO_TOWER}.embedder.{name}.bias", (hidden,)
    for layer in range(audio["num_hidden_layers"]):
        for name, shape in (
            ("q", (inner, hidden)),
            ("k", (inner, hidden)),
            ("v", (inner, hidden)),
            ("o", (hidden, inner)),
        ):
            yield f"{AUDIO_TOWER}.layers.{layer}.self_attn.{name}_proj.weight", shape
            if name != "k":
                yield f"{AUDIO_TOWER}.layers.{layer}.self_attn.{name}_proj.bias", shape[:1]
        for name, shape in (("gate", (mlp, hidden)), ("up", (mlp, hidden)), ("down", (hidden, mlp))):
            yield f"{AUDIO_TOWER}.layers.{layer}.mlp.{name}_proj.weight", shape
        yield f"{AUDIO_TOWER}.layers.{layer}.mlp.down_proj.bias", (hidden,)
        yield f"{AUDIO_TOWER}.layers.{layer}.self_attn_layer_norm.weight", (hidden,)
        yield f"{AUDIO_TOWER}.layers.{layer}.final_layer_norm.weight", (hidden,)
    yield f"{AUDIO_TOWER}.norm.weight", (hidden,)
    yield "multi_modal_projector.linear_1.weight", (decoder.hidden, 4 * hidden)  # four frames are a token
    yield "multi_modal_projector.linear_2.weight", (decoder.hidden, decoder.hidden)


MODEL = Model(
    name="voxtral_realtime",
    title="Voxtral Realtime",
    checkpoint="mistralai/Voxtral-Mini-4B-Realtime-2602",
    architectures=("VoxtralRealtimeForConditionalGeneration",),
    config={
        "text_config": {
            "num_hidden_layers": 26,
            "hidden_size": 3072,
            "num_attention_heads": 32,
            "num_key_value_heads": 8,
            "head_dim": 128,
            "intermediate_size": 9216,
            "vocab_size": 131_072,
            "sliding_window": 8192,
            "tie_word_embeddings": True,
        },
        "audio_config": {
            "num_hidden_layers": 32,
            "hidden_size": 1280,
            "intermediate_size": 5120,
            "num_attention_heads": 32,
            "head_dim": 64,
            "num_mel_bins": 128,
            "sliding_window": 750,
        },
    },
    context_tokens=2048,
    loss={"float32": 0, "bf16": 0, "int8": 1, "int4": 3},
    cost={"int8": "hardly to be noticed", "int4": "expect a few more words misheard"},
    can_shrink=True,
    real_time_tokens_per_s=TOKENS_PER_S,
    cpu_tokens_per_s=2 * TOKENS_PER_S,  # the encoder works beside it
    sizes=sizes,
    tensors=tensors,
)

PACKAGES = ("transformers>=5.2", "mistral-common>=1.11.5")
"""The first Transformers with the model, and the first mistral-common that is asked for its delay as here."""

VOXTRAL_REALTIME = Declaration(
    name="voxtral_realtime",
    title="Voxtral Realtime",
    role="transcriber",
    place="voxterm.engines.voxtral_realtime.engine:placed",
    packages=("torch", "safetensors", "huggingface-hub", *PACKAGES),
    model=MODEL,
    stand_in="voxterm.engines.stand_ins.voxtral_realtime:write",
    gives_way_to="whisper",
)
