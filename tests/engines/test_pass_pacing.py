"""How often an open turn is transcribed, with time in the test's hands."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from voxterm.engines.whisper.pass_pacing import LARGEST_SHARE, LONGEST_PASS_S, PassPacing

FRAME_S = 0.032


def passes(cost_s: float, spoken_s: float, every_s: float = 0.5) -> list[float]:
    """When each pass begins, if a frame is fed each 32 ms and a pass takes `cost_s`."""
    pacing = PassPacing(every_s)
    free_s = heard_s = 0.0
    began: list[float] = []
    for frame in range(1, round(spoken_s / FRAME_S)):
        now_s = frame * FRAME_S
        if now_s < free_s:
            continue  # the engine works; the frame waits
        if pacing.due(now_s - heard_s, now_s):
            began.append(now_s)
            heard_s = now_s
            free_s = now_s + cost_s
            pacing.passed(now_s, free_s)
    return began


def test_a_quick_machine_makes_one_whenever_there_is_enough_to_hear() -> None:
    began = passes(0.02, 5.0)
    assert len(began) == 9
    assert all(0.5 <= later - earlier < 0.6 for earlier, later in pairwise(began))


def test_too_little_to_hear_is_no_reason_however_long_it_takes_to_come() -> None:
    pacing = PassPacing(0.5)
    assert not pacing.due(0.49, 100.0)
    assert pacing.due(0.5, 0.0)


@given(st.floats(0.01, LONGEST_PASS_S), st.floats(0.1, 3.0))
def test_passes_take_no_more_than_their_share(cost_s: float, every_s: float) -> None:
    began = passes(cost_s, 20.0, every_s)
    assert began
    for earlier, later in pairwise(began):
        assert cost_s <= LARGEST_SHARE * (later - earlier) + 1e-6


def test_where_a_pass_is_too_slow_there_are_none_until_one_was_quick_again() -> None:
    pacing = PassPacing(0.5)
    pacing.passed(0.0, LONGEST_PASS_S + 0.1)
    assert not pacing.due(60.0, 100.0)
    pacing.passed(100.0, 100.2)
    assert pacing.due(1.0, 100.5)
