"""Who plays: the voices among which a person can choose while they talk."""

from __future__ import annotations

from voxterm.cli.casting import cast_of
from voxterm.config import Settings, TurnSettings
from voxterm.voices import Catalogue, voices_folder


def test_a_cast_knows_every_voice_of_the_engine_that_speaks() -> None:
    cast = cast_of(Settings(profile="embedded"))
    assert cast.voice in cast.voices
    assert cast.voices == Catalogue.read(voices_folder()).for_engine("espeak")
    assert len(cast.voices) > 1
    assert {voice.engine for voice in cast.voices} == {"espeak"}


def test_the_turn_detector_is_the_choice_of_the_settings() -> None:
    detector = cast_of(Settings(profile="embedded")).detector
    assert detector is not None
    assert detector.name == "smart turn"
    without = Settings(profile="embedded", turns=TurnSettings(detector="none"))
    assert cast_of(without).detector is None
