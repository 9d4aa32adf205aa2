"""The real program in a real terminal: tmux runs it, its screen is read."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from voxterm.store import Store

DATA = Path(__file__).parents[2] / "voxterm" / "data"
CLIP = str(DATA / "demo-2.flac")
LIMIT_S = 60.0

pytestmark = pytest.mark.skipif(shutil.which("tmux") is None, reason="tmux is not installed")


def ready(terminal: Terminal) -> bool:
    """The conversation runs, with or without a microphone."""
    return any(state in terminal.screen() for state in ("● listening", "○ no mic"))


def wait_until(condition: Callable[[], bool], what: str) -> None:
    end_s = time.monotonic() + LIMIT_S
    while not condition():
        assert time.monotonic() < end_s, f"no {what} within {LIMIT_S:.0f} s"
        time.sleep(0.1)


class Terminal:
    """A tmux server of its own with one window."""

    def __init__(self, folder: Path, environment: dict[str, str]) -> None:
        self._tmux = ["tmux", "-S", str(folder / "tmux"), "-f", "/dev/null"]
        self._environment = environment

    def run(self, *argv: str, width: int = 120, height: int = 40) -> None:
        command = [*self._tmux, "new-session", "-d", "-x", str(width), "-y", str(height)]
        command += ["env", *(f"{name}={value}" for name, value in self._environment.items())]
        subprocess.run([*command, sys.executable, "-m", "voxterm", *argv], check=True)

    def screen(self) -> str:
        shown = subprocess.run(
            [*self._tmux, "capture-pane", "-p"], capture_output=True, text=True, check=False
        )
        return shown.stdout

    def press(self, *keys: str) -> None:
        subprocess.run([*self._tmux, "send-keys", *keys], check=True)

    @property
    def alive(self) -> bool:
        return subprocess.run([*self._tmux, "has-session"], capture_output=True, check=False).returncode == 0

    def kill(self) -> None:
        subprocess.run([*self._tmux, "kill-server"], capture_output=True, check=False)


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    return {
        "XDG_STATE_HOME": str(tmp_path / "state"),
        "XDG_CONFIG_HOME": str(tmp_path / "config"),
        "LANG": "C.UTF-8",
    }


@pytest.fixture
def terminal(tmp_path: Path, environment: dict[str, str]) -> Iterator[Terminal]:
    window = Terminal(tmp_path, environment)
    yield window
    window.kill()


def test_type_a_line_get_an_answer_and_quit(terminal: Terminal, tmp_path: Path) -> None:
    terminal.run()
    wait_until(lambda: ready(terminal), "conversation")
    terminal.press("t")
    wait_until(lambda: "enter say it" in terminal.screen(), "line to type in")
    terminal.press("-l", "I need a holiday")
    terminal.press("Enter")
    wait_until(lambda: "I need a holiday" in terminal.screen(), "typed line")
    store = Store(tmp_path / "state" / "voxterm")
    wait_until(lambda: bool(store.sessions()[0].turns), "stored turn")
    (turn,) = store.turns(store.sessions()[0].id)
    store.close()
    assert turn.transcript == "I need a holiday"
    assert turn.reply
    assert turn.reply.split()[0] in terminal.screen()
    terminal.press("C-q")  # a bare Escape and a q would be Alt+q
    wait_until(lambda: not terminal.alive, "end of the program")


def test_the_shipped_recording_speaks_into_the_conversation(terminal: Terminal) -> None:
    """Where there is no microphone one key shows that it works."""
    terminal.run()
    wait_until(lambda: ready(terminal), "conversation")
    terminal.press("p")
    wait_until(lambda: "true printed book" in terminal.screen(), "transcript")


def test_a_persona_is_chosen_while_talking_and_the_session_goes_on_with_it(terminal: Terminal) -> None:
    terminal.run("--persona", "tutor")
    wait_until(lambda: ready(terminal), "conversation")
    assert "english as tutor" in terminal.screen()
    terminal.press("t")
    wait_until(lambda: "enter say it" in terminal.screen(), "line to type in")
    terminal.press("-l", "I need a holiday")
    terminal.press("Enter", "Escape")
    wait_until(lambda: "turn 1" in terminal.screen(), "first turn")
    wait_until(lambda: ready(terminal), "end of the reply")
    terminal.press("a")
    wait_until(lambda: "scene by scene" in terminal.screen(), "list of personas")
    terminal.press("-l", "story")
    terminal.press("Enter")
    wait_until(lambda: "from here on storyteller answers" in terminal.screen(), "word of it")
    wait_until(lambda: "english as storyteller · 0.9×" in terminal.screen(), "persona at the top")
    terminal.press("C-q")
    wait_until(lambda: not terminal.alive, "end of the program")
    terminal.run("--resume")
    wait_until(lambda: ready(terminal), "resumed conversation")
    assert "english as storyteller · 0.9×" in terminal.screen()


def test_kill_9_loses_no_finished_turn(
    terminal: Terminal, tmp_path: Path, environment: dict[str, str]
) -> None:
    store = Store(tmp_path / "state" / "voxterm")
    talking = subprocess.Popen(
        [sys.executable, "-m", "voxterm", "talk", "--realtime", *[CLIP] * 20],
        env={**os.environ, **environment},
        stdout=subprocess.DEVNULL,
    )
    try:
        wait_until(lambda: bool(store.sessions()) and store.sessions()[0].turns >= 2, "two turns")
    finally:
        talking.send_signal(signal.SIGKILL)
        talking.wait()
    (session,) = store.sessions()
    turns = store.turns(session.id)
    store.close()
    assert [turn.number for turn in turns] == list(range(1, session.turns + 1))
    assert all(turn.transcript and turn.reply for turn in turns)
    terminal.run("run", "--resume")
    wait_until(lambda: ready(terminal), "resumed conversation")
    for turn in turns:
        assert turn.transcript.split()[-1] in terminal.screen()
        assert turn.reply.split()[0] in terminal.screen()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_signal_ends_it_cleanly(number: int, terminal: Terminal, tmp_path: Path) -> None:
    terminal.run()
    wait_until(lambda: ready(terminal), "conversation")
    listed = subprocess.run(
        [*terminal._tmux, "list-panes", "-F", "#{pane_pid}"], capture_output=True, text=True, check=True
    )
    os.kill(int(listed.stdout), number)
    wait_until(lambda: not terminal.alive, "end of the program")
    store = Store(tmp_path / "state" / "voxterm")
    assert store.sessions() == [], "a session in which nothing was said leaves no trace"
    store.close()
