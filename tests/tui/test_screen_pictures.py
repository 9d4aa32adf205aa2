"""Every state of the screen as a picture. A change of a picture is meant, or it is a bug.

After a change that is meant: `pytest tests/tui/test_screen_pictures.py --snapshot-update`, and look at them.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Protocol

import pytest
from scripted import (
    HEARING,
    INTERRUPTED,
    LOADING,
    LONG,
    MUTED,
    NO_MICROPHONE,
    PAST,
    READY,
    SCRIPTS,
    SPEAKING,
    TALKED,
    THINKING,
    TROUBLE,
    scripted_app,
    settled,
)
from textual.pilot import Pilot

from voxterm.events import Event
from voxterm.tui.app import VoxtermApp
from voxterm.tui.controls import PastTurn
from voxterm.tui.prompt import TypedLine


class SnapCompare(Protocol):
    def __call__(
        self,
        app: VoxtermApp,
        *,
        terminal_size: tuple[int, int],
        run_before: Callable[[Pilot[int]], Awaitable[None]],
    ) -> bool: ...


MAIN_SCENES = {"loading": LOADING, "speaking": SPEAKING, "no-microphone": NO_MICROPHONE}
SIZES = {"80x24": (80, 24), "120x40": (120, 40), "200x50": (200, 50)}

SCENES: dict[str, tuple[Sequence[Event], Sequence[str], Sequence[PastTurn]]] = {
    "listening": (TALKED, (), ()),
    "hearing": (HEARING, (), ()),
    "thinking": (THINKING, (), ()),
    "interrupted": (INTERRUPTED, (), ()),
    "muted": (MUTED, ("m",), ()),
    "trouble": (TROUBLE, (), ()),
    "long-reply": (LONG, (), ()),
    "many-scripts": (SCRIPTS, (), ()),
    "resumed": (READY, (), PAST),
    "typing": (TALKED, ("t", "h", "i"), ()),
    "help": (TALKED, ("question_mark",), ()),
    "log": (TROUBLE, ("l",), ()),
}


def is_as_before(
    snap_compare: SnapCompare,
    script: Sequence[Event],
    size: tuple[int, int],
    keys: Sequence[str] = (),
    past: Sequence[PastTurn] = (),
) -> bool:
    async def play(pilot: Pilot[int]) -> None:
        await settled(pilot)
        pilot.app.screen.query_one(TypedLine).cursor_blink = False
        await pilot.press(*keys)
        await settled(pilot)

    app, _ = scripted_app(script, past)
    return snap_compare(app, terminal_size=size, run_before=play)


@pytest.mark.parametrize("size", SIZES.values(), ids=SIZES.keys())
@pytest.mark.parametrize("script", MAIN_SCENES.values(), ids=MAIN_SCENES.keys())
def test_main_scene(snap_compare: SnapCompare, script: Sequence[Event], size: tuple[int, int]) -> None:
    assert is_as_before(snap_compare, script, size)


@pytest.mark.parametrize(("script", "keys", "past"), SCENES.values(), ids=SCENES.keys())
def test_scene(
    snap_compare: SnapCompare, script: Sequence[Event], keys: Sequence[str], past: Sequence[PastTurn]
) -> None:
    assert is_as_before(snap_compare, script, (120, 40), keys, past)


def test_too_small(snap_compare: SnapCompare) -> None:
    assert is_as_before(snap_compare, READY, (49, 13))
