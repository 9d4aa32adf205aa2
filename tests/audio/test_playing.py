"""What leaves the loudspeaker is counted exactly: blocks, fades, cuts and dry spells."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from voxterm.audio.playing import Playing
from voxterm.engines.protocols import Samples

RATE_HZ = 1000
BLOCK = 10


@pytest.fixture
def playing() -> Playing:
    return Playing(RATE_HZ, 10_000)


def ones(count: int) -> Samples:
    return np.ones(count, np.float32)


def block_of(playing: Playing, left_s: float = 0.0, count: int = BLOCK) -> Samples:
    block = np.full(count, np.nan, np.float32)
    playing.fill(block, left_s)
    assert np.isfinite(block).all()
    return block


def test_samples_are_counted_as_they_leave(playing: Playing) -> None:
    playing.put(ones(25))
    for index in range(3):
        block_of(playing, 5.0 + index * 0.01)
    assert playing.written() == 25
    assert [playing.played(at_s) for at_s in (4.9, 5.0, 5.005, 5.02, 5.025, 9.0)] == [0, 0, 5, 20, 25, 25]
    assert playing.left_at(0) == 5.0
    assert playing.left_at(24) == pytest.approx(5.024)
    assert playing.left_at(25) is None


def test_played_never_goes_back(playing: Playing) -> None:
    playing.put(ones(20))
    block_of(playing, 5.0)
    assert playing.played(5.01) == 10
    block_of(playing, 6.0)  # the device fell behind
    assert playing.played(5.9) == 10
    assert playing.left_at(10) == 6.0


def test_a_cut_fades_and_drops_the_rest(playing: Playing) -> None:
    playing.put(ones(100))
    block_of(playing, 5.0)
    playing.cut(0.02)
    assert playing.written() == 10  # known at once, before the next block
    tail = np.concatenate([block_of(playing), block_of(playing), block_of(playing)])
    assert tail[0] == 1.0
    assert (np.diff(tail[:20]) < 0).all()
    assert not tail[19:].any()
    assert playing.written() == 10
    assert playing.played(99.0) == 10


def test_what_is_written_after_a_cut_is_played_after_the_fade(playing: Playing) -> None:
    playing.put(ones(100))
    block_of(playing, 5.0)
    playing.cut(0.005)
    playing.put(np.full(7, 0.25, np.float32))
    block = block_of(playing, 6.0)
    assert block[5:].tolist() == [0.25] * 5
    assert block_of(playing, 6.01)[:3].tolist() == [0.25, 0.25, 0.0]
    assert playing.written() == 17
    assert playing.left_at(10) == pytest.approx(6.005)  # its place in time is after the fade
    assert playing.played(99.0) == 17


def test_a_fade_is_no_longer_than_what_waits(playing: Playing) -> None:
    playing.put(ones(3))
    playing.cut(0.02)
    assert np.count_nonzero(block_of(playing)) == 3
    assert playing.written() == 0


def test_running_dry_counts_once_each_time(playing: Playing) -> None:
    playing.put(ones(15))
    playing.in_reply = True
    for _ in range(5):
        block_of(playing)
    assert playing.underruns == 1
    playing.put(ones(15))
    for _ in range(5):
        block_of(playing)
    assert playing.underruns == 2


def test_the_end_of_a_reply_is_no_underrun(playing: Playing) -> None:
    playing.put(ones(15))
    playing.in_reply = True
    block_of(playing)
    playing.in_reply = False
    block_of(playing)
    block_of(playing)
    assert playing.underruns == 0


def test_a_cut_reply_does_not_run_dry(playing: Playing) -> None:
    playing.put(ones(50))
    playing.in_reply = True
    block_of(playing)
    playing.cut(0.02)
    for _ in range(5):
        block_of(playing)
    assert playing.underruns == 0


STEPS = st.lists(st.tuples(st.sampled_from(["put", "fill", "cut"]), st.integers(0, 40)), max_size=50)


@given(steps=STEPS)
def test_in_any_order_written_and_played_agree(steps: list[tuple[str, int]]) -> None:
    """Whatever happens, all that was written and not dropped is played in the end, and nothing else."""
    playing = Playing(RATE_HZ, 200)
    now_s = 0.0
    for step, count in steps:
        before = playing.written()
        if step == "put":
            accepted = playing.put(ones(count))
            assert playing.written() == before + accepted
        elif step == "fill":
            block_of(playing, now_s, count)
            now_s += count / RATE_HZ
            assert playing.written() == before
        else:
            playing.cut(count / RATE_HZ)
            assert playing.written() <= before
        assert playing.played(now_s) <= playing.written()
    for _ in range(6):
        block_of(playing, now_s, 40)
        now_s += 0.04
    assert playing.played(now_s + 1.0) == playing.written()
