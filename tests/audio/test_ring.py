from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from voxterm.audio.ring import SampleRing

STEPS = st.lists(st.tuples(st.sampled_from(["put", "take", "cut"]), st.integers(0, 30)), max_size=60)


@given(steps=STEPS, capacity=st.integers(1, 25))
def test_samples_come_out_in_order_and_none_is_lost(steps: list[tuple[str, int]], capacity: int) -> None:
    ring = SampleRing(capacity)
    waiting: list[float] = []
    following = 0.0
    for step, count in steps:
        if step == "put":
            samples = np.arange(following, following + count, dtype=np.float32)
            accepted = ring.put(samples)
            assert accepted == min(count, capacity - len(waiting))
            waiting += samples[:accepted].tolist()
            following += accepted
        elif step == "take":
            block = np.full(count, -1.0, np.float32)
            taken = ring.take(block)
            assert block[:taken].tolist() == waiting[:taken]
            assert taken == min(count, len(waiting))
            assert (block[taken:] == -1.0).all()
            del waiting[:taken]
        else:
            tail = ring.cut(np.full(count, 0.5, np.float32), ring.written)
            assert tail.tolist() == [sample / 2 for sample in waiting[:count]]
            waiting.clear()
        assert ring.written - ring.read == len(waiting)


def test_a_cut_leaves_what_was_written_after_it() -> None:
    ring = SampleRing(10)
    ring.put(np.ones(4, np.float32))
    until = ring.written
    ring.put(np.full(3, 2.0, np.float32))
    assert len(ring.cut(np.ones(2, np.float32), until)) == 2
    block = np.zeros(5, np.float32)
    assert ring.take(block) == 3
    assert block.tolist() == [2.0, 2.0, 2.0, 0.0, 0.0]


def test_a_cut_that_was_overtaken_takes_nothing() -> None:
    ring = SampleRing(10)
    ring.put(np.ones(4, np.float32))
    ring.take(np.zeros(4, np.float32))
    assert len(ring.cut(np.ones(2, np.float32), 2)) == 0
    assert ring.read == 4
