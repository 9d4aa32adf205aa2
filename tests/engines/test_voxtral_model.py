"""Taking up Voxtral's checkpoint: what is held, in which precision, and what is refused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from demo_clips import clip, no_progress

from voxterm.checkpoints import find
from voxterm.engines.protocols import Placement
from voxterm.engines.voxtral import engine as voxtral_module
from voxterm.engines.voxtral.engine import Voxtral, VoxtralSettings
from voxterm.engines.voxtral.model import ARCHITECTURES, load_model
from voxterm.errors import CheckpointError, ConfigError, EngineError, EngineMemoryError

ON_CPU = Placement("cpu", "float32", 512)


def test_load_tells_what_it_reads_and_what_it_holds(voxtral_folder: Path) -> None:
    told: list[tuple[int, int]] = []
    engine = Voxtral(Placement("cpu", "bf16", 512), str(voxtral_folder))
    assert engine.memory_bytes == {}
    engine.load(lambda done, total: told.append((done, total)))
    weights = sum(path.stat().st_size for path in voxtral_folder.glob("*.safetensors"))
    assert [done for done, _ in told] == sorted(done for done, _ in told)
    assert told[-1][0] == told[-1][1] == pytest.approx(weights, rel=0.02)
    assert engine.memory_bytes["Voxtral"] == pytest.approx(weights, rel=0.02)
    assert engine.memory_bytes["Voxtral cache"] >= 2 * 2 * 2 * 512 * 2 * 16 * 2
    engine.close()
    engine.close()
    assert engine.memory_bytes == {}
    with pytest.raises(EngineError, match="not loaded"):
        list(engine.answer([]))


def test_positions_stay_exact_in_bf16(voxtral_folder: Path) -> None:
    engine = Voxtral(Placement("cpu", "bf16", 512), str(voxtral_folder))
    engine.load(no_progress)
    assert engine._loaded is not None
    tower = engine._loaded.encoder._tower
    assert tower.embed_positions.weight.dtype == torch.float32
    assert tower.conv1.weight.dtype == torch.bfloat16
    engine.hear(clip("demo-2"))
    assert engine._encode(engine._loaded).dtype == torch.bfloat16


@pytest.mark.parametrize(
    ("change", "what"),
    [
        ({"audio_token_id": 23}, "audio token 23"),
        ({"text_config": {"vocab_size": 32_000}}, "vocabulary of 32000"),
        ({"audio_config": {"num_mel_bins": 80}}, "mel bins, 80"),
        ({"audio_config": {"intermediate_size": 128}}, "audio tokens of a window"),
        ({"audio_config": {"hidden_size": "wide"}}, "config.json .* is broken"),
        ({"text_config": 7}, "config.json .* is broken"),
        ({"text_config": {"intermediate_size": 96}}, "is broken"),
        ({"text_config": {"num_hidden_layers": 3}}, "lacks"),
        ({"architectures": ["LlamaForCausalLM"]}, "LlamaForCausalLM"),
    ],
)
def test_another_model_is_an_error(
    voxtral_folder: Path, tmp_path: Path, change: dict[str, Any], what: str
) -> None:
    config = json.loads((voxtral_folder / "config.json").read_text())
    for key, value in change.items():
        config[key] = {**config[key], **value} if isinstance(value, dict) else value
    for path in voxtral_folder.iterdir():
        (tmp_path / path.name).symlink_to(path)
    (tmp_path / "config.json").unlink()
    (tmp_path / "config.json").write_text(json.dumps(config))
    with pytest.raises(CheckpointError, match=what) as error:
        load_model(find(str(tmp_path), ARCHITECTURES), ON_CPU, no_progress)
    assert error.value.remedy


def test_an_unknown_language_is_an_error(voxtral_folder: Path) -> None:
    engine = Voxtral(ON_CPU, str(voxtral_folder), settings=VoxtralSettings(language="elvish"))
    with pytest.raises(ConfigError, match="elvish"):
        engine.load(no_progress)


@pytest.mark.parametrize("failures", [1, 2])
def test_memory_that_does_not_suffice_is_tried_again_once(
    voxtral_folder: Path, monkeypatch: pytest.MonkeyPatch, failures: int
) -> None:
    tries: list[int] = []

    def short_of_memory(*arguments: Any) -> Any:
        tries.append(1)
        if len(tries) <= failures:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return load_model(*arguments)

    monkeypatch.setattr(voxtral_module, "load_model", short_of_memory)
    engine = Voxtral(ON_CPU, str(voxtral_folder))
    if failures == 1:
        engine.load(no_progress)
        assert engine.memory_bytes
        return
    with pytest.raises(EngineMemoryError, match=r"float32 needs 0\.1 GB") as error:
        engine.load(no_progress)
    assert "smaller precision" in error.value.remedy
    assert len(tries) == 2
