from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from demo_clips import no_progress
from scripted_orpheus import PLACEMENT, TARA, samples_of
from tiny import copied

from voxterm.decoding import DecodeLoop, Sampling
from voxterm.engines.orpheus import model as orpheus_model
from voxterm.engines.orpheus.engine import (
    CHECKPOINT_SPEAKERS,
    Orpheus,
    OrpheusSettings,
)
from voxterm.engines.orpheus.stream import FRAME_SAMPLES
from voxterm.engines.orpheus.tokens import SAMPLED_IDS, STOP_IDS
from voxterm.engines.protocols import (
    SpeechChunk,
    SpeechSynthesizer,
    SpeechTokens,
    Voice,
)
from voxterm.errors import CheckpointError, EngineError, EngineMemoryError, VoiceError


@pytest.fixture(scope="module", autouse=True)
def one_thread() -> Iterator[None]:
    """Small networks on a busy machine are ten times as fast with one."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="module")
def orpheus(orpheus_folder: Path, snac_folder: Path) -> Iterator[Orpheus]:
    settings = OrpheusSettings(
        str(orpheus_folder), str(snac_folder), temperature=0.0, max_speech_s=2.0, seed=7
    )
    engine = Orpheus(PLACEMENT, settings, lambda: 0.0)
    engine.load(no_progress)
    engine.warm_up()
    yield engine
    engine.close()


def test_it_is_a_speech_synthesizer(orpheus: Orpheus) -> None:
    assert isinstance(orpheus, SpeechSynthesizer)
    assert orpheus.rate_hz == 24_000
    assert list(orpheus.voices()) == [s for speakers in CHECKPOINT_SPEAKERS.values() for s in speakers]
    held = orpheus.memory_bytes
    assert held.keys() == {"Orpheus", "Orpheus cache", "codec"}
    assert all(amount > 1000 for amount in held.values())


def test_a_model_that_is_loaded_speaks(orpheus: Orpheus) -> None:
    """The tiny one babbles, but only in audio tokens, whole frames and samples within bounds."""
    items = list(orpheus.speak("Good morning.", TARA))
    assert isinstance(items[0], SpeechTokens)
    assert all(isinstance(item, SpeechChunk) for item in items[1:])
    samples = samples_of(iter(items))
    assert samples.dtype == np.float32
    assert len(samples) % FRAME_SAMPLES == 0
    assert len(samples) > 0
    assert float(np.abs(samples).max()) <= 1.0
    np.testing.assert_array_equal(samples_of(orpheus.speak("Good morning.", TARA)), samples)


def test_a_call_given_up_at_any_item_leaves_the_next_as_it_is(orpheus: Orpheus) -> None:
    whole = samples_of(orpheus.speak("Good morning.", TARA))
    count = sum(1 for _ in orpheus.speak("Good morning.", TARA))
    for items in (0, 1, 2, count):
        given_up = orpheus.speak("Something else, which is longer.", TARA)
        for _ in range(items):
            next(given_up, None)
        given_up.close()  # type: ignore[attr-defined]
        np.testing.assert_array_equal(samples_of(orpheus.speak("Good morning.", TARA)), whole)


def test_the_prompt_is_what_the_model_was_trained_with(
    orpheus: Orpheus, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: dict[str, Any] = {}

    def generate(prompts: Any, sampling: Any, limits: Any, seed: int) -> Iterator[tuple[int | None, ...]]:
        asked.update(ids=list(prompts[0].ids), limit=limits[0])
        yield from [(128_266,), (None,)]

    model = orpheus._model
    assert model
    monkeypatch.setattr(model._loop, "generate", generate)
    text = model._tokenizer.encode("tara: Hi", add_special_tokens=False).ids
    with closing(model.speech("tara", "Hi", 10_000, Sampling(), 0)) as speech:
        assert list(speech) == [128_266]
    assert asked["ids"] == [128_259, 128_000, *text, 128_009, 128_260, 128_261, 128_257]
    assert asked["limit"] == PLACEMENT.context_tokens - len(asked["ids"])
    assert len(text) >= 2


def test_a_text_cannot_smuggle_marks_into_the_prompt(
    orpheus: Orpheus, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[int] = []

    def generate(prompts: Any, *_: Any) -> Iterator[tuple[int | None, ...]]:
        asked.extend(prompts[0].ids)
        yield (None,)

    model = orpheus._model
    assert model
    monkeypatch.setattr(model._loop, "generate", generate)
    list(model.speech("tara", "a<custom_token_2>b<|eot_id|>", 300, Sampling(), 0))
    assert asked.count(128_258) == 0
    assert asked.count(128_009) == 1


def test_a_text_that_fills_the_context_is_an_error(orpheus: Orpheus) -> None:
    model = orpheus._model
    assert model
    with pytest.raises(EngineError, match="no room to speak") as caught:
        next(model.speech("tara", "x" * 1900, 1000, Sampling(), 0))
    assert "context" in caught.value.remedy


def test_only_speech_can_be_sampled(orpheus: Orpheus) -> None:
    model = orpheus._model
    assert model
    speech = list(model.speech("tara", "Hello", 60, Sampling(1.0), 3))
    assert len(speech) > 5
    assert set(speech) <= set(SAMPLED_IDS) - set(STOP_IDS)


def test_before_load_and_after_close_it_says_so(orpheus_folder: Path) -> None:
    engine = Orpheus(PLACEMENT)
    for _ in range(2):
        with pytest.raises(EngineError, match="not loaded"):
            list(engine.speak("Hello.", TARA))
        with pytest.raises(EngineError, match="not loaded"):
            engine.warm_up()
        assert engine.memory_bytes == {}
        engine.close()


def test_a_voice_of_a_checkpoint_that_is_not_here_names_the_command(
    orpheus: Orpheus, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """And the voices that are here go on."""
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path))
    before = samples_of(orpheus.speak("Good morning.", TARA))
    with pytest.raises(VoiceError, match="not on this machine") as caught:
        list(orpheus.speak("नमस्ते", Voice("ऋतिका", "orpheus", "hi", "ऋतिका")))
    assert "voxterm fetch canopylabs/3b-hi-ft-research_release" in caught.value.remedy
    np.testing.assert_array_equal(samples_of(orpheus.speak("Good morning.", TARA)), before)


def test_a_voice_of_another_checkpoint_takes_the_place_of_the_one_before(
    orpheus_folder: Path, snac_folder: Path, tmp_path: Path
) -> None:
    other = copied(orpheus_folder, tmp_path / "other")
    settings = OrpheusSettings(str(orpheus_folder), str(snac_folder), temperature=0.0, max_speech_s=2.0)
    engine = Orpheus(PLACEMENT, settings)
    engine.load(no_progress)
    own = Voice("own", "orpheus", "en", "anyone", checkpoint=str(other))
    assert engine._model is not None
    assert engine._model.name == str(orpheus_folder)
    held = engine.memory_bytes
    english = samples_of(engine.speak("Hello.", TARA))
    list(engine.speak("", own))
    assert engine._model.name == str(orpheus_folder)
    list(engine.speak("Hello.", own))
    assert engine._model.name == str(other)
    assert engine.memory_bytes == held
    np.testing.assert_array_equal(samples_of(engine.speak("Hello.", TARA)), english)
    assert engine._model.name == str(orpheus_folder)
    engine.close()


def broken(folder: Path, change: str) -> None:
    if change == "tokenizer":
        (folder / "tokenizer.json").unlink()
    elif change == "tokens":
        text = (folder / "tokenizer.json").read_text(encoding="utf-8")
        text = text.replace("<custom_token_0>", "<custom_token_x>")
        (folder / "tokenizer.json").write_text(text, encoding="utf-8")
    else:
        config = json.loads((folder / "config.json").read_text())
        config |= {
            "vocabulary": {"vocab_size": 128_256},
            "layers": {"num_hidden_layers": 3},
            "width": {"intermediate_size": 96},
        }[change]
        (folder / "config.json").write_text(json.dumps(config))


@pytest.mark.parametrize(
    ("change", "what"),
    [
        ("tokenizer", "tokenizer.json"),
        ("tokens", "<custom_token_0>"),
        ("vocabulary", "128256 for vocab_size"),
        ("layers", "weights, model.layers.2"),
        ("width", "size mismatch"),
    ],
)
def test_a_checkpoint_of_another_model_is_refused(
    orpheus_folder: Path, snac_folder: Path, tmp_path: Path, change: str, what: str
) -> None:
    folder = copied(orpheus_folder, tmp_path / "other")
    broken(folder, change)
    engine = Orpheus(PLACEMENT, OrpheusSettings(str(folder), str(snac_folder)))
    with pytest.raises(CheckpointError) as caught:
        engine.load(no_progress)
    assert what in caught.value.what
    assert caught.value.remedy
    engine.close()


def test_memory_that_runs_out_once_is_tried_again_and_twice_is_an_error(
    orpheus_folder: Path, snac_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[int] = []
    fails = 1
    real = DecodeLoop

    def loop(*arguments: Any, **more: Any) -> Any:
        calls.append(1)
        if len(calls) <= fails:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return real(*arguments, **more)

    monkeypatch.setattr(orpheus_model, "DecodeLoop", loop)
    engine = Orpheus(PLACEMENT, OrpheusSettings(str(orpheus_folder), str(snac_folder)))
    engine.load(no_progress)
    assert len(calls) == 2
    engine.close()
    calls.clear()
    fails = 2
    with pytest.raises(EngineMemoryError, match=r"in float32 needs 0\.0 GB") as caught:
        engine.load(no_progress)
    assert len(calls) == 2
    assert "int8" in caught.value.remedy
    engine.close()


def test_loading_reports_its_progress(orpheus_folder: Path, snac_folder: Path) -> None:
    told: list[tuple[int, int]] = []
    engine = Orpheus(PLACEMENT, OrpheusSettings(str(orpheus_folder), str(snac_folder)))
    engine.load(lambda done, total: told.append((done, total)))
    assert [done for done, _ in told] == sorted(done for done, _ in told)
    assert told[-1][0] == told[-1][1] > 0
    engine.close()
