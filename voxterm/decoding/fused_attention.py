"""The attention of one decoded token as Triton kernels: rotation, cache and softmax; a part of `fused`."""

from __future__ import annotations

import torch
import triton
import triton.language as tl
from torch import Tensor

KEYS = 64
"""Positions of the cache that one program of the attention reads."""


def rope_store(
    qkv: Tensor, rotation: Tensor, positions: Tensor, keys: Tensor, values: Tensor, heads: int
) -> Tensor:
    rows, kv_heads, _, size = keys.shape
    queries = torch.empty(rows, heads, size, device=qkv.device, dtype=qkv.dtype)
    _rope_store_kernel[(rows, heads + 2 * kv_heads)](
        qkv,
        rotation,
        positions,
        queries,
        keys,
        values,
        keys.stride(0),
        keys.stride(1),
        HEADS=heads,
        KV_HEADS=kv_heads,
        SIZE=size,
        num_warps=1,
    )
    return queries


@triton.jit
def _rope_store_kernel(
    qkv,  # (B, (H + 2 Hkv) D)
    rotation,  # (S, 2, D)
    positions,  # (B,)
    queries,  # (B, H, D)
    keys,  # (B, Hkv, S, D)
    values,
    row_stride,
    head_stride,
    HEADS: tl.constexpr,
    KV_HEADS: tl.constexpr,
    SIZE: tl.constexpr,
):
    row, head = tl.program_id(0), tl.program_id(1)
    position = tl.load(positions + row)
    i = tl.arange(0, SIZE)
    source = qkv + (row * (HEADS + 2 * KV_HEADS) + head) * SIZE
    x = tl.load(source + i)
    if head < HEADS + KV_HEADS:
        partner = tl.load(source + (i + SIZE // 2) % SIZE).to(tl.float32)
        partner = tl.where(i < SIZE // 2, -partner, partner)
        cos = tl.load(rotation + position * 2 * SIZE + i)
        sin = tl.load(rotation + position * 2 * SIZE + SIZE + i)
        turned = (x.to(tl.float32) * cos + partner * sin).to(x.dtype)
        if head < HEADS:
            tl.store(queries + (row * HEADS + head) * SIZE + i, turned)
        else:
            tl.store(keys + row * row_stride + (head - HEADS) * head_stride + position * SIZE + i, turned)
    else:
        at = row * row_stride + (head - HEADS - KV_HEADS) * head_stride + position * SIZE + i
        tl.store(values + at, x)


def attend(queries: Tensor, keys: Tensor, values: Tensor, positions: Tensor, span: int) -> Tensor:
    rows, heads, size = queries.shape
    kv_heads = keys.shape[1]
    parts = triton.cdiv(span, KEYS)
    # Each part of the cache is attended to alone, with its maximum and its sum, then the parts are joined.
    mixed = torch.empty(rows, heads, parts, size, device=queries.device, dtype=torch.float32)
    weighing = torch.empty(rows, heads, parts, 2, device=queries.device, dtype=torch.float32)
    _attend_kernel[(rows * kv_heads, parts)](
        queries,
        keys,
        values,
        positions,
        mixed,
        weighing,
        keys.stride(0),
        keys.stride(1),
        size**-0.5,
        parts,
        KV_HEADS=kv_heads,
        SHARED=heads // kv_heads,
        PADDED=max(16, triton.next_power_of_2(heads // kv_heads)),  # a tensor core takes 16 rows
        SIZE=size,
        BLOCK_S=KEYS,
        WIDE=queries.device.type == "cpu",  # Triton's interpreter multiplies no bf16
        num_warps=4,
    )
    result = torch.empty(rows, heads * size, device=queries.device, dtype=queries.dtype)
    padded_parts = triton.next_power_of_2(parts)
    _join_kernel[(rows * heads,)](
        mixed,
        weighing,
        result,
        parts,
        PARTS=padded_parts,
        SIZE=size,
        num_warps=8 if padded_parts >= 128 else 2,  # two would spill registers
    )
    return result


@triton.jit
def _attend_kernel(
    queries,  # (B, H, D)
    keys,  # (B, Hkv, S, D)
    values,
    positions,  # (B,)
    mixed,  # (B, H, parts, D) float32
    weighing,  # (B, H, parts, 2) float32
    row_stride,
    head_stride,
    factor,
    parts,
    KV_HEADS: tl.constexpr,
    SHARED: tl.constexpr,
    PADDED: tl.constexpr,
    SIZE: tl.constexpr,
    BLOCK_S: tl.constexpr,
    WIDE: tl.constexpr,
):
    row, head = tl.program_id(0) // KV_HEADS, tl.program_id(0) % KV_HEADS
    part = tl.program_id(1)
    last = tl.load(positions + row)
    g = tl.arange(0, PADDED)
    i = tl.arange(0, SIZE)
    s = part * BLOCK_S + tl.arange(0, BLOCK_S)
    query = (row * KV_HEADS + head) * SHARED + g  # of all heads of all rows
    real = g < SHARED
    q = tl.load(queries + query[:, None] * SIZE + i[None, :], mask=real[:, None], other=0.0)
    at = row * row_stride + head * head_stride + s[:, None] * SIZE + i[None, :]
    seen = s <= last
    k = tl.load(keys + at, mask=seen[:, None], other=0.0)
    v = tl.load(values + at, mask=seen[:, None], other=0.0)
    if WIDE:
        q, k, v = q.to(tl.float32), k.to(tl.float32), v.to(tl.float32)
    scores = tl.dot(q, tl.trans(k), input_precision="ieee") * factor  # (PADDED, BLOCK_S)
    scores = tl.where(seen[None, :], scores, float("-inf"))
    highest = tl.max(scores, axis=1)
    highest = tl.where(highest == float("-inf"), -1e30, highest)  # nothing seen in this part
    weights = tl.exp(scores - highest[:, None])
    total = tl.sum(weights, axis=1)
    part_mix = tl.dot(weights.to(v.dtype), v, input_precision="ieee")  # (PADDED, SIZE)
    place = query * parts + part
    tl.store(mixed + place[:, None] * SIZE + i[None, :], part_mix, mask=real[:, None])
    tl.store(weighing + place * 2, highest, mask=real)
    tl.store(weighing + place * 2 + 1, total, mask=real)


@triton.jit
def _join_kernel(mixed, weighing, result, parts, PARTS: tl.constexpr, SIZE: tl.constexpr):
    query = tl.program_id(0)
    p = tl.arange(0, PARTS)
    i = tl.arange(0, SIZE)
    there = p < parts
    place = query * parts + p
    highest = tl.load(weighing + place * 2, mask=there, other=-1e30)
    total = tl.load(weighing + place * 2 + 1, mask=there, other=0.0)
    share = tl.exp(highest - tl.max(highest))
    mix = tl.load(mixed + place[:, None] * SIZE + i[None, :], mask=there[:, None], other=0.0)
    joined = tl.sum(mix * share[:, None], axis=0) / tl.sum(total * share)
    tl.store(result + query * SIZE + i, joined.to(result.dtype.element_ty))
