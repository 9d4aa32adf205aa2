"""Choosing a voice, a device and a theme."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from typing import Any

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
from rich.console import Console

from voxterm.errors import DeviceError
from voxterm.tui.controls import DeviceChoice, VoiceChoice
from voxterm.tui.dialogs.choice_list import ChoiceList
from voxterm.tui.dialogs.picker import Picker, device_picker, theme_picker
from voxterm.tui.dialogs.voice_picker import VoicePicker

VOICES = [
    VoiceChoice("tara", "en", "warm, quick; laughs easily"),
    VoiceChoice("leo", "en", "deep and slow"),
    VoiceChoice("pierre", "fr", "warm, from Lyon"),
    VoiceChoice("amélie", "fr", ""),
    VoiceChoice("长乐", "zh", "普通话女声"),
]
MANY = [VoiceChoice(f"voice {i}", "en", f"number {i}") for i in range(1000)]
DEVICES = [
    DeviceChoice("microphone", 1, "USB Audio: Blue Yeti", True),
    DeviceChoice("microphone", 4, "HDA Intel PCH", False),
    DeviceChoice("loudspeaker", 4, "HDA Intel PCH", True),
    DeviceChoice("loudspeaker", 7, "Bjørn's headphones", False),
]
SIZES = [(50, 14), (80, 24), (200, 50)]


def voice_picker(voices: Sequence[VoiceChoice], current: str) -> Picker[VoiceChoice]:
    return VoicePicker(voices, current, lambda name: None)


def voices(current: str = "leo") -> Picker[VoiceChoice]:
    return voice_picker(VOICES, current)


# ---- keys


async def test_it_opens_at_the_current_one_and_enter_takes_it() -> None:
    async with staged(voices("pierre")) as (app, pilot):
        assert cursor_line(app).startswith("● pierre")
        assert "5 of 5" in shown(app)
        await pilot.press("enter")
        assert app.results == [VOICES[2]]


@pytest.mark.parametrize(
    ("keys", "name"),
    [
        (["down"], "pierre"),
        (["up"], "tara"),
        (["up", "up", "up"], "tara"),
        (["down"] * 9, "长乐"),
        (["pagedown"], "长乐"),
        (["pageup"], "tara"),
        (["ctrl+end"], "长乐"),
        (["ctrl+end", "ctrl+home"], "tara"),
    ],
)
async def test_keys_move_the_cursor(keys: list[str], name: str) -> None:
    async with staged(voices()) as (app, pilot):
        await pressed(pilot, *keys, "enter")
        assert [voice.name for voice in app.results if voice] == [name]


async def test_esc_takes_nothing() -> None:
    async with staged(voices()) as (app, pilot):
        await pressed(pilot, "down", "escape")
        assert app.results == [None]


async def test_a_current_one_that_is_not_there_opens_at_the_top() -> None:
    async with staged(voices("gone")) as (app, _):
        assert cursor_line(app).startswith("tara")
        assert "●" not in shown(app)


# ---- the search


async def test_typing_filters_and_enter_takes_the_best() -> None:
    async with staged(voices()) as (app, pilot):
        await pressed(pilot, *"AME")
        assert "1 of 5" in shown(app)
        assert "tara" not in shown(app)
        await pilot.press("enter")
        assert app.results == [VOICES[3]]


async def test_words_of_any_column_in_any_order() -> None:
    async with staged(voices()) as (app, pilot):
        await pressed(pilot, *"warm fr", "enter")
        assert app.results == [VOICES[2]]


async def test_the_cursor_goes_to_the_best_match() -> None:
    async with staged(voices("长乐")) as (app, pilot):
        await pressed(pilot, *"le")
        assert cursor_line(app).startswith("leo")


async def test_a_cleared_search_shows_all_and_keeps_the_cursor() -> None:
    async with staged(voices("tara")) as (app, pilot):
        await pressed(pilot, "p", "backspace")
        assert "5 of 5" in shown(app)
        assert cursor_line(app).startswith("pierre")


async def test_where_nothing_fits_enter_takes_nothing() -> None:
    async with staged(voices()) as (app, pilot):
        await pressed(pilot, *"xyz", "enter", "down", "up", "pagedown", "ctrl+end")
        assert "nothing fits" in shown(app)
        assert "0 of 5" in shown(app)
        assert app.results == []
        await pressed(pilot, "backspace", "backspace", "backspace", "enter")
        assert app.results != []


async def test_the_frame_does_not_move_while_one_searches() -> None:
    async with staged(voices()) as (app, pilot):
        before = app.screen.query_one("DialogFrame").region
        await pressed(pilot, *"xyz")
        assert app.screen.query_one("DialogFrame").region == before


async def test_without_rows_it_says_so() -> None:
    async with staged(voice_picker([], "tara")) as (app, pilot):
        assert "there are none" in shown(app)
        await pressed(pilot, "enter", "down", "x")
        assert app.results == []
        await pilot.press("escape")
        assert app.results == [None]


# ---- the mouse


async def test_a_click_takes_the_row() -> None:
    async with staged(voices()) as (app, pilot):
        await pilot.click(offset=spot(app, "from Lyon"))
        assert app.results == [VOICES[2]]


async def test_a_click_below_the_rows_takes_nothing() -> None:
    async with staged(voices()) as (app, pilot):
        column, line = spot(app, "from Lyon")
        await pressed(pilot, *"leo")
        await pilot.click(offset=(column, line))
        assert app.results == []


async def test_a_click_after_scrolling_takes_what_is_shown_there() -> None:
    async with staged(voice_picker(MANY, "voice 500")) as (app, pilot):
        await pilot.click(offset=spot(app, "number 503"))
        assert app.results == [MANY[503]]


@pytest.mark.parametrize(("key", "result"), [("take", VOICES[1]), ("close", None)])
async def test_a_click_on_a_key_does_what_the_key_does(key: str, result: VoiceChoice | None) -> None:
    async with staged(voices()) as (app, pilot):
        await pilot.click(offset=spot(app, key))
        assert app.results == [result]


async def test_the_cursor_goes_along_as_the_view_scrolls() -> None:
    async with staged(voice_picker(MANY, "voice 3")) as (app, _):
        chosen = app.screen.query_one("ChoiceList")
        chosen.scroll_to(y=400, animate=False, immediate=True, force=True)
        await app.animator.wait_until_complete()
        app.screen._compositor_refresh()
        assert cursor_line(app).startswith("voice 400")


# ---- many rows


@pytest.mark.parametrize("size", SIZES, ids=str)
async def test_the_cursor_is_always_in_view(size: tuple[int, int]) -> None:
    async with staged(voice_picker(MANY, "voice 500"), size) as (app, pilot):
        assert "voice 500" in cursor_line(app)
        assert "voice 498" in shown(app), "there is something above it, too"
        for keys, name in (
            (["down"] * 8, "voice 508"),
            (["ctrl+end"], "voice 999"),
            (["up"] * 8, "voice 991"),
            (["ctrl+home", "pagedown", "pageup"], "voice 0"),
        ):
            await pilot.press(*keys)
            await settled(pilot)
            assert cursor_line(app).split("  ")[0] == name
        await pilot.resize_terminal(50, 14)
        await settled(pilot)
        assert cursor_line(app).startswith("voice 0")


async def test_a_thousand_rows_are_quick() -> None:
    """Drawing more than what is in view would take seconds here."""
    async with staged(voice_picker(MANY, "voice 500")) as (app, pilot):
        began = time.process_time()
        await pilot.press(*["down"] * 10, *"number 77", *["down"] * 10, *["up"] * 10)
        await settled(pilot)
        assert time.process_time() - began < 5.0
        assert "voice 77" in shown(app)


# ---- devices


async def test_devices_come_with_the_default_of_each_kind_first() -> None:
    async with staged(device_picker(lambda: DEVICES, {"loudspeaker": 7})) as (app, pilot):
        rows = [line.strip(" │›●").split("  ") for line in lines(app) if " mic " in line or " out " in line]
        assert [(row[0], row[1].strip()) for row in rows] == [
            ("mic", "default, now USB Audio: Blue Yeti"),
            ("mic", "USB Audio: Blue Yeti"),
            ("mic", "HDA Intel PCH"),
            ("out", "default, now HDA Intel PCH"),
            ("out", "HDA Intel PCH"),
            ("out", "Bjørn's headphones"),
        ]
        assert "Bjørn" in cursor_line(app)
        await pressed(pilot, "up", "up", "enter")
        (taken,) = app.results
        assert taken is not None
        assert (taken.kind, taken.wanted) == ("loudspeaker", "default")


async def test_a_device_is_current_by_its_name_too() -> None:
    current = device_picker(lambda: DEVICES, {"microphone": "HDA Intel PCH", "loudspeaker": "default"})
    async with staged(current) as (app, _):
        assert cursor_line(app).startswith("● mic  HDA")
        assert sum("●" in line for line in lines(app)) == 2


async def test_without_devices_the_defaults_are_there() -> None:
    async with staged(device_picker(list, {})) as (app, _):
        assert "2 of 2" in shown(app)


async def test_while_devices_are_looked_for_the_dialog_is_there_and_can_be_left() -> None:
    found = threading.Event()

    def look() -> Sequence[DeviceChoice]:
        found.wait(20)
        return DEVICES

    app = Stage()
    async with app.run_test(size=(80, 24)) as pilot:
        try:
            app.push_screen(device_picker(look, {}), app.results.append)
            await pilot.pause()
            assert "looking …" in shown(app)
            await pilot.press("d", "down", "enter")
            assert app.results == []
            await pilot.press("backspace")
            found.set()
            await settled(pilot)
            assert "6 of 6" in shown(app)
        finally:
            found.set()
        await pilot.press("escape")
        assert app.results == [None]


async def test_what_was_typed_while_looking_counts() -> None:
    found = threading.Event()

    def look() -> Sequence[DeviceChoice]:
        found.wait(20)
        return DEVICES

    app = Stage()
    async with app.run_test(size=(80, 24)) as pilot:
        app.push_screen(device_picker(look, {}), app.results.append)
        await pilot.pause()
        await pilot.press(*"bjo")
        found.set()
        await settled(pilot)
        assert "1 of 6" in shown(app)


async def test_closed_while_looking_nothing_comes_after() -> None:
    found = threading.Event()

    def look() -> Sequence[DeviceChoice]:
        found.wait(20)
        return DEVICES

    app = Stage()
    async with app.run_test(size=(80, 24)) as pilot:
        app.push_screen(device_picker(look, {}), app.results.append)
        await pilot.pause()
        await pilot.press("escape")
        assert app.results == [None]
        found.set()
        await pilot.pause()
        assert app.is_running


async def test_an_error_is_shown_in_place_with_its_remedy() -> None:
    def look() -> Sequence[DeviceChoice]:
        raise DeviceError("PortAudio is not there", "install it: apt install libportaudio2")

    async with staged(device_picker(look, {})) as (app, pilot):
        assert "▲ PortAudio is not there" in shown(app)
        assert "→ install it: apt install libportaudio2" in shown(app)
        assert "looking" not in shown(app)
        await pressed(pilot, "enter", "down", "x", "escape")
        assert app.results == [None]


# ---- themes


async def test_a_theme_is_previewed_and_taken() -> None:
    seen: list[str] = []
    names = ["nord", "dracula", "monokai"]
    async with staged(theme_picker(names, "nord", seen.append)) as (app, pilot):
        assert seen == [], "the theme that is on needs no preview"
        await pressed(pilot, "down", "down", "down", "enter")
        assert seen == ["dracula", "monokai"]
        assert app.results == ["monokai"]


async def test_esc_puts_the_old_theme_on_again() -> None:
    seen: list[str] = []
    async with staged(theme_picker(["nord", "dracula"], "nord", seen.append)) as (app, pilot):
        await pressed(pilot, *"drac", "escape")
        assert seen == ["dracula", "nord"]
        assert app.results == [None]


async def test_real_themes_can_be_previewed() -> None:
    app = Stage()

    def preview(name: str) -> None:
        app.theme = name

    async with app.run_test(size=(80, 24)) as pilot:
        app.push_screen(theme_picker(list(app.available_themes), app.theme, preview), app.results.append)
        await pilot.pause()
        for _ in app.available_themes:
            await pilot.press("down")
            assert_frame_is_whole(app)
        assert app.theme == list(app.available_themes)[-1]
        await pilot.press("escape")
        assert app.theme == "textual-dark"


# ---- hostile texts


def hostile_pickers(text: str) -> list[Picker[Any]]:
    around = [VoiceChoice("plain", "en", "plain"), VoiceChoice(text, text, text)]
    device = DeviceChoice("microphone", text, text, True)

    def fail() -> Sequence[DeviceChoice]:
        raise DeviceError(text, text)

    return [
        voice_picker(around, text),
        device_picker(lambda: [device], {"microphone": text}),
        device_picker(fail, {}),
        theme_picker([text, "plain"], text, lambda name: None),
    ]


@pytest.mark.parametrize("size", [(50, 14), (120, 40)], ids=str)
@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE.keys())
async def test_a_hostile_text_is_only_shown(text: str, size: tuple[int, int]) -> None:
    app = Stage()
    async with app.run_test(size=size) as pilot:
        for picker in hostile_pickers(text):
            app.push_screen(picker, app.results.append)
            await pilot.pause()
            await settled(pilot)
            assert_harmless(app)
            assert_frame_is_whole(app)
            await pilot.press("down", "[", "escape")
        assert app.results == [None] * 4
        assert app.is_running


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE.keys())
async def test_a_hostile_text_may_be_pasted_into_the_search(text: str) -> None:
    async with staged(voices()) as (app, pilot):
        app.screen.query_one("TypedField").value = text  # type: ignore[attr-defined]
        await settled(pilot)
        assert_harmless(app)
        assert_frame_is_whole(app)


async def test_columns_keep_their_place_where_terminals_disagree_on_widths(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Vowel signs take a cell of their own in some terminals: what follows is put where it belongs."""
    rows = [VoiceChoice("तारा", "hi", "धीमी और गहरी " * 9)]
    async with staged(voice_picker(rows, "")) as (app, _):
        chosen = app.screen.query_one(ChoiceList)
        with monkeypatch.context() as on_a_terminal:
            on_a_terminal.setattr(Stage, "is_headless", False)
            strip = chosen.render_line(0)
        written = strip.render(Console(color_system=None, force_terminal=True))
        x = chosen.content_region.x + 3
        assert strip.cell_length == chosen.content_region.width
        assert "तारा" in written
        assert f"\x1b[{x + len('तारा') + 3}G" in written, "the cursor is set to where the language begins"


async def test_markup_in_a_row_is_shown_letter_by_letter_and_cut() -> None:
    rows = [VoiceChoice("[b]tara[/b]", "en", "[@click=app.quit]press[/] " + "x" * 200)]
    async with staged(voice_picker(rows, "")) as (app, _):
        assert "[b]tara[/b]" in shown(app)
        assert "[@click=app.quit]press[/]" in shown(app)
        assert "xx…" in shown(app)
