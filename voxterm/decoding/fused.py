"""The steps of one decoded token as Triton kernels: seven launches a layer, each weight read once.

Decoding one token is bound by reading the weights, so a matrix-vector product carries with it whatever its
neighbours would otherwise launch kernels for: the RMS norm before it (a factor of the whole row, so it can be
applied at the end), the gated activation, the residual sum, and the reading of 8 and 4 bit weights.
The same functions as in `plain`, with the same arguments; a few rows at once.
"""

from __future__ import annotations

import torch
import triton
import triton.language as tl
from torch import Tensor

from voxterm.decoding.weights import GROUP, Weight

OUTPUTS = 4
"""Rows of a matrix that one program works on: enough programs for every multiprocessor."""

INPUTS = 1024
"""Columns that it reads at a time: with OUTPUTS and bf16, 8 KB under way for each program."""

KEYS = 64
"""Positions of the cache that one program of the attention reads."""

MOST_ROWS = 8
"""More rows than this are not bound by the reading of weights: use `plain` for them."""


def linear(x: Tensor, weight: Weight) -> Tensor:
    return _product(x, weight)


def normed_linear(x: Tensor, norm: Tensor, eps: float, weight: Weight) -> Tensor:
    return _product(x, weight, norm=norm, eps=eps)


def linear_add(x: Tensor, weight: Weight, residual: Tensor) -> Tensor:
    return _product(x, weight, residual=residual)


def gated_linear_add(gate_up: Tensor, weight: Weight, residual: Tensor) -> Tensor:
    return _product(gate_up, weight, residual=residual, gated=True)


def _product(
    x: Tensor,
    weight: Weight,
    norm: Tensor | None = None,
    eps: float = 0.0,
    residual: Tensor | None = None,
    gated: bool = False,
) -> Tensor:
    rows, outputs, inputs = x.shape[0], weight.rows, weight.columns
    result = torch.empty(rows, outputs, device=x.device, dtype=x.dtype)
    span = inputs // 2 if weight.bits == 4 else inputs
    nothing = weight.data  # stands where a pointer is not read
    _product_kernel[(triton.cdiv(outputs, OUTPUTS),)](
        x,
        weight.data,
        nothing if weight.scale is None else weight.scale,
        nothing if weight.offset is None else weight.offset,
        nothing if norm is None else norm,
        nothing if residual is None else residual,
        result,
        outputs,
        inputs,
        eps,
        ROWS=rows,
        BITS=weight.bits,
        NORMED=norm is not None,
        GATED=gated,
        ADDED=residual is not None,
        GROUP_SIZE=GROUP,
        BLOCK_N=OUTPUTS,
        BLOCK_K=min(INPUTS, triton.next_power_of_2(span)),
        num_warps=4,
    )
    return result


@triton.jit
def _input(x, norm, row, inputs, k, inside, NORMED: tl.constexpr, GATED: tl.constexpr):
    """The numbers k of a row's input, and those numbers before the norm's weights."""
    if GATED:
        gate = tl.load(x + row * 2 * inputs + k, mask=inside, other=0.0).to(tl.float32)
        up = tl.load(x + row * 2 * inputs + inputs + k, mask=inside, other=0.0).to(tl.float32)
        bare = gate * tl.sigmoid(gate) * up
    else:
        bare = tl.load(x + row * inputs + k, mask=inside, other=0.0).to(tl.float32)
    weighted = bare
    if NORMED:
        weighted = bare * tl.load(norm + k, mask=inside, other=0.0).to(tl.float32)
    return weighted, bare


@triton.jit
def _product_kernel(
    x,  # (ROWS, K), gated (ROWS, 2K)
    data,  # (N, K) or (N, K / 2)
    scale,
    offset,
    norm,  # (K,)
    residual,  # (ROWS, N)
    result,  # (ROWS, N)
    outputs,
    inputs,
    eps,
    ROWS: tl.constexpr,
    BITS: tl.constexpr,
    NORMED: tl.constexpr,
    GATED: tl.constexpr,
    ADDED: tl.constexpr,
    GROUP_SIZE: tl.constexpr,
    BLOCK_N: tl.constexpr,
    BLOCK_K: tl.constexpr,
):
    n = tl.program_id(0) * BLOCK_N + tl.arange(0, BLOCK_N)
    there = n < outputs
    half = inputs // 2
    columns = half if BITS == 4 else inputs
    for row in tl.static_range(ROWS):  # the weights of the second row come from the cache
        total = tl.zeros((BLOCK_N, BLOCK_K), dtype=tl.float32)
        squares = tl.zeros((BLOCK_K,), dtype=tl.float32)
        for begin in range(0, columns, BLOCK_K):
            k = begin + tl.arange(0, BLOCK_K)
            inside = k < columns
            both = there[:, None] & inside[None, :]
            at = n[:, None].to(tl.int64) * columns + k[None, :]
            weighted, bare = _input(x, norm, row, inputs, k, inside, NORMED, GATED)
            squares += bare * bare
            if BITS == 4:
                packed = tl.load(data + at, mask=both, other=0)
                groups = inputs // GROUP_SIZE
                low_at = n[:, None] * groups + k[None, :] // GROUP_SIZE
                high_at = low_at + half // GROUP_SIZE
                low = (packed & 15).to(tl.float32) * tl.load(scale + low_at, mask=both, other=0.0).to(
                    tl.float32
                )
                low += tl.load(offset + low_at, mask=both, other=0.0).to(tl.float32)
                high = (packed >> 4).to(tl.float32) * tl.load(scale + high_at, mask=both, other=0.0).to(
                    tl.float32
                )
                high += tl.load(offset + high_at, mask=both, other=0.0).to(tl.float32)
                later, bare_later = _input(x, norm, row, inputs, k + half, inside, NORMED, GATED)
                squares += bare_later * bare_later
                total += low * weighted[None, :] + high * later[None, :]
            else:
                total += tl.load(data + at, mask=both, other=0).to(tl.float32) * weighted[None, :]
        product = tl.sum(total, axis=1)
        if BITS == 8:
            product *= tl.load(scale + n, mask=there, other=0.0).to(tl.float32)
        if NORMED:
            product *= tl.rsqrt(tl.sum(squares) / inputs + eps)
        if ADDED:
            product += tl.load(residual + row * outputs + n, mask=there, other=0.0).to(tl.float32)
        tl.store(result + row * outputs + n, product.to(result.dtype.element_ty), mask=there)


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
    _join_kernel[(rows * heads,)](
        mixed,
        weighing,
        result,
        parts,
        PARTS=triton.next_power_of_2(parts),
        SIZE=size,
        num_warps=2,
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
