"""Every state of the screen and every dialog as pictures. A change of a picture is meant, or it is a bug.

After a change that is meant: `pytest tests/tui/test_screen_pictures.py --snapshot-update`, and look at them.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import pytest
from scripted import (
    FAILURE,
    FOUR_GPUS,
    HEARING,
    HINDI_VOICE,
    INTERRUPTED,
    LOADING,
    LONG,
    LONG_NAMES,
    MANY_TURNS,
    MUTED,
    NO_MICROPHONE,
    ONE_GPU,
    PAST,
    PERSONA,
    RAM,
    READY,
    RECONNECTING,
    SCRIPTS,
    SPEAKING,
    TALKED,
    THINKING,
    TROUBLE,
    ScriptedControls,
    ScriptedSessions,
    Settings,
    app_of,
    settled,
)
from small_svg import smaller
from textual.pilot import Pilot
from textual.widgets import Input

from voxterm.errors import VoxtermError
from voxterm.events import Event
from voxterm.gauges import Gauges
from voxterm.tui.app import VoxtermApp
from voxterm.tui.controls import PastTurn
from voxterm.tui.terminal.driver import fit_to_terminal

Size = tuple[int, int]


class SnapCompare(Protocol):
    def __call__(
        self,
        app: VoxtermApp,
        *,
        terminal_size: Size,
        run_before: Callable[[Pilot[int]], Awaitable[None]],
    ) -> bool: ...


@dataclass(frozen=True)
class Scene:
    """What has happened, and then the keys that are pressed."""

    script: Sequence[Event]
    keys: Sequence[str] = ()
    gauges: Gauges = ONE_GPU
    theme: str = "textual-dark"
    past: Sequence[PastTurn] = ()
    error: VoxtermError | None = None
    is_kept: bool = True
    environ: Mapping[str, str] = field(default_factory=dict)  # of the terminal, where it can do less


SIZES: Sequence[Size] = ((80, 24), (120, 40), (200, 50))

SCENES = {
    "loading": Scene(LOADING, gauges=RAM),
    "listening": Scene(TALKED),
    "hearing": Scene(HEARING),
    "thinking": Scene(THINKING),
    "speaking": Scene(SPEAKING),
    "interrupted": Scene(INTERRUPTED),
    "muted": Scene(MUTED, ["m"]),
    "trouble": Scene(TROUBLE),
    "stopped": Scene(TALKED, error=FAILURE),
    "no-microphone": Scene(NO_MICROPHONE),
    "no-gpu": Scene(MANY_TURNS, gauges=RAM),
    "one-gpu": Scene(MANY_TURNS),
    "four-gpus": Scene(MANY_TURNS, gauges=FOUR_GPUS),
    "long-reply": Scene(LONG),
    "many-scripts": Scene(SCRIPTS),
    "hindi-voice": Scene(HINDI_VOICE),
    "typing": Scene(TALKED, ["t", *"and then"]),
    "searching": Scene(MANY_TURNS, ["slash", *"moon"]),
    "help": Scene(TALKED, ["question_mark"]),
    "voices": Scene(HINDI_VOICE, ["v"]),
    "voice-not-at-hand": Scene(HINDI_VOICE, ["v", "up", "tab"]),
    "personas": Scene(PERSONA, ["a"]),
    "persona": Scene(PERSONA),
    "devices": Scene(TALKED, ["d"]),
    "themes": Scene(TALKED, ["k", *"nord"]),
    "sessions": Scene(TALKED, ["s"]),
    "latencies-explained": Scene(SPEAKING, ["e"]),
    "log": Scene(TROUBLE, ["l"]),
    "question": Scene(TALKED, ["q"], is_kept=False),
}

SINGLE_SCENES = {
    "tab-latency": (Scene(SPEAKING, ["2"]), (80, 24)),
    "tab-memory": (Scene(SPEAKING, ["3"], FOUR_GPUS), (80, 24)),
    "tab-audio": (Scene(SPEAKING, ["4"]), (80, 24)),
    "tab-log": (Scene(TROUBLE, ["5"]), (80, 24)),
    "layout-talk": (Scene(MANY_TURNS, ["tab"]), (120, 40)),
    "layout-instruments": (Scene(TROUBLE, ["shift+tab"], FOUR_GPUS), (120, 40)),
    "fewest-rows-with-panes": (Scene(MANY_TURNS), (100, 30)),
    "smallest": (Scene(TROUBLE), (50, 14)),
    "too-small": (Scene(READY), (40, 12)),
    "largest": (Scene(TROUBLE, gauges=FOUR_GPUS), (300, 100)),
    "resumed": (Scene(READY, past=PAST), (120, 40)),
    "reconnecting": (Scene(RECONNECTING), (120, 40)),
    "long-names": (Scene(LONG_NAMES), (120, 40)),
    "light": (Scene(TROUBLE, theme="textual-light"), (120, 40)),
    "ansi-dark": (Scene(TROUBLE, theme="ansi-dark"), (120, 40)),
    "ansi-light": (Scene(SPEAKING, theme="ansi-light"), (120, 40)),
    "no-colour": (Scene(TROUBLE, environ={"TERM": "xterm", "NO_COLOR": "1"}), (120, 40)),
    "plain-characters": (Scene(SPEAKING, environ={"TERM": "xterm", "LC_ALL": "C"}), (120, 40)),
    "plain-characters-80x24": (Scene(TROUBLE, environ={"TERM": "linux"}), (80, 24)),
    "dialog-ansi": (Scene(TALKED, ["d"], theme="ansi-dark"), (80, 24)),
}


@pytest.fixture(autouse=True)
def _cursor_stands_still(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Input, "_toggle_cursor", lambda self: None)


def is_as_before(snap_compare: SnapCompare, scene: Scene, size: Size) -> bool:
    async def play(pilot: Pilot[int]) -> None:
        await settled(pilot)
        await pilot.press(*scene.keys)
        await settled(pilot)

    app = app_of(
        ScriptedControls(scene.script, scene.error),
        scene.past,
        scene.gauges,
        ScriptedSessions() if scene.is_kept else ScriptedSessions(current_id=None),
        Settings(scene.theme),
    )
    if scene.environ:
        fit_to_terminal(app, scene.environ)
    export = app.export_screenshot
    app.export_screenshot = lambda **options: smaller(export(**options))  # type: ignore[method-assign]
    return snap_compare(app, terminal_size=size, run_before=play)


@pytest.mark.parametrize("size", SIZES, ids=lambda size: "x".join(map(str, size)))
@pytest.mark.parametrize("scene", SCENES.values(), ids=SCENES.keys())
def test_scene(snap_compare: SnapCompare, scene: Scene, size: Size) -> None:
    assert is_as_before(snap_compare, scene, size)


@pytest.mark.parametrize(("scene", "size"), SINGLE_SCENES.values(), ids=SINGLE_SCENES.keys())
def test_single_scene(snap_compare: SnapCompare, scene: Scene, size: Size) -> None:
    assert is_as_before(snap_compare, scene, size)
