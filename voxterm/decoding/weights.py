"""The matrix of a linear layer, in bf16 or float32, or quantised to 8 or 4 bits.

8 bits: one scale for each output row, symmetric. 4 bits: a scale and an offset for each group of 128 inputs
(as in GPTQ and AWQ): w = q · scale + offset, q in 0…15, both in bf16. The two halves of a row share its
bytes: the low nibbles hold its first half, the high ones its second, so that a kernel reads both halves of
the input in order.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

GROUP = 128


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
        held = (self.data, self.scale, self.offset)
        return sum(tensor.nbytes for tensor in held if tensor is not None)

    def dense(self, dtype: torch.dtype) -> Tensor:
        """The matrix as numbers. (N, K)"""
        if self.scale is None:
            return self.data
        if self.offset is None:
            return (self.data.float() * self.scale.float()[:, None]).to(dtype)
        quantised = torch.cat((self.data & 15, self.data >> 4), dim=1)
        grouped = quantised.view(self.rows, -1, GROUP).float()
        numbers = grouped * self.scale.float()[..., None] + self.offset.float()[..., None]
        return numbers.view(self.rows, -1).to(dtype)


def quantised(matrix: Tensor, precision: str) -> Weight:
    """The weight of a matrix (N, K) at a precision of `protocols.Precision`.

    A matrix whose K does not hold two halves of whole groups stays at 8 bits when 4 are asked for.
    """
    if precision == "int4" and matrix.shape[1] % (2 * GROUP) == 0:
        return _in_4_bits(matrix)
    if precision in ("int8", "int4"):
        return _in_8_bits(matrix)
    return Weight(matrix, bits=matrix.element_size() * 8)


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
