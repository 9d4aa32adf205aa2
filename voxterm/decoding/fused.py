"""The steps of one decoded token as Triton kernels: seven launches a layer, each weight read once.

Decoding one token is bound by reading the weights, so a matrix-vector product carries with it whatever its
neighbours would otherwise launch kernels for: the RMS norm before it (a factor of the whole row, so it can be
applied at the end), the gated activation, the residual sum, and the reading of 8 and 4 bit weights.
The same functions as in `plain`, with the same arguments. A weight that has been read serves every row of the
input at once; the registers suffice for 8 rows.
"""

from __future__ import annotations

import torch
import triton
import triton.language as tl
from torch import Tensor

from voxterm.decoding.fused_attention import attend, rope_store
from voxterm.decoding.weights import GROUP, Weight

__all__ = ["attend", "gated_linear_add", "linear", "linear_add", "normed_linear", "probe", "rope_store"]

OUTPUTS = 4
"""Rows of a matrix that one program works on: enough programs for every multiprocessor."""

INPUTS = 1024
"""Columns that it reads at a time: with OUTPUTS and bf16, 8 KB under way for each program."""

PIECE = 16
"""4 bit weights that are summed before their group's scale is applied: those of one thread or of two."""


def probe(device: torch.device) -> None:
    """Run one small product to its end: shows at load whether Triton can compile and launch there at all.

    Raises:
        Exception: whatever Triton raises, say for want of a C compiler or for a GPU that it does not know.
    """
    ones = torch.ones(1, GROUP, device=device, dtype=torch.bfloat16)
    linear(ones, Weight(ones, bits=16)).item()  # the number is on the host when the device has computed it


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
    grid = (triton.cdiv(outputs, OUTPUTS),)
    sizes = {
        "ROWS": rows,
        "GATED": gated,
        "BLOCK_N": OUTPUTS,
        "BLOCK_K": _columns_at_a_time(rows, weight.data.shape[1]),
        "num_warps": 4,
    }
    around = (norm, residual, result, outputs, inputs, eps)
    if weight.bits == 4:
        tables = (weight.scale, weight.offset)
        _product_4_bits_kernel[grid](
            x, weight.data, *tables, *around, GROUP_SIZE=GROUP, PIECE_SIZE=PIECE, **sizes
        )
    else:
        _product_kernel[grid](x, weight.data, weight.scale, *around, **sizes)
    return result


def _columns_at_a_time(rows: int, columns: int) -> int:
    """Whole groups of 4 bit weights; fewer past two rows, so that the sums of all rows fit the registers."""
    most = 2 * INPUTS // max(2, triton.next_power_of_2(rows))
    fitting: int = max(GROUP, min(most, triton.next_power_of_2(columns)))
    return fitting


@triton.jit
def _product_kernel(
    x,  # (ROWS, K), gated (ROWS, 2K)
    data,  # (N, K)
    scale,  # (N,) or None
    norm,  # (K,) or None
    residual,  # (ROWS, N) or None
    result,  # (ROWS, N)
    outputs,
    inputs,
    eps,
    ROWS: tl.constexpr,
    GATED: tl.constexpr,
    BLOCK_N: tl.constexpr,
    BLOCK_K: tl.constexpr,
):
    n = tl.program_id(0) * BLOCK_N + tl.arange(0, BLOCK_N)
    there = n < outputs
    totals = _zeros(ROWS, (BLOCK_N, BLOCK_K))
    squares = _zeros(ROWS, (BLOCK_K,))
    for begin in range(0, inputs, BLOCK_K):
        k = begin + tl.arange(0, BLOCK_K)
        inside = k < inputs
        at = n[:, None].to(tl.int64) * inputs + k[None, :]
        weights = tl.load(data + at, mask=there[:, None] & inside[None, :], other=0).to(tl.float32)
        for row in tl.static_range(ROWS):
            weighted, bare = _input(x, norm, row, inputs, k, inside, GATED)
            totals = _added(totals, row, weights * weighted[None, :])
            squares = _added(squares, row, bare * bare)
    for row in tl.static_range(ROWS):
        product = tl.sum(totals[row], axis=1)
        if scale is not None:
            product *= tl.load(scale + n, mask=there, other=0.0).to(tl.float32)
        _store(product, squares[row], row, n, norm, residual, result, outputs, inputs, eps)


