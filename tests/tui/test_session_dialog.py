"""Earlier sessions: to open, to name, to export and to delete, while the talk goes on."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from dialog_stage import (
    HOSTILE,
    Stage,
    assert_frame_is_whole,
    assert_harmless,
    cursor_line,
    lines,
    pressed,
    settled,
    shown,
    spot,
    staged,
)
from textual.app import App
from textual.pilot import Pilot

from voxterm.errors import OutputError, SessionError, StoreError, VoxtermError
from voxterm.tui.controls import ExportFormat, PastTurn, SessionChoice
from voxterm.tui.dialogs.session_dialog import OpenSession, SessionDialog

NOON = datetime(2026, 11, 21, 14, 2)


def kept() -> list[SessionChoice]:
    return [
        SessionChoice("now", NOON, "", "What's the tallest mountain?", 14, 761.0, True),
        SessionChoice("mars", NOON - timedelta(days=1), "Trip to Mars", "Hello.", 1, 7.4, False),
        SessionChoice("berge", NOON - timedelta(days=40), "", "Über die Berge", 230, 9_000.0, False),
    ]


@dataclass
class ScriptedSessions:
    """Sessions that write down what they are asked, fail where they are told to, and wait for `gate`."""

    sessions: list[SessionChoice] = field(default_factory=kept)
    errors: dict[str, VoxtermError] = field(default_factory=dict)  # by verb
    slow: str = ""  # the verb that waits
    gate: threading.Event = field(default_factory=threading.Event)
    calls: list[str] = field(default_factory=list)
    under_way: int = 0
    most_at_once: int = 0

    @property
    def current_id(self) -> str | None:
        return next((session.id for session in self.sessions if session.is_current), None)

    def list(self) -> Sequence[SessionChoice]:
        self._call("list")
        return tuple(self.sessions)

    def rename(self, session_id: str, title: str) -> None:
        self._call("rename", session_id, title)
        self.sessions = [replace(s, title=title) if s.id == session_id else s for s in self.sessions]

    def delete(self, session_id: str) -> None:
        self._call("delete", session_id)
        self.sessions = [session for session in self.sessions if session.id != session_id]

    def export(self, session_id: str, form: ExportFormat) -> Path:
        self._call("export", session_id, form)
        return Path(f"/folder/{session_id}.{form}")

    async def open(self, session_id: str | None) -> Sequence[PastTurn]:
        raise AssertionError("the app opens sessions, not the dialog")

    def _call(self, verb: str, *arguments: str) -> None:
        assert threading.current_thread() is not threading.main_thread(), f"{verb} blocks the event loop"
        self.calls.append(" ".join((verb, *arguments)))
        self.under_way += 1
        self.most_at_once = max(self.most_at_once, self.under_way)
        try:
            if verb == self.slow:
                self.gate.wait(20)
            if verb in self.errors:
                raise self.errors[verb]
        finally:
            self.under_way -= 1


# ---- the list


async def test_it_shows_what_was_kept_and_where_one_is() -> None:
    async with staged(SessionDialog(ScriptedSessions())) as (app, _):
        text = shown(app)
        assert cursor_line(app).startswith("● 2026-11-21 14:02  What's the tallest mountain?")
        assert "14 turns    12:41" in text
        assert "2026-11-20 14:02  Trip to Mars" in text
        assert " 1 turn     0:07" in text
        assert "230 turns  2:30:00" in text
        assert "Hello." not in text, "a title stands for the first words"
        assert "3 of 3" in text
        assert "enter open  n new  r rename  e export  d delete  / search  esc close" in text


@pytest.mark.parametrize(
    ("keys", "result"),
    [
        (["down", "enter"], OpenSession("mars")),
        (["j", "j", "k", "enter"], OpenSession("mars")),
        (["end", "enter"], OpenSession("berge")),
        (["G", "enter"], OpenSession("berge")),
        (["G", "home", "down", "enter"], OpenSession("mars")),
        (["pagedown", "enter"], OpenSession("berge")),
        (["n"], OpenSession(None)),
        (["enter"], None),  # the current one is open as it is
        (["G", "g", "enter"], None),
        (["escape"], None),
    ],
)
async def test_keys_choose(keys: list[str], result: OpenSession | None) -> None:
    sessions = ScriptedSessions()
    async with staged(SessionDialog(sessions)) as (app, pilot):
        await pressed(pilot, *keys)
        assert app.results == [result]
        assert sessions.calls == ["list"]


async def test_without_sessions_only_a_new_one_can_be_had() -> None:
    sessions = ScriptedSessions([])
    async with staged(SessionDialog(sessions)) as (app, pilot):
        assert "no session has been kept yet" in shown(app)
        await pressed(pilot, "enter", "r", "e", "d", "delete", "down", "G")
        assert app.results == []
        assert sessions.calls == ["list"]
        await pilot.press("n")
        assert app.results == [OpenSession(None)]


# ---- the search


async def test_slash_begins_to_search_and_letters_are_then_letters() -> None:
    sessions = ScriptedSessions()
    async with staged(SessionDialog(sessions)) as (app, pilot):
        await pressed(pilot, "slash", *"berned")
        assert "nothing fits" in shown(app)
        assert "enter to the list" in shown(app)
        await pressed(pilot, *["backspace"] * 3)
        assert "1 of 3" in shown(app)
        await pressed(pilot, "enter")
        assert app.results == [], "enter ends the typing first"
        assert "esc show all" in shown(app)
        await pilot.press("enter")
        assert app.results == [OpenSession("berge")]


async def test_commands_work_on_what_was_found() -> None:
    sessions = ScriptedSessions()
    async with staged(SessionDialog(sessions)) as (_, pilot):
        await pressed(pilot, "slash", *"mars", "enter", "d", "y")
        assert sessions.calls[1] == "delete mars"


async def test_esc_shows_all_again_and_then_closes() -> None:
    async with staged(SessionDialog(ScriptedSessions())) as (app, pilot):
        await pressed(pilot, "slash", *"mars", "escape")
        assert "3 of 3" in shown(app)
        assert cursor_line(app).endswith("0:07"), "the cursor stays on what was found"
        assert app.results == []
        await pressed(pilot, "slash", *"xyz", "enter", "escape")
        assert "3 of 3" in shown(app)
        await pilot.press("escape")
        assert app.results == [None]


async def test_arrows_move_while_searching() -> None:
    async with staged(SessionDialog(ScriptedSessions())) as (app, pilot):
        await pressed(pilot, "slash", *"2026", "down", "enter", "enter")
        assert app.results == [OpenSession("mars")]


# ---- to rename


async def test_a_session_is_renamed_from_its_title() -> None:
    sessions = ScriptedSessions()
    async with staged(SessionDialog(sessions)) as (app, pilot):
        await pressed(pilot, "down", "r")
        assert "title › Trip to Mars" in shown(app)
        assert "enter rename  esc leave as it is" in shown(app)
        await pressed(pilot, "end", *" and den", "enter")
        assert sessions.calls == ["list", "rename mars Trip to Mars and den", "list"]
        assert cursor_line(app).startswith("2026-11-20 14:02  Trip to Mars and den")
        assert "/ search" in shown(app)


@pytest.mark.parametrize("keys", [["x", "escape"], ["enter"]], ids=["esc", "unchanged"])
async def test_a_title_is_left_as_it_is(keys: list[str]) -> None:
    sessions = ScriptedSessions()
    async with staged(SessionDialog(sessions)) as (app, pilot):
        await pressed(pilot, "down", "r", *keys)
        assert sessions.calls == ["list"]
        assert app.results == []
        await pilot.press("escape")
        assert app.results == [None]


async def test_a_click_while_a_title_is_typed_renames_no_other() -> None:
    sessions = ScriptedSessions()
    async with staged(SessionDialog(sessions)) as (app, pilot):
        await pressed(pilot, "down", "r")
        await pilot.click(offset=spot(app, "Über"))
        await pilot.click(offset=spot(app, "Über"), times=2)
        await pressed(pilot, "X", "enter")
        assert sessions.calls[1] == "rename mars X", "typed over what was selected"
        assert app.results == []


# ---- to export


@pytest.mark.parametrize(
    ("keys", "form"),
    [([], "md"), (["down"], "json"), (["down", "down"], "srt"), (list("wav"), "wav"), (list("svg"), "svg")],
)
async def test_a_session_is_exported(keys: list[str], form: str) -> None:
    sessions = ScriptedSessions()
    async with staged(SessionDialog(sessions)) as (app, pilot):
        await pressed(pilot, "down", "e")
        await pressed(pilot, *keys)
        await pressed(pilot, "enter")
        assert sessions.calls == ["list", f"export mars {form}", "list"]
        assert f"✓ written to /folder/mars.{form}" in shown(app)
        assert app.results == []


async def test_no_format_exports_nothing() -> None:
    sessions = ScriptedSessions()
    async with staged(SessionDialog(sessions)) as (app, pilot):
        await pressed(pilot, "e", "escape")
        assert sessions.calls == ["list"]
        assert "sessions" in shown(app)


# ---- to delete


@pytest.mark.parametrize("key", ["d", "delete"])
async def test_a_session_is_deleted_once_that_is_meant(key: str) -> None:
    sessions = ScriptedSessions()
    async with staged(SessionDialog(sessions)) as (app, pilot):
        await pressed(pilot, "down", key)
        assert "Delete 2026-11-20 14:02, 1 turn? It cannot be" in shown(app)
        await pressed(pilot, "y")
        assert sessions.calls == ["list", "delete mars", "list"]
        assert "✓ deleted 2026-11-20 14:02" in shown(app)
        assert "2 of 2" in shown(app)
        assert "Berge" in cursor_line(app), "the next one takes its place"


@pytest.mark.parametrize("key", ["n", "enter", "escape"])
async def test_no_deletes_nothing(key: str) -> None:
    sessions = ScriptedSessions()
    async with staged(SessionDialog(sessions)) as (app, pilot):
        await pressed(pilot, "down", "d", key)
        assert sessions.calls == ["list"]
        assert cursor_line(app).startswith("2026-11-20")
        assert app.results == []


async def test_the_last_of_the_list_may_be_deleted() -> None:
    async with staged(SessionDialog(ScriptedSessions())) as (app, pilot):
        await pressed(pilot, "G", "d", "y")
        assert "Trip to Mars" in cursor_line(app)


async def test_the_current_one_is_not_deleted_and_why() -> None:
    sessions = ScriptedSessions()
    async with staged(SessionDialog(sessions)) as (app, pilot):
        await pressed(pilot, "d", "y")
        assert "▲ the session that is under way cannot be deleted" in shown(app)
        assert "→ begin a new one with n" in shown(app)
        assert sessions.calls == ["list"]


# ---- the mouse


async def test_a_click_moves_the_cursor_and_a_double_click_opens() -> None:
    async with staged(SessionDialog(ScriptedSessions())) as (app, pilot):
        await pilot.click(offset=spot(app, "Trip to"))
        await settled(pilot)
        assert "Trip to Mars" in cursor_line(app)
        assert app.results == []
        await pilot.click(offset=spot(app, "Berge"), times=2)
        await settled(pilot)
        assert app.results == [OpenSession("berge")]


async def test_keys_in_the_foot_line_can_be_clicked() -> None:
    sessions = ScriptedSessions()
    async with staged(SessionDialog(sessions)) as (app, pilot):
        for key in ("search", "show all", "rename", "leave as"):
            await pilot.click(offset=_foot_spot(app, key))
            await settled(pilot)
        await pilot.press("down")
        await pilot.click(offset=_foot_spot(app, "delete"))
        await settled(pilot)
        await pilot.click(offset=spot(app, "yes"))
        await settled(pilot)
        assert sessions.calls[1] == "delete mars"
        await pilot.click(offset=_foot_spot(app, "new"))
        assert app.results == [OpenSession(None)]


def _foot_spot(app: App[None], does: str) -> tuple[int, int]:
    foot = app.screen.query_one("FootLine").region
    line = lines(app)[foot.y]
    return line.index(does, foot.x), foot.y


# ---- errors

ERRORS = {
    "rename": (SessionError("another program has it open", "quit that program"), ["down", "r", "x", "enter"]),
    "delete": (SessionError("there is no session mars", "choose another"), ["down", "d", "y"]),
    "export": (OutputError("/folder/mars.md is there already", "move it away"), ["down", "e", "enter"]),
}


@pytest.mark.parametrize("verb", ERRORS)
async def test_an_error_is_shown_in_place_with_its_remedy(verb: str) -> None:
    error, keys = ERRORS[verb]
    sessions = ScriptedSessions(errors={verb: error})
    async with staged(SessionDialog(sessions)) as (app, pilot):
        await pressed(pilot, *keys)
        assert f"▲ {error.what}" in shown(app)
        assert f"→ {error.remedy}" in shown(app)
        assert sessions.calls[-1] == "list", "the list may be another now"
        assert cursor_line(app).startswith("2026-11-20"), "all is as it was"
        del sessions.errors[verb]
        await pressed(pilot, "r", "Y", "enter")
        assert "▲" not in shown(app), "the next call begins afresh"
        assert sessions.calls[-2] == "rename mars Y"


async def test_a_list_that_cannot_be_read_is_told() -> None:
    sessions = ScriptedSessions(errors={"list": StoreError("the disk is gone", "mount it again")})
    async with staged(SessionDialog(sessions)) as (app, pilot):
        assert "▲ the disk is gone" in shown(app)
        assert "→ mount it again" in shown(app)
        assert "looking" not in shown(app)
        await pilot.press("escape")
        assert app.results == [None]


async def test_a_deletion_is_told_even_if_the_list_cannot_be_read_again() -> None:
    """The error of the list must not be mistaken for one of the deletion, nor be hidden by its success."""
    sessions = ScriptedSessions()
    async with staged(SessionDialog(sessions)) as (app, pilot):
        await pressed(pilot, "down", "d")
        sessions.errors["list"] = StoreError("the disk is gone", "mount it again")
        await pressed(pilot, "y")
        assert "✓ deleted 2026-11-20 14:02" in shown(app)
        assert "▲ the disk is gone" in shown(app)


# ---- slow calls


async def test_while_a_call_is_slow_one_can_move_search_and_not_begin_another() -> None:
    sessions = ScriptedSessions(slow="export")
    async with staged(SessionDialog(sessions)) as (app, pilot):
        try:
            await pilot.press("down", "e", "enter")
            await until(pilot, "exporting …")
            await pilot.press("down", "d", "r", "e", "n", "enter", "delete")
            assert "Berge" in cursor_line(app)
            await pilot.press("slash", *"mars")
            assert "exporting … · 1 of 3" in shown(app)
            await pilot.press("escape")
            assert app.results == []
            assert sessions.calls == ["list", "export mars md"]
        finally:
            sessions.gate.set()
        await settled(pilot)
        assert "✓ written to" in shown(app)
        assert "exporting" not in shown(app)
        assert sessions.most_at_once == 1


async def test_esc_while_a_call_is_slow_closes_once_it_has_ended() -> None:
    """Two dialogs after one another would else make two calls at once."""
    sessions = ScriptedSessions(slow="list")
    app = Stage()
    async with app.run_test(size=(80, 24)) as pilot:
        try:
            app.push_screen(SessionDialog(sessions), app.results.append)
            await until(pilot, "looking …")
            await pilot.press("escape", "escape")
            await until(pilot, "then it closes")
            assert app.results == []
        finally:
            sessions.gate.set()
        await settled(pilot)
        assert app.results == [None]


async def until(pilot: Pilot[None], text: str) -> None:
    for _ in range(200):
        await pilot.pause()
        if text in shown(pilot.app):
            return
    raise AssertionError(f"{text!r} was not shown")


# ---- sizes and hostile texts


@pytest.mark.parametrize("size", [(50, 14), (80, 24), (200, 50)], ids=str)
async def test_it_fits_the_screen(size: tuple[int, int]) -> None:
    sessions = ScriptedSessions(
        [SessionChoice(f"s{i}", NOON, f"title {i} " * 9, "", i, i * 60.0, i == 25) for i in range(50)]
    )
    async with staged(SessionDialog(sessions), size) as (app, pilot):
        assert_frame_is_whole(app)
        assert "title 25" in cursor_line(app)
        assert "esc close" in shown(app)
        await pressed(pilot, "d")
        assert_frame_is_whole(app)
        assert "title 25" in cursor_line(app)
        assert "then" in shown(app), "the whole remedy"
        assert "esc close" in shown(app)
        await pressed(pilot, "G")
        assert "title 49" in cursor_line(app)


@pytest.mark.parametrize("size", [(50, 14), (120, 40)], ids=str)
@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE.keys())
async def test_a_hostile_text_is_only_shown(text: str, size: tuple[int, int]) -> None:
    sessions = ScriptedSessions(
        [
            SessionChoice(text, NOON, text, text, 1, -1.0, False),
            SessionChoice("b", NOON, "", text, 10**9, 1e9, True),
        ],
        errors={"rename": SessionError(text, text), "export": OutputError(text, text)},
    )
    async with staged(SessionDialog(sessions), size) as (app, pilot):
        for keys in (["up"], ["r"], ["x", "enter"], ["e"], ["enter"], ["slash", "x"], ["escape"]):
            await pressed(pilot, *keys)
            assert_harmless(app)
            assert_frame_is_whole(app)
        del sessions.errors["export"]
        await pressed(pilot, "g", "e")
        await pressed(pilot, "enter")
        assert_harmless(app)
        await pressed(pilot, "enter")
        assert app.results == [OpenSession(text)]
