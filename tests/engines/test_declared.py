"""What the program knows of engines that are not loaded: packages, sizes, settings."""

from __future__ import annotations

import inspect
import math
from importlib import import_module
from importlib.metadata import PackageNotFoundError
from pathlib import Path
from typing import Any

import pytest

from voxterm.checkpoints import RANDOM_WEIGHTS, find
from voxterm.engines.declared.declaration import STAND_INS, Declaration
from voxterm.engines.declared.engine_settings import EngineSettings
from voxterm.engines.declared.engines import ENGINES
from voxterm.engines.declared.llm import MODEL as LLM
from voxterm.engines.declared.model import need_of
from voxterm.engines.declared.voxtral_realtime import VOXTRAL_REALTIME
from voxterm.engines.declared.whisper import MODEL as WHISPER

MODELS = [engine for engine in ENGINES.values() if engine.model]


def versions(**installed: str) -> Any:
    def version(package: str) -> str:
        if package not in names:
            raise PackageNotFoundError(package)
        return names[package]

    names = {name.replace("_", "-"): found for name, found in installed.items()}
    return version


ALL = {"torch": "2.13.0", "safetensors": "0.6", "huggingface_hub": "1.0"}


@pytest.mark.parametrize(
    ("installed", "lacking"),
    [
        ({"transformers": "5.2.0", "mistral_common": "1.11.5"}, ()),
        ({"transformers": "5.23.0", "mistral_common": "1.13.1"}, ()),
        (
            {"transformers": "5.1.2", "mistral_common": "1.13.1"},
            ("transformers>=5.2 (5.1.2 is installed)",),
        ),
        (
            {"transformers": "5.23.0", "mistral_common": "1.8.5"},
            ("mistral-common>=1.11.5 (1.8.5 is installed)",),
        ),
        ({"transformers": "5.23.0"}, ("mistral-common>=1.11.5",)),
    ],
)
def test_it_says_which_package_is_missing_or_too_old(
    installed: dict[str, str], lacking: tuple[str, ...]
) -> None:
    assert VOXTRAL_REALTIME.lacking(versions(**ALL, **installed)) == lacking


@pytest.mark.parametrize("engine", ENGINES.values(), ids=lambda engine: engine.name)
def test_here_no_package_is_missing(engine: Declaration) -> None:
    assert engine.lacking() == ()


@pytest.mark.parametrize("engine", ENGINES.values(), ids=lambda engine: engine.name)
def test_what_builds_an_engine_takes_what_it_is_given(engine: Declaration) -> None:
    """A placement where it has a model, and its settings where it has any; nothing is loaded for that."""
    module, _, name = engine.place.partition(":")
    takes = inspect.signature(getattr(import_module(module), name)).parameters
    wanted = bool(engine.model) + hasattr(EngineSettings(), engine.name)
    needed = [one for one in takes.values() if one.default is one.empty]
    assert len(needed) == wanted


@pytest.mark.parametrize("engine", MODELS, ids=lambda engine: engine.name)
def test_a_model_s_checkpoint_is_the_default_of_its_settings(engine: Declaration) -> None:
    assert engine.model is not None
    section = getattr(EngineSettings(), engine.name)
    assert section.checkpoint in ("", engine.model.checkpoint)
    assert getattr(section, "codec", "") == engine.model.codec
    assert getattr(section, "context_tokens", engine.model.context_tokens) == engine.model.context_tokens


@pytest.mark.parametrize("engine", MODELS, ids=lambda engine: engine.name)
def test_the_stand_in_is_a_checkpoint_of_the_published_size(engine: Declaration, tmp_path: Path) -> None:
    """What the plan is told of the model is what the stand-in's own config says."""
    assert engine.model is not None
    module, _, name = engine.stand_in.partition(":")
    getattr(import_module(module), name)(tmp_path / "model")
    checkpoint = find(str(tmp_path / "model"), engine.model.architectures)
    assert checkpoint.config[RANDOM_WEIGHTS] is True
    role = STAND_INS[engine.role]
    assert need_of(engine.model, role, 1, config=checkpoint.config) == need_of(engine.model, role, 1)


def test_a_checkpoint_of_many_is_weighed_by_its_own_config_alone() -> None:
    """Qwen2.5-0.5B leaves its head size out: it is not Qwen3-4B's 128."""
    config = {
        "num_hidden_layers": 24,
        "hidden_size": 896,
        "num_attention_heads": 14,
        "num_key_value_heads": 2,
        "intermediate_size": 4864,
        "vocab_size": 151_936,
        "tie_word_embeddings": True,
    }
    assert need_of(LLM, "", 1, config=config).kv_bytes == 2 * 24 * 2 * 64 * 2


def test_the_sizes_of_models_are_those_of_the_architectures() -> None:
    """Every tensor of the full-size models, built without memory, against what the declarations say."""
    import torch
    from transformers import (
        Qwen3Config,
        Qwen3ForCausalLM,
        VoxtralRealtimeConfig,
        VoxtralRealtimeForConditionalGeneration,
        WhisperConfig,
        WhisperForConditionalGeneration,
    )

    realtime = VOXTRAL_REALTIME.model
    assert realtime is not None
    heads = {"encoder_attention_heads": 20, "decoder_attention_heads": 20}
    with torch.device("meta"):
        built = (
            (realtime, VoxtralRealtimeForConditionalGeneration(VoxtralRealtimeConfig(**realtime.config))),
            (WHISPER, WhisperForConditionalGeneration(WhisperConfig(**{**WHISPER.config, **heads}))),
            (LLM, Qwen3ForCausalLM(Qwen3Config(**LLM.config))),
        )
    for model, module in built:
        ours = sorted(shape for _, shape in model.tensors(model.config))
        assert ours == sorted(tuple(parameter.shape) for parameter in module.parameters()), model.name
        assert need_of(model, "", 1).weights_bytes["float32"] == 4 * sum(map(math.prod, ours))
