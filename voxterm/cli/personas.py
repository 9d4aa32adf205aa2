"""The persona that answers, with what it brings: of the settings, a flag, or the session to resume.

What the settings mean is looked at here too, before anything is begun: here it is known which file, variable
or flag each of them is from.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

from voxterm.config import Settings
from voxterm.engines import registry
from voxterm.errors import SessionError, VoiceError
from voxterm.personality import Personality, check_persona, personalities
from voxterm.store import Store, state_folder
from voxterm.voices import AUTO, Catalogue, voices_folder

PERSONA, VOICE, SPEED = "dialogue.persona", "speech.voice", "speech.speed"


def with_persona(settings: Settings, flags: Mapping[str, object], resume: str | None = None) -> Settings:
    """The settings with the voice and the speed of their persona, as far as no flag gives others.

    `resume` is the session to resume ("": the latest; None: none), which goes on with its own persona unless
    a flag names one.

    Raises:
        ConfigError: there is no such persona, or a profile or a language that cannot be.
        VoiceError: its voice does not exist.
        SessionError, StoreError: the session is not there, or its persona is not.
    """
    if resume is not None and PERSONA not in flags:
        settings = _changed(settings, "dialogue", persona=_persona_of(settings, resume))
    _check_meaning(settings)
    dialogue = settings.dialogue
    if not dialogue.persona:
        return settings
    persona = dialogue.personas[dialogue.persona]
    if persona.voice and VOICE not in flags:
        if persona.voice != AUTO:
            _check_voice(dialogue.persona, persona.voice, settings.place)
        settings = _changed(settings, "speech", voice=persona.voice)
    if persona.speed is not None and SPEED not in flags:
        settings = _changed(settings, "speech", speed=persona.speed)
    return settings


def personalities_of(settings: Settings, catalogue: Catalogue, engine: str) -> dict[str, Personality]:
    """All who can answer, by name, each with a voice that this engine has, or with its trouble.

    Raises:
        ConfigError: a language that nobody knows.
    """
    return {
        name: _with_voice(personality, catalogue, engine, settings.place)
        for name, personality in personalities(settings.dialogue, settings.place).items()
    }


def _check_meaning(settings: Settings) -> None:
    """
    Raises:
        ConfigError: an engine, a language or a persona that nobody knows, or engines that make no profile.
    """
    profiles = registry.profiles(settings.profiles, settings.engines, settings.place)
    if settings.profile != AUTO:
        registry.profile_named(settings.profile, profiles, settings.place("profile"))
    personalities(settings.dialogue, settings.place)
    check_persona(settings.dialogue, settings.place)


def _with_voice(
    personality: Personality, catalogue: Catalogue, engine: str, place: Callable[[str], str]
) -> Personality:
    """A voice of another engine gives way to one of its language, as everywhere."""
    if not personality.voice:
        return personality
    try:
        voice, _ = catalogue.voice_for(personality.voice, engine)
    except VoiceError as error:
        return replace(personality, voice="", trouble=_of_persona(personality.name, error, place))
    return replace(personality, voice=voice.name)


def _check_voice(persona: str, voice: str, place: Callable[[str], str]) -> None:
    try:
        Catalogue.read(voices_folder()).find(voice)
    except VoiceError as error:
        raise _of_persona(persona, error, place) from None


def _of_persona(persona: str, error: VoiceError, place: Callable[[str], str]) -> VoiceError:
    return VoiceError(f"{place(f'dialogue.personas.{persona}.voice')}: {error.what}", error.remedy)


def _persona_of(settings: Settings, session_id: str) -> str:
    """The persona that the session goes on with."""
    store = Store(state_folder(settings.sessions.folder))
    try:
        session = store.find(session_id or None)
    finally:
        store.close()
    if session.persona and session.persona not in settings.dialogue.personas:
        what = f'session {session.id} goes on with the persona "{session.persona}", and there is none'
        raise SessionError(what, 'choose another with --persona NAME, or none with --persona ""')
    return session.persona


def _changed(settings: Settings, section: str, **values: object) -> Settings:
    changed = getattr(settings, section).model_copy(update=values)
    return settings.model_copy(update={section: changed})
