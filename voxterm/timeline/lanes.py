"""What lies on an axis: how loud a side was, how probable speech, and spans of time."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby

from voxterm.timeline.canvas import Canvas
from voxterm.timeline.panel import Axis

FLOOR_DBFS = -60.0
"""What is quieter has no height."""

THINNEST_PX = 2.0
"""A span that takes hardly any time is still seen."""


@dataclass(frozen=True, slots=True)
class Lane:
    """The room of one lane."""

    canvas: Canvas
    axis: Axis
    top: float
    height: float

    @property
    def middle(self) -> float:
        return self.top + self.height / 2

    @property
    def bottom(self) -> float:
        return self.top + self.height

    def levels(self, series_dbfs: Sequence[float], frame_s: float, classes: str) -> None:
        """A level as an envelope around the middle, from FLOOR_DBFS to full scale."""
        self.canvas.line(self.axis.left, self.middle, self.axis.right, self.middle, "grid")
        sounding = [min(max((level - FLOOR_DBFS) / -FLOOR_DBFS, 0.0), 1.0) for level in series_dbfs]
        for points in self._stretches(sounding, frame_s):
            half = self.height / 2
            upper = [(x, self.middle - share * half) for x, share in points]
            lower = [(x, self.middle + share * half) for x, share in reversed(points)]
            self.canvas.polygon(upper + lower, classes)

    def probabilities(self, series: Sequence[float], frame_s: float, threshold: float) -> None:
        """Probabilities as a hill from the bottom, and the threshold from which it is speech."""
        self.canvas.line(self.axis.left, self.bottom, self.axis.right, self.bottom, "grid")
        for points in self._stretches([min(max(value, 0.0), 1.0) for value in series], frame_s):
            hill = [(x, self.bottom - share * self.height) for x, share in points]
            self.canvas.polygon([(points[0][0], self.bottom), *hill, (points[-1][0], self.bottom)], "speech")
        y = self.bottom - threshold * self.height
        self.canvas.line(self.axis.left, y, self.axis.right, y, "threshold")

    def span(self, from_s: float, until_s: float, classes: str, told: str) -> float:
        """A bar, as far as the axis shows it; where it ends."""
        left, right = self.axis.x(from_s), self.axis.x(until_s)
        right = max(right, left + THINNEST_PX)
        self.canvas.rect((left, self.top), (right - left, self.height), classes, told, corners=2)
        return right

    def _stretches(self, shares: Sequence[float], frame_s: float) -> Iterator[list[tuple[float, float]]]:
        """Each stretch that is not zero as points (x, share), from its beginning to its end: the largest of
        the frames that fall on a pixel."""
        axis = self.axis
        together = max(1, math.ceil(1 / (frame_s * axis.px_per_s)))
        first = max(0, math.floor(axis.from_s / frame_s))
        last = min(len(shares), math.ceil(axis.until_s / frame_s))
        columns = [(at, max(shares[at : at + together])) for at in range(first, last, together)]
        for sounds, group in groupby(columns, lambda column: column[1] > 0.0):
            if sounds:
                stretch = list(group)
                wide_s = together * frame_s
                inner = [(axis.x(at * frame_s + wide_s / 2), share) for at, share in stretch]
                begin, end = stretch[0], stretch[-1]
                yield [
                    (axis.x(begin[0] * frame_s), begin[1]),
                    *inner,
                    (axis.x(end[0] * frame_s + wide_s), end[1]),
                ]
