"""Taking up Voxtral Realtime's checkpoint: what is held, what is refused, and what is given back."""

from __future__ import annotations

import gc
import json
import shutil
import weakref
from dataclasses import replace
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from demo_clips import clip, no_progress
from tiny_voxtral_realtime import tiny_voxtral_realtime

from voxterm.checkpoints import RANDOM_WEIGHTS, find
from voxterm.engines.declared import voxtral_realtime as declared
from voxterm.engines.declared.voxtral_realtime import VoxtralRealtimeSettings
from voxterm.engines.protocols import Placement, Transcript
from voxterm.engines.stand_ins.voxtral_realtime import write
from voxterm.engines.voxtral_realtime import engine as engine_module
from voxterm.engines.voxtral_realtime.engine import VoxtralRealtime
from voxterm.engines.voxtral_realtime.model import ARCHITECTURES, _mapped, load_model
from voxterm.engines.voxtral_realtime.prompt import RealtimePrompt
from voxterm.errors import CheckpointError, EngineError, EngineLoadError, EngineMemoryError

ON_CPU = Placement("cpu", "float32", 1024)
PUBLISHED_PARAMETERS = 4_429_679_360


pytestmark = pytest.mark.usefixtures("one_thread", "vocabulary_once")


@pytest.fixture(scope="module")
def realtime_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_voxtral_realtime(tmp_path_factory.mktemp("checkpoints") / "voxtral_realtime")


def made(realtime_folder: Path, placement: Placement = ON_CPU) -> VoxtralRealtime:
    return VoxtralRealtime(placement, VoxtralRealtimeSettings(checkpoint=str(realtime_folder)))


def heard(engine: VoxtralRealtime) -> str:
    engine.begin()
    engine.feed(clip("demo-2"))
    (text,) = (item.text for item in engine.finish() if isinstance(item, Transcript))
    return text


def test_load_tells_what_it_reads_and_what_it_holds(realtime_folder: Path) -> None:
    told: list[tuple[int, int]] = []
    engine = made(realtime_folder, Placement("cpu", "bf16", 1024))
    assert engine.memory_bytes == {}
    engine.load(lambda done, total: told.append((done, total)))
    weights = sum(path.stat().st_size for path in realtime_folder.glob("*.safetensors"))
    assert [done for done, _ in told] == sorted(done for done, _ in told)
    assert told[-1][0] == told[-1][1] == pytest.approx(weights, rel=0.02)
    assert engine.memory_bytes["Voxtral Realtime"] == pytest.approx(weights, rel=0.02)
    text_cache, encoder_cache = 2 * 2 * 2 * 1024 * 16 * 2, 2 * 2 * 4 * 50 * 16 * 2
    assert engine.memory_bytes["Voxtral Realtime cache"] >= text_cache + encoder_cache
    engine.close()


def test_close_gives_all_back_and_may_be_called_twice(realtime_folder: Path) -> None:
    engine = made(realtime_folder)
    engine.close()
    engine.load(no_progress)
    assert heard(engine)
    assert engine._loaded is not None
    stream = engine._loaded.stream
    tensors = [*stream._encoder._tower.parameters(), stream._cache.keys, stream._encoder._ring.keys]
    tensors += [stream._decoder.embedding.data, stream._decoder.layers[0].qkv.data, stream._vectors]
    held = [weakref.ref(tensor) for tensor in tensors]
    del tensors, stream
    finishing = engine.finish()
    next(finishing)
    engine.close()
    engine.close()
    del finishing
    gc.collect()
    assert [ref for ref in held if ref() is not None] == []
    assert engine.memory_bytes == {}
    for call in (lambda: list(engine.finish()), lambda: engine.feed(clip("demo-2")), engine.begin):
        with pytest.raises(EngineError, match="not loaded"):
            call()
    engine.load(no_progress)
    assert heard(engine)


