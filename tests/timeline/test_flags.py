"""An axis, and the flags that stand on it."""

from __future__ import annotations

from itertools import combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from voxterm.timeline.panel import TICK_PX, Axis, Flag, placed

MOMENTS = st.lists(
    st.tuples(st.floats(0, 20), st.sampled_from(["pause", "judged over", "withdrawn", "reply sounds"])),
    max_size=30,
)


def axis(from_s: float = 0.0, until_s: float = 20.0, zero_s: float = 7.0, per_s: int = 1) -> Axis:
    return Axis(from_s, until_s, zero_s, 100.0, 1000.0, per_s)


@given(MOMENTS)
def test_no_flag_covers_another_and_none_leaves_the_axis(moments: list[tuple[float, str]]) -> None:
    flags = placed(axis(), moments)
    for one, other in combinations(flags, 2):
        if one.row == other.row:
            assert one.span[1] <= other.span[0] or other.span[1] <= one.span[0]
    for flag in flags:
        assert flag.span[1] <= 1001
        assert flag.x == pytest.approx(axis().x(flag.at_s))


@given(MOMENTS)
def test_every_moment_has_a_flag(moments: list[tuple[float, str]]) -> None:
    flags = placed(axis(), moments)
    for at_s, name in moments:
        assert any(name in flag.text.split(" · ") and abs(flag.x - axis().x(at_s)) < 2 for flag in flags)
    assert sum(len(flag.text.split(" · ")) for flag in flags) <= len(moments)


def test_what_happens_at_once_shares_a_flag_in_the_order_it_was_told() -> None:
    (flag,) = placed(axis(), [(3.0, "withdrawn"), (3.001, "you go on")])
    assert flag.text == "withdrawn · you go on"
    (flag,) = placed(axis(), [(3.0, name) for name in "abacde"])
    assert flag.text == "a · b · c · …"


def test_earlier_flags_stand_higher_so_no_line_crosses_a_text() -> None:
    late, early = placed(axis(), [(5.0, "pause"), (5.2, "judged over")])
    assert (early.text, early.row, late.row) == ("pause", 1, 0)


def test_at_the_right_end_a_flag_stands_on_the_left_of_its_line() -> None:
    (flag,) = placed(axis(), [(19.9, "interrupted")])
    assert flag == Flag(19.9, "interrupted", axis().x(19.9), 0, leftward=True)
    assert flag.span[1] <= axis().right + 1


def test_what_is_not_on_the_axis_has_no_flag() -> None:
    assert placed(axis(from_s=5, until_s=6), [(4.9, "pause"), (6.1, "pause")]) == []


@given(st.floats(0.1, 700), st.floats(0, 1), st.sampled_from([1, 1000]))
def test_figures_stand_where_they_say(long_s: float, zero_share: float, per_s: int) -> None:
    shown = axis(0.0, long_s, zero_share * long_s, per_s)
    ticks = shown.ticks()
    assert 1 <= len(ticks) <= 900 / TICK_PX + 1
    for at_s, label in ticks:
        assert -1e-6 <= at_s <= long_s + 1e-6
        assert float(label.replace("−", "-")) == pytest.approx(
            (at_s - shown.zero_s) * per_s, abs=1e-6 * per_s
        )
    assert any(label.strip("0.") == "" for _, label in ticks), "zero is always one of them"
    assert not any(label.startswith("−0") and float(label[1:]) == 0 for _, label in ticks)
