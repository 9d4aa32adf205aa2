"""Small language models with random weights, of the architectures that the decode loop knows."""

from __future__ import annotations

from typing import Any

import torch
from transformers import (
    LlamaConfig,
    LlamaForCausalLM,
    MistralConfig,
    MistralForCausalLM,
    PreTrainedModel,
    Qwen2Config,
    Qwen2ForCausalLM,
    Qwen3Config,
    Qwen3ForCausalLM,
)

from voxterm.decoding import DecodeLoop, Decoder, OutputIds

VOCABULARY = 1000
SIZES: dict[str, Any] = {
    "hidden_size": 64,
    "intermediate_size": 128,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "head_dim": 16,
    "vocab_size": VOCABULARY,
    "max_position_embeddings": 2048,
    "bos_token_id": 1,
    "eos_token_id": 2,
    "pad_token_id": 0,
}
LLAMA3_ROPE = {
    "rope_type": "llama3",
    "rope_theta": 500000.0,
    "factor": 32.0,
    "low_freq_factor": 1.0,
    "high_freq_factor": 4.0,
    "original_max_position_embeddings": 64,
}
ARCHITECTURES = ("llama", "llama tied, scaled rope", "mistral", "qwen2", "qwen3")


def small_model(architecture: str = "llama") -> PreTrainedModel:
    """The model in float32, with weights so large that its choices are clear."""
    torch.manual_seed(7)
    model: PreTrainedModel = _model(architecture)
    model.train(False)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if parameter.ndim == 2:
                parameter.normal_(0.0, 1.0 if "embed" in name else parameter.shape[1] ** -0.5)
            else:
                parameter.add_(torch.randn_like(parameter) * 0.1)
    return model


def decoder_of(
    model: Any, precision: str = "float32", output: OutputIds | None = None, device: str = "cpu"
) -> Decoder:
    return Decoder(model.model, model.lm_head, device, precision, output)


def loop_of(
    model: Any, rows: int = 1, capacity: int = 512, device: str = "cpu", **settings: Any
) -> DecodeLoop:
    decoder = decoder_of(model, device=device)
    return DecodeLoop(decoder, rows, capacity, settings.pop("stop_ids", {2}), **settings)


def _model(architecture: str) -> Any:
    if architecture == "llama tied, scaled rope":
        config = LlamaConfig(**SIZES, tie_word_embeddings=True, rope_parameters=LLAMA3_ROPE)
        return LlamaForCausalLM(config)
    if architecture == "mistral":
        return MistralForCausalLM(MistralConfig(**SIZES, sliding_window=None))
    if architecture == "qwen2":
        return Qwen2ForCausalLM(Qwen2Config(**SIZES))
    if architecture == "qwen3":
        return Qwen3ForCausalLM(Qwen3Config(**SIZES))
    wide = {"hidden_size": 256, "intermediate_size": 512} if architecture == "wide" else {}
    return LlamaForCausalLM(LlamaConfig(**{**SIZES, **wide}))
