"""A voice may be heard before it is chosen."""

from __future__ import annotations

import pytest
from dialog_stage import assert_frame_is_whole, cursor_line, lines, pressed, shown, spot, staged
from scripted import TALKED, ScriptedControls, app_of, settled

from voxterm.events import Trouble
from voxterm.tui.controls import VoiceChoice
from voxterm.tui.dialogs.voice_picker import VoicePicker

VOICES = [
    VoiceChoice("tara", "en", "warm", "english"),
    VoiceChoice("leo", "en", "deep", "english"),
    VoiceChoice("pierre", "fr", "from Lyon", "french"),
    VoiceChoice("长乐", "zh", "young", "chinese", "run `voxterm fetch owner/chinese`"),
]


class Ear:
    """What is to be heard, in order; None is silence."""

    def __init__(self) -> None:
        self.heard: list[str | None] = []

    def picker(self, current: str = "tara") -> VoicePicker:
        return VoicePicker(VOICES, current, self.heard.append)


async def test_tab_lets_the_voice_under_the_cursor_be_heard() -> None:
    ear = Ear()
    async with staged(ear.picker()) as (app, pilot):
        assert "tab hear it" in shown(app)
        await pressed(pilot, "down", "tab")
        assert ear.heard == ["leo"]
        assert app.results == [], "it is not chosen yet"


async def test_once_more_begins_anew() -> None:
    ear = Ear()
    async with staged(ear.picker()) as (_, pilot):
        await pressed(pilot, "tab", "tab")
        assert ear.heard == ["tara", None, "tara"]


@pytest.mark.parametrize("keys", [["down"], ["l", "e", "o"], ["escape"], ["enter"], ["x", "y", "z"]])
async def test_moving_on_and_closing_silences_it(keys: list[str]) -> None:
    ear = Ear()
    async with staged(ear.picker()) as (_, pilot):
        await pressed(pilot, "tab", *keys)
        assert ear.heard == ["tara", None]


async def test_who_only_looks_around_silences_nothing() -> None:
    """A reply may be sounding meanwhile."""
    ear = Ear()
    async with staged(ear.picker()) as (_, pilot):
        await pressed(pilot, "down", "down", "p", "backspace", "escape")
        assert ear.heard == []


async def test_a_search_that_keeps_the_voice_keeps_it_sounding() -> None:
    ear = Ear()
    async with staged(ear.picker()) as (app, pilot):
        await pressed(pilot, "tab", "t")
        assert cursor_line(app).startswith("● tara")
        assert ear.heard == ["tara"]


async def test_another_checkpoint_is_not_loaded_for_it_and_that_is_said() -> None:
    ear = Ear()
    async with staged(ear.picker()) as (app, pilot):
        await pressed(pilot, "down", "down", "tab")
        assert ear.heard == []
        assert "another checkpoint has to be loaded" in shown(app)
        assert "choose pierre to hear it" in shown(app)
        assert_frame_is_whole(app)
        await pressed(pilot, "up")
        assert "another checkpoint" not in shown(app), "it was of the other voice"
        assert_frame_is_whole(app)
    async with staged(ear.picker("pierre")) as (_, pilot):
        await pressed(pilot, "tab")
        assert "pierre" in ear.heard


async def test_what_is_not_here_is_marked_and_said() -> None:
    ear = Ear()
    async with staged(ear.picker()) as (app, pilot):
        marked = [line for line in lines(app) if "▲ not here" in line]
        assert len(marked) == 1
        assert "长" in marked[0]
        await pressed(pilot, "ctrl+end", "tab")
        assert ear.heard == []
        assert "is not on this machine" in shown(app)
        assert "→ run `voxterm fetch owner/chinese`" in shown(app)


async def test_where_nothing_fits_nobody_is_heard() -> None:
    ear = Ear()
    async with staged(ear.picker()) as (_, pilot):
        await pressed(pilot, *"xyz", "tab")
        assert ear.heard == []


async def test_a_click_on_the_key_does_the_same() -> None:
    ear = Ear()
    async with staged(ear.picker()) as (app, pilot):
        await pilot.click(offset=spot(app, "hear it"))
        assert ear.heard == ["tara"]


async def test_the_conversation_is_asked() -> None:
    controls = ScriptedControls(TALKED)
    async with app_of(controls).run_test(size=(80, 24)) as pilot:
        await settled(pilot)
        await pilot.press("v", "tab", "down", "tab", "enter")
        await settled(pilot)
        asked = [call for call in controls.calls if call.startswith(("sample", "voice"))]
        assert asked[:3] == ["sample tara", "sample None", "sample leo"]
        assert sorted(asked[3:]) == ["sample None", "voice leo"]


async def test_a_sample_that_fails_is_said_where_it_was_asked_for() -> None:
    controls = ScriptedControls(TALKED)
    app = app_of(controls)
    async with app.run_test(size=(80, 24)) as pilot:
        await settled(pilot)
        await pilot.press("v")
        controls.emit(Trouble("the disk is full", "make room", "store"))
        await pilot.press("tab")
        controls.emit(Trouble("tara failed", "choose another voice", "voice"))
        await settled(pilot)
        assert "▲ tara failed" in shown(app)
        assert "→ choose another voice" in shown(app)
        assert "the disk is full" not in shown(app), "it came before, and is of something else"
        assert_frame_is_whole(app)
        await pilot.press("down")
        await settled(pilot)
        assert "▲ tara failed" not in shown(app)
