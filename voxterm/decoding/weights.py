"""The matrix of a linear layer, in bf16 or float32, or quantised to 8 or 4 bits.

8 bits: one scale for each output row, symmetric; embedding tables get no fewer. 4 bits: a scale and an
offset for each group of 128 inputs (as in GPTQ and AWQ): w = q · scale + offset, q in 0…15, both in bf16.
The two halves of a row share its bytes: the low nibbles hold its first half, the high ones its second, so
that a kernel reads both halves of the input in order.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeVar

import torch
from torch import Tensor, nn

GROUP = 128

BLOCK_ROWS = 2048
"""Rows that are quantised, or made dense, at a time: what is in float32 meanwhile stays small."""


RANDOM_SCALE = 0.02
"""Standard deviation of weights that are drawn: what Llama starts its training from."""

ModuleT = TypeVar("ModuleT", bound=nn.Module)


def on_device(parameter: Tensor, device: torch.device, dtype: torch.dtype) -> Tensor:
    """A parameter's numbers on a device; one that has none, of a model on `meta`, gets random ones."""
    if not parameter.is_meta:
        return parameter.detach().to(device, dtype)
    generator = torch.Generator(device)  # the common one must not be used while another thread captures
    generator.seed()
    drawn = torch.empty(parameter.shape, dtype=dtype, device=device)
    return drawn.normal_(0.0, RANDOM_SCALE, generator=generator)


def placed_module(module: ModuleT, device: torch.device, dtype: torch.dtype) -> ModuleT:
    """A module with all its parameters `on_device`. Buffers are not looked at."""
    for part in module.modules():
        for name, parameter in part.named_parameters(recurse=False):
            moved = nn.Parameter(on_device(parameter, device, dtype), requires_grad=False)
            setattr(part, name, moved)
    return module


@dataclass(frozen=True)
class Weight:
    """A matrix (N, K): `bits` 16 or 32 for a plain one, else 8 or 4."""

    data: Tensor  # (N, K), or packed (N, K / 2) uint8
    bits: int
    scale: Tensor | None = None  # (N,) for 8 bits, (N, K / GROUP) for 4
    offset: Tensor | None = None  # (N, K / GROUP), for 4 bits

    @property
    def rows(self) -> int:
        return self.data.shape[0]

    @property
    def columns(self) -> int:
        return self.data.shape[1] * (2 if self.bits == 4 else 1)

    @property
    def memory_bytes(self) -> int:
        return sum(tensor.nbytes for tensor in self.tensors())

    def tensors(self) -> list[Tensor]:
        return [held for held in (self.data, self.scale, self.offset) if held is not None]

    def part(self, first: int, end: int) -> Weight:
        """Some rows of it, where they are."""
        scale, offset = (None if held is None else held[first:end] for held in (self.scale, self.offset))
        return Weight(self.data[first:end], self.bits, scale, offset)

    def picked(self, rows: Tensor, dtype: torch.dtype) -> Tensor:
        """The rows of these numbers, dense: an embedding. (R,) int64 → (R, K)"""
        scale, offset = (None if held is None else held[rows] for held in (self.scale, self.offset))
        return Weight(self.data[rows], self.bits, scale, offset).dense(dtype)

    def dense(self, dtype: torch.dtype) -> Tensor:
        """The matrix as numbers. (N, K)"""
        if self.scale is None:
            return self.data
        if self.bits == 8:
            return self.data.to(dtype) * self.scale.to(dtype)[:, None]
        result = torch.empty(self.rows, self.columns, dtype=dtype, device=self.data.device)
        for first in range(0, self.rows, BLOCK_ROWS):
            end = min(first + BLOCK_ROWS, self.rows)
            result[first:end] = self.part(first, end)._numbers()
        return result

    def _numbers(self) -> Tensor:
        """Those of 4 bits. (N, K) float32"""
        assert self.scale is not None
        assert self.offset is not None
        nibbles = torch.cat((self.data & 15, self.data >> 4), dim=1)
        grouped = nibbles.view(self.rows, -1, GROUP).float()
        return (grouped * self.scale.float()[..., None] + self.offset.float()[..., None]).flatten(1)


def quantised(matrix: Tensor, precision: str) -> Weight:
    """The weight of a matrix (N, K) at a precision of `protocols.Precision`.

    A matrix whose K does not hold two halves of whole groups stays at 8 bits when 4 are asked for.
    """
    if precision not in ("int8", "int4"):
        return Weight(matrix, bits=matrix.element_size() * 8)
    in_4_bits = precision == "int4" and matrix.shape[1] % (2 * GROUP) == 0
    rounded = _in_4_bits if in_4_bits else _in_8_bits
    parts = [rounded(block) for block in matrix.split(BLOCK_ROWS)]

    def joined(name: str) -> Tensor | None:
        held = [getattr(part, name) for part in parts]
        return None if held[0] is None else torch.cat(held)

    data = joined("data")
    assert data is not None
    return Weight(data, parts[0].bits, joined("scale"), joined("offset"))


def quantised_table(table: Tensor, precision: str) -> Weight:
    """An embedding table or output layer: as `quantised`, but never fewer than 8 bits."""
    return quantised(table, "int8" if precision == "int4" else precision)


def _in_8_bits(matrix: Tensor) -> Weight:
    numbers = matrix.float()
    scale = (numbers.abs().amax(dim=1) / 127).clamp(min=1e-12).to(torch.bfloat16)
    data = (numbers / scale.float()[:, None]).round().clamp(-127, 127).to(torch.int8)
    return Weight(data, 8, scale)


def _in_4_bits(matrix: Tensor) -> Weight:
    groups = matrix.float().view(matrix.shape[0], -1, GROUP)  # (N, K / GROUP, GROUP)
    offset = groups.amin(dim=2).to(torch.bfloat16)
    scale = ((groups.amax(dim=2) - offset.float()) / 15).clamp(min=1e-12).to(torch.bfloat16)
    steps = (groups - offset.float()[..., None]) / scale.float()[..., None]
    data = steps.round().clamp(0, 15).to(torch.uint8).view(matrix.shape)
    half = matrix.shape[1] // 2
    return Weight(data[:, :half] | (data[:, half:] << 4), 4, scale, offset)
