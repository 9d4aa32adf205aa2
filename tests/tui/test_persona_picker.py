"""The list of those who can answer."""

from __future__ import annotations

import pytest
from dialog_stage import (
    HOSTILE,
    Stage,
    assert_frame_is_whole,
    assert_harmless,
    cursor_line,
    pressed,
    shown,
    staged,
)
from dialog_stage import settled as at_rest
from scripted import PERSONAS

from voxterm.tui.controls import PersonaChoice
from voxterm.tui.dialogs.persona_picker import persona_picker


async def test_it_opens_at_the_one_that_answers_and_enter_takes_it() -> None:
    async with staged(persona_picker(PERSONAS, "storyteller")) as (app, pilot):
        assert cursor_line(app).startswith("● storyteller")
        assert "leo" in cursor_line(app)
        assert "scene by scene" in cursor_line(app)
        await pilot.press("enter")
        assert app.results == [PERSONAS[2]]


async def test_where_nobody_was_chosen_it_opens_at_none() -> None:
    async with staged(persona_picker(PERSONAS, "")) as (app, pilot):
        assert cursor_line(app).startswith("● none")
        assert "the system prompt alone" in cursor_line(app)
        await pressed(pilot, "down", "enter")
        assert app.results == [PERSONAS[1]]


@pytest.mark.parametrize(
    ("searched", "name"), [("patient", "tutor"), ("leo", "storyteller"), ("none", ""), ("ऋतिका", "दादी")]
)
async def test_a_persona_is_found_by_its_name_its_voice_and_what_it_is(searched: str, name: str) -> None:
    async with staged(persona_picker(PERSONAS, "")) as (app, pilot):
        app.screen.query_one("TypedField").value = searched  # type: ignore[attr-defined]
        await at_rest(pilot)
        await pressed(pilot, "enter")
        assert [persona.name for persona in app.results if persona] == [name]


@pytest.mark.parametrize("size", [(50, 14), (120, 40)], ids=str)
@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE.keys())
async def test_a_hostile_text_is_only_shown(text: str, size: tuple[int, int]) -> None:
    app = Stage()
    async with app.run_test(size=size) as pilot:
        app.push_screen(
            persona_picker([PERSONAS[0], PersonaChoice(text, text, text)], text), app.results.append
        )
        await pilot.pause()
        await at_rest(pilot)
        assert_harmless(app)
        assert_frame_is_whole(app)
        await pilot.press("down", "[", "escape")
        assert app.results == [None]
        assert shown(app)
