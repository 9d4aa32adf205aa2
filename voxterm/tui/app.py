"""The screen as a program: keys become requests to the conversation, its events become what is shown.

controls ── events ──► apply ──► ScreenModel ── at most 30 times a second ──► MainScreen ──► panes
    ▲                                                                                        │
    └────────── type, interrupt, mute, talk, choose a voice, stop … ◄────── keys (`keys`) ◄──┘

The first picture is there before anything is loaded: the conversation is opened behind it.
"""

from __future__ import annotations

import asyncio
import difflib
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import datetime
from pathlib import PurePath
from typing import Any, ClassVar

from textual.app import SystemCommand
from textual.binding import BindingType
from textual.screen import Screen
from textual.widgets import Input

from voxterm.errors import ConfigError, VoxtermError, as_error
from voxterm.events import DeviceStatus, Event, Levels, State, Trouble, TurnFinished
from voxterm.gauges import Gauges
from voxterm.tui import model
from voxterm.tui.controls import Controls, Conversing, Opening, PastTurn, ScreenSettings
from voxterm.tui.dialogs.question import Question
from voxterm.tui.dialogs.texts import ExplainDialog, HelpDialog, LogDialog
from voxterm.tui.dialogs.voice_picker import VoicePicker
from voxterm.tui.errands import Errands
from voxterm.tui.gauge_watch import watch_gauges
from voxterm.tui.keys import APP_KEYS, VIEW_KEYS, Key, bindings, opening
from voxterm.tui.loop_watch import LoopWatch
from voxterm.tui.main_screen import MainScreen
from voxterm.tui.pace import Pace
from voxterm.tui.panes.conversation_pane import ConversationPane
from voxterm.tui.panes.prompt import TypedLine
from voxterm.tui.terminal.keyboard import KeyReleased, TalkKey
from voxterm.tui.terminal.terminal_app import TerminalApp

TEXT_INTERVAL_S = 1 / 30
"""Over SSH a fast model would else flood the line."""

LEVEL_INTERVAL_S = 1 / 10

STOP_S = 5.0
"""How long the conversation may take to give back its devices and to close its store."""


_OPENING = opening(APP_KEYS)


