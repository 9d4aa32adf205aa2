"""Kokoro beside its own package, and in all the places where it may be left, broken or short of memory."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Iterator
from importlib.util import find_spec
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from demo_clips import no_progress
from kokoro_stage import HEART, SHORT, heard, made, spoken
from tiny_kokoro import SPEAKERS as TINY_SPEAKERS
from tiny_kokoro import TINY, published_model, tiny_kokoro

from voxterm.engines.declared.kokoro import KokoroSettings
from voxterm.engines.kokoro.engine import CHUNK_SAMPLES, Kokoro
from voxterm.engines.kokoro.model import NOISE_SEED, RATE_HZ, SPEAKERS, KokoroModel
from voxterm.engines.protocols import (
    PlacedEngine,
    Placement,
    Samples,
    SpeechSynthesizer,
    Voice,
    WordMark,
)
from voxterm.errors import (
    CheckpointError,
    EngineError,
)
from voxterm.voices import Catalogue, voices_folder

pytestmark = pytest.mark.skipif(find_spec("kokoro") is None, reason="kokoro is not for this Python")

DORA = Voice("dora", "kokoro", "es", "ef_dora")
TEXT = "Hello there, my friend. It is good to see you!"


@pytest.fixture(scope="session")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_kokoro(tmp_path_factory.mktemp("checkpoints") / "kokoro")


@pytest.fixture(scope="session")
def kokoro(shared: Path) -> Iterator[Kokoro]:
    engine = made(shared)
    engine.load(no_progress)
    yield engine
    engine.close()


def marks_of(engine: Kokoro, text: str, speed: float = 1.0) -> list[WordMark]:
    return [mark for chunk in engine.speak(text, HEART, speed) for mark in chunk.words]


def test_it_is_a_placed_speech_synthesizer(kokoro: Kokoro) -> None:
    assert isinstance(kokoro, SpeechSynthesizer)
    assert isinstance(kokoro, PlacedEngine)
    assert kokoro.rate_hz == 24_000
    assert kokoro.voices() == TINY_SPEAKERS


def test_the_shipped_voices_are_those_of_the_published_checkpoint() -> None:
    catalogue = Catalogue.read(voices_folder())
    voices = catalogue.for_engine("kokoro")
    assert catalogue.problems == ()
    assert sorted(voice.speaker for voice in voices) == sorted(SPEAKERS)
    assert len(voices) == 54
    languages = {
        **{"a": "en-US", "b": "en-GB", "e": "es", "f": "fr", "h": "hi"},
        **{"i": "it", "j": "ja", "p": "pt-BR", "z": "zh"},
    }
    for voice in voices:
        assert voice.name == voice.speaker
        assert voice.language == languages[voice.speaker[0]]
        assert voice.checkpoint == KokoroSettings().checkpoint
        assert ("woman" in voice.description) == (voice.speaker[1] == "f")


# Beside the package


def test_the_samples_are_those_of_the_packages_model(kokoro: Kokoro, shared: Path) -> None:
    """Its weight norms are worked out beforehand, and its noise comes from another generator."""
    model = published_model(TINY, shared / "kokoro-v1_0.pth")
    styles = torch.load(shared / "voices" / "af_heart.pt", weights_only=True)
    phonemes = "həlˈO wˈɜɹld, ɐ tˈɛst!"
    ours = kokoro._loaded()
    for speed in (0.7, 1.0):
        torch.manual_seed(NOISE_SEED)
        theirs = model(phonemes, styles[len(phonemes) - 1], speed, return_output=True)
        samples, frames = ours.speak(ours.known(phonemes), styles[len(phonemes) - 1], speed)
        assert frames == theirs.pred_dur.tolist()
        assert float(np.abs(samples).max()) > 0.05
        np.testing.assert_allclose(samples, theirs.audio.numpy(), atol=2e-5)


@pytest.mark.parametrize("text", ["Hola, ¿qué tal?", "Sí.", "Tengo 25 «cosas» (y más)."])
def test_a_text_sounds_as_from_the_packages_pipeline(kokoro: Kokoro, shared: Path, text: str) -> None:
    from kokoro.pipeline import KPipeline  # type: ignore[import-untyped]

    pipeline = KPipeline("e", repo_id="tiny", model=published_model(TINY, shared / "kokoro-v1_0.pth"))
    torch.manual_seed(NOISE_SEED)
    (theirs,) = pipeline(text, voice=str(shared / "voices" / "ef_dora.pt"), speed=1.2)
    ours = spoken(kokoro, text, DORA, 1.2)
    np.testing.assert_allclose(ours, theirs.audio.numpy(), atol=2e-5)


@pytest.mark.parametrize("speaker", TINY_SPEAKERS)
def test_each_language_is_spoken(kokoro: Kokoro, speaker: str) -> None:
    texts = {"j": "これはりんごです。", "z": "你好，今天天气很好。", "f": "Bonjour, ça va ?"}
    text = texts.get(speaker[0], "Good morning, all of you.")
    samples = spoken(kokoro, text, Voice("x", "kokoro", "", speaker))
    assert samples.dtype == np.float32
    assert len(samples) > RATE_HZ / 2
    assert float(np.abs(samples).max()) > 0.01
    assert np.isfinite(samples).all()


# Pieces, marks and speed


def test_the_same_text_again_is_the_same_samples(kokoro: Kokoro) -> None:
    np.testing.assert_array_equal(spoken(kokoro, SHORT), spoken(kokoro, SHORT))


def test_the_first_piece_is_there_before_the_rest_is_made(
    kokoro: Kokoro, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[int] = []
    real = KokoroModel.speak

    def speak(model: KokoroModel, ids: list[int], *more: Any) -> Any:
        asked.append(len(ids))
        return real(model, ids, *more)

    monkeypatch.setattr(KokoroModel, "speak", speak)
    speech = kokoro.speak(f"{TEXT} " * 3, HEART)
    first = next(speech)
    assert asked == [len("həlˈO ðˈɛɹ, mI fɹˈɛnd.")]
    assert 0 < len(first.samples) <= CHUNK_SAMPLES
    assert [mark.start for mark in first.words] == [0, 6, 13, 16]
    list(speech)
    assert len(asked) == 3
    assert asked == sorted(asked)


def test_marks_are_where_the_network_put_the_words(kokoro: Kokoro) -> None:
    marks = marks_of(kokoro, TEXT)
    assert [TEXT[mark.start : mark.end] for mark in marks] == TEXT.split()
    assert all(before.at_s < after.at_s for before, after in pairwise(marks))
    model = kokoro._loaded()
    phonemes = "həlˈO ðˈɛɹ, mI fɹˈɛnd."
    style = model.style("af_heart")[len(phonemes) - 1]
    samples, frames = model.speak(model.known(phonemes), style, 1.0)
    second = phonemes.index("ð")
    assert marks[0].at_s == pytest.approx(frames[0] * 0.025)
    assert marks[1].at_s == pytest.approx(sum(frames[: second + 1]) * 0.025)
    assert len(samples) == sum(frames) * 600
    assert marks[4].at_s > len(samples) / RATE_HZ, "the second piece begins where the first has ended"


def test_marks_count_in_the_text_with_its_tags_blanks_and_emoji(kokoro: Kokoro) -> None:
    text = "  <laugh> Oh, 😀  dear\nme… <b>(Well)</b>, 25 of the 30!"
    marks = marks_of(kokoro, text)
    assert [text[mark.start : mark.end] for mark in marks] == [
        *("Oh,", "dear", "me…", "Well)", "25", "of", "the", "30!"),
    ]
    assert np.array_equal(spoken(kokoro, "<laugh> Oh no."), spoken(kokoro, "Oh no."))


@pytest.mark.parametrize(("wanted", "speed"), [(0.1, 0.5), (0.5, 0.5), (2.0, 2.0), (9.0, 2.0)])
def test_speed_changes_how_long_it_takes(kokoro: Kokoro, wanted: float, speed: float) -> None:
    at_once, samples = spoken(kokoro, SHORT), spoken(kokoro, SHORT, speed=wanted)
    assert len(samples) == pytest.approx(len(at_once) / speed, rel=0.35)
    assert len(samples) == len(spoken(kokoro, SHORT, speed=speed))
    assert marks_of(kokoro, SHORT)[-1].at_s != marks_of(kokoro, SHORT, wanted)[-1].at_s


@pytest.mark.parametrize("text", ["", "  \n", "…", "<laugh>", "😀 🎉", "?!", "\x00\x01"])
def test_a_text_without_words_yields_nothing(kokoro: Kokoro, text: str) -> None:
    assert list(kokoro.speak(text, HEART)) == []


@pytest.mark.parametrize("text", ["a", "I", "7", "Oh", "a.", "\x00Oh\x01"])
def test_a_very_short_text_is_spoken(kokoro: Kokoro, text: str) -> None:
    (mark,) = marks_of(kokoro, text)
    assert mark.at_s > 0
    assert len(spoken(kokoro, text)) >= 3 * 600


def test_a_very_long_text_begins_at_once_and_no_piece_is_too_long(
    kokoro: Kokoro, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[int] = []

    def silence(model: KokoroModel, ids: list[int], *_: Any) -> tuple[Samples, list[int]]:
        asked.append(len(ids))
        frames = [1] * (len(ids) + 2)
        return np.zeros(600 * len(frames), np.float32), frames

    monkeypatch.setattr(KokoroModel, "speak", silence)
    text = "One sentence follows another, and so it goes on. " * 400 + "9" * 2000 + " word" * 500
    speech = kokoro.speak(text, HEART)
    next(speech)
    assert len(asked) == 1
    marks = [mark for chunk in speech for mark in chunk.words]
    assert text[marks[-1].start : marks[-1].end] == "word"
    assert marks == sorted(marks, key=lambda mark: mark.at_s)
    assert max(asked) <= 100


# Left, closed and called again


def test_it_can_be_left_after_any_chunk(kokoro: Kokoro) -> None:
    text = "Oh, well, what now, my friend? Good night!"
    whole = list(kokoro.speak(text, HEART))
    assert len(whole) > 4
    assert sum(1 for chunk in whole if chunk.words) == 2, "there are two pieces"
    for chunks in range(len(whole) + 1):
        speech = kokoro.speak(text, HEART)
        for _ in range(chunks):
            next(speech)
        speech.close()  # type: ignore[attr-defined]
    np.testing.assert_array_equal(spoken(kokoro, text), heard(iter(whole)))


def test_closing_gives_the_memory_back(shared: Path) -> None:
    engine = made(shared)
    assert engine.memory_bytes == {}
    assert engine.voices() == ()
    engine.load(no_progress)
    engine.warm_up()
    held = engine.memory_bytes["Kokoro"]
    assert 100e6 < held < 400e6
    network = engine._loaded()._model
    kept = [weakref.ref(one) for one in (engine._loaded(), network, *network.parameters())]
    del network
    engine.close()
    engine.close()
    gc.collect()
    assert len(kept) > 300
    assert not any(ref() is not None for ref in kept)
    assert engine.memory_bytes == {}
    with pytest.raises(EngineError, match="not loaded"):
        spoken(engine, TEXT)
    with pytest.raises(EngineError, match="not loaded"):
        engine.warm_up()
    engine.load(no_progress)
    assert len(spoken(engine, "Yes.")) > 0
    engine.close()


def test_closing_after_a_failed_load(tmp_path: Path) -> None:
    engine = made(tmp_path / "nothing")
    with pytest.raises(CheckpointError):
        engine.load(no_progress)
    engine.close()


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs an NVIDIA GPU")
def test_a_gpu_speaks_as_long_as_a_cpu_and_gives_its_memory_back(kokoro: Kokoro, shared: Path) -> None:
    before_bytes = torch.cuda.memory_allocated()
    engine = Kokoro(Placement("cuda:0", "float32"), KokoroSettings(checkpoint=str(shared)))
    engine.load(no_progress)
    engine.warm_up()
    assert engine.memory_bytes["Kokoro"] <= torch.cuda.memory_allocated() - before_bytes
    samples = spoken(engine, SHORT)
    np.testing.assert_allclose(samples, spoken(engine, SHORT), atol=1e-3)
    assert len(samples) == pytest.approx(len(spoken(kokoro, SHORT)), rel=0.1)
    held_bytes = engine.memory_bytes["Kokoro"]
    engine.close()
    kept_bytes = torch.cuda.memory_allocated() - before_bytes
    assert kept_bytes < held_bytes / 2, "what the libraries work in stays"
