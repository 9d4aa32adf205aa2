"""A bounded buffer of samples between one thread that writes and one that reads, without a lock.

Each side changes only its own count, after the samples are in place; reading the other's count a little
too early only shows less room, or fewer samples, than there are.
"""

from __future__ import annotations

import numpy as np

from voxterm.engines.protocols import Samples


class SampleRing:
    """Positions are sample counts since the beginning; `read <= written <= read + capacity`."""

    def __init__(self, capacity_samples: int) -> None:
        self._samples = np.zeros(capacity_samples, np.float32)
        self.written = 0  # changed by the writer alone
        self.read = 0  # changed by the reader alone

    def put(self, samples: Samples) -> int:
        """Writer: take in as many as there is room for; how many that was."""
        count = min(len(samples), len(self._samples) - (self.written - self.read))
        begin = self.written % len(self._samples)
        first = min(count, len(self._samples) - begin)
        self._samples[begin : begin + first] = samples[:first]
        self._samples[: count - first] = samples[first:count]
        self.written += count
        return count

    def take(self, into: Samples) -> int:
        """Reader: fill `into` as far as the samples go; how many that was. The rest of it stays as it is."""
        count = self._copy(into, self.written)
        self.read += count
        return count

    def cut(self, fade: Samples, until: int) -> Samples:
        """Reader: skip to the position `until`. What comes next, as far as `fade` goes, times `fade`."""
        tail = np.empty(len(fade), np.float32)
        count = self._copy(tail, until)
        self.read = max(self.read, until)
        return tail[:count] * fade[:count]

    def _copy(self, into: Samples, until: int) -> int:
        count = max(0, min(len(into), until - self.read))
        begin = self.read % len(self._samples)
        first = min(count, len(self._samples) - begin)
        into[:first] = self._samples[begin : begin + first]
        into[first:count] = self._samples[: count - first]
        return count
