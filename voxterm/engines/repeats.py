"""Loops in what a model says: the same tokens over and over. Pure."""

from __future__ import annotations

from collections.abc import Sequence

LOOP_REPEATS = 8
"""A transcript in which the same tokens come so often in a row is stuck, and cut after the first of them."""

LOOP_TOKENS = 16  # the longest loop that is looked for


def loop_period(ids: Sequence[int]) -> int:
    """How many tokens are repeated LOOP_REPEATS times at the end; 0: none are."""
    for period in range(1, min(LOOP_TOKENS, len(ids) // LOOP_REPEATS) + 1):
        last = ids[-period * LOOP_REPEATS :]
        if all(a == b for a, b in zip(last, last[period:], strict=False)):
            return period
    return 0


def without_loop(ids: Sequence[int]) -> Sequence[int]:
    """The ids with a loop at their end, however long it went on, cut after its first round."""
    period, end = loop_period(ids), len(ids)
    while period and end > period and ids[end - 1] == ids[end - 1 - period]:
        end -= 1
    return ids[:end]
