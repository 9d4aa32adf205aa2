from __future__ import annotations

import subprocess
import sys

import pytest

from voxterm.config import EngineSettings
from voxterm.engines.registry import (
    LANGUAGE_MODELS,
    PROFILES,
    SYNTHESIZERS,
    TRANSCRIBERS,
    VADS,
    build_synthesizer,
    build_understanding,
    build_vad,
    choose_profile,
)
from voxterm.errors import ConfigError

HEAVY = (
    "onnxruntime",
    "nltk",
    "pocketsphinx",
    "espeakng_loader",
    "webrtcvad",
    "pydantic",
    "torch",
    "textual",
)


def test_importing_it_and_the_catalogue_loads_no_engine() -> None:
    program = (
        "import sys, voxterm.engines.registry, voxterm.voices;"
        f"print(*[m for m in sys.modules if m.split('.')[0] in {HEAVY!r} or m == 'voxterm.engines.espeak'])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.split() == []


def test_auto_is_the_embedded_profile_and_says_why() -> None:
    profile, reason = choose_profile("auto")
    assert profile is PROFILES["embedded"]
    assert reason
    assert reason.isprintable()
    assert choose_profile("embedded")[0] is profile
    assert choose_profile("embedded")[1] != reason


def test_an_unknown_profile_or_vad_is_an_error_with_the_nearest() -> None:
    with pytest.raises(ConfigError, match="embeded") as caught:
        choose_profile("embeded")
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


@pytest.mark.parametrize("name", PROFILES)
def test_profiles_name_engines_that_are_there(name: str) -> None:
    profile = PROFILES[name]
    assert profile.name == name
    assert profile.transcriber in TRANSCRIBERS
    assert profile.language_model in LANGUAGE_MODELS
    assert profile.synthesizer in SYNTHESIZERS
    understanding = build_understanding(profile, EngineSettings())
    assert understanding.name == f"{profile.transcriber} + {profile.language_model}"
    assert build_synthesizer(profile, EngineSettings()).name == profile.synthesizer


def test_an_engine_gets_its_own_settings() -> None:
    settings = EngineSettings.model_validate({"webrtc_vad": {"mode": 3}})
    assert vars(build_vad("webrtc", settings))["_mode"] == 3
