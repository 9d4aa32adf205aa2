"""A real tmux with a server of the test's own, in a terminal of its own, runs a stand-in for voxterm."""

from __future__ import annotations

import json
import os
import pty
import select
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from voxterm.cli.tmux import ESCAPE_MS, session_environment, start_in_tmux
from voxterm.errors import VoxtermError

LIMIT_S = 30.0

STAND_IN = """
import json, os, sys, time
print("started")
with open(os.environ["VOXTERM_NOTES"], "a") as notes:
    print(json.dumps([sys.argv[1:], os.getcwd(), dict(os.environ)]), file=notes)
if "--voice" in sys.argv:
    sys.exit("voxterm: there is no such voice; take tara")
if "--brief" not in sys.argv:
    time.sleep(600)
"""

STARTER = """
import os, sys
from voxterm.cli.tmux import start_in_tmux
start_in_tmux(sys.argv[2:], os.environ, [sys.executable, "-c", sys.argv[1]])
"""

needs_tmux = pytest.mark.skipif(shutil.which("tmux") is None, reason="tmux is not installed")


class Desk:
    """A person's terminals, and the tmux server behind them."""

    def __init__(self, folder: Path) -> None:
        (folder / "sockets").mkdir()
        (folder / "temporary").mkdir()
        self.folder = folder
        self.notes = folder / "notes"
        self.environ = {name: value for name, value in os.environ.items() if not name.startswith("TMUX")}
        self.environ |= {
            "TERM": "xterm-256color",
            "TMUX_TMPDIR": str(folder / "sockets"),
            "TMPDIR": str(folder / "temporary"),
            "HOME": str(folder),  # no settings of a person
            "VOXTERM_NOTES": str(self.notes),
        }
        self._terminals: list[tuple[subprocess.Popen[bytes], int, int]] = []
        self.shown = b""

    def open(self, *command: str) -> subprocess.Popen[bytes]:
        """Run a command in a new terminal."""
        master, slave = pty.openpty()
        in_terminal = ["sh", "-c", 'exec "$@" 0<>"$0" 1>&0 2>&0', os.ttyname(slave), *command]
        client = subprocess.Popen(in_terminal, env=self.environ, start_new_session=True)
        self._terminals.append((client, master, slave))
        return client

    def start(self, *arguments: str) -> subprocess.Popen[bytes]:
        return self.open(sys.executable, "-c", STARTER, STAND_IN, *arguments)

    def tmux(self, *command: str) -> str:
        done = subprocess.run(
            ["tmux", *command], env=self.environ, capture_output=True, text=True, check=False
        )
        return done.stdout

    def screen(self) -> str:
        return self.tmux("capture-pane", "-p", "-t", "=voxterm:")

    def wait_for(self, condition: Callable[[], object], what: str) -> None:
        end_s = time.monotonic() + LIMIT_S
        while not condition():
            assert time.monotonic() < end_s, f"no {what} within {LIMIT_S:.0f} s: {self.shown[-2000:]!r}"
            ready = select.select([master for _, master, _ in self._terminals], [], [], 0.02)[0]
            for master in ready:
                self.shown += os.read(master, 65536)

    def type(self, keys: bytes) -> None:
        os.write(self._terminals[-1][1], keys)

    def told(self) -> list[list[object]]:
        return (
            [json.loads(line) for line in self.notes.read_text().splitlines()] if self.notes.exists() else []
        )

    def close(self) -> None:
        self.tmux("kill-server")
        for client, *ends in self._terminals:
            client.kill()
            client.wait()
            for end in ends:
                os.close(end)


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    place = Desk(tmp_path)
    yield place
    place.close()


@needs_tmux
def test_it_runs_in_a_session_with_its_arguments_and_its_environment(desk: Desk) -> None:
    subprocess.run(["tmux", "new-session", "-d", "-s", "other"], env=desk.environ, check=True)
    desk.environ |= {"HF_TOKEN": 'it\'s $HOME;\n"x"', "CUDA_VISIBLE_DEVICES": "1", "NO_COLOR": "1"}
    arguments = ["a b", "it's", "x;", ";", "$HOME", "", "ü"]
    desk.start(*arguments)
    desk.wait_for(desk.told, "program")
    ((told, folder, environ),) = desk.told()
    assert told == arguments
    assert folder == str(Path.cwd())
    assert isinstance(environ, dict)
    for name in ("HF_TOKEN", "CUDA_VISIBLE_DEVICES", "NO_COLOR", "PATH"):
        assert environ[name] == desk.environ[name], f"{name}: the server was there before it was set"
    assert environ["TERM"] != "xterm-256color"
    assert "TMUX" in environ
    assert not list((desk.folder / "temporary").iterdir()), "what was handed over is gone"


