"""How loud: amplitudes in decibels below full scale."""

from __future__ import annotations

import math

SILENT_DBFS = -100.0


def dbfs(amplitude: float) -> float:
    """The level relative to 1, the amplitude or RMS of a full-scale square wave; at least SILENT_DBFS."""
    return max(SILENT_DBFS, 20 * math.log10(amplitude)) if amplitude > 0 else SILENT_DBFS
