"""The conversation begins after the first picture and has ended before the last."""

from __future__ import annotations

import os
import signal
from contextvars import Context

import pytest
from scripted import (
    LOADING,
    READY,
    TROUBLE,
    FrozenClock,
    ScriptedControls,
    Settings,
    app_of,
    left,
    on_screen,
    press,
    scripted_app,
    settled,
    shown,
)

from voxterm.errors import ConfigError, EngineLoadError
from voxterm.events import (
    DeviceChanged,
    DeviceStatus,
    Event,
    Levels,
    Loading,
    ReplyDelta,
    State,
    StateChanged,
)
from voxterm.tui import model, talk_app
from voxterm.tui.dialogue import Notice
from voxterm.tui.main_screen import MainScreen
from voxterm.tui.model import ScreenModel
from voxterm.tui.panes.banner import Banner
from voxterm.tui.panes.conversation_pane import ConversationPane
from voxterm.tui.panes.status_line import StatusLine


async def test_the_first_picture_is_there_before_the_engines_load() -> None:
    """Engines import for seconds; a person must not look at an empty terminal for that long."""

    class Watching(ScriptedControls):
        painted = False

        async def run(self) -> None:
            self.painted = "voxterm" in shown(app) and "latency" in shown(app)
            await super().run()

    controls = Watching(READY)
    app = app_of(controls)
    async with app.run_test(size=(120, 40)) as pilot:
        await pilot.pause()
        assert controls.painted


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT])
async def test_a_signal_ends_it_in_good_order(number: signal.Signals) -> None:
    app, controls = scripted_app(READY)
    async with on_screen(app, (80, 24)) as pilot:
        os.kill(os.getpid(), number)
        await left(pilot)
    assert controls.calls == ["run", "stop", "released"]


