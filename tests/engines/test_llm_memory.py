"""Memory that runs out, models that fail, and what is given back; on a GPU too, where there is one."""

from __future__ import annotations

import gc
import weakref
from pathlib import Path
from typing import Any

import pytest
import torch
from demo_clips import no_progress
from llm_scene import HELLO, ON_CPU, loaded, said
from tiny_llm import FAMILIES, tiny_llm

from voxterm.decoding import DecodeLoop, Decoder
from voxterm.decoding import decoder as decoder_module
from voxterm.engines.declared.llm import LlmSettings
from voxterm.engines.llm.engine import TransformersLlm
from voxterm.engines.protocols import Placement
from voxterm.errors import EngineError, EngineMemoryError

needs_gpu = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs an NVIDIA GPU")


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("checkpoints")
    return {family: tiny_llm(folder / family, family) for family in FAMILIES}


@pytest.fixture(scope="module")
def engine(folders: dict[str, Path]) -> TransformersLlm:
    return loaded(folders["qwen2"])


class FakeAllocator:
    """Memory for weights that is soon full."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, room_bytes: int) -> None:
        self.given: list[weakref.ref[torch.Tensor]] = []
        self._room_bytes = room_bytes
        monkeypatch.setattr(decoder_module, "on_device", self.on_device)

    def on_device(self, parameter: torch.Tensor, device: torch.device, dtype: torch.dtype) -> torch.Tensor:
        if sum(held.nbytes for ref in self.given if (held := ref()) is not None) > self._room_bytes:
            raise torch.OutOfMemoryError("CUDA out of memory")
        placed_there = parameter.detach().clone().to(device, dtype)
        self.given.append(weakref.ref(placed_there))
        return placed_there


def test_a_model_that_does_not_fit_says_what_it_needs_and_keeps_nothing(
    folders: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    allocator = FakeAllocator(monkeypatch, room_bytes=300_000)
    with pytest.raises(EngineMemoryError, match=r"in float32 needs 0\.0 GB and its cache on cpu") as error:
        loaded(folders["qwen2"])
    assert "smaller precision" in error.value.remedy
    del error
    gc.collect()
    assert len(allocator.given) > 4
    assert [ref for ref in allocator.given if ref() is not None] == []


def test_what_is_free_the_second_time_is_enough(
    folders: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    tries = []
    prepare = DecodeLoop.__init__

    def short_at_first(*arguments: Any, **others: Any) -> None:
        tries.append(1)
        if len(tries) == 1:
            raise torch.OutOfMemoryError("CUDA out of memory")
        prepare(*arguments, **others)

    monkeypatch.setattr(DecodeLoop, "__init__", short_at_first)
    assert said(loaded(folders["qwen2"]).reply(HELLO))
    assert len(tries) == 2


@pytest.mark.parametrize("work", ["prefill", "step"])
@pytest.mark.parametrize(
    ("failure", "what"),
    [(torch.OutOfMemoryError("CUDA out of memory"), "memory of cpu ran out"), (RuntimeError("lost"), "lost")],
)
def test_a_failure_ends_its_turn_only(
    engine: TransformersLlm,
    monkeypatch: pytest.MonkeyPatch,
    work: str,
    failure: RuntimeError,
    what: str,
) -> None:
    before = said(engine.reply(HELLO))
    with monkeypatch.context() as broken:
        broken.setattr(Decoder, work, lambda *_: (_ for _ in ()).throw(failure))
        with pytest.raises(EngineError, match=what) as error:
            list(engine.reply(HELLO))
        assert error.value.remedy
    assert said(engine.reply(HELLO)) == before


def test_closing_gives_the_memory_back(folders: dict[str, Path]) -> None:
    engine = loaded(folders["qwen2"])
    reply = engine.reply(HELLO)
    next(reply)
    assert engine._loaded is not None
    loop = engine._loaded.loop
    held = [*loop._decoder._tensors(), *loop._cache.both]
    assert engine.memory_bytes["LLM"] == sum(tensor.nbytes for tensor in held[:-2])
    assert engine.memory_bytes["LLM cache"] >= sum(tensor.nbytes for tensor in held[-2:])
    refs = [weakref.ref(tensor) for tensor in held]
    del loop, held
    reply.close()  # type: ignore[attr-defined]
    engine.close()
    engine.close()
    gc.collect()
    assert [ref for ref in refs if ref() is not None] == []
    assert engine.memory_bytes == {}
    with pytest.raises(EngineError, match="not loaded"):
        list(engine.reply(HELLO))


def test_loaded_again_it_says_the_same(folders: dict[str, Path]) -> None:
    engine = loaded(folders["llama"])
    before = said(engine.reply(HELLO))
    engine.load(no_progress)
    assert said(engine.reply(HELLO)) == before
    engine.close()
    engine.load(no_progress)
    assert said(engine.reply(HELLO)) == before


def test_loading_tells_how_far_it_is(folders: dict[str, Path]) -> None:
    told: list[tuple[int, int]] = []
    engine = TransformersLlm(ON_CPU, LlmSettings(checkpoint=str(folders["qwen2"])))
    engine.load(lambda done, total: told.append((done, total)))
    assert told == sorted(told)
    assert told[-1][0] == told[-1][1] > 100_000


@pytest.mark.gpu
@needs_gpu
@pytest.mark.parametrize("precision", ["bf16", "int8", "int4"])
@pytest.mark.parametrize("family", FAMILIES)
def test_runs_on_a_gpu(folders: dict[str, Path], family: str, precision: Any) -> None:
    engine = loaded(folders[family], Placement("cuda:0", precision, 1024))
    engine.warm_up()
    whole = list(engine.reply(HELLO))
    assert len(whole) > 2
    for point in range(0, len(whole), 3):
        reply = engine.reply(HELLO)
        assert [next(reply) for _ in range(point)] == whole[:point]
        reply.close()  # type: ignore[attr-defined]
    assert list(engine.reply(HELLO)) == whole
    engine.close()


@pytest.mark.gpu
@needs_gpu
def test_closing_gives_the_gpus_memory_back(folders: dict[str, Path]) -> None:
    loaded(folders["qwen2"], Placement("cuda:0", "bf16", 1024)).close()  # libraries keep some for good
    before = torch.cuda.memory_allocated()
    engine = loaded(folders["qwen2"], Placement("cuda:0", "bf16", 1024))
    engine.warm_up()
    assert torch.cuda.memory_allocated() > before
    engine.close()
    assert torch.cuda.memory_allocated() == before