def test_loaded_twice_it_holds_one(realtime_folder: Path) -> None:
    engine = made(realtime_folder)
    engine.load(no_progress)
    assert engine._loaded is not None
    first = weakref.ref(engine._loaded.stream)
    engine.load(no_progress)
    gc.collect()
    assert first() is None


@pytest.mark.parametrize(
    ("change", "what"),
    [
        ({"text_config": {"vocab_size": 32_000}}, "vocabulary of 32000"),
        ({"audio_config": {"num_mel_bins": 80}}, "mel bins, 80"),
        ({"audio_length_per_tok": 4}, "mel columns of a token, 4"),
        ({"downsample_factor": 2}, "encoder positions of a token, 2"),
        ({"text_config": {"sliding_window": None}}, "no sliding window"),
        ({"audio_config": {"hidden_size": "wide"}}, "config.json .* is broken"),
        ({"text_config": 7}, "config.json .* is broken"),
        ({"text_config": {"intermediate_size": 96}}, "is broken"),
        ({"text_config": {"num_hidden_layers": 3}}, "lacks"),
        ({"architectures": ["VoxtralForConditionalGeneration"]}, "VoxtralForConditionalGeneration"),
    ],
)
def test_another_model_is_an_error(
    realtime_folder: Path, tmp_path: Path, change: dict[str, Any], what: str
) -> None:
    config = json.loads((realtime_folder / "config.json").read_text())
    for key, value in change.items():
        config[key] = {**config[key], **value} if isinstance(value, dict) else value
    for path in realtime_folder.iterdir():
        (tmp_path / path.name).symlink_to(path)
    (tmp_path / "config.json").unlink()
    (tmp_path / "config.json").write_text(json.dumps(config))
    prompt = RealtimePrompt(realtime_folder / "tekken.json", 480)
    with pytest.raises(CheckpointError, match=what) as error:
        load_model(find(str(tmp_path), ARCHITECTURES), ON_CPU, prompt, no_progress)
    assert error.value.remedy


def test_a_checkpoint_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="no folder") as error:
        made(tmp_path / "nowhere").load(no_progress)
    assert error.value.remedy


def test_a_checkpoint_without_its_vocabulary_is_an_error(realtime_folder: Path, tmp_path: Path) -> None:
    copied = Path(shutil.copytree(realtime_folder, tmp_path / "copy"))
    (copied / "tekken.json").unlink()
    with pytest.raises(CheckpointError, match=r"tekken\.json is missing"):
        made(copied).load(no_progress)


@pytest.mark.parametrize(
    ("parts", "head"),
    [("model.language_model.", "lm_head."), ("language_model.model.", "language_model.lm_head.")],
    ids=["new names", "old names"],
)
def test_weights_are_known_by_either_of_their_names(
    realtime_folder: Path, tmp_path: Path, parts: str, head: str
) -> None:
    """With the output layer in the file once more, though it is the table of embeddings, and without."""
    from safetensors.torch import load_file, save_file

    held = {
        name: weight
        for path in realtime_folder.glob("*.safetensors")
        for name, weight in load_file(path).items()
    }
    named = {}
    for name, weight in held.items():
        part = name.removeprefix("model.").replace("language_model.model.", "language_model.")
        is_text = part.startswith("language_model.")
        if parts.startswith("model."):
            named[f"model.{part}"] = weight
        else:
            named[part.replace("language_model.", parts, 1) if is_text else part] = weight
        if part == "language_model.embed_tokens.weight":
            named[f"{head}weight"] = weight.clone()
    for name in ("config.json", "tekken.json"):
        shutil.copy(realtime_folder / name, tmp_path / name)
    save_file(named, tmp_path / "model.safetensors")
    there, here = made(realtime_folder), made(tmp_path)
    there.load(no_progress)
    here.load(no_progress)
    assert heard(here) == heard(there) != ""


