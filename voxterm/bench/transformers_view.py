"""A decoder's weights as a model of Transformers, to measure its own `generate` on the very same memory."""

from __future__ import annotations

import time
from collections.abc import Sequence
from copy import deepcopy
from typing import Any

import torch
from torch import Tensor, nn

from voxterm.bench.ceilings import synchronize
from voxterm.decoding import Decoder

PLAIN_BITS = (16, 32)
"""Of weights that Transformers can read as they are."""


def can_be_lent(decoder: Decoder) -> bool:
    """Whether the weights are numbers, and not quantised to some."""
    return all(layer.qkv.bits in PLAIN_BITS for layer in decoder.layers)


def lent(decoder: Decoder) -> Any:
    """A `LlamaForCausalLM` whose parameters are views of the decoder's weights: there is no second copy."""
    from transformers import LlamaForCausalLM

    config = deepcopy(decoder._rotary.config)
    with torch.device("meta"):
        model: Any = LlamaForCausalLM(config)
    body, shape = model.model, decoder.shape
    _put(body.embed_tokens, decoder.embedding.data)
    _put(model.lm_head, decoder.embedding.data if config.tie_word_embeddings else decoder._head.data)
    _put(body.norm, decoder._norm)
    rows = [heads * shape.head_size for heads in (shape.heads, shape.kv_heads, shape.kv_heads)]
    for module, layer in zip(body.layers, decoder.layers, strict=True):
        attention, mlp = module.self_attn, module.mlp
        for projection, weight in zip(
            (attention.q_proj, attention.k_proj, attention.v_proj), layer.qkv.data.split(rows), strict=True
        ):
            _put(projection, weight)
        _put(attention.o_proj, layer.out.data)
        gate, up = layer.gate_up.data.chunk(2)
        _put(mlp.gate_proj, gate)
        _put(mlp.up_proj, up)
        _put(mlp.down_proj, layer.down.data)
        _put(module.input_layernorm, layer.before_attention)
        _put(module.post_attention_layernorm, layer.before_mlp)
    body.rotary_emb = deepcopy(decoder._rotary).to(decoder.device)
    model.generation_config.eos_token_id = None  # what is timed has as many tokens as were asked for
    return model.eval()


def tokens_per_s(model: Any, prompts: Sequence[Sequence[int]], tokens: int) -> float:
    """Tokens a second of each row in `generate`, greedy, the prefill taken off."""
    first_s = _generate_s(model, prompts, 1)
    return tokens / max(_generate_s(model, prompts, tokens + 1) - first_s, 1e-9)


def generated(model: Any, prompts: Sequence[Sequence[int]], tokens: int) -> Tensor:
    """The ids behind the prompts, which are equally long: exactly so many. (B, tokens)"""
    ids = torch.tensor([list(prompt) for prompt in prompts], device=model.lm_head.weight.device)
    with torch.inference_mode():
        whole: Tensor = model.generate(
            ids,
            attention_mask=torch.ones_like(ids),
            max_new_tokens=tokens,
            do_sample=False,
            pad_token_id=0,
        )
    return whole[:, ids.shape[1] :]


def _generate_s(model: Any, prompts: Sequence[Sequence[int]], tokens: int) -> float:
    device = model.lm_head.weight.device
    synchronize(device)
    begin_s = time.perf_counter()
    generated(model, prompts, tokens)
    synchronize(device)
    return time.perf_counter() - begin_s


def _put(module: nn.Module, weight: Tensor) -> None:
    module.weight = nn.Parameter(weight, requires_grad=False)
