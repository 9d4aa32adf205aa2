"""A stretch of time: its axis, the flags over it that name what happened, and the lines that they hang on."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from voxterm.timeline.canvas import SMALL_PX, Canvas
from voxterm.timeline.words import width_px

FLAG_ROW_PX = 16.0
FLAG_GAP_PX = 10.0
FLAG_INDENT_PX = 4.0
TICK_PX = 80.0
"""Ticks of an axis are at least so far from each other."""
AXIS_PX = 36.0
"""The height that an axis takes."""
SAME_PLACE_PX = 2.0
MOST_NAMES = 4
"""On one flag."""


@dataclass(frozen=True, slots=True)
class Axis:
    """Seconds of a time line on pixels. Its figures count from `zero_s`, in seconds or in milliseconds."""

    from_s: float
    until_s: float
    zero_s: float
    left: float
    right: float
    per_s: int = 1  # 1000: its figures are milliseconds

    def x(self, at_s: float) -> float:
        """Where that moment lies; what is beyond an end, at the end."""
        share = (at_s - self.from_s) / (self.until_s - self.from_s)
        return self.left + (self.right - self.left) * min(max(share, 0.0), 1.0)

    def shows(self, at_s: float) -> bool:
        return self.from_s <= at_s <= self.until_s

    @property
    def px_per_s(self) -> float:
        return (self.right - self.left) / (self.until_s - self.from_s)

    def ticks(self) -> list[tuple[float, str]]:
        """Where its figures stand: the moment, and the figure."""
        step = _round_step(TICK_PX / self.px_per_s * self.per_s)
        first = math.ceil((self.from_s - self.zero_s) * self.per_s / step - 1e-9)
        last = math.floor((self.until_s - self.zero_s) * self.per_s / step + 1e-9)
        digits = max(0, -math.floor(math.log10(step) + 1e-9))
        return [
            (self.zero_s + at * step / self.per_s, f"{at * step + 0.0:.{digits}f}".replace("-", "−"))
            for at in range(first, last + 1)
        ]


@dataclass(frozen=True, slots=True)
class Flag:
    """The name of a moment, beside the line that stands there. Row 0 is the lowest."""

    at_s: float
    text: str
    x: float
    row: int
    leftward: bool  # it stands on the left of its line, since there is no room on the right

    @property
    def span(self) -> tuple[float, float]:
        return _span(self.x, self.text, self.leftward)


def placed(axis: Axis, moments: Iterable[tuple[float, str]]) -> list[Flag]:
    """Flags of those moments that the axis shows, in rows, so that none covers another. What happened at one
    place of the picture shares a flag."""
    flags: list[Flag] = []
    for at_s, text in reversed(_joined(axis, moments)):  # so the lines of earlier ones meet no later text
        x = axis.x(at_s)
        leftward = _span(x, text, False)[1] > axis.right and _span(x, text, True)[0] > axis.left
        left, right = _span(x, text, leftward)
        row = 0
        while any(flag.row == row and flag.span[0] < right and left < flag.span[1] for flag in flags):
            row += 1
        flags.append(Flag(at_s, text, x, row, leftward))
    return flags


def flags_px(flags: Sequence[Flag]) -> float:
    """The height that the flags take."""
    return FLAG_ROW_PX * (max((flag.row for flag in flags), default=-1) + 1)


def draw_flags(
    canvas: Canvas, axis: Axis, flags: Sequence[Flag], top: float, bottom: float, ground: str
) -> None:
    """The lowest row ends at `top`, from where the lines go down to `bottom`. `ground` is what is behind the
    texts: "page" or "near"."""
    for flag in flags:
        mast = top - FLAG_ROW_PX * (flag.row + 1) + 3
        canvas.line(flag.x, mast, flag.x, bottom, "flag", f"{flag.text}: {_told(axis, flag.at_s)}")
    for flag in flags:
        base = top - FLAG_ROW_PX * flag.row - 4
        anchor, indent = ("end", -FLAG_INDENT_PX) if flag.leftward else ("start", FLAG_INDENT_PX)
        canvas.text(flag.x + indent, base, flag.text, f"ink small on-{ground}", anchor)


def draw_grid(canvas: Canvas, axis: Axis, top: float, bottom: float) -> None:
    """A line for each figure of the axis, and a stronger one at zero."""
    for at_s, _ in axis.ticks():
        canvas.line(axis.x(at_s), top, axis.x(at_s), bottom, "grid")
    if axis.shows(axis.zero_s):
        canvas.line(axis.x(axis.zero_s), top, axis.x(axis.zero_s), bottom, "zero")


def draw_axis(canvas: Canvas, axis: Axis, y: float, title: str) -> None:
    """The line with its figures, and below them what they count."""
    canvas.line(axis.left, y, axis.right, y, "axis")
    for at_s, label in axis.ticks():
        canvas.line(axis.x(at_s), y, axis.x(at_s), y + 4, "axis")
        canvas.text(axis.x(at_s), y + 16, label, "dim small", "middle")
    canvas.text(axis.left, y + 31, title, "dim small")


def _told(axis: Axis, at_s: float) -> str:
    figure = f"{(at_s - axis.zero_s) * 1000:+.0f} ms"
    return figure.replace("-", "−")


def _joined(axis: Axis, moments: Iterable[tuple[float, str]]) -> list[tuple[float, str]]:
    """The moments that the axis shows, in order; such as fall on one place as one, each name once."""
    places: list[tuple[float, list[str]]] = []
    for at_s, name in sorted(moments, key=lambda moment: moment[0]):
        if not axis.shows(at_s):
            continue
        if not places or axis.x(at_s) - axis.x(places[-1][0]) >= SAME_PLACE_PX:
            places.append((at_s, []))
        if name not in places[-1][1]:
            places[-1][1].append(name)
    return [(at_s, " · ".join(_few(names))) for at_s, names in places]


def _few(names: list[str]) -> list[str]:
    return names if len(names) <= MOST_NAMES else [*names[: MOST_NAMES - 1], "…"]


def _span(x: float, text: str, leftward: bool) -> tuple[float, float]:
    """What a flag covers, its line included."""
    wide = FLAG_INDENT_PX + width_px(text, SMALL_PX) + FLAG_GAP_PX
    return (x - wide, x + 1) if leftward else (x - 1, x + wide)


def _round_step(least: float) -> float:
    """The smallest of 1, 2 or 5 times a power of ten that is not below this."""
    power = 10.0 ** math.floor(math.log10(least))
    return next(step * power for step in (1, 2, 5, 10) if step * power >= least * (1 - 1e-9))
