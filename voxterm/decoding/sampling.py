"""Which token comes next: a pure function of the logits, what was said so far, and one random number a row.

The order is that of Transformers: repetition penalty, temperature, top-k, top-p. Everything is tensors of
fixed shape, so that it can stand inside a captured graph.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from voxterm.decoding.graph import sent

CANDIDATES = 1024
"""No more than so many ids, the most probable ones, are drawn from: to find them costs less than to sort all,
and together the others of a speech or language model weigh next to nothing."""


@dataclass(frozen=True, slots=True)
class Sampling:
    """How a row is sampled. Temperature 0 takes the most probable token and leaves top-k and top-p unread.

    The repetition penalty divides positive and multiplies negative logits of ids that the row holds already,
    its prompt included (Keskar et al. 2019, "CTRL").
    """

    temperature: float = 0.0
    top_p: float = 1.0
    top_k: int = 0  # 0: as many as there are CANDIDATES
    repetition_penalty: float = 1.0


class RowSampling:
    """The sampling of all rows as tensors on the device, which stay in place."""

    def __init__(self, rows: int, device: torch.device) -> None:
        self.temperature = torch.ones(rows, 1, device=device)  # (B, 1)
        self.greedy = torch.ones(rows, dtype=torch.bool, device=device)  # (B,)
        self.top_p = torch.ones(rows, 1, device=device)
        self.top_k = torch.ones(rows, 1, dtype=torch.int64, device=device)
        self.penalty = torch.ones(rows, 1, device=device)

    def set(self, rows: Sequence[Sampling], vocabulary: int) -> None:
        """Take up new values. `vocabulary` stands for a top-k of 0."""

        def put(held: Tensor, values: list[float] | list[int] | list[bool]) -> None:
            held.copy_(sent(torch.tensor(values, dtype=held.dtype), held.device).view(held.shape))

        put(self.temperature, [row.temperature if row.temperature > 0 else 1.0 for row in rows])
        put(self.greedy, [row.temperature <= 0 for row in rows])
        put(self.top_p, [row.top_p for row in rows])
        put(self.top_k, [row.top_k or vocabulary for row in rows])
        put(self.penalty, [row.repetition_penalty for row in rows])


def penalized(logits: Tensor, seen: Tensor, penalty: Tensor) -> Tensor:
    """The logits (B, V) with the ids that were `seen` (B, V) made less likely by `penalty` (B, 1)."""
    return torch.where(seen, torch.where(logits > 0, logits / penalty, logits * penalty), logits)


def draw(logits: Tensor, uniform: Tensor, rows: RowSampling) -> Tensor:
    """The index of the token of each row: the inverse of the cumulative distribution at `uniform`.

    Args:
        logits: (B, V) float32, already penalized.
        uniform: (B,) in [0, 1).

    Returns:
        (B,) int64
    """
    most_probable = logits.argmax(dim=-1)
    candidates = min(CANDIDATES, logits.shape[-1])
    ordered, order = torch.topk(logits / rows.temperature, candidates, dim=-1)
    rank = torch.arange(candidates, device=logits.device)
    ordered = ordered.masked_fill(rank >= rows.top_k, float("-inf"))
    probable = torch.softmax(ordered, dim=-1)
    before = probable.cumsum(dim=-1) - probable
    kept = torch.where((before < rows.top_p) | (rank == 0), probable, 0.0)
    cumulated = kept.cumsum(dim=-1)
    target = uniform[:, None] * cumulated[:, -1:]
    below = (cumulated <= target).sum(dim=-1)
    last = (kept > 0).sum(dim=-1) - 1  # rounding must not lead past what is kept
    sampled = order.gather(-1, torch.minimum(below, last)[:, None])[:, 0]
    return torch.where(rows.greedy, most_probable, sampled)
