"""Speech faster or slower at the same pitch, as it comes: WSOLA (Verhelst and Roelands 1993).

The output is laid together from segments of the input. Each is looked for near the place where it would be
due, so that it goes on best from the one before, and is faded in over what really followed there.
"""

from __future__ import annotations

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from voxterm.engines.protocols import Samples

SEGMENT_S = 0.02
SEARCH_S = 0.01  # to each side: a whole period of the deepest voice


class TimeStretch:
    """One speech. Gives round(N / speed) samples for N."""

    def __init__(self, speed: float, rate_hz: int) -> None:
        self._speed = speed
        self._segment = round(SEGMENT_S * rate_hz)
        self._search = round(SEARCH_S * rate_hz)
        self._fade = np.linspace(0.0, 1.0, self._segment, endpoint=False, dtype=np.float32)
        self._input: Samples = np.zeros(0, np.float32)  # what may still be needed
        self._dropped = 0  # samples of the input before it
        self._received = 0
        self._given = 0
        self._segments = 0
        self._follows: Samples | None = None  # what came behind the last segment in the input

    def push(self, samples: Samples) -> Samples:
        """Take the next samples; those of the output that they allow, maybe none."""
        self._received += len(samples)
        self._input = np.concatenate((self._input, samples))
        laid: list[Samples] = []
        while self._last_needed() <= self._received:
            laid.append(self._lay())
        return self._give(laid)

    def finish(self) -> Samples:
        """The rest, behind which there is silence."""
        left = round(self._received / self._speed) - self._given
        laid: list[Samples] = []
        while len(laid) * self._segment < left:
            missing = max(0, self._last_needed() - self._dropped - len(self._input))
            self._input = np.concatenate((self._input, np.zeros(missing, np.float32)))
            laid.append(self._lay())
        return self._give(laid)[:left]

    def _due(self) -> int:
        """Where in the input the next segment begins if it is not moved."""
        return round(self._segments * self._segment * self._speed)

    def _last_needed(self) -> int:
        return self._due() + self._search + 2 * self._segment

    def _lay(self) -> Samples:
        """The next segment of the output."""
        begin = self._due() - self._dropped
        if self._follows is None:
            segment = self._input[: self._segment]
        else:
            first = max(0, begin - self._search)
            near = self._input[first : begin + self._search + self._segment]
            begin = first + best_match(near, self._follows)
            segment = self._input[begin : begin + self._segment]
            segment = self._follows + (segment - self._follows) * self._fade
        self._follows = self._input[begin + self._segment : begin + 2 * self._segment]
        self._segments += 1
        keep = max(0, self._due() - self._search - self._dropped)
        self._input = self._input[keep:]
        self._dropped += keep
        return segment

    def _give(self, laid: list[Samples]) -> Samples:
        samples: Samples = np.concatenate([np.zeros(0, np.float32), *laid])
        self._given += len(samples)
        return samples


def best_match(near: Samples, wanted: Samples) -> int:
    """Where in `near` a stretch begins that is most like `wanted`, by normalised correlation."""
    windows: NDArray[np.float32] = sliding_window_view(near, len(wanted))  # (offsets, segment)
    energy = np.einsum("ij,ij->i", windows, windows)  # (offsets,)
    return int(np.argmax(windows @ wanted / np.sqrt(energy + 1e-9)))
