"""The local LLM: any chat checkpoint of Llama, Mistral or Qwen answers in text."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from pydantic import Field

from voxterm.engines.declared.declaration import MODEL_PACKAGES, Declaration
from voxterm.engines.declared.model import Model
from voxterm.engines.declared.section import Section, Text
from voxterm.engines.declared.shapes import Decoder


class LlmSettings(Section):
    """How it answers. Sampling that is None is as the authors of the checkpoint recommend."""

    checkpoint: Text = "Qwen/Qwen3-4B-Instruct-2507"
    context_tokens: int = Field(default=4096, ge=1024, le=131_072)
    reply_tokens: int = Field(default=400, ge=8, le=4096)
    temperature: float | None = Field(default=None, ge=0.0, le=2.0)
    top_p: float | None = Field(default=None, ge=0.01, le=1.0)
    top_k: int | None = Field(default=None, ge=0, le=1024)
    repetition_penalty: float | None = Field(default=None, ge=1.0, le=2.0)
    seed: int | None = None


def tensors(config: Mapping[str, Any]) -> Iterator[tuple[str, tuple[int, ...]]]:
    """Qwen3's have a norm for queries and one for keys beside."""
    decoder = Decoder.of(config)
    yield from decoder.tensors()
    for layer in range(decoder.layers):
        for name in ("q_norm", "k_norm"):
            yield f"model.layers.{layer}.self_attn.{name}.weight", (decoder.head_size,)


MODEL = Model(
    name="llm",
    title="LLM",
    checkpoint="Qwen/Qwen3-4B-Instruct-2507",
    architectures=(
        "Qwen3ForCausalLM",
        "Qwen2ForCausalLM",
        "LlamaForCausalLM",
        "MistralForCausalLM",
    ),
    config={
        "num_hidden_layers": 36,
        "hidden_size": 2560,
        "num_attention_heads": 32,
        "num_key_value_heads": 8,
        "head_dim": 128,
        "intermediate_size": 9728,
        "vocab_size": 151_936,
        "tie_word_embeddings": True,
    },
    context_tokens=4096,
    loss={"float32": 0, "bf16": 0, "int8": 1, "int4": 4},
    cost={"int8": "hardly to be noticed", "int4": "expect weaker answers"},
    can_shrink=True,
    cpu_tokens_per_s=8.0,  # twice as fast as people speak
    is_one_of_many=True,
    tensors=tensors,
)

LLM = Declaration(
    name="llm",
    title="LLM",
    role="language model",
    place="voxterm.engines.llm.engine:placed",
    packages=(*MODEL_PACKAGES, "jinja2>=3.1.6"),
    model=MODEL,
    stand_in="voxterm.engines.stand_ins.llm:write",
)
