"""Sampling against a plain reference with the same random numbers, and against Transformers' own filters."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from transformers import (
    LogitsProcessorList,
    RepetitionPenaltyLogitsProcessor,
    TemperatureLogitsWarper,
    TopKLogitsWarper,
    TopPLogitsWarper,
)

from voxterm.decoding import Sampling
from voxterm.decoding.sampling import RowSampling, draw, penalized


def drawn(logits: torch.Tensor, seen: torch.Tensor, uniform: float, sampling: Sampling) -> int:
    rows = RowSampling(1, torch.device("cpu"))
    rows.set([sampling], logits.shape[-1])
    return int(draw(penalized(logits[None], seen[None], rows.penalty), torch.tensor([uniform]), rows))


def reference(logits: list[float], seen: list[bool], uniform: float, sampling: Sampling) -> int:
    """The same in plain Python: sort, filter, walk along the cumulative distribution."""
    penalty = sampling.repetition_penalty
    scaled = [
        (x / penalty if x > 0 else x * penalty) if was else x for x, was in zip(logits, seen, strict=True)
    ]
    if sampling.temperature == 0:
        return scaled.index(max(scaled))
    order = sorted(range(len(scaled)), key=lambda i: -scaled[i])[: sampling.top_k or None]
    weights = [math.exp((scaled[i] - scaled[order[0]]) / sampling.temperature) for i in order]
    kept: list[tuple[int, float]] = []
    cumulated = 0.0
    for i, weight in zip(order, weights, strict=True):
        if kept and cumulated >= sampling.top_p * sum(weights):
            break
        kept.append((i, weight))
        cumulated += weight
    walked = 0.0
    for i, weight in kept:
        walked += weight
        if walked > uniform * cumulated:
            return i
    return kept[-1][0]


@settings(max_examples=300, deadline=None)
@given(
    seed=st.integers(0, 10_000),
    size=st.integers(1, 60),
    uniform=st.floats(0.0, 0.999),
    sampling=st.builds(
        Sampling,
        temperature=st.sampled_from([0.0, 0.3, 0.6, 1.0, 2.0]),
        top_p=st.sampled_from([0.05, 0.5, 0.8, 0.9, 1.0]),
        top_k=st.sampled_from([0, 1, 5, 40]),
        repetition_penalty=st.sampled_from([1.0, 1.1, 1.3]),
    ),
)
def test_as_the_reference(seed: int, size: int, uniform: float, sampling: Sampling) -> None:
    generator = torch.Generator().manual_seed(seed)
    logits = torch.randn(size, generator=generator) * 4
    seen = torch.rand(size, generator=generator) < 0.3
    # float32 rounds: at the edge between two tokens either is right
    near = (uniform - 1e-5, uniform, uniform + 1e-5)
    allowed = {reference(logits.tolist(), seen.tolist(), number, sampling) for number in near}
    assert drawn(logits, seen, uniform, sampling) in allowed


@pytest.mark.parametrize(("temperature", "top_p", "top_k"), [(0.6, 0.8, 0), (1.0, 0.9, 50), (2.0, 1.0, 7)])
def test_the_distribution_is_that_of_transformers(temperature: float, top_p: float, top_k: int) -> None:
    logits = torch.randn(200, generator=torch.Generator().manual_seed(3)) * 3
    ids: Any = torch.tensor([[4, 9, 120, 4]])
    filters: list[Any] = [RepetitionPenaltyLogitsProcessor(1.3), TemperatureLogitsWarper(temperature)]
    filters += [TopKLogitsWarper(top_k)] if top_k else []
    filters += [TopPLogitsWarper(top_p)] if top_p < 1 else []
    wanted = torch.softmax(LogitsProcessorList(filters)(ids, logits[None].clone()), -1)[0]
    seen = torch.zeros(200, dtype=torch.bool)
    seen[ids[0]] = True
    numbers = (torch.arange(20_000) + 0.5) / 20_000
    rows = RowSampling(20_000, torch.device("cpu"))
    rows.set([Sampling(temperature, top_p, top_k, 1.3)] * 20_000, 200)
    many = logits.expand(20_000, -1)
    tokens = draw(penalized(many, seen.expand(20_000, -1), rows.penalty), numbers, rows)
    shares = torch.bincount(tokens, minlength=200) / 20_000
    assert torch.allclose(shares, wanted, atol=1e-3)


def test_forbidden_ids_are_never_drawn() -> None:
    logits = torch.tensor([float("-inf"), 1.0, float("-inf"), 0.0])
    seen = torch.tensor([True, False, False, False])
    for uniform in (0.0, 0.5, 0.9999999):
        assert drawn(logits, seen, uniform, Sampling(5.0, repetition_penalty=1.3)) in (1, 3)


def test_rows_do_not_mix() -> None:
    logits = torch.randn(3, 50, generator=torch.Generator().manual_seed(1))
    uniform = torch.tensor([0.1, 0.5, 0.9])
    modes = [Sampling(), Sampling(1.0, 0.9), Sampling(0.5, 1.0, 10)]
    rows = RowSampling(3, torch.device("cpu"))
    rows.set(modes, 50)
    together = draw(logits, uniform, rows).tolist()
    nothing = torch.zeros(50, dtype=torch.bool)
    assert together == [drawn(logits[i], nothing, float(uniform[i]), modes[i]) for i in range(3)]


def test_of_a_large_vocabulary_the_most_probable_are_drawn_as_they_are() -> None:
    """The tail that is left out weighs nothing; what is drawn has the share that it should have."""
    logits = torch.randn(30_000, generator=torch.Generator().manual_seed(3)) * 3
    numbers = (torch.arange(5_000) + 0.5) / 5_000
    rows = RowSampling(5_000, torch.device("cpu"))
    rows.set([Sampling(0.6, 0.9)] * 5_000, 30_000)
    tokens = draw(logits.expand(5_000, -1), numbers, rows)
    probable = torch.softmax(logits / 0.6, -1).sort(descending=True)
    kept = int((probable.values.cumsum(0) - probable.values < 0.9).sum())
    assert 10 < kept < 1024
    wanted = probable.values[:kept] / probable.values[:kept].sum()
    shares = torch.bincount(tokens, minlength=30_000)[probable.indices[:kept]] / 5_000
    assert torch.allclose(shares, wanted, atol=1e-3)
    assert set(tokens.tolist()) <= set(probable.indices[:kept].tolist())
