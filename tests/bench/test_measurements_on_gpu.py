"""What the measurements find only where there is a GPU."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
import torch
from subjects import TARA, settings_with

from voxterm.bench import ceilings, decode, memory, reply
from voxterm.bench.models import BOTH, Subject, machine_at, subject
from voxterm.cli.casting import wishes_of
from voxterm.cli.wiring import demo_clips

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="needs an NVIDIA GPU"),
]


@pytest.fixture(scope="module")
def on_gpu(voxtral_folder: Path, orpheus_folder: Path, snac_folder: Path) -> Subject:
    settings = settings_with(voxtral_folder, orpheus_folder, snac_folder)
    return subject(settings, BOTH, wishes_of(settings), machine_at("cuda:0", os.environ), os.environ, TARA)


def test_both_kernels_and_no_graphs_are_measured(on_gpu: Subject) -> None:
    figures = decode.measure(on_gpu, ("voxtral", "orpheus"), tokens=8, rows=None, together=True)
    for way in ("fused", "plain", "without_graphs", "transformers", "together"):
        assert min(figures[f"orpheus_{way}_tokens_per_s"].readings) > 0


def test_a_copy_is_far_quicker_than_main_memory() -> None:
    best = ceilings.measured(torch.device("cuda:0"), torch.bfloat16)
    assert best.bandwidth_bytes_s > 100e9
    assert best.operations_s > 1e12


def test_a_reply_s_memory_stays_flat(on_gpu: Subject) -> None:
    figures = reply.measure(on_gpu, demo_clips(), 12)
    settled, last = (figures[f"memory_{when}_mb"].readings[0] for when in ("settled", "last_turn"))
    assert last <= settled * 1.05


def test_memory_names_the_context(on_gpu: Subject) -> None:
    figures = memory.measure(on_gpu, demo_clips()[1])
    assert figures["cuda_context_mb"].readings[0] > 50
    assert figures["turn_peak_mb"].readings[0] > 0