def test_the_delay_is_part_of_the_norms(realtime_folder: Path) -> None:
    """The factors are those that Transformers' text model applies, and the module that makes them is gone."""
    from transformers import VoxtralRealtimeForConditionalGeneration

    model: Any = VoxtralRealtimeForConditionalGeneration.from_pretrained(realtime_folder, dtype=torch.float32)
    checkpoint = find(str(realtime_folder), ARCHITECTURES)
    for delay_ms in (80, 480, 2400):
        prompt = RealtimePrompt(realtime_folder / "tekken.json", delay_ms)
        decoder = load_model(checkpoint, ON_CPU, prompt, no_progress).decoder
        told = model.model.time_embedding(torch.full((1,), float(delay_ms // 80)))
        for layer, theirs in zip(decoder.layers, model.model.language_model.layers, strict=True):
            factor = 1 + theirs.ada_rms_norm(told)
            assert factor.std() > 0.01
            wanted = theirs.post_attention_layernorm.weight * factor
            torch.testing.assert_close(layer.before_mlp, wanted.detach())


@pytest.mark.parametrize("failures", [1, 2])
def test_memory_that_does_not_suffice_is_tried_again_once(
    realtime_folder: Path, monkeypatch: pytest.MonkeyPatch, failures: int
) -> None:
    tries: list[int] = []

    def short_of_memory(*arguments: Any) -> Any:
        tries.append(1)
        if len(tries) <= failures:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return load_model(*arguments)

    monkeypatch.setattr(engine_module, "load_model", short_of_memory)
    engine = made(realtime_folder)
    if failures == 1:
        engine.load(no_progress)
        assert heard(engine)
        return
    with pytest.raises(EngineMemoryError, match=r"Voxtral Realtime in float32 needs 0\.0 GB") as error:
        engine.load(no_progress)
    assert "smaller precision" in error.value.remedy
    assert len(tries) == 2
    assert engine.memory_bytes == {}


def test_an_older_transformers_is_told_in_one_line_before_anything_is_read(
    realtime_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = replace(declared.VOXTRAL_REALTIME, packages=("transformers>=99",))
    monkeypatch.setattr(declared, "VOXTRAL_REALTIME", old)
    engine = made(realtime_folder / "nowhere")
    with pytest.raises(EngineLoadError) as error:
        engine.load(no_progress)
    found = metadata.version("transformers")
    assert error.value.what == f"Voxtral Realtime needs transformers>=99 ({found} is installed)"
    assert "pip install --upgrade" in error.value.remedy
    assert "another engine" in error.value.remedy


@pytest.mark.parametrize("precision", ["float32", "bf16", "int8"])
def test_a_checkpoint_without_weights_draws_them(
    realtime_folder: Path, tmp_path: Path, precision: Any
) -> None:
    config = json.loads((realtime_folder / "config.json").read_text())
    (tmp_path / "config.json").write_text(json.dumps({**config, RANDOM_WEIGHTS: True}))
    shutil.copy(realtime_folder / "tekken.json", tmp_path / "tekken.json")
    engine = made(tmp_path, Placement("cpu", precision, 1024))
    engine.load(no_progress)
    assert engine._loaded is not None
    vectors = engine._loaded.stream._encoder
    assert not any(parameter.is_meta for parameter in vectors._tower.parameters())
    engine.warm_up()
    engine.begin()
    engine.feed(clip("demo-2"))
    assert np.isfinite(engine._loaded.stream._full_stop.item())
    assert sum(isinstance(item, Transcript) for item in engine.finish()) == 1


def test_the_stand_in_is_of_the_published_size(tmp_path: Path) -> None:
    write(tmp_path / "voxtral_realtime")
    checkpoint = find(str(tmp_path / "voxtral_realtime"), ARCHITECTURES)
    assert _mapped(checkpoint).num_parameters() == PUBLISHED_PARAMETERS
    assert RealtimePrompt(checkpoint.folder / "tekken.json", 480).delay_frames == 6
