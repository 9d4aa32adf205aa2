"""What only a GPU can show: captured graphs, streams, and memory that is given back."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest
import torch
from models import loop_of, small_model

from voxterm.decoding import DecodeLoop, Prompt, Sampling

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="needs an NVIDIA GPU"),
]
PROMPT = Prompt(list(range(5, 45)))
GREEDY, LIVELY = Sampling(), Sampling(0.8, 0.9, repetition_penalty=1.2)


def tokens(steps: Iterator[tuple[int | None, ...]]) -> list[int]:
    return [token for (token,) in steps if token is not None]


def on_gpu(**settings: bool) -> DecodeLoop:
    loop = loop_of(small_model(), capacity=512, stop_ids=(), device="cuda", **settings)
    loop.warm_up()
    return loop


@pytest.mark.parametrize("sampling", [GREEDY, LIVELY])
def test_graphs_equal_launches_and_the_cpu(sampling: Sampling) -> None:
    expected = tokens(loop_of(small_model(), stop_ids=()).generate([PROMPT], [sampling], [300], 5))
    assert tokens(on_gpu(graphs=False).generate([PROMPT], [sampling], [300], 5)) == expected
    assert tokens(on_gpu(graphs=True).generate([PROMPT], [sampling], [300], 5)) == expected


def test_a_cancel_at_every_step_leaves_the_next_answer_unchanged() -> None:
    loop = on_gpu()
    expected = tokens(loop.generate([PROMPT], [LIVELY], [20], 5))
    for taken in range(21):
        steps = loop.generate([PROMPT], [LIVELY], [20], 5)
        for _ in range(taken):
            next(steps)
        steps.close()
        assert tokens(loop.generate([PROMPT], [LIVELY], [20], 5)) == expected


def test_two_loops_at_once_answer_as_alone() -> None:
    """Each has its stream, its graphs and its memory; a third thread captures meanwhile."""
    loops = [on_gpu(), on_gpu()]
    expected = tokens(loops[0].generate([PROMPT], [LIVELY], [300], 5))
    found: list[list[int]] = []

    def answer(loop: DecodeLoop) -> None:
        found.extend(tokens(loop.generate([PROMPT], [LIVELY], [300], 5)) for _ in range(5))

    threads = [threading.Thread(target=answer, args=(loop,)) for loop in loops]
    threads.append(threading.Thread(target=on_gpu))
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [expected] * 10


def test_memory_is_flat_over_answers_and_given_back() -> None:
    torch.cuda.empty_cache()
    before = torch.cuda.memory_allocated()
    loop = on_gpu()
    tokens(loop.generate([PROMPT], [LIVELY], [100]))
    warm = torch.cuda.memory_reserved()
    for seed in range(50):
        tokens(loop.generate([PROMPT], [LIVELY], [100], seed))
    assert torch.cuda.memory_reserved() == warm
    loop.close()
    del loop
    assert torch.cuda.memory_allocated() <= before + 2**27  # what libraries keep as workspace
