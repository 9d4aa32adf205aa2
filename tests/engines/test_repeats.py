"""Loops at the end of what a model says."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from voxterm.engines.repeats import LOOP_REPEATS, LOOP_TOKENS, loop_period, without_loop


@given(st.lists(st.integers(0, 50), max_size=10), st.integers(1, LOOP_TOKENS))
def test_a_loop_of_any_length_is_found_and_its_first_round_stays(before: list[int], period: int) -> None:
    loop = list(range(100, 100 + period))
    assert loop_period(before + loop * LOOP_REPEATS) == period
    assert without_loop(before + loop * LOOP_REPEATS) == before + loop
    assert without_loop(before + loop * 3 * LOOP_REPEATS) == before + loop
    assert loop_period(before + loop * (LOOP_REPEATS - 1)) == 0


def test_what_repeats_itself_a_little_is_left_as_it_is() -> None:
    very = [7] * (LOOP_REPEATS - 1)
    assert without_loop([1, *very, 2]) == [1, *very, 2]
    assert without_loop([]) == []
