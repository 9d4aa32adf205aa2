"""The screen as a program: keys become requests to the conversation, its events become what is shown.

controls ── events ──► apply ──► ScreenModel ── at most 30 times a second ──► MainScreen ──► panes
    ▲                                                                                        │
    └──────────────── type, interrupt, mute, talk, repeat, play, stop ◄──────────── keys ────┘
"""

from __future__ import annotations

import asyncio
import difflib
import signal
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from datetime import datetime
from typing import ClassVar

from textual.app import App
from textual.binding import Binding, BindingType
from textual.widgets import Input

from voxterm.errors import ConfigError, VoxtermError
from voxterm.events import DeviceStatus, Event, Levels, State
from voxterm.tui import model
from voxterm.tui.controls import Controls, PastTurn, ScreenSettings
from voxterm.tui.conversation_pane import ConversationPane
from voxterm.tui.dialogs import HelpDialog, LogDialog
from voxterm.tui.main_screen import MainScreen
from voxterm.tui.pace import Pace
from voxterm.tui.prompt import TypedLine

TEXT_INTERVAL_S = 1 / 30
"""Over SSH a fast model would else flood the line."""

LEVEL_INTERVAL_S = 1 / 10

STOP_S = 5.0
"""How long the conversation may take to give back its devices and to close its store."""

_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class VoxtermApp(App[int]):
    """The screen of one conversation. Its result is the exit code.

    Raises:
        ConfigError: there is no theme of that name.
    """

    TITLE = "voxterm"
    CSS_PATH = "voxterm.tcss"
    ENABLE_COMMAND_PALETTE = False
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("ctrl+q,ctrl+c", "leave", "quit", priority=True),
        Binding("q", "leave", "quit"),
        Binding("space", "talk", "talk"),
        Binding("m", "mute", "mute"),
        Binding("escape", "interrupt", "interrupt"),
        Binding("t", "type", "type"),
        Binding("r", "repeat", "repeat"),
        Binding("p", "play", "play"),
        Binding("l", "log", "log"),
        Binding("question_mark", "help", "help"),
        Binding("pageup", "page(-1)", "scroll back"),
        Binding("pagedown", "page(1)", "scroll forth"),
        Binding("end", "follow", "follow the talk"),
    ]

    def __init__(
        self,
        controls: Controls,
        settings: ScreenSettings,
        past: Sequence[PastTurn] = (),
        now: Callable[[], datetime] = datetime.now,
    ) -> None:
        super().__init__()
        self._settings = settings
        if settings.theme not in self.available_themes:
            raise _no_such_theme(settings.theme, self.available_themes)
        self._controls = controls
        self._now = now
        self._started = now()
        self._model = model.resumed(past)
        self._main = MainScreen()
        self._text_pace = Pace(self, TEXT_INTERVAL_S, self._show_text)
        self._level_pace = Pace(self, LEVEL_INTERVAL_S, self._show_levels)
        self._is_leaving = False
        self._ended = asyncio.Event()  # the conversation runs no more

    def get_default_screen(self) -> MainScreen:
        return self._main

    def on_mount(self) -> None:
        self.theme = self._settings.theme
        self._ended.set()  # it has not begun
        loop = asyncio.get_running_loop()
        for number in _SIGNALS:
            loop.add_signal_handler(number, self.action_leave)
        self._main.show(self._model)
        self._main.set_interval(1.0, self._show_elapsed)
        self.call_after_refresh(self._begin)

    def on_unmount(self) -> None:
        loop = asyncio.get_running_loop()
        for number in _SIGNALS:
            loop.remove_signal_handler(number)

    def show_now(self) -> None:
        """Bring the screen up to date at once."""
        self._show_text()
        self._show_levels()

    # ---- the conversation

    def _begin(self) -> None:
        """The first picture is there: now engines may take their time."""
        if self._is_leaving:
            return
        self._controls.subscribe(self._hear)
        self._ended.clear()
        self.run_worker(self._converse(), name="conversation")

    async def _converse(self) -> None:
        try:
            await self._controls.run()
            error = VoxtermError("the conversation has ended", "quit with q, and start voxterm again")
        except VoxtermError as failure:
            error = failure
        finally:
            self._ended.set()
        if not self._is_leaving:
            self._change(model.failed(self._model, error, self._now()))

    async def _leave(self) -> None:
        """Let the conversation give back what it holds, then go."""
        self._controls.stop()
        with suppress(asyncio.TimeoutError):  # then it is cancelled with the app
            await asyncio.wait_for(self._ended.wait(), STOP_S)
        failure = self._model.status.failure
        code = 0 if failure is None else failure.exit_code
        self.exit(code, return_code=code)

    def _hear(self, event: Event) -> None:
        self._model = model.apply(self._model, event, self._now())
        (self._level_pace if isinstance(event, Levels) else self._text_pace).request()

    def _change(self, changed: model.ScreenModel) -> None:
        self._model = changed
        self._text_pace.request()

    def _show_text(self) -> None:
        self._main.show(self._model)

    def _show_levels(self) -> None:
        self._main.show_levels(self._model)

    def _show_elapsed(self) -> None:
        self._main.elapsed_s = max(0, int((self._now() - self._started).total_seconds()))

    # ---- the keys

    def action_leave(self) -> None:
        if not self._is_leaving:
            self._is_leaving = True
            self.run_worker(self._leave(), name="leave")

    def action_talk(self) -> None:
        is_talking = not self._model.status.talking
        if self._can_ask(State.LOADING, *self._deaf()):
            self._change(model.talking(self._model, is_talking))
            self._controls.talk(is_talking)

    def action_mute(self) -> None:
        is_muted = not self._model.status.muted
        if self._can_ask():
            self._change(model.muted(self._model, is_muted))
            self._controls.mute(is_muted)

    def action_interrupt(self) -> None:
        if self._can_ask(State.LOADING):
            self._controls.interrupt()

    def action_repeat(self) -> None:
        if self._can_ask(State.LOADING):
            self._controls.repeat()

    def action_play(self) -> None:
        if self._can_ask():
            self._controls.play_recording()

    def action_type(self) -> None:
        self._main.query_one(TypedLine).focus()

    def action_page(self, direction: int) -> None:
        self._main.query_one(ConversationPane).page(direction)

    def action_follow(self) -> None:
        self._main.query_one(ConversationPane).follow()

    def action_log(self) -> None:
        self.push_screen(LogDialog(self._model.warnings))

    def action_help(self) -> None:
        self.push_screen(HelpDialog())

    def on_input_submitted(self, event: Input.Submitted) -> None:
        if text := self._main.query_one(TypedLine).take():
            self._main.query_one(ConversationPane).follow()
            if self._model.status.failure is None:
                self._controls.type_text(text)
            else:
                self._change(model.refused(self._model, self._model.status.failure, self._now()))

    def _deaf(self) -> tuple[State, ...]:
        """States in which a talk key would open a turn that hears nothing."""
        is_missing = self._model.devices.microphone.status is DeviceStatus.MISSING
        return (State.MUTED, State.LISTENING) if is_missing else (State.MUTED,)

    def _can_ask(self, *unless: State) -> bool:
        """Whether the conversation can be asked for something; if it cannot, the bell says so."""
        can = self._model.status.failure is None and self._model.status.state not in unless
        if not can:
            self.bell()
        return can


def _no_such_theme(name: str, themes: Mapping[str, object]) -> ConfigError:
    near = difflib.get_close_matches(name, themes, n=3) or sorted(themes)[:3]
    return ConfigError(f"screen.theme: there is no theme “{name}”", f"set it to one like {', '.join(near)}")
