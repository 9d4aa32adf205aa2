"""Yes has to be meant; all else is no."""

from __future__ import annotations

import pytest
from dialog_stage import HOSTILE, assert_frame_is_whole, assert_harmless, shown, spot, staged

from voxterm.tui.dialogs.question import Question

TEXT = "Delete 2026-11-21 14:02, 14 turns? It cannot be undone."


@pytest.mark.parametrize(("key", "answer"), [("y", True), ("n", False), ("enter", False), ("escape", False)])
async def test_a_key_answers(key: str, answer: bool) -> None:
    async with staged(Question(TEXT)) as (app, pilot):
        assert TEXT.split("?", maxsplit=1)[0] in shown(app)
        await pilot.press(key)
        assert app.results == [answer]


@pytest.mark.parametrize("key", ["space", "tab", "x", "Y", "down", "q"])
async def test_other_keys_answer_nothing(key: str) -> None:
    async with staged(Question(TEXT)) as (app, pilot):
        await pilot.press(key)
        assert app.results == []


@pytest.mark.parametrize(("word", "answer"), [("yes", True), ("no", False)])
async def test_a_click_on_an_answer_gives_it(word: str, answer: bool) -> None:
    async with staged(Question("Really?")) as (app, pilot):
        await pilot.click(offset=spot(app, word))
        assert app.results == [answer]


async def test_a_click_beside_the_answers_gives_none() -> None:
    async with staged(Question(TEXT)) as (app, pilot):
        column, line = spot(app, "yes")
        await pilot.click(offset=(column + 30, line))
        await pilot.click(offset=(1, 1))
        assert app.results == []


@pytest.mark.parametrize("size", [(50, 14), (80, 24)], ids=str)
@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE.keys())
async def test_a_hostile_text_is_only_shown(text: str, size: tuple[int, int]) -> None:
    async with staged(Question(text), size) as (app, pilot):
        assert_harmless(app)
        assert_frame_is_whole(app)
        assert "yes" in shown(app), "the answers are in view"
        await pilot.press("n")
        assert app.results == [False]


async def test_markup_is_shown_letter_by_letter() -> None:
    async with staged(Question(HOSTILE["click"])) as (app, _):
        assert HOSTILE["click"] in shown(app)