async def test_a_conversation_that_does_not_end_is_not_waited_for_for_ever(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(talk_app, "STOP_S", 0.01)
    controls = ScriptedControls(READY, ends_slowly=True)
    app = app_of(controls)
    async with on_screen(app, (80, 24)) as pilot:
        await pilot.press("q")
        await left(pilot)
    assert controls.calls == ["run", "stop"]


async def test_a_failure_is_shown_and_typing_says_why_there_is_no_answer() -> None:
    error = EngineLoadError("voxtral: 9.4 GB needed, 3.1 GB free", "start with --profile embedded")
    app, controls = scripted_app(READY, error=error)
    async with on_screen(app) as pilot:
        assert "✗ voxtral: 9.4 GB needed, 3.1 GB free" in shown(app)
        assert "→ start with --profile embedded" in shown(app)
        assert "■ stopped" in shown(app)
        await pilot.press("m", "t", "h", "i", "enter")
        await settled(pilot)
        assert "✗ not answered, since the conversation" in shown(app)
        assert controls.calls == ["run"]
        await pilot.press("ctrl+q")
        await left(pilot)
    assert app.return_value == 1


@pytest.mark.parametrize("key", ["space", "m", "escape", "r", "v", "a", "d", "plus", "o", "c", "p"])
async def test_a_key_that_cannot_work_any_more_says_why(key: str) -> None:
    app, controls = scripted_app(LOADING, error=EngineLoadError("no server answers", "start it"))
    async with on_screen(app, (80, 24)) as pilot:
        app.change(model.noted(app.model, "something else", app.now()))
        before = app.model
        await press(pilot, key)
        (said,) = app.model.dialogue[len(before.dialogue) :]
        assert isinstance(said, Notice)
        assert (said.what, said.remedy) == (
            "nothing was loaded",
            "quit with q, mend it, and start voxterm again",
        )
        assert app.screen is app.get_default_screen(), "nothing opens"
        assert controls.calls == ["run"]


async def test_where_there_is_room_all_keys_of_the_talk_are_told() -> None:
    app, _ = scripted_app(READY)
    async with on_screen(app, (120, 40)):
        foot = shown(app).splitlines()[-1]
        assert "v voice  a persona  d devices" in foot
        assert "l log" in foot


async def test_the_help_names_every_state() -> None:
    app, _ = scripted_app(READY)
    async with on_screen(app, (120, 60)) as pilot:
        await press(pilot, "question_mark")
        assert "○ no mic" in shown(app)
        assert "↻ reconnecting" in shown(app)


async def test_the_keys_of_one_that_has_ended_are_those_that_work() -> None:
    app, _ = scripted_app(LOADING, error=EngineLoadError("no server answers", "start it"))
    async with on_screen(app, (80, 24)) as pilot:
        foot = shown(app).splitlines()[-1]
        assert "q quit" in foot
        assert "talk" not in foot
        await press(pilot, "t")
        assert "say it" not in shown(app).splitlines()[-1]


async def test_a_line_typed_while_it_loads_is_not_lost_when_that_fails() -> None:
    class Stalling(ScriptedControls):
        async def run(self) -> None:
            self.calls.append("run")
            await self._stopped.wait()
            raise EngineLoadError("no server answers", "start it")

    controls = Stalling()
    app = app_of(controls)
    async with app.run_test(size=(80, 24)) as pilot:
        while "run" not in controls.calls:
            await pilot.pause()
        await press(pilot, "t", "h", "i", "enter")
        controls.stop()
        await settled(pilot)
        assert "✗ not answered, since nothing was loaded: hi" in shown(app)


async def test_a_long_wait_tells_its_time_and_quitting_is_seen_at_once() -> None:
    clock = FrozenClock()
    controls = ScriptedControls(
        [StateChanged(State.LOADING, 0.0), Loading("a server", 0, 0)], ends_slowly=True
    )
    app = app_of(controls, now=clock)
    async with on_screen(app, (80, 24)) as pilot:
        assert "for 0 s" not in shown(app)
        clock.advance(12.0)
        app._show_elapsed()
        app.show_now()
        await pilot.pause()
        assert "for 12 s now; q quits" in shown(app)
        await press(pilot, "q")
        app.show_now()
        await pilot.pause()
        assert "ending …" in shown(app).splitlines()[0]
        assert "left behind" in shown(app)
        app.exit(0)


async def test_a_conversation_that_ends_by_itself_says_so() -> None:
    controls = ScriptedControls(READY)
    controls._stopped.set()
    app = app_of(controls)
    async with on_screen(app):
        assert "the conversation has ended" in shown(app)


def test_a_theme_that_is_not_there_is_a_setting_to_mend() -> None:
    with pytest.raises(ConfigError, match="textual-dark"):
        app_of(ScriptedControls(), settings=Settings(theme="textual-drak"))


@pytest.mark.parametrize("theme", ["textual-light", "nord", "ansi-dark"])
async def test_any_theme_can_draw_it(theme: str) -> None:
    app = app_of(ScriptedControls(TROUBLE), settings=Settings(theme))
    async with on_screen(app):
        assert "listening" in shown(app)


async def test_many_deltas_are_drawn_few_times(monkeypatch: pytest.MonkeyPatch) -> None:
    """A fast model would else flood an SSH line."""
    app, controls = scripted_app(READY)
    drawn: list[str] = []
    show, show_levels = MainScreen.show, MainScreen.show_levels

    def counted_show(screen: MainScreen, model: ScreenModel) -> None:
        drawn.append("text")
        show(screen, model)

    def counted_show_levels(screen: MainScreen, model: ScreenModel) -> None:
        drawn.append("levels")
        show_levels(screen, model)

    monkeypatch.setattr(MainScreen, "show", counted_show)
    monkeypatch.setattr(MainScreen, "show_levels", counted_show_levels)
    async with app.run_test() as pilot:
        await pilot.pause(0.3)
        drawn.clear()
        for _ in range(500):
            controls.emit(ReplyDelta(1, "a"), Levels(-20.0, -20.0, 0.5, 0.0, 0, 0))
        await pilot.pause(0.3)
        assert sorted(drawn) == ["levels", "text"]
        pane = app.screen.query_one(ConversationPane)
        assert "a" * 40 in shown(app)
        assert pane.dialogue[-1] == app.model.dialogue[-1]


async def test_events_from_the_engines_threads_are_shown() -> None:
    """They are told on the event loop, but outside the app's context: a timer set there never rang."""
    app, controls = scripted_app(READY)
    async with on_screen(app) as pilot:
        Context().run(controls.emit, StateChanged(State.THINKING, 0.0), ReplyDelta(1, "words"))
        await pilot.pause(0.2)
        assert "◐ thinking" in shown(app)
        assert "words" in shown(app)


async def test_the_state_and_the_time_are_at_the_top() -> None:
    clock = FrozenClock()
    controls = ScriptedControls([*READY, StateChanged(State.THINKING, 0.0)])
    app = app_of(controls, now=clock)
    async with app.run_test(size=(100, 30)) as pilot:
        await pilot.pause()
        clock.advance(3723.0)
        app.show_now()
        app._show_elapsed()
        await pilot.pause()
        top = app.screen.query_one(StatusLine).render().plain
        assert "◐ thinking" in top
        assert "01:02:03" in top
        assert "voxtral bf16 + orpheus bf16" in top


async def test_a_remedy_that_helps_both_devices_is_said_once() -> None:
    missing = [
        DeviceChanged(device, DeviceStatus.MISSING, "", f"there is no {device}", "start the server")
        for device in ("microphone", "loudspeaker")
    ]
    app, _ = scripted_app([*READY, *missing])
    async with on_screen(app):
        assert "▲ there is no microphone" in shown(app)
        assert "▲ there is no loudspeaker" in shown(app)
        assert shown(app).count("→ start the server") == 1
        assert "press t to type, p to play" in shown(app)


async def test_where_there_is_little_room_what_is_missing_takes_two_lines_and_the_log_has_the_rest() -> None:
    missing = [
        DeviceChanged(device, DeviceStatus.MISSING, "", f"there is no {device}", f"plug a {device} in")
        for device in ("microphone", "loudspeaker")
    ]
    app, _ = scripted_app([*READY, *missing])
    async with on_screen(app, (80, 24)) as pilot:
        assert app.screen.query_one(Banner).size.height == 2
        assert "▲ there is no microphone; there is no loudspeaker" in shown(app)
        assert "press l for what to do, t to type, p to play" in shown(app)
        await press(pilot, "l")
        assert "→ plug a microphone in" in shown(app)


@pytest.mark.parametrize(
    ("loading", "word"),
    [
        ([Loading("a", 30, 100), Loading("b", 0, 100)], "◌ loading 15%"),
        ([Loading("a", 100, 100), Loading("b", 0, 0)], "◌ loading  "),  # nobody knows how much b is
    ],
)
async def test_the_progress_of_loading_is_told_where_it_is_known(loading: list[Event], word: str) -> None:
    app, _ = scripted_app(loading)
    async with on_screen(app, (80, 24)):
        assert word in shown(app)


@pytest.mark.parametrize("size", [(50, 14), (80, 24), (99, 50), (100, 30), (200, 50)])
async def test_nothing_is_cut_off_at_the_sizes_it_is_made_for(size: tuple[int, int]) -> None:
    app, _ = scripted_app(READY)
    async with on_screen(app, size):
        rows = shown(app).split("\n")
        assert "● listening" in rows[0]
        assert "turn 0" in rows[0]
        assert "? help" in rows[-1]
        assert "q quit" in rows[-1]
        has_panes = "latency (ms)" in shown(app)
        assert has_panes == (size[0] >= 100)
        assert ("response" in rows[-3]) != has_panes


@pytest.mark.parametrize("size", [(49, 20), (80, 13), (20, 5)])
async def test_a_terminal_that_is_too_small_says_so(size: tuple[int, int]) -> None:
    app, _ = scripted_app(READY)
    async with app.run_test(size=size) as pilot:
        await pilot.pause()
        assert "terminal" in " ".join(shown(app).split())
        await pilot.resize_terminal(80, 24)
        await settled(pilot)
        assert "● listening" in shown(app)


async def test_who_quits_before_it_begins_never_begins() -> None:
    app, controls = scripted_app(READY)
    async with app.run_test() as pilot:
        app.action_leave()
        await settled(pilot)
    assert "run" not in controls.calls
