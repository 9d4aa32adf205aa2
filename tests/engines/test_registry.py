from __future__ import annotations

import subprocess
import sys

import pytest

from voxterm.config import Settings
from voxterm.engines.declared.engine_settings import EngineSettings
from voxterm.engines.declared.engines import ENGINES
from voxterm.engines.protocols import Placement, TurnDetector
from voxterm.engines.registry import (
    TURN_DETECTORS,
    VADS,
    build_detector,
    build_synthesizer,
    build_understanding,
    build_vad,
    profile_named,
    profiles,
)
from voxterm.errors import ConfigError

HEAVY = (
    "onnxruntime",
    "nltk",
    "pocketsphinx",
    "espeakng_loader",
    "webrtcvad",
    "torch",
    "textual",
)


def test_importing_it_and_the_catalogue_loads_no_engine() -> None:
    program = (
        "import sys, voxterm.engines.registry, voxterm.voices;"
        "print(*[m for m in sys.modules"
        f" if m.split('.')[0] in {HEAVY!r} or m == 'voxterm.engines.espeak.engine'])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.split() == []


PROFILES = profiles(Settings().profiles, EngineSettings())
PLACEMENTS = {name: Placement("cpu", "float32", 1024) for name in ENGINES}


def test_a_model_that_was_not_placed_is_stood_in_for() -> None:
    both = PROFILES["voxtral-orpheus"]
    assert both.without(()) == both
    assert both.without({"orpheus"}).engines == ("voxtral", "espeak")
    assert both.without({"voxtral"}).engines == ("pocketsphinx", "eliza", "orpheus")
    assert both.without({"voxtral", "orpheus"}).engines == PROFILES["embedded"].engines


@pytest.mark.parametrize(
    ("engines", "what", "remedy"),
    [
        (["voxtrall", "orpheus"], 'profiles.mine: there is no engine "voxtrall"', '"voxtral"'),
        (
            ["orpheus", "voxtral"],
            "orpheus is a synthesizer, voxtral is a speech language model",
            '["whisper"',
        ),
        (["pocketsphinx", "espeak"], "profiles.mine makes no conversation", '["whisper"'),
        ([], "it is empty", '["whisper"'),
    ],
)
def test_a_profile_that_makes_no_conversation_says_why(engines: list[str], what: str, remedy: str) -> None:
    with pytest.raises(ConfigError) as caught:
        profiles({"mine": engines}, EngineSettings())
    assert what in caught.value.what
    assert remedy in caught.value.remedy


def test_no_profile_is_called_auto() -> None:
    with pytest.raises(ConfigError, match=r'^profiles\.auto: the name "auto" is reserved'):
        profiles({"auto": ["whisper", "llm", "kokoro"]}, EngineSettings())


@pytest.mark.parametrize("second", ["nope", "openai", "kokoro"])
def test_only_engines_that_can_stand_in_are_proposed(second: str) -> None:
    settings = EngineSettings.model_validate({"openai": {"second_choice": second}})
    with pytest.raises(ConfigError) as caught:
        profiles({"mine": ["whisper", "openai", "kokoro"]}, settings)
    assert caught.value.what == f'engines.openai.second_choice: "{second}" cannot stand in for openai'
    assert caught.value.remedy == "name one of llm, eliza"


def test_what_is_wrong_is_said_with_its_place() -> None:
    for written, settings, key in (
        ({"mine": ["whispr"]}, {}, "profiles.mine"),
        ({"mine": []}, {}, "profiles.mine"),
        ({"auto": []}, {}, "profiles.auto"),
        (
            {"mine": ["whisper", "openai", "kokoro"]},
            {"openai": {"second_choice": "x"}},
            "engines.openai.second_choice",
        ),
    ):
        with pytest.raises(ConfigError) as caught:
            profiles(written, EngineSettings.model_validate(settings), lambda key: f"own.toml: {key}")
        assert caught.value.what.startswith(f"own.toml: {key}")
    with pytest.raises(ConfigError, match=r"^--profile: profile: there is no profile"):
        profile_named("embeded", PROFILES, "--profile: profile")


def test_an_unknown_profile_or_vad_is_an_error_with_the_nearest() -> None:
    with pytest.raises(ConfigError, match="embeded") as caught:
        profile_named("embeded", PROFILES)
    assert '"embedded"' in caught.value.remedy
    with pytest.raises(ConfigError) as caught:
        build_vad("sillero", EngineSettings())
    assert '"silero"' in caught.value.remedy
    with pytest.raises(ConfigError, match="zzz") as caught:
        build_vad("zzz", EngineSettings())
    assert "silero, webrtc" in caught.value.remedy


@pytest.mark.parametrize("name", VADS)
def test_vads_are_built_by_name(name: str) -> None:
    vad = build_vad(name, EngineSettings())
    assert vad.name == name
    assert vad.frame_samples == 512


@pytest.mark.parametrize("name", TURN_DETECTORS)
def test_turn_detectors_are_built_by_name(name: str) -> None:
    assert isinstance(build_detector(name, EngineSettings()), TurnDetector)


def test_a_conversation_may_do_without_a_turn_detector() -> None:
    assert build_detector("none", EngineSettings()) is None
    with pytest.raises(ConfigError, match="smart") as caught:
        build_detector("smart-turn", EngineSettings())
    assert '"smart_turn"' in caught.value.remedy


@pytest.mark.parametrize("name", PROFILES)
def test_profiles_name_engines_that_are_there(name: str) -> None:
    profile = PROFILES[name]
    assert profile.name == name
    understanding = build_understanding(profile, EngineSettings(), PLACEMENTS)
    assert understanding.name == " + ".join(profile.understanding)
    assert build_synthesizer(profile, EngineSettings(), PLACEMENTS).name == profile.synthesizer


def test_an_engine_gets_its_own_settings() -> None:
    settings = EngineSettings.model_validate({"webrtc_vad": {"mode": 3}})
    assert vars(build_vad("webrtc", settings))["_mode"] == 3
