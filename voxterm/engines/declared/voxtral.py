"""Voxtral Mini 3B: hears and answers."""

from __future__ import annotations

from pydantic import Field

from voxterm.engines.declared.declaration import MODEL_PACKAGES, Declaration
from voxterm.engines.declared.model import Model
from voxterm.engines.declared.section import Section, Text


class VoxtralSettings(Section):
    """How it hears and answers. The temperature and top-p are those that the model's authors recommend."""

    checkpoint: Text = "mistralai/Voxtral-Mini-3B-2507"
    language: Text = "auto"
    context_tokens: int = Field(default=4096, ge=1024, le=32_768)
    reply_tokens: int = Field(default=400, ge=8, le=4096)
    temperature: float = Field(default=0.2, ge=0.0, le=2.0)
    top_p: float = Field(default=0.95, ge=0.01, le=1.0)


MODEL = Model(
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
    loss={"float32": 0, "bf16": 0, "int8": 1, "int4": 4},
    cost={"int8": "hardly to be noticed", "int4": "expect a few more words misheard and weaker answers"},
    can_shrink=True,
)

VOXTRAL = Declaration(
    name="voxtral",
    title="Voxtral",
    role="speech language model",
    place="voxterm.engines.voxtral.engine:placed",
    packages=(*MODEL_PACKAGES, "mistral-common"),
    model=MODEL,
    stand_in="voxterm.engines.stand_ins.voxtral:write",
)
