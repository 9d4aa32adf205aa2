"""From jittery stamps to a smooth offset: it follows drift, ignores jitter, jumps where the stamps do."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from voxterm.audio.echo.alignment import FASTEST_DRIFT, Alignment

BLOCK = 160  # 10 ms


def followed(alignment: Alignment, measured: list[float]) -> list[float]:
    return [alignment.step(offset)[1] for offset in measured]


@given(st.lists(st.floats(-1e9, 1e9), min_size=1, max_size=200))
def test_the_reading_place_never_goes_back_between_jumps_and_never_hurries(measured: list[float]) -> None:
    alignment = Alignment(BLOCK)
    jumps, last = 0, 0.0
    for offset in measured:
        begin, end = alignment.step(offset)
        assert abs(end - begin) <= FASTEST_DRIFT * BLOCK * (1 + 1e-6) + 1e-6 * abs(begin) / 1e9
        if alignment.jumps == jumps:
            assert begin == last, "blocks follow each other without a seam"
        jumps, last = alignment.jumps, end


@given(st.lists(st.floats(-1e6, 1e6), min_size=30, max_size=200))
def test_it_jumps_only_where_ten_stamps_in_a_row_are_far_off(measured: list[float]) -> None:
    alignment = Alignment(BLOCK)
    followed(alignment, measured)
    assert 1 <= alignment.jumps <= 1 + len(measured) // 10


@pytest.mark.parametrize("ppm", [-200.0, 0.0, 50.0, 200.0])
def test_drift_is_followed_and_jitter_is_not(ppm: float) -> None:
    """±1 ms on each stamp: beside the drift, the offset moves by less than a fifth of a sample a second."""
    random = np.random.default_rng(1)
    drift = ppm * 1e-6 * BLOCK
    true = 1000.0 + drift * np.arange(6000)  # a minute
    offsets = np.array(followed(Alignment(BLOCK), list(true + random.uniform(-16, 16, len(true)))))
    errors = (offsets - true)[2000:]
    assert float(np.abs(errors).max()) < 4.0  # a quarter of a millisecond
    assert float(np.abs(errors[100:] - errors[:-100]).max()) < 0.2


def test_a_lasting_jump_is_followed_within_a_tenth_of_a_second() -> None:
    alignment = Alignment(BLOCK)
    followed(alignment, [100.0] * 500)
    assert followed(alignment, [580.0] * 9)[-1] == pytest.approx(100.0)
    assert followed(alignment, [580.0])[-1] == 580.0
    assert alignment.jumps == 2


def test_a_stamp_that_is_far_off_for_once_is_ignored() -> None:
    alignment = Alignment(BLOCK)
    offsets = followed(alignment, [100.0, *[100.0, 100.0, 4000.0] * 200])
    assert alignment.jumps == 1
    assert offsets == pytest.approx([100.0] * len(offsets))


def test_after_a_gap_the_first_stamp_counts() -> None:
    alignment = Alignment(BLOCK)
    followed(alignment, [100.0] * 50)
    alignment.forget()
    assert alignment.step(-70.0) == (-70.0, -70.0)
