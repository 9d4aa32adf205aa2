"""The steps of one decoded token in plain torch: what `fused` must equal, and what runs on a CPU."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from voxterm.decoding.weights import Weight


def linear(x: Tensor, weight: Weight) -> Tensor:
    """(…, K) → (…, N)"""
    return F.linear(x, weight.dense(x.dtype))


def normed_linear(x: Tensor, norm: Tensor, eps: float, weight: Weight) -> Tensor:
    """The linear layer of the RMS norm of x. (B, K) → (B, N)"""
    return linear(F.rms_norm(x, (x.shape[-1],), norm, eps), weight)


def linear_add(x: Tensor, weight: Weight, residual: Tensor) -> Tensor:
    """residual + linear(x). (B, K), (B, N) → (B, N)"""
    return residual + linear(x, weight)


def gated_linear_add(gate_up: Tensor, weight: Weight, residual: Tensor) -> Tensor:
    """residual + linear(silu(gate) · up), where gate and up lie side by side. (B, 2K), (B, N) → (B, N)"""
    gate, up = gate_up.chunk(2, dim=-1)
    return residual + linear(F.silu(gate) * up, weight)


def rope_store(
    qkv: Tensor, rotation: Tensor, positions: Tensor, keys: Tensor, values: Tensor, heads: int
) -> Tensor:
    """Rotate queries and keys to their positions (Su et al. 2021) and put keys and values into the cache.

    Args:
        qkv: (B, (H + 2 Hkv) D)
        rotation: (S, 2, D) float32: cosines and sines of each position
        positions: (B,) int64
        keys, values: (B, Hkv, S, D), written at the positions

    Returns:
        The queries. (B, H, D)
    """
    rows, kv_heads, _, size = keys.shape
    cos, sin = rotation[positions][:, :, None].unbind(1)  # (B, 1, D) each
    split = qkv.view(rows, heads + 2 * kv_heads, size)
    turned = rotated(split[:, : heads + kv_heads], cos, sin)
    row = torch.arange(rows, device=qkv.device)
    keys[row, :, positions] = turned[:, heads:]
    values[row, :, positions] = split[:, heads + kv_heads :]
    return turned[:, :heads].contiguous()


def rotated(x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    """x (…, D) turned by angles whose cosines and sines are given, halves as pairs, as Llama has them."""
    first, second = x.float().chunk(2, dim=-1)
    return (x.float() * cos + torch.cat((-second, first), dim=-1) * sin).to(x.dtype)


def attend(queries: Tensor, keys: Tensor, values: Tensor, positions: Tensor, span: int) -> Tensor:
    """Attention of one query a row over the cache up to and with its position.

    Args:
        queries: (B, H, D); H is a multiple of Hkv
        keys, values: (B, Hkv, S, D)
        positions: (B,) int64, each below `span`
        span: how much of S is read

    Returns:
        (B, H · D)
    """
    rows, kv_heads, _, size = keys.shape
    grouped = queries.view(rows, kv_heads, -1, size)  # the queries that share a key stand as a sequence
    seen = torch.arange(span, device=queries.device) <= positions[:, None]  # (B, span)
    mixed = F.scaled_dot_product_attention(
        grouped, keys[:, :, :span], values[:, :, :span], attn_mask=seen[:, None, None]
    )
    return mixed.reshape(rows, -1)
