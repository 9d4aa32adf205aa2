"""Who plays in a conversation: the memory plan, the engines of the profile that it allows, and a voice."""

from __future__ import annotations

import os
from dataclasses import replace
from importlib.util import find_spec

from voxterm.config import EngineSettings, Settings
from voxterm.conversation import Cast
from voxterm.engines import registry
from voxterm.engines.protocols import Voice
from voxterm.errors import EngineLoadError, VoiceError
from voxterm.gpu import parse_size
from voxterm.plan import AUTO, EMBEDDED, PROFILES, Plan, Wishes, plan_for
from voxterm.voices import Catalogue, voices_folder

ORPHEUS = "orpheus"
MODEL_PACKAGES = ("torch", "transformers", "snac", "mistral_common")
WITHOUT_PACKAGES = "the packages of the speech models are not installed"
INSTALL_PACKAGES = "install them: pip install 'voxterm[models]', or `make install` where there is a GPU"

TAGS_PROMPT = "Where it fits, and seldom, you may write one of these sounds between words: {tags}."


def cast_of(settings: Settings) -> Cast:
    """The engines of the profile, not loaded yet.

    Raises:
        ConfigError, VoiceError: no such profile, engine or voice.
        EngineLoadError: the profile needs packages that are not installed.
    """
    catalogue = Catalogue.read(voices_folder())
    plan = plan_of(settings)
    profile = registry.profile_with(plan.profile, plan.placements)
    voice, note = catalogue.voice_for(settings.speech.voice, profile.synthesizer)
    own = _with_checkpoint_of(voice, settings)
    given_up = plan.gives_up if plan.profile != EMBEDDED else ()
    return Cast(
        profile=profile.name,
        reason=plan.reason,
        vad=registry.build_vad(settings.turns.vad, settings.engines),
        detector=registry.build_detector(settings.turns.detector, settings.engines),
        understanding=registry.build_understanding(
            profile, settings.engines, plan.placements, _prompt(settings, voice)
        ),
        synthesizer=registry.build_synthesizer(profile, own, plan.placements),
        voice=voice,
        notes=(*given_up, *([note] if note else [])),
        voices=catalogue.for_engine(profile.synthesizer),
    )


def plan_of(settings: Settings) -> Plan:
    """What is loaded where, for the profile of the settings.

    Raises:
        ConfigError: there is no such profile.
        EngineLoadError: it was asked for by name, and its packages are not installed.
    """
    if settings.profile in PROFILES and PROFILES[settings.profile] and not _has_packages():
        raise EngineLoadError(WITHOUT_PACKAGES, INSTALL_PACKAGES)
    if settings.profile == AUTO and not _has_packages():
        plan = plan_for(EMBEDDED, Wishes(), os.environ)
        return replace(plan, reason=f"{WITHOUT_PACKAGES}; {INSTALL_PACKAGES}")
    return plan_for(settings.profile, wishes_of(settings), os.environ)


def wishes_of(settings: Settings) -> Wishes:
    """What the settings ask of a plan."""
    voxtral, orpheus = settings.engines.voxtral, settings.engines.orpheus
    wanted = settings.gpu.precision
    return Wishes(
        precision="bf16" if wanted == "auto" else wanted,
        context_tokens={"voxtral": voxtral.context_tokens, ORPHEUS: orpheus.context_tokens},
        memory_limit_bytes=parse_size(settings.gpu.memory) if settings.gpu.memory else None,
        checkpoints=_checkpoints(settings),
    )


def checkpoints_of(profile: str, settings: Settings) -> tuple[str, ...]:
    """The checkpoints that a profile loads; for `auto` those of the best one.

    Raises:
        ConfigError: there is no such profile.
    """
    name = next(iter(PROFILES)) if profile == AUTO else profile
    registry.profile_with(name, ())  # refuses an unknown name
    return tuple(_checkpoints(settings).values()) if PROFILES[name] else ()


def _checkpoints(settings: Settings) -> dict[str, str]:
    """By model of the plan: a folder, or a repository's name."""
    catalogue = Catalogue.read(voices_folder())
    try:
        voice, _ = catalogue.voice_for(settings.speech.voice, ORPHEUS)
    except VoiceError:  # `cast_of` says so, if it is Orpheus that is to speak
        voice, _ = catalogue.voice_for(AUTO, ORPHEUS)
    return {
        "voxtral": settings.engines.voxtral.checkpoint,
        ORPHEUS: settings.engines.orpheus.checkpoint or voice.checkpoint,
        "snac": settings.engines.orpheus.codec,
    }


def _with_checkpoint_of(voice: Voice, settings: Settings) -> EngineSettings:
    """The engines' settings, with the voice's checkpoint where they name none."""
    orpheus = settings.engines.orpheus
    if orpheus.checkpoint or voice.engine != ORPHEUS:
        return settings.engines
    return settings.engines.model_copy(
        update={ORPHEUS: orpheus.model_copy(update={"checkpoint": voice.checkpoint})}
    )


def _prompt(settings: Settings, voice: Voice) -> str:
    """The system prompt, with what this voice can do beside words."""
    told = settings.dialogue.system_prompt
    return f"{told} {TAGS_PROMPT.format(tags=' '.join(voice.tags))}".strip() if voice.tags else told


def _has_packages() -> bool:
    return all(find_spec(package) for package in MODEL_PACKAGES)
