"""The static KV cache: room for a fixed number of positions in each row, and what is in it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor

from voxterm.decoding.decoder import Shape

SPARE = 8
"""Positions beyond the capacity, for steps launched before their row was known to have ended."""

SMALLEST_SPAN = 256


@dataclass(frozen=True)
class Prompt:
    """What a row is asked: token ids, and vectors that stand in for the embeddings of some of them.

    Args:
        inputs: (A, hidden), for the A ids that equal `at_id`, in order; audio, for instance.
    """

    ids: Sequence[int]
    inputs: Tensor | None = None
    at_id: int = -1


@dataclass
class Held:
    """What the cache holds of one row."""

    ids: list[int] = field(default_factory=list)
    inputs: Tensor | None = None
    at_id: int = -1

    def common(self, prompt: Prompt) -> int:
        """How many positions can stay. At least the prompt's last id is read anew: its logits are wanted."""
        length = 0
        same_inputs = prompt.inputs is self.inputs
        for ours, theirs in zip(self.ids, prompt.ids[:-1], strict=False):
            if ours != theirs or (not same_inputs and ours in (self.at_id, prompt.at_id)):
                break
            length += 1
        return length


class Cache:
    """Keys and values of all layers and rows, (layers, B, Hkv, S, D) each."""

    def __init__(
        self, shape: Shape, rows: int, capacity: int, dtype: torch.dtype, device: torch.device
    ) -> None:
        self.capacity = capacity
        size = (shape.layers, rows, shape.kv_heads, capacity + SPARE, shape.head_size)
        self.keys = torch.zeros(size, dtype=dtype, device=device)
        self.values = torch.zeros(size, dtype=dtype, device=device)
        self.held = [Held() for _ in range(rows)]

    @property
    def both(self) -> tuple[Tensor, Tensor]:
        return self.keys, self.values

    @property
    def memory_bytes(self) -> int:
        return self.keys.nbytes + self.values.nbytes

    def row(self, row: int) -> tuple[Tensor, Tensor]:
        """(layers, Hkv, S, D) each"""
        return self.keys[:, row], self.values[:, row]

    def spans(self) -> list[int]:
        """How much of the cache a step can look at: few lengths, each worth a graph of its own."""
        found = [SMALLEST_SPAN]
        while 1.5 * found[-1] < self.capacity + SPARE:  # no two that are nearly the same
            found.append(2 * found[-1])
        found[-1] = self.capacity + SPARE
        return found

    def span(self, position: int) -> int:
        """The smallest of them that has this position in sight."""
        return next(span for span in self.spans() if span > position)

    def forget(self) -> None:
        for row in range(len(self.held)):
            self.held[row] = Held()
