"""Chunks as a loudspeaker would play them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from voxterm.bench.playback import Arrival, played


def test_chunks_in_time_never_run_dry() -> None:
    playback = played([Arrival(5.0, 0.2), Arrival(5.1, 0.2), Arrival(5.25, 0.2)])
    assert (playback.underruns, playback.silence_ms) == (0, 0.0)
    assert playback.least_buffered_ms == pytest.approx(100.0)


def test_a_planted_gap_is_found() -> None:
    playback = played([Arrival(5.0, 0.2), Arrival(5.25, 0.2), Arrival(5.35, 0.2)])
    assert playback.underruns == 1
    assert playback.silence_ms == pytest.approx(50.0)
    assert playback.least_buffered_ms == 0.0


def test_after_a_gap_playing_goes_on_from_the_late_chunk() -> None:
    """Counting from the beginning alone would call every later chunk late."""
    late = [Arrival(0.0, 0.1), Arrival(1.0, 0.1), Arrival(1.09, 0.1), Arrival(1.19, 0.1)]
    assert played(late).underruns == 1


def test_a_single_chunk_is_all_buffered() -> None:
    assert played([Arrival(3.0, 0.4)]).least_buffered_ms == pytest.approx(400.0)


@given(st.lists(st.tuples(st.floats(0.0, 1.0), st.floats(0.01, 1.0)), min_size=1, max_size=20))
def test_silence_and_underruns_go_together(steps: list[tuple[float, float]]) -> None:
    at_s, arrivals = 0.0, []
    for after_s, duration_s in steps:
        at_s += after_s
        arrivals.append(Arrival(at_s, duration_s))
    playback = played(arrivals)
    assert (playback.underruns > 0) == (playback.silence_ms > 0)
    assert playback.least_buffered_ms == 0.0 or playback.underruns == 0
