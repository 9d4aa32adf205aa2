"""Orpheus 3B with the SNAC codec: speaks."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from voxterm.engines.declared.declaration import MODEL_PACKAGES, Declaration
from voxterm.engines.declared.model import Model
from voxterm.engines.declared.need import SPEECH_TOKENS_PER_S
from voxterm.engines.declared.section import Section, Text

OUTPUTS = 28_684
"""Ids of Orpheus' vocabulary that speech can use; the output layer reads only their rows."""

SNAC_BYTES = 4 * 19_842_914
"""Weights of hubertsiuzdak/snac_24khz in float32."""


class OrpheusSettings(Section):
    """How Orpheus speaks. The sampling is the published one."""

    checkpoint: str = ""  # empty: the voice's own
    codec: Text = "hubertsiuzdak/snac_24khz"
    context_tokens: int = Field(default=2048, ge=1024, le=8192)
    temperature: float = Field(default=0.6, ge=0.0, le=2.0)
    top_p: float = Field(default=0.8, ge=0.01, le=1.0)
    repetition_penalty: float = Field(default=1.3, ge=1.0, le=2.0)
    first_chunk_frames: Literal[1, 2] = 2
    seed: int | None = None


MODEL = Model(
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
    context_tokens=2048,
    loss={"float32": 0, "bf16": 0, "int8": 2, "int4": 5},
    cost={"int8": "hardly to be heard", "int4": "expect a rougher voice and a slip now and then"},
    prefill_tokens=512,
    outputs=OUTPUTS,
    codec="hubertsiuzdak/snac_24khz",
    codec_name="snac",
    codec_bytes=SNAC_BYTES,
    real_time_tokens_per_s=SPEECH_TOKENS_PER_S,
)

ORPHEUS = Declaration(
    name="orpheus",
    title="Orpheus",
    role="synthesizer",
    place="voxterm.engines.orpheus.engine:placed",
    packages=(*MODEL_PACKAGES, "snac"),
    model=MODEL,
    first_voice="tara",
    stand_in="voxterm.engines.stand_ins.orpheus:write",
    codec_stand_in="voxterm.engines.stand_ins.snac:write",
)
