"""Who plays in a conversation: the memory plan, the engines of the profile that it allows, and a voice."""

from __future__ import annotations

import os
from collections.abc import Collection, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any

from voxterm.cli.personas import personalities_of
from voxterm.config import Settings
from voxterm.conversation import Cast
from voxterm.engines import registry
from voxterm.engines.declared.declaration import Declaration, Role
from voxterm.engines.declared.engine_settings import EngineSettings
from voxterm.engines.declared.engines import ENGINES
from voxterm.engines.protocols import Voice
from voxterm.engines.registry import Profile
from voxterm.errors import EngineLoadError, VoiceError
from voxterm.gpu import parse_size
from voxterm.plan import AUTO, EMBEDDED, Plan, Wishes, plan_for, playing, preview, unloadable
from voxterm.voices import Catalogue, voices_folder

WITHOUT_PACKAGES = "the packages of the speech models are not installed"
INSTALL_PACKAGES = "install them: pip install 'voxterm[models]', or `make install` where there is a GPU"

HEARING: tuple[Role, ...] = ("speech language model", "transcriber")
ALL_ROLES: tuple[Role, ...] = (*HEARING, "language model", "synthesizer")


@dataclass(frozen=True, slots=True)
class Casting:
    """Which engines play, and what is loaded where."""

    profile: Profile  # with the embedded engines where a model has no place
    plan: Plan
    notes: tuple[str, ...] = ()  # engines that gave way to others


def cast_of(settings: Settings, roles: Collection[Role] = ALL_ROLES) -> Cast:
    """The engines of the profile, not loaded yet.

    `roles`: those that will be loaded; in the others are the embedded engines.

    Raises:
        ConfigError, VoiceError: no such profile, engine or voice.
        EngineLoadError: the profile needs packages that are not installed, or checkpoints that are not here.
    """
    catalogue = Catalogue.read(voices_folder())
    casting = casting_of(settings, roles)
    profile, plan = casting.profile, casting.plan
    if error := unloadable(plan, is_whole=set(roles) == set(ALL_ROLES)) if plan.placements else None:
        raise error
    voice, note = catalogue.voice_for(settings.speech.voice, profile.synthesizer)
    personalities = personalities_of(settings, catalogue, profile.synthesizer)
    personality = personalities[settings.dialogue.persona]
    persona = settings.dialogue.personas.get(settings.dialogue.persona)
    if persona and persona.voice == settings.speech.voice:
        note = ""  # nobody asked for the other one by name: a persona goes with any engine
    own = _with_checkpoint_of(voice, settings.engines)
    given_up = () if settings.profile == AUTO and plan.profile == EMBEDDED else plan.gives_up
    return Cast(
        profile=profile.name,
        reason=plan.reason,
        vad=registry.build_vad(settings.turns.vad, settings.engines),
        detector=registry.build_detector(settings.turns.detector, settings.engines),
        understanding=registry.build_understanding(profile, settings.engines, plan.placements),
        synthesizer=registry.build_synthesizer(profile, own, plan.placements),
        voice=voice,
        personality=personality,
        personalities=personalities,
        notes=(*casting.notes, *given_up, *([note] if note else [])),
        problems=catalogue.problems,
        voices=catalogue.for_engine(profile.synthesizer),
    )


def casting_of(settings: Settings, roles: Collection[Role] = ALL_ROLES) -> Casting:
    """Who plays by the profile of the settings, and where; in other roles than these the embedded engines.

    Raises:
        ConfigError: there is no such profile.
        EngineLoadError: it was asked for by name, and its packages are not installed.
    """
    wishes = wishes_of(settings)
    notes: tuple[str, ...] = ()
    if set(roles) != set(ALL_ROLES):
        settings, wishes = _with_roles(settings, wishes, roles)
    if settings.profile != AUTO:
        wanted = registry.profile_named(settings.profile, wishes.profiles)
        able, notes = _able(wanted, wishes.lacking)
        wishes = replace(wishes, profiles={**wishes.profiles, able.name: able})
    plan = plan_for(settings.profile, wishes, os.environ)
    return Casting(playing(plan, wishes), plan, notes)


def _with_roles(settings: Settings, wishes: Wishes, roles: Collection[Role]) -> tuple[Settings, Wishes]:
    """Only these roles of the profile of the settings, or of the one that `auto` takes."""
    name = settings.profile
    if name == AUTO:
        name = plan_for(AUTO, wishes, os.environ).profile
    profile = registry.profile_named(name, wishes.profiles)
    reduced = profile.without({engine.name for engine in profile.declared if engine.role not in roles})
    profiles = {**wishes.profiles, name: reduced}
    return settings.model_copy(update={"profile": name}), replace(wishes, profiles=profiles)