@needs_tmux
def test_a_second_start_finds_the_first(desk: Desk) -> None:
    desk.start("first")
    desk.wait_for(desk.told, "program")
    desk.wait_for(lambda: desk.tmux("list-clients").count("\n") == 1, "client")
    desk.start("second")
    desk.wait_for(lambda: desk.tmux("list-clients").count("\n") == 2, "second client")
    assert [told for told, *_ in desk.told()] == [["first"]]


@needs_tmux
def test_inside_of_tmux_it_switches(desk: Desk) -> None:
    """A tmux in a tmux takes the prefix away from the one within. Nor is voxterm-notes the session."""
    desk.open("tmux", "new-session", "-s", "voxterm-notes")
    desk.wait_for(lambda: desk.tmux("list-clients"), "client")
    desk.tmux("new-window", "-t", "voxterm-notes:", sys.executable, "-c", STARTER, STAND_IN, "inside")
    shown = ["list-clients", "-F", "#{client_session}"]
    desk.wait_for(lambda: desk.tmux(*shown) == "voxterm\n", "switch")
    desk.wait_for(desk.told, "program")
    assert [told for told, *_ in desk.told()] == [["inside"]]


@needs_tmux
def test_an_error_stays_to_be_read(desk: Desk) -> None:
    client = desk.start("--voice", "nobody")
    desk.wait_for(lambda: "Enter closes this window" in desk.screen(), "error")
    assert "voxterm: there is no such voice; take tara" in desk.screen()
    assert "ended with 1" in desk.screen()
    desk.type(b"\r")
    desk.wait_for(lambda: client.poll() is not None, "end of the session")
    assert desk.tmux("list-sessions") == ""


@needs_tmux
def test_the_session_ends_with_a_program_that_ends_well(desk: Desk) -> None:
    client = desk.start("--brief")
    desk.wait_for(lambda: client.poll() is not None, "end of the session")
    assert desk.told()
    assert desk.tmux("list-sessions") == ""


@needs_tmux
@pytest.mark.parametrize(("before_ms", "after_ms"), [(500, ESCAPE_MS), (0, 0)])
def test_escape_is_not_waited_for(desk: Desk, before_ms: int, after_ms: int) -> None:
    command = [
        "tmux",
        "new-session",
        "-d",
        "-s",
        "other",
        ";",
        "set-option",
        "-s",
        "escape-time",
        str(before_ms),
    ]
    subprocess.run(command, env=desk.environ, check=True)
    desk.start()
    desk.wait_for(desk.told, "program")
    desk.wait_for(lambda: desk.tmux("show-options", "-sv", "focus-events") == "on\n", "options")
    assert desk.tmux("show-options", "-sv", "escape-time") == f"{after_ms}\n"


def test_without_tmux_it_says_so(tmp_path: Path) -> None:
    with pytest.raises(
        VoxtermError, match="tmux is not installed; install it, or run voxterm without --tmux"
    ):
        start_in_tmux([], {"PATH": str(tmp_path)})


def test_a_tmux_that_fails_says_why(tmp_path: Path) -> None:
    tmux = tmp_path / "tmux"
    tmux.write_text("#!/bin/sh\necho error creating the socket >&2\nexit 1\n")
    tmux.chmod(0o700)
    with pytest.raises(VoxtermError, match="tmux cannot start a session: error creating the socket"):
        start_in_tmux([], {"PATH": str(tmp_path)})


def test_what_describes_the_terminal_around_stays_outside() -> None:
    around = {
        "TERM": "xterm-kitty",
        "KITTY_WINDOW_ID": "1",
        "TMUX": "x",
        "PWD": "/",
        "SHLVL": "2",
        "LINES": "24",
    }
    meant = {
        "TERMINAL_COLOURS": "1",
        "XDG_STATE_HOME": "/x",
        "PULSE_SERVER": "unix:/x",
        "LANG": "C",
        "LC_ALL": "C",
    }
    no_name = {"BASH_FUNC_which%%": "() { :; }"}
    assert session_environment({**around, **meant, **no_name}) == {**meant, "COLORTERM": "truecolor"}
