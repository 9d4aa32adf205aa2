"""The keys that open something: each as a person presses it, up to what comes of it."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from scripted import (
    NOON,
    PAST,
    READY,
    SPEAKING,
    SURROUNDINGS,
    TALKED,
    FrozenClock,
    ScriptedControls,
    ScriptedSessions,
    Settings,
    app_of,
    finished,
    left,
    on_screen,
    press,
    scripted_app,
    settled,
    shown,
)
from textual.command import CommandPalette
from textual.events import Key, Paste
from textual.widgets import Input

from voxterm.errors import SessionError
from voxterm.events import (
    AudioKept,
    DialogueCleared,
    Event,
    PersonaChanged,
    SpeechStarted,
    SpeedChanged,
    TranscriptReady,
    TurnDropped,
    TurnEnded,
    VoiceChanged,
)
from voxterm.gauges import Gauges
from voxterm.tui import talk_app
from voxterm.tui.app import VoxtermApp
from voxterm.tui.controls import Conversing
from voxterm.tui.dialogs.question import Question
from voxterm.tui.dialogs.texts import ExplainDialog
from voxterm.tui.keys import APP_KEYS, VIEW_KEYS, table
from voxterm.tui.main_screen import MainScreen
from voxterm.tui.panes.conversation_pane import ConversationPane
from voxterm.tui.panes.keys_line import KeysLine
from voxterm.tui.panes.prompt import TypedLine
from voxterm.tui.terminal.keyboard import KeyReleased, ReleasesReported


async def calls_after(*keys: str, script: Sequence[Event] = READY) -> list[str]:
    app, controls = scripted_app(script)
    async with on_screen(app) as pilot:
        await press(pilot, *keys)
        await pilot.pause(0.05)
        return controls.calls[1:]


@pytest.mark.parametrize(
    ("keys", "calls"),
    [
        (["v", *"leo", "enter"], ["voice leo"]),
        (["v", "escape"], []),
        (["a", *"story", "enter"], ["persona storyteller"]),
        (["a", "enter"], ["persona "]),
        (["a", "escape"], []),
        (["d", *"headset", "enter"], ["loudspeaker 5"]),
        (["d", "escape"], []),
        (["plus"], ["speed 1.1"]),
        (["equals_sign"], ["speed 1.1"]),
        (["minus"], ["speed 0.9"]),
        (["o"], ["keep audio True"]),
        (["c"], ["clear"]),
    ],
)
async def test_what_a_key_asks_for(keys: list[str], calls: list[str]) -> None:
    assert await calls_after(*keys) == calls


async def test_a_key_goes_on_from_what_was_told() -> None:
    script = [*READY, SpeedChanged(1.6), AudioKept(True)]
    assert await calls_after("plus", "o", script=script) == ["speed 1.7", "keep audio False"]


async def test_what_was_chosen_is_in_the_status_line() -> None:
    app, _ = scripted_app([*READY, VoiceChanged("ऋतिका"), SpeedChanged(1.2), AudioKept(True)])
    async with on_screen(app):
        top = shown(app).split("\n", maxsplit=1)[0]
        assert "ऋतिका" in top
        assert "1.2×" in top
        assert "● rec" in top


async def test_a_persona_is_said_where_it_begins_and_stands_beside_the_voice() -> None:
    app, controls = scripted_app(TALKED)
    async with on_screen(app, (120, 40)) as pilot:
        controls.emit(PersonaChanged("tutor"))
        await settled(pilot)
        assert "tara as tutor" in shown(app).split("\n", maxsplit=1)[0]
        before, after = shown(app).split("· from here on tutor answers")
        assert "How far is the moon?" in before
        assert "How far is the moon?" not in after
        controls.emit(PersonaChanged(""))
        await settled(pilot)
        assert "tara as" not in shown(app)
        assert "· from here on voxterm itself answers" in shown(app)


@pytest.mark.parametrize(("columns", "who"), [(60, "leo"), (90, "leo as "), (160, "voxtral-orpheus · ")])
async def test_the_state_stays_where_it_is_whoever_answers(columns: int, who: str) -> None:
    """A long name took the place of the state."""
    places = set()
    for name in ("", "tutor", "a-persona-with-a-long-name", "x" * 300):
        app, _ = scripted_app([*READY, VoiceChanged("leo"), PersonaChanged(name)])
        async with on_screen(app, (columns, 30)):
            top = shown(app).split("\n", maxsplit=1)[0]
            places.add(top.index("● listening"))
            assert "leo" in top
            assert name != "tutor" or who in top
    assert len(places) == 1


async def test_the_persona_that_answers_is_marked_in_the_list() -> None:
    app, controls = scripted_app([*READY, PersonaChanged("tutor")])
    async with on_screen(app) as pilot:
        await press(pilot, "a")
        row = next(line for line in shown(app).splitlines() if "asks back" in line)
        assert "›● tutor" in row
        assert "none" in shown(app)
        await press(pilot, "up", "enter")
        assert controls.calls[1:] == ["persona "]


async def test_a_persona_is_chosen_in_the_palette_too() -> None:
    app, controls = scripted_app(READY)
    async with on_screen(app) as pilot:
        await press(pilot, "ctrl+p")
        await press(pilot, *"persona")
        await pilot.pause(0.3)
        await press(pilot, "enter")
        await pilot.pause(0.1)
        await press(pilot, *"tutor", "enter")
        assert controls.calls[1:] == ["persona tutor"]


async def test_clearing_leaves_a_word_of_it() -> None:
    app, controls = scripted_app(TALKED)
    async with on_screen(app) as pilot:
        controls.emit(DialogueCleared())
        await settled(pilot)
        assert "How far is the moon?" not in shown(app)
        assert "the models begin anew" in shown(app)


async def test_the_talk_key_is_held_where_releases_are_reported() -> None:
    app, controls = scripted_app(READY)
    async with on_screen(app) as pilot:
        app.post_message(ReleasesReported())
        await pilot.pause()
        await press(pilot, "space", "space", "space")  # it repeats while it is held
        assert controls.calls == ["run", "talk True"]
        app.post_message(KeyReleased("space"))
        await pilot.pause()
        assert controls.calls == ["run", "talk True", "talk False"]


async def test_a_theme_is_tried_on_and_taken() -> None:
    app, _ = scripted_app(READY)
    async with on_screen(app) as pilot:
        await press(pilot, "k", *"gruv")
        assert app.theme == "gruvbox"
        await press(pilot, "escape")
        assert app.theme == "textual-dark"
        await press(pilot, "k", *"gruv", "enter")
        assert app.theme == "gruvbox"


async def test_a_session_is_opened_in_place_of_the_one_under_way() -> None:
    sessions = ScriptedSessions(past=PAST)
    app = app_of(ScriptedControls(TALKED), sessions=sessions)
    async with on_screen(app) as pilot:
        await press(pilot, "s")
        await pilot.pause(0.1)
        await press(pilot, "down", "enter")
        await pilot.pause(0.1)
        assert "open 20250713-090000-c3d4" in sessions.calls
        await settled(pilot)
        assert "Good evening to you." in shown(app)
        assert "How far is the moon?" not in shown(app)
        assert "turn 42" in shown(app)


async def test_a_session_that_cannot_be_opened_says_why() -> None:
    sessions = ScriptedSessions()
    app = app_of(ScriptedControls(TALKED), sessions=sessions)
    async with on_screen(app) as pilot:
        await press(pilot, "s")
        await pilot.pause(0.1)
        sessions.error = SessionError("session x is open in another voxterm", "end that one")
        await press(pilot, "down", "enter")
        await pilot.pause(0.1)
        await settled(pilot)
        assert "✗ session x is open in another voxterm" in shown(app)
        assert "How far is the moon?" in shown(app)


async def test_saving_exports_the_session() -> None:
    sessions = ScriptedSessions()
    app = app_of(ScriptedControls(TALKED), sessions=sessions)
    async with on_screen(app) as pilot:
        await press(pilot, "t", "ctrl+s")  # while typing, too
        await pilot.pause(0.1)
        await settled(pilot)
        assert sessions.calls == ["export 20250714-120000-a1b2 md"]
        assert "· saved as" in shown(app)
        assert "voxterm-20250714-120000-a1b2.md" in shown(app)


async def test_what_is_not_kept_can_be_saved_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    app = app_of(ScriptedControls(TALKED), sessions=ScriptedSessions(current_id=None))
    async with on_screen(app) as pilot:
        for _ in range(2):
            await press(pilot, "ctrl+s")
            await pilot.pause(0.1)
        await pilot.press("q")  # nothing would be lost any more
        await left(pilot)
    name = f"voxterm-{NOON:%Y%m%d-%H%M%S}"
    files = {path.name: path.read_text(encoding="utf-8") for path in tmp_path.iterdir()}  # noqa: ASYNC240
    assert files.keys() == {f"{name}-2.md", f"{name}.md"}
    text = files[f"{name}.md"]
    assert "**you** (12:00:00): How far is the moon?" in text
    assert "**voxterm**: About three hundred and eighty-four thousand kilometres." in text


async def test_quitting_asks_where_something_would_be_lost() -> None:
    app = app_of(ScriptedControls(TALKED), sessions=ScriptedSessions(current_id=None))
    async with on_screen(app) as pilot:
        await press(pilot, "q")
        assert isinstance(app.screen, Question)
        await press(pilot, "n")
        assert isinstance(app.screen, MainScreen)
        assert app.is_running
        await press(pilot, "q")
        await pilot.press("y")
        await left(pilot)
    assert app.return_value == 0


async def test_quitting_asks_nothing_where_nothing_was_said() -> None:
    app = app_of(ScriptedControls(READY), sessions=ScriptedSessions(current_id=None))
    async with on_screen(app) as pilot:
        await pilot.press("q")
        await left(pilot)
    assert app.return_value == 0


async def test_break_a_second_time_does_not_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    gone: list[VoxtermApp] = []

    def gone_at_once(app: VoxtermApp) -> None:
        gone.append(app)

    monkeypatch.setattr("voxterm.tui.terminal.terminal_app.leave_at_once", gone_at_once)
    monkeypatch.setattr(talk_app, "STOP_S", 0.2)
    app = app_of(ScriptedControls(READY, ends_slowly=True))
    async with on_screen(app) as pilot:
        await press(pilot, "ctrl+c")
        assert gone == []
        await pilot.press("ctrl+c")
        assert gone == [app]
        await left(pilot)


async def test_break_twice_leaves_even_where_it_is_asked() -> None:
    app = app_of(ScriptedControls(TALKED), sessions=ScriptedSessions(current_id=None))
    async with on_screen(app) as pilot:
        await press(pilot, "ctrl+c")
        assert isinstance(app.screen, Question)
        await pilot.press("ctrl+c")
        await left(pilot)
    assert app.return_value == 0


async def test_another_session_is_not_opened_over_what_is_not_kept_without_a_question() -> None:
    sessions = ScriptedSessions(current_id=None, past=PAST)
    app = app_of(ScriptedControls(TALKED), sessions=sessions)
    async with on_screen(app) as pilot:
        await press(pilot, "s")
        await pilot.pause(0.1)
        await press(pilot, "down", "enter")
        await pilot.pause(0.1)
        assert isinstance(app.screen, Question)
        await press(pilot, "y")
        await pilot.pause(0.1)
        assert "open 20250713-090000-c3d4" in sessions.calls
        await pilot.press("q")  # nothing of the new one would be lost
        await left(pilot)


@pytest.mark.parametrize("event", [TurnEnded(1, 1.0), TurnDropped(1), DialogueCleared()])
async def test_what_ends_the_turn_ends_the_talk_key(event: Event) -> None:
    """It said that it was recording, and the next press only let go of it."""
    app, controls = scripted_app(READY)
    async with on_screen(app) as pilot:
        await press(pilot, "space")
        assert app.model.status.talking
        controls.emit(SpeechStarted(1, 0.0), event)
        await settled(pilot)
        assert "◉ talk" not in shown(app)
        await press(pilot, "space")
        assert controls.calls == ["run", "talk True", "talk True"]


async def test_a_click_on_the_talk_key_is_no_key_that_is_held() -> None:
    app, controls = scripted_app(READY)
    async with on_screen(app) as pilot:
        app.post_message(ReleasesReported())
        for _ in range(2):
            await pilot.click(KeysLine, offset=(2, 0))
            await pilot.pause()
        assert controls.calls == ["run", "talk True", "talk False"]


async def test_a_line_typed_before_there_is_a_conversation_is_said_once_there_is() -> None:
    """Engines import for seconds, and a person types meanwhile. It was lost."""
    may_open = asyncio.Event()
    controls = ScriptedControls(READY)

    async def opening() -> Conversing:
        await may_open.wait()
        return Conversing(controls, SURROUNDINGS)

    app = VoxtermApp(opening, Settings(), FrozenClock())
    async with app.run_test(size=(120, 40)) as pilot:
        await pilot.pause()
        await press(pilot, "t", *"hi", "enter")
        may_open.set()
        await settled(pilot)
        assert controls.calls == ["type hi", "run"]


async def test_an_unforeseen_failure_leaves_the_talk_on_the_screen() -> None:
    class Failing(ScriptedControls):
        async def run(self) -> None:
            await super().run()
            raise RuntimeError("a bug")

    controls = Failing(TALKED)
    app = app_of(controls)
    async with on_screen(app) as pilot:
        controls.stop()
        await settled(pilot)
        assert "✗ RuntimeError: a bug" in shown(app)
        assert "How far is the moon?" in shown(app)


async def test_a_failing_gauge_is_noted_once() -> None:
    def read() -> Gauges:
        raise RuntimeError("the driver is gone")

    async def opening() -> Conversing:
        return Conversing(ScriptedControls(READY), replace(SURROUNDINGS, read_gauges=read))

    app = VoxtermApp(opening, Settings(), FrozenClock())
    async with on_screen(app) as pilot:
        await pilot.pause(1.2)
        assert [warned.what for warned in app.model.warnings] == [
            "the gauges cannot be read: RuntimeError: the driver is gone"
        ]


async def test_what_comes_late_of_a_cleared_turn_is_not_shown() -> None:
    app, controls = scripted_app(TALKED)
    async with on_screen(app) as pilot:
        controls.emit(SpeechStarted(3, 0.0), DialogueCleared(), finished(3, "a late turn", "Hm."))
        controls.emit(SpeechStarted(4, 0.0), TranscriptReady(4, "a new turn"))
        await settled(pilot)
        assert "a late turn" not in shown(app)
        assert "a new turn" in shown(app)


async def test_a_paste_of_several_lines_is_one_line() -> None:
    app, controls = scripted_app(READY)
    async with on_screen(app) as pilot:
        await press(pilot, "t")
        app.screen.query_one(TypedLine).post_message(Paste("first line\nsecond\r\nthird"))
        await pilot.pause()
        await press(pilot, "enter")
        assert controls.calls == ["run", "type first line second third"]


@pytest.mark.parametrize(
    ("keys", "field", "held"),
    [("thello", "#typed", "hello"), ("/moon", "#sought", "moon"), ("vleo", "", "leo")],
)
async def test_keys_that_come_at_once_go_where_they_were_meant_to(keys: str, field: str, held: str) -> None:
    """A slow line hands over all that was typed in one piece. The letters were commands, or lost."""
    app, controls = scripted_app(TALKED)
    async with on_screen(app) as pilot:
        for letter in keys:
            app.post_message(Key("slash" if letter == "/" else letter, letter))
        await pilot.pause(0.2)
        assert app.screen.query_one(field or "TypedField", Input).value == held
        assert controls.calls == ["run"]


async def test_a_search_in_an_empty_talk_finds_nothing() -> None:
    """It ended the app."""
    app, controls = scripted_app(READY)
    async with on_screen(app) as pilot:
        await press(pilot, "slash", "a")
        assert "nothing found" in shown(app)
        controls.emit(SpeechStarted(1, 0.0), TranscriptReady(1, "a word"))
        await settled(pilot)
        controls.emit(TurnDropped(1))
        await settled(pilot)
        assert app.is_running


async def test_a_search_shows_the_talk_wherever_it_was_begun() -> None:
    app, _ = scripted_app(TALKED)
    async with on_screen(app) as pilot:
        await press(pilot, "tab", "tab")
        assert "─ conversation ─" not in shown(app)
        await press(pilot, "slash", *"moon")
        assert "How far is the moon?" in shown(app)


async def test_the_palette_does_all_that_the_keys_do() -> None:
    app, controls = scripted_app(READY)
    async with on_screen(app) as pilot:
        await press(pilot, "ctrl+p")
        assert isinstance(app.screen, CommandPalette)
        await press(pilot, *"mute")
        await pilot.pause(0.3)
        await press(pilot, "enter")
        await pilot.pause(0.1)
        assert controls.calls == ["run", "mute True"]
        titles = {command.title for command in app.get_system_commands(app.screen)}
        keys = [key for key in (*APP_KEYS, *VIEW_KEYS) if key.action]
        assert len(titles) == len(keys) - 1  # all but the palette itself


async def test_the_latencies_are_explained() -> None:
    app, _ = scripted_app(SPEAKING)
    async with on_screen(app) as pilot:
        await press(pilot, "e")
        assert isinstance(app.screen, ExplainDialog)
        assert "→ engines.orpheus.first_chunk_frames" not in shown(app)  # the codec is within its target
        assert "your sound has been taken in" in shown(app)
        assert "→ end what else computes on the GPU" in shown(app)  # the first speech is not


async def test_a_search_marks_and_shows_what_it_finds() -> None:
    app, _ = scripted_app(SPEAKING)
    async with on_screen(app) as pilot:
        await press(pilot, "slash", *"THE")
        assert "4 of 4" in shown(app)  # the newest first
        await press(pilot, "enter")
        assert "3 of 4" in shown(app)
        await press(pilot, "down", "down")
        assert "1 of 4" in shown(app)
        await press(pilot, *"zz")
        assert "nothing found" in shown(app)
        await press(pilot, "escape")
        assert "nothing found" not in shown(app)
        await press(pilot, "m")
        assert app.model.status.muted  # keys are keys again


async def test_a_search_scrolls_back_to_what_it_finds() -> None:
    turns = [event for _ in range(20) for event in TALKED[6:]]
    app, _ = scripted_app([*TALKED, *turns])
    async with on_screen(app, (80, 24)) as pilot:
        pane = app.screen.query_one(ConversationPane)
        await press(pilot, "slash", *"hello there")
        top = pane.scroll_y
        assert "Hello there." in shown(app)
        await press(pilot, "escape", "end")
        assert pane.scroll_y >= top


@pytest.mark.parametrize(
    ("key", "title"),
    [("2", "latency (ms)"), ("3", "memory"), ("4", "audio"), ("5", "log"), ("1", "conversation")],
)
async def test_a_small_terminal_shows_one_pane_at_a_time(key: str, title: str) -> None:
    app, _ = scripted_app(TALKED)
    async with on_screen(app, (80, 24)) as pilot:
        await press(pilot, key)
        titles = ("latency (ms)", "─ memory ─", "─ audio ─", "─ log ─", "conversation")
        assert [at for at in titles if at in shown(app)] == [at for at in titles if title in at]


async def test_tab_goes_round_the_panes_and_the_layouts() -> None:
    app, _ = scripted_app(TALKED)
    async with on_screen(app, (80, 24)) as pilot:
        main = app.screen
        assert isinstance(main, MainScreen)
        views = []
        for _ in range(5):
            await press(pilot, "tab")
            views.append(main.view)
        assert views == ["latency", "memory", "audio", "log", "talk"]
        await press(pilot, "shift+tab")
        assert main.view == "log"
        await pilot.resize_terminal(120, 40)
        await settled(pilot)
        assert "─ conversation ─" in shown(app)
        assert "─ latency (ms) ─" in shown(app)
        await press(pilot, "tab")
        assert "─ latency (ms) ─" not in shown(app)
        await press(pilot, "tab")
        assert "─ conversation ─" not in shown(app)
        assert "─ log ─" in shown(app)


async def test_redrawing_and_the_start_of_the_talk() -> None:
    app, _ = scripted_app([*TALKED, *[event for _ in range(20) for event in TALKED[6:]]])
    async with on_screen(app, (80, 24)) as pilot:
        await press(pilot, "ctrl+l", "home")
        assert app.screen.query_one(ConversationPane).scroll_y == 0


async def test_suspending_without_a_terminal_gives_the_devices_back_and_takes_them_again() -> None:
    assert await calls_after("ctrl+z") == ["suspend", "resume"]


def test_every_key_is_there_once() -> None:
    names = [name for key in (*APP_KEYS, *VIEW_KEYS) for name in key.keys.split(",")]
    assert len(names) == len(set(names))


def test_readme_has_the_table_of_keys() -> None:
    """It is made of the bindings: `python -c "from voxterm.tui.keys import table; print(table())"`."""
    readme = (Path(__file__).parent.parent.parent / "README.md").read_text(encoding="utf-8")
    assert table() in readme
