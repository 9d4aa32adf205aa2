"""Nothing but the screen may write to the terminal, which is left clean, and not missed when it is gone."""

from __future__ import annotations

import fcntl
import os
import pty
import select
import shlex
import signal
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import ClassVar

import pytest
from rich.console import Console
from textual.app import App
from textual.filter import Monochrome, NoColor

from voxterm.tui.terminal.driver import Colours, TerminalDriver, colours, fit_to_terminal, theme_for
from voxterm.tui.terminal.plain_characters import PlainCharacters

LIMIT_S = 30.0

PROGRAM = """
import os, sys
from pathlib import Path
from voxterm.tui.terminal.driver import screen_alone

with screen_alone(Path(sys.argv[1])):
    print("the picture", file=sys.__stderr__, flush=True)
    os.write(2, b"printed from C\\n")
    os.system("echo printed by a child >&2")
os.write(2, b"after\\n")
print("restored", file=sys.__stderr__)
"""


def printed_with(log: Path) -> str:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(log)], capture_output=True, text=True, check=True
    )
    assert done.stdout == ""
    return done.stderr


def test_what_libraries_print_goes_to_the_log(tmp_path: Path) -> None:
    log = tmp_path / "stderr.log"
    assert printed_with(log) == "the picture\nafter\nrestored\n"
    assert log.read_text() == "printed from C\nprinted by a child\n"


def test_the_folder_of_the_log_is_made(tmp_path: Path) -> None:
    """On the very first start there is none yet."""
    log = tmp_path / "state" / "voxterm" / "stderr.log"
    assert printed_with(log) == "the picture\nafter\nrestored\n"
    assert log.read_text() == "printed from C\nprinted by a child\n"


