"""Each key, as a person presses it."""

from __future__ import annotations

import pytest
from scripted import LOADING, READY, TROUBLE, left, on_screen, press, scripted_app

from voxterm.tui.dialogs.texts import HelpDialog, LogDialog
from voxterm.tui.panes.keys_line import KeysLine
from voxterm.tui.panes.prompt import MAX_CHARS, TypedLine


@pytest.mark.parametrize(
    ("keys", "calls"),
    [
        (["space"], ["talk True"]),
        (["space", "space"], ["talk True", "talk False"]),
        (["m"], ["mute True"]),
        (["m", "m"], ["mute True", "mute False"]),
        (["escape"], ["interrupt"]),
        (["r"], ["repeat"]),
        (["p"], ["play"]),
    ],
)
async def test_a_key_asks_the_conversation(keys: list[str], calls: list[str]) -> None:
    app, controls = scripted_app(READY)
    async with on_screen(app, (80, 24)) as pilot:
        await press(pilot, *keys)
        assert controls.calls == ["run", *calls]


async def test_while_engines_load_only_what_can_wait_is_asked() -> None:
    """There is nothing yet that could take a turn up or speak."""
    app, controls = scripted_app(LOADING)
    async with on_screen(app, (80, 24)) as pilot:
        await press(pilot, "space", "escape", "r", "m", "p", "t", *"hi", "enter")
        assert controls.calls == ["run", "mute True", "play", "type hi"]


@pytest.mark.parametrize("key", ["q", "ctrl+q", "ctrl+c"])
async def test_quitting_stops_the_conversation_and_waits_for_it(key: str) -> None:
    app, controls = scripted_app(READY)
    async with on_screen(app, (80, 24)) as pilot:
        await pilot.press(key)
        await left(pilot)
    assert controls.calls == ["run", "stop", "released"]
    assert app.return_value == 0


async def test_a_typed_line_is_said() -> None:
    app, controls = scripted_app(READY)
    async with on_screen(app, (80, 24)) as pilot:
        await press(pilot, "t", *"hi q", "enter")
        assert controls.calls == ["run", "type hi q"]
        assert app.screen.query_one(TypedLine).value == ""
        assert app.is_running


async def test_no_key_acts_while_typing_until_escape_leaves_the_line() -> None:
    app, controls = scripted_app(READY)
    async with on_screen(app, (80, 24)) as pilot:
        await press(pilot, "t", *"qmrpl", "space", "question_mark", "escape")
        assert controls.calls == ["run"]
        assert app.screen.query_one(TypedLine).value == "qmrpl ?"
        await press(pilot, "m")
        assert controls.calls == ["run", "mute True"]


async def test_nothing_is_said_where_nothing_was_typed() -> None:
    app, controls = scripted_app(READY)
    async with on_screen(app, (80, 24)) as pilot:
        await press(pilot, "t", "space", "enter")
        assert controls.calls == ["run"]


@pytest.mark.parametrize("key", ["ctrl+q", "ctrl+c"])
@pytest.mark.parametrize("before", ["t", "l", "question_mark"])
async def test_quits_while_typing_and_over_a_dialog(key: str, before: str) -> None:
    app, controls = scripted_app(READY)
    async with on_screen(app, (80, 24)) as pilot:
        await press(pilot, before)
        await pilot.press(key)
        await left(pilot)
    assert controls.calls[-1] == "released"


@pytest.mark.parametrize(("key", "dialog"), [("question_mark", HelpDialog), ("l", LogDialog)])
async def test_dialogs_open_and_close(key: str, dialog: type[HelpDialog | LogDialog]) -> None:
    app, controls = scripted_app(TROUBLE)
    async with on_screen(app, (80, 24)) as pilot:
        for closing in (key, "escape", "q"):
            await press(pilot, key)
            assert isinstance(app.screen, dialog)
            await press(pilot, closing)
            assert not isinstance(app.screen, dialog)
        assert controls.calls == ["run"]


async def test_a_click_on_a_key_does_what_the_key_does() -> None:
    app, controls = scripted_app(READY)
    async with on_screen(app, (80, 24)) as pilot:
        await pilot.click(KeysLine, offset=(2, 0))
        await pilot.pause()
        assert controls.calls == ["run", "talk True"]


async def test_what_is_pasted_is_made_safe_and_bounded() -> None:
    app, _ = scripted_app(READY)
    async with on_screen(app, (80, 24)) as pilot:
        await press(pilot, "t")
        typed = app.screen.query_one(TypedLine)
        typed.value = "\x1b[2J" + "x" * (2 * MAX_CHARS)
        await pilot.pause()
        assert typed.value.startswith("\\x1b[2Jxx")
        assert len(typed.value) == MAX_CHARS
