"""Numbers → the few characters that show them, always of the same width. Pure."""

from __future__ import annotations

import math
from collections.abc import Sequence

from voxterm.latency import Stage, within_target

NOTHING = "·"
"""Stands where there is no number."""

WITHIN, BEYOND = "✓", "▲"
"""The signs of a figure beside its target."""

_FLOOR_DBFS = -60.0  # the left end of a meter: quieter than any room
_EIGHTHS = " ▏▎▍▌▋▊▉█"
_BARS = " ▁▂▃▄▅▆▇█"


def milliseconds(value_ms: float | None) -> str:
    """At most four characters."""
    if value_ms is None or not math.isfinite(value_ms):
        return NOTHING
    if value_ms < 9.95:
        return f"{value_ms:.1f}"
    return f"{value_ms:.0f}" if value_ms < 9_999.5 else f"{min(value_ms / 1000.0, 999.0):.0f}s"


def verdict(stage: Stage, value_ms: float | None) -> tuple[str, str]:
    """The sign and the colour of a figure beside its target."""
    within = within_target(stage, value_ms)
    if within is None:
        return " ", ""
    return (WITHIN, "$text-success") if within else (BEYOND, "$text-error")


def decibels(dbfs: float) -> str:
    """Six characters and more at no level: ` -18 dB`."""
    return " -∞ dB" if dbfs <= -99.5 or math.isnan(dbfs) else f"{min(dbfs, 99.0):3.0f} dB"


def level_fraction(dbfs: float) -> float:
    """Where a level stands on a meter, from 0 to 1."""
    return 0.0 if math.isnan(dbfs) else min(1.0, max(0.0, 1.0 - dbfs / _FLOOR_DBFS))


def meter(fraction: float, width: int) -> tuple[str, str]:
    """A bar of `width` cells: its full part and its empty part."""
    eighths = round(min(1.0, max(0.0, fraction)) * width * 8)
    full, rest = divmod(eighths, 8)
    bar = "█" * full + (_EIGHTHS[rest] if rest else "")
    return bar, " " * (width - len(bar))


def whole_meter(fraction: float, width: int) -> tuple[str, str]:
    """As `meter`, in whole cells, which move seldom. The empty part shows without colour too."""
    full = round(min(1.0, max(0.0, fraction)) * width)
    return "█" * full, "─" * (width - full)


def columns(values: Sequence[float | None], top: float, rows: int) -> list[str]:
    """A bar for each value, from 0 to `top` or to the largest beyond it; a space where there is none.

    The bars stand over so many rows; the first one is the top.
    """
    top = max((value for value in (top, *values) if value is not None), default=0.0) or 1.0
    eighths = [0 if value is None else 1 + int(value / top * (8 * rows - 1) + 0.5) for value in values]
    return ["".join(_BARS[min(8, max(0, of - 8 * row))] for of in eighths) for row in reversed(range(rows))]


def gigabytes(size_bytes: int) -> str:
    return f"{size_bytes / 1e9:.1f} GB" if size_bytes >= 1e8 else f"{size_bytes / 1e6:.0f} MB"


def brief(seconds: float) -> str:
    """`45 s`, `3 min`, `2 h`."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.0f} h"


def hours(seconds: int) -> str:
    """`00:12:41`."""
    return f"{seconds // 3600:02d}:{seconds // 60 % 60:02d}:{seconds % 60:02d}"