class VoxtermApp(TerminalApp):
    """The screen of one conversation. Its result is the exit code.

    Raises:
        ConfigError: there is no theme of that name.
    """

    TITLE = "voxterm"
    CSS_PATH: ClassVar[list[str | PurePath]] = ["voxterm.tcss", "dialogs/dialogs.tcss"]
    BINDINGS: ClassVar[list[BindingType]] = bindings(APP_KEYS)

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
        self._errands = Errands(self, self)
        self._talk_key = TalkKey(self._talk, lambda: self.model.status.talking)

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

    # ---- the conversation

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

    # ---- the keys

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """What opens something is heard first of all, but not where a line is typed or a dialog is open."""
        if action in _OPENING:
            return self.screen is self._main and not isinstance(self.focused, Input)
        return super().check_action(action, parameters)

    def get_system_commands(self, screen: Screen[Any]) -> Iterable[SystemCommand]:
        """The command palette: all that the keys do."""
        for key in (*APP_KEYS, *VIEW_KEYS):
            if key.action and key.action != "command_palette":
                yield SystemCommand(f"{key.label} ({key.shown})", key.help, self._doing(key))

    def _doing(self, key: Key) -> Callable[[], object]:
        place = self._main if key in VIEW_KEYS else self
        return lambda: self.run_worker(self.run_action(key.click or key.action, place), name=key.label)

    def action_leave(self) -> None:
        self.ask_to_leave()

    def ask_to_leave(self) -> None:
        if self._is_leaving:
            return
        if any(isinstance(screen, Question) for screen in self.screen_stack):
            self.leave()  # asked once more while a question waits
        else:
            self.unless_lost("Quit?", self.leave)

    def unless_lost(self, question: str, work: Callable[[], None]) -> None:
        """Do it; where the talk would be lost by it, only if the person wants that."""
        if not (self._unsaved_turns and self._is_unkept()):
            work()
            return

        def answered(really: bool | None) -> None:
            if really:
                work()

        self.push_screen(Question(f"What was said is not kept anywhere. {question}"), answered)

    def go_on(self, past: Sequence[PastTurn]) -> None:
        """Another session was taken up, of which these are the turns."""
        self._unsaved_turns = 0
        self.change(replace(model.gone_on(self.model, past), waiting=()))

    async def give_back(self) -> None:
        self._talk_key.release()
        self._talk(False)
        if controls := self._can_ask():
            await controls.suspend()

    async def take_back(self) -> None:
        if controls := self._can_ask():
            await controls.resume()

    def action_talk(self) -> None:
        self._talk_key.press()

    def action_toggle_talk(self) -> None:
        """What a click does, which nobody can hold."""
        self._talk(not self.model.status.talking)

    def on_releases_reported(self) -> None:
        self._talk_key.reports_releases = True

    def on_key_released(self, event: KeyReleased) -> None:
        if event.key == "space":
            self._talk_key.release()

    def on_app_blur(self) -> None:
        self._talk_key.release()

    def action_mute(self) -> None:
        is_muted = not self.model.status.muted
        if controls := self._asked():
            self.change(model.muted(self.model, is_muted))
            controls.mute(is_muted)

    def action_interrupt(self) -> None:
        if controls := self._asked(State.LOADING):
            controls.interrupt()

    def action_repeat(self) -> None:
        if controls := self._asked(State.LOADING):
            controls.repeat()

    def action_play(self) -> None:
        if controls := self._asked():
            controls.play_recording()

    def action_clear(self) -> None:
        if controls := self._asked(State.LOADING):
            controls.clear_dialogue()

    def action_keep_audio(self) -> None:
        if controls := self._asked(State.LOADING):
            controls.keep_audio(not self.model.status.keeps_audio)

    def action_speed(self, step: float) -> None:
        if controls := self._asked(State.LOADING):
            controls.set_speed(round(self.model.status.speed + step, 1))

    def action_voice(self) -> None:
        if self._asked(State.LOADING) and self._conversing:
            self._errands.choose_voice(self._conversing)

    def action_persona(self) -> None:
        if self._asked(State.LOADING) and self._conversing:
            self._errands.choose_persona(self._conversing)

    def action_devices(self) -> None:
        if self._asked(State.LOADING) and self._conversing:
            self._errands.choose_device(self._conversing)

    def action_theme(self) -> None:
        self._errands.choose_theme()

    def action_sessions(self) -> None:
        if self._conversing:
            self._errands.show_sessions(self._conversing.surroundings.sessions)

    def action_save(self) -> None:
        if self._conversing:
            self._errands.save(self._conversing.surroundings.sessions)

    def action_type(self) -> None:
        self._main.set_focus(self._main.query_one(TypedLine))  # at once: the next keys may have come already

    def action_explain(self) -> None:
        self.push_screen(ExplainDialog(self.model.latencies))

    def action_log(self) -> None:
        self.push_screen(LogDialog(self.model.warnings))

    def action_help(self) -> None:
        self.push_screen(HelpDialog())

    def _talk(self, pressed: bool) -> None:
        if pressed != self.model.status.talking and (controls := self._asked(State.LOADING, *self._deaf())):
            self.change(model.talking(self.model, pressed))
            controls.talk(pressed)

    def on_input_submitted(self, event: Input.Submitted) -> None:
        if event.input.id != "typed" or not (line := self._main.query_one(TypedLine).take().strip()):
            return
        self._main.query_one(ConversationPane).follow()
        if self.model.status.failure:
            self.change(model.refused(self.model, self.now(), line))
            return
        self.change(model.typed(self.model, line))
        if self._conversing:
            self._conversing.controls.type_text(line)

    def _deaf(self) -> tuple[State, ...]:
        """States in which a talk key would open a turn that hears nothing."""
        is_missing = self.model.devices.microphone.status is DeviceStatus.MISSING
        return (State.MUTED, State.LISTENING) if is_missing else (State.MUTED,)

    def _asked(self, *unless: State) -> Controls | None:
        """As `_can_ask`, for a key: where all has ended that is said."""
        if self.model.status.failure:
            self.bell()
            self._main.query_one(ConversationPane).follow()
            self.change(model.refused(self.model, self.now()))
        return self._can_ask(*unless)

    def _can_ask(self, *unless: State) -> Controls | None:
        """The conversation, where there is one that can do as it is asked."""
        is_able = self.model.status.failure is None and self.model.status.state not in unless
        return self._conversing.controls if self._conversing and is_able else None

    def _is_unkept(self) -> bool:
        return self._conversing is not None and self._conversing.surroundings.sessions.current_id is None


def _no_such_theme(wanted: str, known: Mapping[str, object]) -> ConfigError:
    near = difflib.get_close_matches(wanted, known, n=3) or sorted(known)[:3]
    return ConfigError(f'screen.theme: there is no theme "{wanted}"', f"near are {', '.join(near)}")
