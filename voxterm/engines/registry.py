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
    from voxterm.engines.protocols import SpeechLanguageModel, SpeechSynthesizer, VoiceActivityDetector

AUTO = "auto"

VADS: Mapping[str, str] = {
    "silero": "voxterm.engines.silero_vad:SileroVad",
    "webrtc": "voxterm.engines.webrtc_vad:WebRtcVad",
}
TRANSCRIBERS: Mapping[str, str] = {"pocketsphinx": "voxterm.engines.pocketsphinx:PocketSphinx"}
LANGUAGE_MODELS: Mapping[str, str] = {"eliza": "voxterm.engines.eliza:Eliza"}
SYNTHESIZERS: Mapping[str, str] = {"espeak": "voxterm.engines.espeak:Espeak"}


@dataclass(frozen=True, slots=True)
class Profile:
    """Which engines understand and speak. The VAD is the choice of the settings, whatever the profile."""

    name: str
    transcriber: str
    language_model: str
    synthesizer: str


PROFILES: Mapping[str, Profile] = {"embedded": Profile("embedded", "pocketsphinx", "eliza", "espeak")}


def choose_profile(wanted: str) -> tuple[Profile, str]:
    """The profile, and in one plain line why it is this one.

    Raises:
        ConfigError: no profile has this name.
    """
    if wanted == AUTO:
        return PROFILES["embedded"], "it is the only one there is, and needs no GPU and no download"
    _check("profile", wanted, [AUTO, *PROFILES])
    return PROFILES[wanted], "it was asked for"


def build_vad(name: str, settings: EngineSettings) -> VoiceActivityDetector:
    """The VAD of this name, not loaded yet.

    Raises:
        ConfigError: none has this name.
    """
    _check("VAD", name, VADS)
    vad: VoiceActivityDetector = _build(VADS[name], settings)
    return vad


def build_understanding(profile: Profile, settings: EngineSettings) -> SpeechLanguageModel:
    """What hears and answers in this profile, not loaded yet."""
    return Cascade(
        _build(TRANSCRIBERS[profile.transcriber], settings),
        _build(LANGUAGE_MODELS[profile.language_model], settings),
    )


def build_synthesizer(profile: Profile, settings: EngineSettings) -> SpeechSynthesizer:
    """What speaks in this profile, not loaded yet."""
    synthesizer: SpeechSynthesizer = _build(SYNTHESIZERS[profile.synthesizer], settings)
    return synthesizer


def _build(place: str, settings: EngineSettings) -> Any:
    """The engine of this "module:Class", given its own settings: those of the section named as its module."""
    module, _, name = place.partition(":")
    section = getattr(settings, module.rpartition(".")[2], None)
    return getattr(import_module(module), name)(**(section.model_dump() if section is not None else {}))


def _check(what: str, name: str, known: Collection[str]) -> None:
    if name not in known:
        near = get_close_matches(name, known, n=1)
        remedy = f'did you mean "{near[0]}"?' if near else f"there are {', '.join(known)}"
        raise ConfigError(f'there is no {what} "{name}"', remedy)