@triton.jit
def _product_4_bits_kernel(
    x,  # (ROWS, K), gated (ROWS, 2K)
    data,  # (N, K / 2)
    scale,  # (N, K / GROUP_SIZE)
    offset,  # (N, K / GROUP_SIZE)
    norm,  # (K,) or None
    residual,  # (ROWS, N) or None
    result,  # (ROWS, N)
    outputs,
    inputs,
    eps,
    ROWS: tl.constexpr,
    GATED: tl.constexpr,
    BLOCK_N: tl.constexpr,
    BLOCK_K: tl.constexpr,
    GROUP_SIZE: tl.constexpr,
    PIECE_SIZE: tl.constexpr,
):
    """Σ (q · scale + offset) · x over a piece of a group is scale · Σ q · x + offset · Σ x."""
    groups: tl.constexpr = BLOCK_K // GROUP_SIZE
    pieces: tl.constexpr = GROUP_SIZE // PIECE_SIZE
    n = tl.program_id(0) * BLOCK_N + tl.arange(0, BLOCK_N)
    there = n < outputs
    half = inputs // 2
    half_groups = half // GROUP_SIZE
    totals = _zeros(ROWS, (BLOCK_N, groups, pieces))
    squares = _zeros(ROWS, (BLOCK_K,))
    for begin in range(0, half, BLOCK_K):
        k = begin + tl.arange(0, BLOCK_K)
        inside = k < half
        at = n[:, None].to(tl.int64) * half + k[None, :]
        packed = tl.load(data + at, mask=there[:, None] & inside[None, :], other=0)
        g = begin // GROUP_SIZE + tl.arange(0, groups)
        known = there[:, None] & (g < half_groups)[None, :]
        for upper in tl.static_range(2):  # the second half of the row lies in the upper bits
            group_at = (2 * n[:, None] + upper) * half_groups + g[None, :]
            step = tl.load(scale + group_at, mask=known, other=0.0).to(tl.float32)[:, :, None]
            lowest = tl.load(offset + group_at, mask=known, other=0.0).to(tl.float32)[:, :, None]
            q = (packed >> 4 if upper else packed & 15).to(tl.float32)
            q = tl.reshape(q, (BLOCK_N, groups, pieces, PIECE_SIZE))
            for row in tl.static_range(ROWS):
                weighted, bare = _input(x, norm, row, inputs, k + upper * half, inside, GATED)
                weighted = tl.reshape(weighted, (1, groups, pieces, PIECE_SIZE))
                products = tl.sum(q * weighted, axis=3) * step + tl.sum(weighted, axis=3) * lowest
                totals = _added(totals, row, products)
                squares = _added(squares, row, bare * bare)
    for row in tl.static_range(ROWS):
        product = tl.sum(tl.sum(totals[row], axis=2), axis=1)
        _store(product, squares[row], row, n, norm, residual, result, outputs, inputs, eps)


@triton.jit
def _zeros(ROWS: tl.constexpr, shape: tl.constexpr):
    """A block for each row: in a tuple, since an axis of rows would have threads hand their weights on."""
    return (tl.zeros(shape, dtype=tl.float32),) * ROWS


@triton.jit
def _added(blocks, row: tl.constexpr, more):
    """The blocks, with more in that of a row."""
    return blocks[:row] + (blocks[row] + more,) + blocks[row + 1 :]  # noqa: RUF005 - Triton knows no *blocks


@triton.jit
def _input(x, norm, row, inputs, k, inside, GATED: tl.constexpr):
    """The numbers k of a row's input, and those numbers before the norm's weights."""
    if GATED:
        gate = tl.load(x + row * 2 * inputs + k, mask=inside, other=0.0).to(tl.float32)
        up = tl.load(x + row * 2 * inputs + inputs + k, mask=inside, other=0.0).to(tl.float32)
        bare = gate * tl.sigmoid(gate) * up
    else:
        bare = tl.load(x + row * inputs + k, mask=inside, other=0.0).to(tl.float32)
    weighted = bare
    if norm is not None:
        weighted = bare * tl.load(norm + k, mask=inside, other=0.0).to(tl.float32)
    return weighted, bare


@triton.jit
def _store(product, squares, row, n, norm, residual, result, outputs, inputs, eps):
    """A row of the result, with what comes after the product."""
    there = n < outputs
    if norm is not None:
        product *= tl.rsqrt(tl.sum(squares) / inputs + eps)
    if residual is not None:
        product += tl.load(residual + row * outputs + n, mask=there, other=0.0).to(tl.float32)
    tl.store(result + row * outputs + n, product.to(result.dtype.element_ty), mask=there)
