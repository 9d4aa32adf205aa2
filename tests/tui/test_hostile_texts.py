"""Texts that try to steer the screen or the terminal are shown in their pane, and nothing else happens."""

from __future__ import annotations

import time
import unicodedata

import pytest
from rich.console import Console
from scripted import (
    GB,
    NOON,
    READY,
    FrozenClock,
    ScriptedControls,
    ScriptedSessions,
    Settings,
    finished,
    on_screen,
    scripted_app,
    settled,
    shown,
)

from voxterm.events import (
    DeviceChanged,
    DeviceStatus,
    Event,
    Loading,
    PartialTranscript,
    Ready,
    ReplyDelta,
    ReplyHeard,
    SpeechStarted,
    State,
    StateChanged,
    TranscriptReady,
    Trouble,
    TurnEnded,
    VoiceChanged,
)
from voxterm.gauges import Gauges, Speed
from voxterm.gpu import GpuInfo, MemorySnapshot
from voxterm.tui.app import VoxtermApp
from voxterm.tui.controls import (
    Conversing,
    DeviceChoice,
    PastTurn,
    SessionChoice,
    Surroundings,
    VoiceChoice,
)

HOSTILE = {
    "markup": "[bold red]x[/] [/] [b [link=http://x]y[/link] [$error]z[/]",
    "click": "[@click=app.leave]press me[/] [@click=app.quit]x[/]",
    "ansi": "\x1b[31mred\x1b[2J\x1b[H\x1b[?1049l\x9b5n",
    "osc52": "\x1b]52;c;cm0gLXJmIC8=\x07",
    "osc8": "\x1b]8;;http://evil\x1b\\click\x1b]8;;\x1b\\",
    "bidi": "user\u202etxt.exe\u2066\u2069\u200f",
    "marks": "Z" + "\u0301\u0489" * 500,
    "joiners": "\u200d" * 500 + "\u200b" * 500 + "\ufeff",
    "lines": "a\r\nb\rc\x0bd\x0ce\u2028f\u2029g",
    "surrogate": "\ud800\udfff\x00\x7f",
    "endless": "x" * 100_000,
    "endless wide": "太" * 20_000,
}


def every_text(text: str) -> list[Event]:
    """Every event with the text in every place of it."""
    return [
        Loading(text, 1, 2),
        DeviceChanged("microphone", DeviceStatus.MISSING, text, text, text),
        DeviceChanged("loudspeaker", DeviceStatus.RECONNECTING, text, text, text),
        *READY[:1],
        Ready(text, {"hears": text}, text, text),
        SpeechStarted(1, 0.0),
        PartialTranscript(1, text),
        TurnEnded(1, 0.0),
        TranscriptReady(1, text),
        ReplyDelta(1, text),
        ReplyHeard(1, len(text) // 2, len(text) // 2 + 3),
        Trouble(text, text, text, turn=1),
        finished(1, text, text, heard=text[: len(text) // 2]),
        Trouble(text, text, text),
        VoiceChanged(text),
    ]


def hostile_app(text: str) -> VoxtermApp:
    """A conversation whose voices, devices, sessions, GPU and models bear the text as their names."""
    info = GpuInfo(0, text, 8 * GB, 4 * GB, 0)
    memory = MemorySnapshot(text, 8 * GB, 4 * GB, {text: GB}, 0, 3 * GB, info)
    sessions = ScriptedSessions()
    sessions.list = lambda: [SessionChoice(text, NOON, text, text, 1, 1.0, is_current=False)]  # type: ignore[method-assign]
    surroundings = Surroundings(
        lambda: Gauges((memory, memory), 5.0, {text: Speed(9.0, 1.0)}),
        [VoiceChoice(text, text, text)],
        lambda: [DeviceChoice("microphone", text, text, is_default=True)],
        sessions,
    )

    async def opening() -> Conversing:
        script = [*every_text(text), StateChanged(State.LISTENING, 0.0)]
        return Conversing(ScriptedControls(script), surroundings)

    return VoxtermApp(opening, Settings(), FrozenClock())


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE.keys())
async def test_a_hostile_text_is_only_shown(text: str) -> None:
    past = [PastTurn(7, NOON, text, text, text[:1], True, False)]
    app, controls = scripted_app(every_text(text), past)
    began = time.monotonic()
    async with on_screen(app) as pilot:
        assert_harmless(app)
        await pilot.press("pageup")
        assert_harmless(app)
        await pilot.press("l")
        await settled(pilot)
        assert_harmless(app)
        await pilot.press("escape", "m")
        assert controls.calls == ["run", "mute True"]
        assert app.is_running
    assert time.monotonic() - began < 20.0


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE.keys())
async def test_hostile_names_are_only_shown(text: str) -> None:
    app = hostile_app(text)
    async with on_screen(app) as pilot:
        assert_harmless(app)
        for key in ("v", "d", "s", "e", "k"):
            await pilot.press(key)
            await pilot.pause(0.05)
            assert app.screen is not app._main
            assert_harmless(app)
            await pilot.press("escape")
        await pilot.resize_terminal(80, 24)
        for key in "23451":
            await pilot.press(key)
            await settled(pilot)
            assert_harmless(app, width=80)
        await pilot.press("slash", "x")
        await settled(pilot)
        assert_harmless(app, width=80)
        assert app.is_running


def assert_harmless(app: VoxtermApp, width: int = 120) -> None:
    for character in shown(app):
        assert character in "\n\u200c\u200d" or character.isprintable(), f"U+{ord(character):04X}"
        assert unicodedata.bidirectional(character) not in ("RLO", "LRO", "RLE", "LRE", "RLI", "LRI", "FSI")
    for row in app.screen._compositor.render_strips():
        assert row.cell_length == width
        assert "\x1b]" not in row.render(Console(force_terminal=True))
        for segment in row:
            assert "@click" not in (segment.style.meta if segment.style else {})


async def test_markup_is_shown_letter_by_letter() -> None:
    app, _ = scripted_app([*READY, TurnEnded(1, 0.0), TranscriptReady(1, HOSTILE["click"])])
    async with on_screen(app, (160, 40)):
        assert "[@click=app.leave]press me[/] [@click=app.quit]x[/]" in shown(app)


async def test_a_long_text_is_redrawn_quickly() -> None:
    """The word that sounds moves many times a second; the text must not be wrapped anew each time."""
    text = "word " * 20_000
    app, controls = scripted_app([*READY, SpeechStarted(1, 0.0), ReplyDelta(1, text)])
    async with on_screen(app) as pilot:
        began = time.process_time()
        for at in range(0, 50, 5):
            controls.emit(ReplyHeard(1, at, at + 4))
            app.show_now()
        assert time.process_time() - began < 3.0
        await settled(pilot)
        assert "▌" in shown(app)
