"""Kokoro where its files are broken, missing or another model's, and where the memory runs out."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from demo_clips import no_progress
from kokoro_stage import SHORT, made, spoken
from tiny import copied
from tiny_kokoro import TINY, tiny_kokoro

from voxterm.checkpoints import RANDOM_WEIGHTS
from voxterm.engines.kokoro import model as kokoro_model
from voxterm.engines.kokoro.engine import Kokoro
from voxterm.engines.kokoro.model import SPEAKERS
from voxterm.engines.protocols import Voice
from voxterm.engines.stand_ins import kokoro as stand_in
from voxterm.errors import (
    CheckpointError,
    EngineError,
    EngineLoadError,
    EngineMemoryError,
    VoiceError,
    VoxtermError,
)

pytestmark = pytest.mark.skipif(find_spec("kokoro") is None, reason="kokoro is not for this Python")

OUT_OF_MEMORY = "CUDA out of memory"


@pytest.fixture(scope="session")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_kokoro(tmp_path_factory.mktemp("checkpoints") / "kokoro")


@pytest.fixture(scope="session")
def kokoro(shared: Path) -> Iterator[Kokoro]:
    engine = made(shared)
    engine.load(no_progress)
    yield engine
    engine.close()


def broken_copy(shared: Path, folder: Path, **config: Any) -> Path:
    copy = copied(shared, folder)
    (copy / "config.json").write_text(json.dumps({**TINY, **config}))
    return copy


def test_an_unknown_speaker_is_named_with_the_nearest(kokoro: Kokoro) -> None:
    with pytest.raises(VoiceError, match='no speaker "af_hart"') as caught:
        spoken(kokoro, SHORT, Voice("x", "kokoro", "en", "af_hart"))
    assert "af_heart" in caught.value.remedy


def test_a_vocabulary_with_bopomofo_is_no_other_s_for_mandarin(shared: Path, tmp_path: Path) -> None:
    vocabulary = {**TINY["vocab"], "ㄓ": TINY["vocab"]["a"]}
    engine = made(broken_copy(shared, tmp_path, vocab=vocabulary))
    engine.load(no_progress)
    with pytest.raises(VoiceError, match="cannot read Mandarin for this checkpoint"):
        spoken(engine, "你好", Voice("x", "kokoro", "zh", "zf_xiaobei"))
    assert len(spoken(engine, SHORT, Voice("x", "kokoro", "en", "af_heart"))) > 0
    engine.close()


def test_a_published_speaker_whose_file_is_missing_can_be_fetched(kokoro: Kokoro, shared: Path) -> None:
    with pytest.raises(VoiceError) as caught:
        spoken(kokoro, SHORT, Voice("x", "kokoro", "en", "am_adam"))
    assert caught.value.what == f"{shared}/voices/am_adam.pt is missing"
    assert caught.value.remedy == "run `voxterm fetch hexgrad/Kokoro-82M`"


@pytest.mark.parametrize(
    ("contents", "what"),
    [(torch.zeros(510, 1, 128), "no speaker of Kokoro"), ([1], "no speaker of Kokoro"), (None, "is damaged")],
)
def test_a_broken_speaker_is_named(shared: Path, tmp_path: Path, contents: Any, what: str) -> None:
    copy = copied(shared, tmp_path / "kokoro")
    file = copy / "voices" / "af_heart.pt"
    if contents is None:
        file.write_bytes(file.read_bytes()[:1000])
    else:
        torch.save(contents, file)
    torch.save(torch.zeros(510, 1, 256), copy / "voices" / "xx_own.pt")
    engine = made(copy)
    engine.load(no_progress)
    with pytest.raises(CheckpointError, match=what) as caught:
        spoken(engine, SHORT)
    assert str(file) in caught.value.what
    with pytest.raises(VoiceError, match='"xx_own" tells no language'):
        spoken(engine, SHORT, Voice("x", "kokoro", "en", "xx_own"))
    engine.close()


@pytest.mark.parametrize(
    ("config", "what"),
    [
        ({"istftnet": None}, "its config.json does not fit"),
        ({"vocab": None}, "its config.json does not fit"),
        ({"plbert": {"depth": 3, "hidden_size": "wide"}}, "its config.json does not fit"),
        ({"n_token": 100}, r"lacks bert.embeddings.word_embeddings.weight of \(100, 128\)"),
        ({"n_layer": 2}, r"lacks predictor.text_encoder.lstms.2"),
    ],
)
def test_a_config_of_another_model(shared: Path, tmp_path: Path, config: dict[str, Any], what: str) -> None:
    engine = made(broken_copy(shared, tmp_path / "kokoro", **config))
    with pytest.raises(CheckpointError, match=what) as caught:
        engine.load(no_progress)
    assert "hexgrad/Kokoro-82M" in caught.value.remedy


def test_a_checkpoint_of_another_model(orpheus_folder: Path, snac_folder: Path) -> None:
    for folder in (orpheus_folder, snac_folder):
        with pytest.raises(CheckpointError, match="is no Kokoro"):
            made(folder).load(no_progress)


def test_without_the_package_the_remedy_names_it(shared: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "kokoro.model", None)
    with pytest.raises(EngineLoadError, match="needs the package kokoro") as caught:
        made(shared).load(no_progress)
    assert "pip install" in caught.value.remedy
    assert "3.12" in caught.value.remedy


@pytest.mark.parametrize("fails", [1, 2])
def test_memory_that_runs_out_while_it_loads(
    shared: Path, monkeypatch: pytest.MonkeyPatch, fails: int
) -> None:
    tries: list[int] = []
    real = kokoro_model._take_up

    def allocate(*arguments: Any) -> None:
        tries.append(1)
        if len(tries) <= fails:
            raise torch.OutOfMemoryError(OUT_OF_MEMORY)
        real(*arguments)

    monkeypatch.setattr(kokoro_model, "_take_up", allocate)
    engine = made(shared)
    if fails == 1:
        engine.load(no_progress)
        assert engine.memory_bytes
        engine.close()
        return
    with pytest.raises(EngineMemoryError, match=r"needs 0\.5 GB on cpu"):
        engine.load(no_progress)
    assert len(tries) == 2
    assert engine.memory_bytes == {}


@pytest.mark.parametrize(
    ("failure", "kind"),
    [(torch.OutOfMemoryError(OUT_OF_MEMORY), EngineMemoryError), (RuntimeError("device lost"), EngineError)],
)
def test_a_failure_ends_its_turn_only(
    kokoro: Kokoro, monkeypatch: pytest.MonkeyPatch, failure: RuntimeError, kind: type[VoxtermError]
) -> None:
    before = spoken(kokoro, SHORT)
    with monkeypatch.context() as broken:
        broken.setattr(
            kokoro._loaded()._model.decoder.generator, "forward", lambda *_: (_ for _ in ()).throw(failure)
        )
        with pytest.raises(kind, match=r"ran out|device lost") as caught:
            spoken(kokoro, SHORT)
    assert caught.value.remedy
    np.testing.assert_array_equal(spoken(kokoro, SHORT), before)


def test_a_stand_in_draws_its_weights_and_speaks_as_long_as_a_person(tmp_path: Path) -> None:
    """Where nothing is trained a phoneme lasts for 25 frames, and speech would be made ten times too fast."""
    tiny = {key: value for key, value in TINY.items() if key != "max_dur"}
    (tmp_path / "config.json").write_text(json.dumps({**tiny, "max_dur": 50, RANDOM_WEIGHTS: True}))
    engine = made(tmp_path)
    engine.load(no_progress)
    engine.warm_up()
    assert engine.voices() == SPEAKERS
    model = engine._loaded()
    _, frames = model.speak([50] * 40, model.style("af_heart")[40], 1.0)
    assert 2 <= sum(frames) / 42 <= 3
    assert len(spoken(engine, "Yes.")) > 0
    engine.close()


def test_the_stand_in_is_the_published_config(tmp_path: Path) -> None:
    stand_in.write(tmp_path / "kokoro")
    config = json.loads((tmp_path / "kokoro" / "config.json").read_text())
    assert config[RANDOM_WEIGHTS] is True
    assert len(config["vocab"]) == 114
    assert (config["vocab"][";"], config["vocab"]["a"], config["vocab"]["ᵻ"]) == (1, 43, 177)
    assert max(config["vocab"].values()) == config["n_token"] - 1
    assert config["istftnet"]["upsample_rates"] == [10, 6]
