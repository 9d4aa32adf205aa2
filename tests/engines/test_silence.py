"""Where to cut."""

from __future__ import annotations

import numpy as np
import pytest
from demo_clips import clip
from hypothesis import given
from hypothesis import strategies as st

from voxterm.engines.silence import PAUSE_SAMPLES, quiet_place

HALF = PAUSE_SAMPLES // 2


@given(st.integers(HALF, 30_000 - HALF))
def test_finds_the_middle_of_the_only_pause(middle: int) -> None:
    samples = np.full(30_000, 0.1, dtype=np.float32)
    samples[middle - HALF : middle + HALF] = 0.0
    assert quiet_place(samples, HALF, 30_000 - HALF) == middle


def test_looks_only_where_it_may() -> None:
    samples = np.full(30_000, 0.1, dtype=np.float32)
    samples[:8000] = 0.0
    samples[20_000:20_100] = 0.05
    assert abs(quiet_place(samples, 12_000, 26_000) - 20_050) <= HALF


def test_takes_the_latest_of_several() -> None:
    assert quiet_place(np.zeros(30_000, dtype=np.float32), HALF, 20_000) == 20_000


@pytest.mark.parametrize("name", ["demo-1", "demo-2"])
def test_no_place_in_its_reach_is_quieter_in_real_speech(name: str) -> None:
    samples = clip(name)
    first, last = 3000, len(samples) - 3000
    place = quiet_place(samples, first, last)

    def loudness(at: int) -> float:
        return float(np.sum(samples[at - HALF : at + HALF].astype(np.float64) ** 2))

    assert loudness(place) <= min(loudness(at) for at in range(first, last, 37)) + 1e-9
