"""The screen as a program: keys become requests to the conversation, its events become what is shown.

controls ── events ──► apply ──► ScreenModel ── at most 30 times a second ──► MainScreen ──► panes
    ▲                               (`talk_app`)                                             │
    └────────── type, interrupt, mute, talk, choose a voice, stop … ◄────── keys (`keys`) ◄──┘
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import datetime
from typing import Any, ClassVar

from textual.app import SystemCommand
from textual.binding import BindingType
from textual.screen import Screen
from textual.widgets import Input

from voxterm.events import DeviceStatus, State
from voxterm.tui import model
from voxterm.tui.controls import Controls, Opening, ScreenSettings
from voxterm.tui.dialogs.question import Question
from voxterm.tui.dialogs.texts import ExplainDialog, HelpDialog, LogDialog
from voxterm.tui.errands import Errands
from voxterm.tui.keys import APP_KEYS, VIEW_KEYS, Key, bindings, opening
from voxterm.tui.panes.conversation_pane import ConversationPane
from voxterm.tui.panes.prompt import TypedLine
from voxterm.tui.talk_app import TalkApp
from voxterm.tui.terminal.keyboard import KeyReleased, TalkKey

_OPENING = opening(APP_KEYS)


class VoxtermApp(TalkApp):
    """With what the keys do."""

    BINDINGS: ClassVar[list[BindingType]] = bindings(APP_KEYS)

    def __init__(
        self,
        opening: Opening,
        settings: ScreenSettings,
        now: Callable[[], datetime] = datetime.now,
    ) -> None:
        """As `TalkApp`."""
        super().__init__(opening, settings, now)
        self._errands = Errands(self, self)
        self._talk_key = TalkKey(self._talk, lambda: self.model.status.talking)

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
