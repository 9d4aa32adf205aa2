"""Parts wired together from settings: devices, the store, a session and its recorder."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from voxterm.cli.parser import setting_flags
from voxterm.cli.personas import with_persona
from voxterm.clock import Clock, RealClock
from voxterm.config import Settings, load_settings
from voxterm.conversation import Cast, Conversation, Devices
from voxterm.engines.protocols import Samples
from voxterm.errors import VoxtermError
from voxterm.history import History
from voxterm.recorder import Recorder
from voxterm.store import Session, Store, StoredTurn, state_folder

SWITCH_INTERVAL_S = 0.001
"""How long a busy Python thread may keep the callbacks of the sound devices waiting. With Python's own 5 ms
they came too late 110 times in 10 s beside a thread that computes, with 1 ms never."""

DEMO_CLIPS = ("demo-1.flac", "demo-2.flac")


def settings_of(arguments: argparse.Namespace) -> Settings:
    """The settings in force for a command.

    Raises:
        ConfigError: a file, variable or flag is wrong.
        VoiceError: the persona's voice does not exist.
        SessionError, StoreError: the session to resume is not there, or its persona is not.
    """
    flags = setting_flags(arguments)
    settings = load_settings(arguments.config, flags, os.environ).settings
    return with_persona(settings, flags, getattr(arguments, "resume", None))


def headless_settings_of(arguments: argparse.Namespace) -> Settings:
    """As `settings_of`, for recordings, which press no key.

    Raises:
        ConfigError: a file, variable or flag is wrong.
    """
    settings = settings_of(arguments)
    return settings.model_copy(update={"turns": settings.turns.model_copy(update={"mode": "open"})})


def devices_of(settings: Settings) -> Devices:
    """The microphone and the loudspeaker of the settings, not opened yet."""
    from voxterm.audio.front_end import FrontEnd, FrontEndSettings
    from voxterm.audio.loudspeaker import DeviceLoudspeaker
    from voxterm.audio.microphone import DeviceMicrophone
    from voxterm.audio.portaudio import PortAudio

    sys.setswitchinterval(SWITCH_INTERVAL_S)
    clock = RealClock()
    portaudio = PortAudio(clock)  # one for both: its list of devices is the process's
    audio = settings.audio
    front_end = FrontEnd(FrontEndSettings(audio.echo, audio.noise_suppression, audio.gain_control))
    loudspeaker = DeviceLoudspeaker(portaudio, clock, audio.loudspeaker)
    loudspeaker.tap(lambda samples, left_s: front_end.played(samples, loudspeaker.rate_hz, left_s))
    microphone = DeviceMicrophone(portaudio, clock, audio.microphone, front_end)
    return Devices(microphone, loudspeaker, clock, front_end)


def store_of(settings: Settings) -> Store:
    """The store of the settings' folder; nothing is opened yet."""
    return Store(state_folder(settings.sessions.folder))


def demo_clips() -> list[Samples]:
    """The shipped recording: a person who says two things. (N,) each, at 16 kHz"""
    from voxterm.audio.wav import read_audio

    folder = Path(__file__).parent.parent / "data"
    return [read_audio(folder / name) for name in DEMO_CLIPS]


@dataclass(frozen=True, slots=True)
class Kept:
    """A conversation's place in the store; `past` is what was said before, if it is resumed.

    Without a session nothing is kept. The store is its own, since the recorder's thread uses it.
    """

    store: Store
    session: Session | None
    past: list[StoredTurn]
    persona: str = ""  # who answers in it

    @property
    def last_turn(self) -> int:
        """The number of its newest turn; 0 where there is none."""
        return self.past[-1].number if self.past else 0

    def history(self, settings: Settings) -> History:
        return History.resumed(self.past, settings.dialogue.memory_turns)

    @asynccontextmanager
    async def recording(self, conversation: Conversation, clock: Clock) -> AsyncIterator[Recorder]:
        """While inside, every turn of the conversation is stored as it is finished."""
        conversation.go_on_after(self.last_turn)
        recorder = Recorder(self.session, clock, conversation.tell)
        conversation.subscribe(recorder.follow)
        try:
            yield recorder
        finally:
            await recorder.close()

    def close(self) -> None:
        """Let the session go; one in which nothing was said leaves no trace."""
        if self.session:
            empty = not self.session.turns()
            self.session.close()
            if empty:
                self.store.delete(self.session.id)
        self.store.close()


def kept_session(settings: Settings, cast: Cast, resume: str | None, *, persona_wins: bool = False) -> Kept:
    """A new session, or the one to resume ("": the latest).

    `persona_wins`: one to resume goes on with the persona of this cast, else with its own.

    Raises:
        SessionError: there is none of that name, or another voxterm has it open.
        StoreError: the folder cannot be used.
    """
    store = store_of(settings)
    persona = cast.personality.name
    if resume is None and not settings.sessions.keep:
        return Kept(store, None, [], persona)
    try:
        if resume is None:
            session = store.new_session(cast.profile, cast.names(), cast.voice.name, persona=persona)
            return Kept(store, session, [], persona)
        session = store.open_session(resume or None)
        own = store.find(session.id).persona
        if persona_wins and persona != own:
            session.note_persona(persona)
        return Kept(store, session, session.turns(), persona if persona_wins else own)
    except VoxtermError:
        store.close()
        raise
