"""What some keys set off beside the talk: choosing, sessions, saving. A dialog each, or work on a thread."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from datetime import datetime
from pathlib import Path, PurePath
from typing import Any, Protocol

from textual.app import App

from voxterm.errors import as_error
from voxterm.events import DeviceStatus
from voxterm.export import new_file, write_text
from voxterm.tui import model
from voxterm.tui.controls import (
    Conversing,
    DeviceChoice,
    DeviceKind,
    PastTurn,
    PersonaChoice,
    Sessions,
    VoiceChoice,
)
from voxterm.tui.dialogs.persona_picker import persona_picker
from voxterm.tui.dialogs.picker import device_picker, theme_picker
from voxterm.tui.dialogs.session_dialog import OpenSession, SessionDialog
from voxterm.tui.dialogs.voice_picker import VoicePicker
from voxterm.tui.dialogue import transcript
from voxterm.tui.model import ScreenModel


class Talk(Protocol):
    """The conversation as an app shows it."""

    model: ScreenModel

    def change(self, changed: ScreenModel) -> None:
        """Show this from now on."""
        ...

    def now(self) -> datetime: ...

    def go_on(self, past: Sequence[PastTurn]) -> None:
        """Another session was taken up, of which these are the turns."""
        ...

    def note_saved(self, path: PurePath) -> None:
        """The conversation so far is in this file."""
        ...

    def unless_lost(self, question: str, work: Callable[[], None]) -> None:
        """Do it; where the talk would be lost by it, only if the person wants that."""
        ...


class Errands:
    """Runs them for an app. What goes wrong is said in the talk and in the log."""

    def __init__(self, app: App[Any], talk: Talk) -> None:
        self._app = app
        self._talk = talk

    def choose_voice(self, conversing: Conversing) -> None:
        def take(voice: VoiceChoice | None) -> None:
            if voice:
                conversing.controls.choose_voice(voice.name)

        voices, current = conversing.surroundings.voices, self._talk.model.status.voice
        self._app.push_screen(VoicePicker(voices, current, conversing.controls.sample_voice), take)

    def choose_persona(self, conversing: Conversing) -> None:
        def take(persona: PersonaChoice | None) -> None:
            if persona:
                conversing.controls.choose_persona(persona.name)

        picker = persona_picker(conversing.surroundings.personas, self._talk.model.status.persona)
        self._app.push_screen(picker, take)

    def choose_device(self, conversing: Conversing) -> None:
        def take(device: DeviceChoice | None) -> None:
            if device:
                conversing.controls.choose_device(device.kind, device.wanted)

        devices = self._talk.model.devices
        open_now: dict[DeviceKind, str | int] = {}
        if devices.microphone.status is DeviceStatus.OPEN:
            open_now["microphone"] = devices.microphone.name
        if devices.loudspeaker.status is DeviceStatus.OPEN:
            open_now["loudspeaker"] = devices.loudspeaker.name
        self._app.push_screen(device_picker(conversing.surroundings.list_devices, open_now), take)

    def choose_theme(self) -> None:
        def put_on(theme: str | None) -> None:
            if theme:
                self._app.theme = theme

        themes = sorted(self._app.available_themes)
        self._app.push_screen(theme_picker(themes, self._app.theme, put_on), put_on)

    def show_sessions(self, sessions: Sessions) -> None:
        def take(chosen: OpenSession | None) -> None:
            if chosen and self._talk.model.status.failure:  # nobody is left to go on with it
                self._talk.change(model.refused(self._talk.model, self._talk.now()))
            elif chosen:
                self._talk.unless_lost("Leave it?", lambda: begin(chosen.session_id))

        def begin(session_id: str | None) -> None:
            self._app.run_worker(self._open(sessions, session_id), name="open a session")

        self._app.push_screen(SessionDialog(sessions), take)

    def save(self, sessions: Sessions) -> None:
        self._app.run_worker(self._save(sessions), name="save")

    async def _open(self, sessions: Sessions, session_id: str | None) -> None:
        talk = self._talk
        try:
            past = await sessions.open(session_id)
        except Exception as error:  # whatever it is, the talk goes on
            talk.change(model.troubled(talk.model, as_error(error), talk.now()))
            return
        talk.go_on(past)

    async def _save(self, sessions: Sessions) -> None:
        talk = self._talk
        current = sessions.current_id
        try:
            if current is None:
                text = transcript(talk.model.dialogue)
                path = await asyncio.to_thread(_write, f"voxterm-{talk.now():%Y%m%d-%H%M%S}", text)
            else:
                path = await asyncio.to_thread(sessions.export, current, "md")
        except Exception as error:  # whatever it is, the talk goes on
            talk.change(model.troubled(talk.model, as_error(error), talk.now()))
            return
        talk.note_saved(path)


def _write(name: str, text: str) -> Path:
    """Into a new file of the folder that voxterm was started in.

    Raises:
        OutputError: it cannot be written.
    """
    path = new_file(Path(), name, "md")
    write_text(path, text)
    return path