def test_a_log_that_cannot_be_written_spoils_nothing(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    assert printed_with(tmp_path / "file" / "stderr.log") == "the picture\nafter\nrestored\n"


# ---- what it can show


@pytest.mark.parametrize(
    ("environ", "shown"),
    [
        ({"TERM": "xterm-256color", "COLORTERM": "truecolor"}, "true"),
        ({"TERM": "xterm-256color"}, "256"),
        ({"TERM": "xterm"}, "16"),
        ({"TERM": "linux"}, "16"),
        ({"TERM": "screen"}, "16"),
        ({"TERM": "screen", "TMUX": "/tmp/tmux-0/default,1,0"}, "true"),
        ({"TERM": "xterm-ghostty"}, "true"),  # over ssh, which leaves COLORTERM behind
        ({"TERM": "foot-extra"}, "true"),
        ({"TERM": "dumb", "COLORTERM": "truecolor"}, "none"),
        ({"TERM": "xterm-256color", "NO_COLOR": "1"}, "none"),
        ({"TERM": "xterm-256color", "NO_COLOR": ""}, "256"),  # as no-color.org has it
    ],
)
def test_how_many_colours_there_are(environ: dict[str, str], shown: Colours) -> None:
    assert colours(environ) == shown


@pytest.mark.parametrize(
    ("environ", "wanted", "theme"),
    [
        ({"TERM": "xterm-256color"}, "nord", "nord"),
        ({"TERM": "xterm"}, "nord", "ansi-dark"),
        ({"TERM": "xterm"}, "textual-light", "ansi-light"),
        ({"TERM": "xterm"}, "ansi-light", "ansi-light"),
        ({"TERM": "xterm"}, "no such theme", "no such theme"),  # the app says so
    ],
)
def test_where_colours_cannot_be_mixed_the_terminals_own_are_taken(
    environ: dict[str, str], wanted: str, theme: str
) -> None:
    assert theme_for(environ, wanted) == theme


def test_no_colour_means_none_and_no_grey_either(monkeypatch: pytest.MonkeyPatch) -> None:
    """Textual makes greys of them; with a theme of the terminal's own colours, black on black."""
    monkeypatch.setenv("NO_COLOR", "1")
    app = App[None]()
    assert any(isinstance(line_filter, Monochrome) for line_filter in app.get_line_filters())
    fit_to_terminal(app, os.environ)
    kinds = [type(line_filter) for line_filter in app.get_line_filters()]
    assert Monochrome not in kinds
    assert NoColor in kinds


def test_an_app_is_fitted_to_its_terminal() -> None:
    app = App[None]()
    app.console = Console(color_system="standard")
    fit_to_terminal(app, {"TERM": "screen", "TMUX": "yes", "LANG": "C"})
    assert app.driver_class is TerminalDriver
    assert app.console.color_system == "truecolor"
    assert any(isinstance(line_filter, PlainCharacters) for line_filter in app.get_line_filters())


# ---- the program in a terminal

APP = """
import asyncio, os, signal, sys
from pathlib import Path
from textual import work
from textual.app import App
from textual.binding import Binding
from textual.widgets import Label
from voxterm.tui.terminal.driver import fit_to_terminal, leave_at_once, screen_alone, stop_until_continued

class Screen(App):
    BINDINGS = [
        Binding("ctrl+z", "suspend_process", priority=True),
        Binding("ctrl+c", "break", priority=True),
    ]

    def compose(self):
        yield Label("the picture")

    def on_mount(self):
        asyncio.get_running_loop().add_signal_handler(signal.SIGHUP, self.action_leave)
        self.set_interval(0.02, self.repaint)
        self.leaving = False
        self.call_after_refresh(self.note, "drawn")

    def repaint(self):
        self.query_one(Label).update("the picture " + "#" * (os.getpid() % 50))

    def note(self, *words):
        print(*words, file=notes, flush=True)

    def on_key(self, event):
        self.note("pressed", event.key)

    def on_key_released(self, event):
        self.note("released", event.key)

    def on_releases_reported(self):
        self.note("releases are reported")

    def on_terminal_gone(self):
        self.note("terminal gone")
        self.action_leave()

    async def on_stop_asked(self):
        await self.action_suspend_process()

    async def action_suspend_process(self):
        self.note("devices given back")
        stop_until_continued(self)
        self.note("devices open")

    def action_break(self):
        leave_at_once(self) if self.leaving else self.action_leave()

    def action_leave(self):
        if not self.leaving:
            self.leaving = True
            self.leave()

    @work
    async def leave(self):
        self.note("leaving")
        await asyncio.sleep(float(sys.argv[2]))
        self.exit(0)

with open(sys.argv[1], "w") as notes:
    app = Screen()
    fit_to_terminal(app, os.environ)
    with screen_alone(Path(sys.argv[1]).with_suffix(".log")):
        app.run()
    app.note("store closed")
"""

CLEAN = (b"\x1b[<u", b"\x1b[?1049l", b"\x1b[?25h", b"\x1b[?1003l", b"\x1b[?2004l")
"""The keyboard's flags, the alternate screen, the cursor, the mouse and pasting as they were."""


class Terminal:
    """A terminal of its own in which the program runs alone: nobody there continues what stops."""

    environ: ClassVar[dict[str, str]] = {**os.environ, "TERM": "xterm-256color", "LANG": "C.UTF-8"}

    def __init__(self, folder: Path, leaving_s: float) -> None:
        self._notes = folder / "notes"
        script = folder / "app.py"
        script.write_text(APP)
        self.program = [sys.executable, str(script), str(self._notes), str(leaving_s)]
        self.shown = b""
        self.master, self.slave = pty.openpty()
        fcntl.ioctl(self.slave, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
        self.modes = termios.tcgetattr(self.slave)

    def run(self) -> None:
        self.begin(self.program)
        self.wait_for(lambda: "drawn" in self.notes(), "picture")

    def begin(self, command: list[str]) -> None:
        """The first terminal that a new session opens is the one that controls it."""
        in_terminal = ["sh", "-c", 'exec "$@" 0<>"$0" 1>&0 2>&0', os.ttyname(self.slave), *command]
        self.job = subprocess.Popen(in_terminal, env=self.environ, start_new_session=True)

    def notes(self) -> list[str]:
        return self._notes.read_text().splitlines() if self._notes.exists() else []

    def send(self, keys: bytes) -> None:
        os.write(self.master, keys)

    def wait_for(self, condition: Callable[[], object], what: str) -> None:
        end_s = time.monotonic() + LIMIT_S
        while not condition():
            assert time.monotonic() < end_s, f"no {what} within {LIMIT_S:.0f} s: {self.notes()}"
            self.read(0.02)

    def read(self, wait_s: float) -> None:
        if self.master < 0:
            time.sleep(wait_s)
        elif select.select([self.master], [], [], wait_s)[0]:
            self.shown += os.read(self.master, 65536)

    def ended(self) -> int:
        """The exit code, once it has ended."""
        self.wait_for(lambda: self.job.poll() is not None, "end")
        return self.job.returncode

    def hang_up(self) -> None:
        os.close(self.slave)
        os.close(self.master)
        self.master = self.slave = -1

    def close(self) -> None:
        self.job.kill()
        self.job.wait()
        if self.master >= 0:
            self.hang_up()


@pytest.fixture
def leaving_s() -> float:
    return 0.1


@pytest.fixture
def terminal(tmp_path: Path, leaving_s: float) -> Iterator[Terminal]:
    window = Terminal(tmp_path, leaving_s)
    window.run()
    yield window
    window.close()


def is_clean(terminal: Terminal) -> bool:
    return all(sequence in terminal.shown for sequence in CLEAN) and (
        termios.tcgetattr(terminal.slave) == terminal.modes
    )


def test_releases_are_asked_for_where_the_terminal_knows_them(terminal: Terminal) -> None:
    terminal.wait_for(lambda: b"\x1b[?u" in terminal.shown, "question")
    assert b"\x1b[=2;2u" not in terminal.shown
    terminal.send(b"\x1b[?25u")
    terminal.wait_for(lambda: b"\x1b[=2;2u" in terminal.shown, "request")
    terminal.send(b"\x1b[?27u")
    terminal.wait_for(lambda: "releases are reported" in terminal.notes(), "releases")
    terminal.send(b"\x1b[32;;32u\x1b[32;1:2;32u\x1b[32;1:3u")
    terminal.wait_for(lambda: "released space" in terminal.notes(), "release")
    assert terminal.notes().count("pressed space") == 2


def test_a_terminal_that_takes_no_more_flags_is_asked_once(terminal: Terminal) -> None:
    for _ in range(3):
        terminal.send(b"\x1b[?1u")
    terminal.send(b"x")
    terminal.wait_for(lambda: "pressed x" in terminal.notes(), "key")
    assert terminal.shown.count(b"\x1b[=2;2u") == 1
    assert "releases are reported" not in terminal.notes()


def test_a_lone_escape_is_told_soon(terminal: Terminal) -> None:
    """It interrupts a reply."""
    began_s = time.monotonic()
    terminal.send(b"\x1b")
    terminal.wait_for(lambda: "pressed escape" in terminal.notes(), "key")
    assert time.monotonic() - began_s < 0.5


def test_a_hangup_is_left_in_good_order(terminal: Terminal) -> None:
    """Textual's writer died, its queue ran full, and the event loop waited at it for ever."""
    terminal.hang_up()
    assert terminal.ended() == 0
    assert terminal.notes()[-1] == "store closed"
    assert terminal.notes().count("leaving") == 1


class TestSlowLeaving:
    @pytest.fixture
    def leaving_s(self) -> float:
        return 600.0

    def test_interrupting_it_ends_it_at_once_and_clean(self, terminal: Terminal) -> None:
        terminal.send(b"\x03")
        terminal.wait_for(lambda: "leaving" in terminal.notes(), "leaving")
        terminal.send(b"\x03")
        assert terminal.ended() == 130
        terminal.wait_for(lambda: is_clean(terminal), "clean terminal")
        assert "store closed" not in terminal.notes()


# ---- stopping and going on, in a job of a shell


class Shell(Terminal):
    """bash runs the program as its job."""

    environ: ClassVar[dict[str, str]] = {**Terminal.environ, "PS1": "prompt> "}

    def run(self) -> None:
        self.begin(["bash", "--norc", "--noprofile", "--noediting", "-i"])
        self.type(shlex.join(self.program))
        self.wait_for(lambda: "drawn" in self.notes(), "picture")

    def type(self, line: str) -> None:
        self.wait_for(lambda: b"prompt> " in self.shown, "prompt")
        self.shown = b""
        self.send(line.encode() + b"\n")

    def child(self) -> int:
        return os.tcgetpgrp(self.master)

    def is_drawn(self) -> bool:
        return b"\x1b[?1049h" in self.shown and b"the picture" in self.shown


@pytest.fixture
def shell(tmp_path: Path) -> Iterator[Shell]:
    window = Shell(tmp_path, 0.1)
    window.run()
    yield window
    child = window.child()
    if child not in (0, window.job.pid):
        os.killpg(child, signal.SIGKILL)
    window.close()


def threads_of(process: int) -> int:
    return len(list(Path(f"/proc/{process}/task").iterdir()))


@pytest.mark.parametrize("by_key", [True, False])
def test_it_stops_as_a_job_and_goes_on_with_fg(shell: Shell, by_key: bool) -> None:
    program = shell.child()
    shell.shown = b""
    if by_key:
        shell.send(b"\x1a")
    else:
        os.kill(program, signal.SIGTSTP)
    shell.wait_for(lambda: b"Stopped" in shell.shown, "stopped job")
    assert all(sequence in shell.shown.partition(b"Stopped")[0] for sequence in CLEAN)
    assert shell.notes()[-1] == "devices given back"
    shell.type("fg")
    shell.wait_for(shell.is_drawn, "picture")
    shell.wait_for(lambda: "devices open" in shell.notes(), "devices")
    assert shell.shown.count(b"\x1b[>") == 1, "the flags of the keyboard are set once"
    shell.send(b"x")
    shell.wait_for(lambda: "pressed x" in shell.notes(), "key")
    shell.send(b"\x03")
    shell.wait_for(lambda: "store closed" in shell.notes(), "end")


def test_in_the_background_it_stays_stopped(shell: Shell) -> None:
    shell.shown = b""
    shell.send(b"\x1a")
    shell.type("bg; sleep 0.5; jobs")
    shell.wait_for(lambda: shell.shown.count(b"Stopped") >= 1, "job that has stopped again")
    assert b"the picture" not in shell.shown
    shell.type("fg")
    shell.wait_for(shell.is_drawn, "picture")


def test_after_kill_stop_there_is_one_reader_and_the_shells_terminal_comes_back(shell: Shell) -> None:
    """Textual's driver began a second reader and writer, and took its own modes for those of the shell."""
    program = shell.child()
    threads = threads_of(program)
    os.kill(program, signal.SIGSTOP)
    shell.wait_for(lambda: b"Stopped" in shell.shown, "stopped job")
    shell.type("fg")
    shell.wait_for(shell.is_drawn, "picture")
    shell.send(b"x")
    shell.wait_for(lambda: "pressed x" in shell.notes(), "key")
    assert threads_of(program) == threads
    shell.shown = b""
    shell.send(b"\x03")
    shell.wait_for(lambda: b"prompt> " in shell.shown, "prompt")
    assert termios.tcgetattr(shell.slave)[3] & termios.ECHO
