"""The screen of one conversation, from its first picture to its end, but for the keys.

The first picture is there before anything is loaded: the conversation is opened behind it.
"""

from __future__ import annotations

import asyncio
import difflib
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import datetime
from pathlib import PurePath
from typing import ClassVar

from voxterm.errors import ConfigError, VoxtermError, as_error
from voxterm.events import Event, Levels, Trouble, TurnFinished
from voxterm.gauges import Gauges
from voxterm.tui import model
from voxterm.tui.controls import Conversing, Opening, PastTurn, ScreenSettings
from voxterm.tui.dialogs.voice_picker import VoicePicker
from voxterm.tui.gauge_watch import watch_gauges
from voxterm.tui.loop_watch import LoopWatch
from voxterm.tui.main_screen import MainScreen
from voxterm.tui.pace import Pace
from voxterm.tui.terminal.terminal_app import TerminalApp

TEXT_INTERVAL_S = 1 / 30
"""Over SSH a fast model would else flood the line."""

LEVEL_INTERVAL_S = 1 / 10

STOP_S = 5.0
"""How long the conversation may take to give back its devices and to close its store."""


class TalkApp(TerminalApp):
    """Opens a conversation, runs and shows it, and leaves it. Its result is the exit code.

    Raises:
        ConfigError: there is no theme of that name.
    """

    TITLE = "voxterm"
    CSS_PATH: ClassVar[list[str | PurePath]] = ["voxterm.tcss", "dialogs/dialogs.tcss"]

    def __init__(
        self,
        opening: Opening,
        settings: ScreenSettings,
        now: Callable[[], datetime] = datetime.now,
    ) -> None:
        """`opening` makes the conversation; it is awaited once the first picture is there."""
        super().__init__()
        self._settings = settings
        if settings.theme not in self.available_themes:
            raise _no_such_theme(settings.theme, self.available_themes)
        self.refusal: VoxtermError | None = None
        """Why there was no conversation at all; nothing was started then."""
        self._opening = opening
        self._conversing: Conversing | None = None
        self.now = now
        self._started = now()
        self.model = model.ScreenModel()
        self._main = MainScreen()
        self._text_pace = Pace(self, TEXT_INTERVAL_S, self._show_text)
        self._level_pace = Pace(self, LEVEL_INTERVAL_S, self._show_levels)
        self._unsaved_turns = 0
        self._ended = asyncio.Event()  # the conversation runs no more
        self._loop_watch = LoopWatch(self._note)

    def get_default_screen(self) -> MainScreen:
        return self._main

    def on_mount(self) -> None:
        self.theme = self._settings.theme
        self._ended.set()  # it has not begun
        if self._settings.watch_loop:
            self._loop_watch.start()
        self._main.show(self.model)
        self._main.set_interval(1.0, self._show_elapsed)
        self.call_after_refresh(self._begin)

    def on_unmount(self) -> None:
        self._loop_watch.stop()

    def show_now(self) -> None:
        """Bring the screen up to date at once."""
        self._show_text()
        self._show_levels()

    def _begin(self) -> None:
        """The first picture is there: now engines may take their time."""
        if not self._is_leaving:
            self._ended.clear()
            self.run_worker(self._converse(), name="conversation")

    async def _converse(self) -> None:
        try:
            error = await self._open_and_run()
        finally:
            self._ended.set()
        if not self._is_leaving:
            self.change(model.failed(self.model, error, self.now()))

    async def _open_and_run(self) -> VoxtermError:
        """Why the conversation has come to its end."""
        try:
            self._conversing = await self._opening()
        except Exception as error:
            self.refusal = refusal = as_error(error)
            self._is_leaving = True
            self.exit(refusal.exit_code, return_code=refusal.exit_code)
            return refusal
        controls = self._conversing.controls
        controls.subscribe(self._hear)
        self._main.threshold = self._conversing.surroundings.speech_threshold
        if self._conversing.past:
            self.change(model.gone_on(self.model, self._conversing.past))
        if self._is_leaving:
            return VoxtermError("voxterm is leaving", "")
        for line in self.model.waiting:
            controls.type_text(line)
        read_gauges = self._conversing.surroundings.read_gauges
        gauges = asyncio.create_task(watch_gauges(read_gauges, self._show_gauges, self._note))
        try:
            await controls.run()
        except Exception as failure:  # the talk stays on the screen, to be read and saved
            return as_error(failure, "start voxterm --resume: every finished turn is kept")
        finally:
            gauges.cancel()
            await asyncio.wait([gauges])
        return VoxtermError("the conversation has ended", "quit with q, and start voxterm again")

    def leave(self) -> None:
        """Leave, once the conversation has given back what it holds."""
        if not self._is_leaving:
            self._is_leaving = True
            self.change(model.leaving(self.model))
            self.run_worker(self._leave(), name="leave")

    async def _leave(self) -> None:
        """Let the conversation give back what it holds, then go."""
        if self._conversing:
            self._conversing.controls.stop()
        with suppress(asyncio.TimeoutError):  # then it is cancelled with the app
            await asyncio.wait_for(self._ended.wait(), STOP_S)
        failure = self.model.status.failure
        code = 0 if failure is None else failure.exit_code
        self.exit(code, return_code=code)

    def _hear(self, event: Event) -> None:
        self.model = model.apply(self.model, event, self.now())
        if isinstance(event, Trouble) and event.turn is None:
            self._tell_dialog(VoxtermError(event.what, event.remedy))
        self._unsaved_turns += isinstance(event, TurnFinished)
        (self._level_pace if isinstance(event, Levels) else self._text_pace).request()

    def _tell_dialog(self, error: VoxtermError) -> None:
        """Where a voice is to be heard before it is chosen, the talk that says it too lies behind that."""
        for screen in self.screen_stack:
            if isinstance(screen, VoicePicker):
                screen.call_later(screen.note_trouble, error)

    def change(self, changed: model.ScreenModel) -> None:
        self.model = changed
        self._text_pace.request()

    def go_on(self, past: Sequence[PastTurn]) -> None:
        """Another session was taken up, of which these are the turns."""
        self._unsaved_turns = 0
        self.change(replace(model.gone_on(self.model, past), waiting=()))

    def note_saved(self, path: PurePath) -> None:
        """The conversation so far is in this file."""
        self._unsaved_turns = 0
        self.change(model.noted(self.model, f"saved as {path}", self.now()))

    def _show_gauges(self, gauges: Gauges) -> None:
        if gauges != self.model.gauges:
            self.change(replace(self.model, gauges=gauges))

    def _note(self, line: str) -> None:
        self.change(model.slowed(self.model, line, self.now()))

    def _show_text(self) -> None:
        self._main.show(self.model)

    def _show_levels(self) -> None:
        self._main.show_levels(self.model)

    def _show_elapsed(self) -> None:
        self._main.elapsed_s = max(0, int((self.now() - self._started).total_seconds()))
        if self.model.status.loading:
            self.change(model.waited(self.model, self.now()))


def _no_such_theme(wanted: str, known: Mapping[str, object]) -> ConfigError:
    near = difflib.get_close_matches(wanted, known, n=3) or sorted(known)[:3]
    return ConfigError(f'screen.theme: there is no theme "{wanted}"', f"near are {', '.join(near)}")
