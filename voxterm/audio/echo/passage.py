"""Samples on their way through something that works in blocks and gives them back late.

Pure. However late the blocks come back, and whether they come back at all, each sample is given once and in
order; where nothing came back for one, it is given as it was.
"""

from __future__ import annotations

import numpy as np

from voxterm.engines.protocols import Samples


class Passage:
    """Samples are numbered from 0 on, as they come in."""

    def __init__(self, block_samples: int) -> None:
        self.taken = 0
        """How many came in."""
        self._block_samples = block_samples
        self._blocked = 0  # how many of them went out in blocks
        self._given = 0  # how many were given back
        self._kept: Samples = np.zeros(0, np.float32)  # as they came in, from _first on
        self._first = 0

    def put(self, samples: Samples) -> None:
        """The next samples (N,)."""
        needless = min(self._given, self._blocked) - self._first
        self._kept = np.concatenate([self._kept[needless:], samples])
        self._first += needless
        self.taken += len(samples)

    def next_block(self) -> tuple[int, Samples] | None:
        """The number of its first sample, and the block; None while it is not complete."""
        begin = self._blocked
        if self.taken - begin < self._block_samples:
            return None
        self._blocked += self._block_samples
        return begin, self._between(begin, self._blocked)

    def give(self, samples: Samples, first: int) -> Samples:
        """What came back for the samples from this number on: what is new of it, after what was missing."""
        missing = self._between(self._given, first)
        new = samples[max(0, self._given - first) :]
        self._given += len(missing) + len(new)
        return np.concatenate([missing, new]) if len(missing) else new

    def give_all(self) -> Samples:
        """All that was not given yet, as it came in."""
        return self.give(np.zeros(0, np.float32), self.taken)

    def _between(self, begin: int, end: int) -> Samples:
        return self._kept[max(0, begin - self._first) : max(0, end - self._first)]
