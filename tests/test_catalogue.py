"""The shipped voices, held against what their engines themselves know. A new engine is covered by itself."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from importlib import import_module
from pathlib import Path

import pytest

from voxterm.engines import registry
from voxterm.engines.declared.engine_settings import EngineSettings
from voxterm.engines.declared.engines import ENGINES
from voxterm.engines.protocols import Placement, SpeechSynthesizer, Voice
from voxterm.voices import Catalogue, voices_folder

CATALOGUE = Catalogue.read(voices_folder())
SPEAKING = [engine.name for engine in ENGINES.values() if engine.role == "synthesizer"]
LEFT_OUT: Mapping[str, set[str]] = {"espeak": {"xex"}}
"""Speakers that have no voice: a test of the library's own."""


@pytest.fixture(scope="module", params=SPEAKING)
def synthesizer(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[SpeechSynthesizer]:
    """Each of them, as far loaded as it must be to know whom it can speak as."""
    declared = ENGINES[request.param]
    settings = EngineSettings()
    places = {declared.name: Placement("cpu", "float32")}
    engine: SpeechSynthesizer = registry.build(declared.name, settings, places)
    if not engine.voices() and declared.stand_in:
        folder = tmp_path_factory.mktemp(declared.name)
        module, _, name = declared.stand_in.partition(":")
        getattr(import_module(module), name)(folder)
        section = getattr(settings, declared.name).model_copy(update={"checkpoint": str(folder)})
        engine = registry.build(declared.name, settings.model_copy(update={declared.name: section}), places)
    if not engine.voices():
        engine.load(lambda done_bytes, total_bytes: None)
    yield engine
    engine.close()


def speaker(voice: Voice) -> str:
    """As the engine lists it: without what makes an eSpeak voice higher."""
    return voice.speaker.partition("+")[0].casefold()


def test_every_speaker_is_one_that_the_engine_knows_and_none_is_forgotten(
    synthesizer: SpeechSynthesizer,
) -> None:
    known = {name.casefold() for name in synthesizer.voices()}
    voices = CATALOGUE.for_engine(synthesizer.name)
    assert {voice.name for voice in voices if speaker(voice) not in known} == set()
    assert known - {speaker(voice) for voice in voices} == LEFT_OUT.get(synthesizer.name, set())


def test_nothing_is_broken() -> None:
    assert CATALOGUE.problems == ()


@pytest.mark.parametrize("engine", SPEAKING)
def test_every_engine_has_voices_its_first_among_them(engine: str) -> None:
    assert ENGINES[engine].first_voice in {voice.name for voice in CATALOGUE.for_engine(engine)}


def test_all_that_is_known_of_a_voice_is_there() -> None:
    for voice in CATALOGUE.voices.values():
        assert voice.description, voice.name
        assert bool(voice.checkpoint) == (ENGINES[voice.engine].model is not None), voice.name


def test_orpheus_has_25_voices_and_espeak_a_hundred_languages() -> None:
    assert len(CATALOGUE.for_engine("orpheus")) == 25
    espeak = CATALOGUE.for_engine("espeak")
    assert len({voice.language.partition("-")[0] for voice in espeak}) > 100
    assert (Path(voices_folder()) / "espeak.toml").is_file()
