"""Engines by name, and the profiles that say which play together. An engine's module is imported when built.

An engine's own settings are the section of `EngineSettings` named as its module.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from importlib import import_module
from typing import TYPE_CHECKING, Any

from voxterm.engines.cascade import Cascade
from voxterm.errors import ConfigError

if TYPE_CHECKING:
    from voxterm.config import EngineSettings
    from voxterm.engines.protocols import (
        Placement,
        SpeechLanguageModel,
        SpeechSynthesizer,
        TurnDetector,
        VoiceActivityDetector,
    )

VADS: Mapping[str, str] = {
    "silero": "voxterm.engines.silero_vad:SileroVad",
    "webrtc": "voxterm.engines.webrtc_vad:WebRtcVad",
}
TURN_DETECTORS: Mapping[str, str] = {"smart_turn": "voxterm.engines.smart_turn:SmartTurn"}
SPEECH_LANGUAGE_MODELS: Mapping[str, str] = {"voxtral": "voxterm.engines.voxtral:placed"}
TRANSCRIBERS: Mapping[str, str] = {"pocketsphinx": "voxterm.engines.pocketsphinx:PocketSphinx"}
LANGUAGE_MODELS: Mapping[str, str] = {"eliza": "voxterm.engines.eliza:Eliza"}
SYNTHESIZERS: Mapping[str, str] = {
    "orpheus": "voxterm.engines.orpheus:placed",
    "espeak": "voxterm.engines.espeak:Espeak",
}
PLACED = frozenset({"voxtral", "orpheus"})
"""Engines that need a `Placement`: the memory plan says whether there is one for them."""


@dataclass(frozen=True, slots=True)
class Profile:
    """Which engines understand and speak. The VAD is the choice of the settings, whatever the profile."""

    name: str
    understanding: tuple[str, ...]  # a speech language model, or a transcriber and a language model
    synthesizer: str


EMBEDDED = Profile("embedded", ("pocketsphinx", "eliza"), "espeak")
PROFILES: Mapping[str, Profile] = {
    "voxtral-orpheus": Profile("voxtral-orpheus", ("voxtral",), "orpheus"),
    "embedded": EMBEDDED,
}


def profile_with(name: str, placed: Collection[str]) -> Profile:
    """The profile of this name, with the embedded engines where it has a model that was not placed.

    Raises:
        ConfigError: no profile has this name.
    """
    _check("profile", name, PROFILES)
    profile = PROFILES[name]
    missing = PLACED - set(placed)
    understanding = EMBEDDED.understanding if missing & set(profile.understanding) else profile.understanding
    synthesizer = EMBEDDED.synthesizer if profile.synthesizer in missing else profile.synthesizer
    return Profile(name, understanding, synthesizer)


def build_vad(name: str, settings: EngineSettings) -> VoiceActivityDetector:
    """The VAD of this name, not loaded yet.

    Raises:
        ConfigError: none has this name.
    """
    _check("VAD", name, VADS)
    vad: VoiceActivityDetector = _build(VADS[name], settings)
    return vad


def build_detector(name: str, settings: EngineSettings) -> TurnDetector | None:
    """The turn detector of this name, not loaded yet; None for "none".

    Raises:
        ConfigError: none has this name.
    """
    if name == "none":
        return None
    _check("turn detector", name, (*TURN_DETECTORS, "none"))
    detector: TurnDetector = _build(TURN_DETECTORS[name], settings)
    return detector


def build_understanding(
    profile: Profile, settings: EngineSettings, placements: Mapping[str, Placement], system_prompt: str
) -> SpeechLanguageModel:
    """What hears and answers in this profile, not loaded yet."""
    first, *others = profile.understanding
    if not others:
        more = {"placement": placements[first], "system_prompt": system_prompt}
        model: SpeechLanguageModel = _build(SPEECH_LANGUAGE_MODELS[first], settings, **more)
        return model
    return Cascade(_build(TRANSCRIBERS[first], settings), _build(LANGUAGE_MODELS[others[0]], settings))


def build_synthesizer(
    profile: Profile, settings: EngineSettings, placements: Mapping[str, Placement]
) -> SpeechSynthesizer:
    """What speaks in this profile, not loaded yet."""
    name = profile.synthesizer
    more = {"placement": placements[name]} if name in PLACED else {}
    synthesizer: SpeechSynthesizer = _build(SYNTHESIZERS[name], settings, **more)
    return synthesizer


def _build(place: str, settings: EngineSettings, **more: object) -> Any:
    """The engine of this "module:name", given its own settings: those of the section named as its module."""
    module, _, name = place.partition(":")
    section = getattr(settings, module.rpartition(".")[2], None)
    own = section.model_dump() if section is not None else {}
    return getattr(import_module(module), name)(**own, **more)


def _check(what: str, name: str, known: Collection[str]) -> None:
    if name not in known:
        near = get_close_matches(name, known, n=1)
        remedy = f'did you mean "{near[0]}"?' if near else f"there are {', '.join(known)}"
        raise ConfigError(f'there is no {what} "{name}"', remedy)
