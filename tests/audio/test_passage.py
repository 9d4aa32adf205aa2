"""Whatever becomes of the blocks on their way, every sample is given once and in order."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from voxterm.audio.echo.passage import Passage
from voxterm.engines.protocols import Samples

BLOCK = 10


def passed(pushes: list[int], delays: list[int], through: list[bool]) -> Samples:
    """Numbers 0, 1, 2 … through blocks that come back late, by each delay in turn, or not at all."""
    passage = Passage(BLOCK)
    given_back: list[Samples] = []
    come: Samples = np.zeros(0, np.float32)  # all that came in
    blocks = 0
    for turn, count in enumerate(pushes):
        pushed = np.arange(len(come), len(come) + count, dtype=np.float32)
        come = np.concatenate([come, pushed])
        passage.put(pushed)
        while (numbered := passage.next_block()) is not None:
            begin, block = numbered
            assert np.array_equal(block, come[begin : begin + BLOCK])
            blocks += 1
            first = begin - delays[blocks % len(delays)]
            late = np.arange(first, first + BLOCK, dtype=np.float32)
            if through[turn % len(through)]:
                given_back.append(passage.give(late, first))
        if not through[turn % len(through)]:
            given_back.append(passage.give_all())
    return np.concatenate([np.zeros(0, np.float32), *given_back])


@given(
    pushes=st.lists(st.integers(0, 35), max_size=40),
    delays=st.lists(st.integers(0, 24), min_size=1, max_size=5),
    through=st.lists(st.booleans(), min_size=1, max_size=6),
)
def test_every_sample_is_given_once_and_in_order(
    pushes: list[int], delays: list[int], through: list[bool]
) -> None:
    """However late, however the lateness changes, and wherever it is switched on and off."""
    given_back = passed(pushes, delays, through)
    assert np.array_equal(given_back, np.arange(len(given_back)))
    assert len(given_back) >= sum(pushes) - BLOCK - max(delays)


def test_what_is_not_held_up_is_given_at_once() -> None:
    assert len(passed([7, 8, 9], [0], [False])) == 24