def wishes_of(settings: Settings) -> Wishes:
    """What the settings ask of a plan.

    Raises:
        ConfigError: a profile makes no conversation.
    """
    models = [engine for engine in ENGINES.values() if engine.model]
    sections = {engine.name: getattr(settings.engines, engine.name) for engine in models}
    contexts = {name: getattr(section, "context_tokens", None) for name, section in sections.items()}
    wanted = settings.gpu.precision
    return Wishes(
        precision="bf16" if wanted == "auto" else wanted,
        context_tokens={name: tokens for name, tokens in contexts.items() if tokens},
        memory_limit_bytes=parse_size(settings.gpu.memory) if settings.gpu.memory else None,
        checkpoints={
            name: place for engine in models for name, place in _checkpoints(engine, settings).items()
        },
        profiles=registry.profiles(settings.profiles, settings.engines, settings.place),
        written={name: key for engine in models for name, key in _written(engine, settings).items()},
        lacking={
            name: lines
            for name, engine in registry.engines_of(settings.engines).items()
            if (lines := engine.lacking())
        },
    )


def checkpoints_of(profile: str, settings: Settings) -> tuple[str, ...]:
    """The checkpoints that a profile loads; for `auto` those that it would load on this machine.

    Raises:
        ConfigError: there is no such profile.
    """
    wishes = wishes_of(settings)
    engines: Collection[Declaration]
    if profile == AUTO:
        plan = preview(AUTO, wishes, os.environ)
        engines = [ENGINES[name] for name in plan.placements]
    else:
        engines = registry.profile_named(profile, wishes.profiles).declared
    return tuple(place for engine in engines for place in _checkpoints(engine, settings).values())


def _checkpoints(engine: Declaration, settings: Settings) -> dict[str, str]:
    """By model and codec of an engine: a folder, or a repository's name."""
    if engine.model is None:
        return {}
    section = getattr(settings.engines, engine.name)
    found = {engine.name: section.checkpoint or _checkpoint_of_voice(engine, settings)}
    if engine.model.codec:
        found[engine.model.codec_name] = section.codec
    return found


def _written(engine: Declaration, settings: Settings) -> dict[str, str]:
    """By model and codec of an engine: the setting that names its checkpoint, where it is not a voice's."""
    assert engine.model is not None
    section = f"engines.{engine.name}"
    found = {engine.model.codec_name: settings.place(f"{section}.codec")} if engine.model.codec else {}
    if getattr(settings.engines, engine.name).checkpoint:
        found[engine.name] = settings.place(f"{section}.checkpoint")
    return found


def _checkpoint_of_voice(engine: Declaration, settings: Settings) -> str:
    """The checkpoint of who would speak with this synthesizer."""
    assert engine.model is not None
    catalogue = Catalogue.read(voices_folder())
    for wanted in (settings.speech.voice, AUTO):
        with suppress(VoiceError):  # `cast_of` says so, if it is this engine that is to speak
            return catalogue.voice_for(wanted, engine.name)[0].checkpoint
    return engine.model.checkpoint


def _with_checkpoint_of(voice: Voice, engines: EngineSettings) -> EngineSettings:
    """The engines' settings, with the voice's checkpoint where its engine's section names none."""
    section: Any = getattr(engines, voice.engine, None)
    if not voice.checkpoint or getattr(section, "checkpoint", None) != "":
        return engines
    return engines.model_copy(
        update={voice.engine: section.model_copy(update={"checkpoint": voice.checkpoint})}
    )


def _able(profile: Profile, lacking: Mapping[str, tuple[str, ...]]) -> tuple[Profile, tuple[str, ...]]:
    """The profile, with another engine where one gives way since its packages are too old; and that in words.

    Raises:
        EngineLoadError: an engine cannot run, and none takes its place.
    """
    notes: list[str] = []

    def able(name: str) -> str:
        engine, lines = ENGINES[name], lacking.get(name, ())
        if not lines:
            return name
        if engine.gives_way_to and engine.gives_way_to not in lacking:
            other = ENGINES[engine.gives_way_to]
            notes.append(f"{engine.title} needs {', '.join(lines)}; {other.title} takes its place")
            return other.name
        raise EngineLoadError(f"{engine.title} needs {', '.join(lines)}", INSTALL_PACKAGES)

    engines, second = (tuple(map(able, names)) for names in (profile.engines, profile.second_choices))
    return replace(profile, engines=engines, second_choices=second), tuple(notes)
