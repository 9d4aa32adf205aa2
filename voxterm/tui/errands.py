"""What some keys set off beside the talk: choosing, sessions, saving. A dialog each, or work on a thread."""

from __future__ import annotations

import asyncio
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING

from voxterm.errors import OutputError, as_error
from voxterm.events import DeviceStatus
from voxterm.tui import model
from voxterm.tui.controls import Conversing, DeviceChoice, DeviceKind, Sessions, VoiceChoice
from voxterm.tui.dialogue import transcript
from voxterm.tui.picker import device_picker, theme_picker, voice_picker
from voxterm.tui.session_dialog import OpenSession, SessionDialog

if TYPE_CHECKING:
    from voxterm.tui.app import VoxtermApp


class Errands:
    """Runs them for an app. What goes wrong is said in the talk and in the log."""

    def __init__(self, app: VoxtermApp) -> None:
        self._app = app

    def choose_voice(self, conversing: Conversing) -> None:
        def take(voice: VoiceChoice | None) -> None:
            if voice:
                conversing.controls.choose_voice(voice.name)

        picker = voice_picker(conversing.surroundings.voices, self._app.model.status.voice)
        self._app.push_screen(picker, take)

    def choose_device(self, conversing: Conversing) -> None:
        def take(device: DeviceChoice | None) -> None:
            if device:
                conversing.controls.choose_device(device.kind, device.wanted)

        devices = self._app.model.devices
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
            if chosen:
                self._app.unless_lost("Leave it?", lambda: begin(chosen.session_id))

        def begin(session_id: str | None) -> None:
            self._app.run_worker(self._open(sessions, session_id), name="open a session")

        self._app.push_screen(SessionDialog(sessions), take)

    def save(self, sessions: Sessions) -> None:
        self._app.run_worker(self._save(sessions), name="save")

    async def _open(self, sessions: Sessions, session_id: str | None) -> None:
        app = self._app
        try:
            past = await sessions.open(session_id)
        except Exception as error:  # whatever it is, the talk goes on
            app.change(model.troubled(app.model, as_error(error), app.now()))
            return
        app.go_on(past)

    async def _save(self, sessions: Sessions) -> None:
        app = self._app
        current = sessions.current_id
        try:
            if current is None:
                text = transcript(app.model.dialogue)
                path = await asyncio.to_thread(_write, f"voxterm-{app.now():%Y%m%d-%H%M%S}", text)
            else:
                path = await asyncio.to_thread(sessions.export, current, "md")
        except Exception as error:  # whatever it is, the talk goes on
            app.change(model.troubled(app.model, as_error(error), app.now()))
            return
        app.note_saved(path)


def _write(name: str, text: str) -> Path:
    """Into a new file of the folder that voxterm was started in.

    Raises:
        OutputError: it cannot be written.
    """
    for number in count(1):
        path = Path(f"{name}.md" if number == 1 else f"{name}-{number}.md")
        try:
            with path.open("x", encoding="utf-8") as file:
                file.write(text)
        except FileExistsError:
            continue
        except OSError as error:
            raise OutputError(
                f"{path} cannot be written: {error.strerror}", "start voxterm elsewhere"
            ) from error
        return path.absolute()
    raise AssertionError("there is always a number that is free")
