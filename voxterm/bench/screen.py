"""What the screen costs: bytes over the line, time to the first picture, processor, blocks of its own loop.

Programs run in a pseudo-terminal of 120×40; what they write is counted. The screen alone is measured before
a conversation that is only played, with events as often as those of a real one.
"""

from __future__ import annotations

import fcntl
import json
import os
import pty
import select
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from voxterm.bench.report import Figure
from voxterm.errors import EngineError

COLUMNS, ROWS = 120, 40
PROGRAM = (sys.executable, "-m", "voxterm", "run", "--profile", "embedded", "--set", "sessions.keep=false")
STAND_IN = (sys.executable, "-m", "voxterm.tui.stand_in")

FIRST_PICTURE = b"latency"  # the title of a pane
SETTLING_S = 2.0
IDLE_S = 10.0
TALKING_S = 24.0  # two turns of the played conversation
FIRST_PICTURES = 5
LIMIT_S = 15.0

ANSWERS = {
    b"\x1b[?2026$p": b"\x1b[?2026;2$y",  # it can update at once
    b"\x1b[c": b"\x1b[?62;22c",
}
"""What a terminal of today answers when it is asked."""


class Terminal:
    """A program in a pseudo-terminal. `look` reads what it writes."""

    def __init__(self, command: Sequence[str], folder: Path) -> None:
        """`folder` is where it may keep its state."""
        self.written_bytes = 0
        self._host, program_side = pty.openpty()
        fcntl.ioctl(program_side, termios.TIOCSWINSZ, struct.pack("HHHH", ROWS, COLUMNS, 0, 0))
        environ = {**os.environ, "TERM": "xterm-256color", "COLORTERM": "truecolor"}
        environ["VOXTERM_SESSIONS__FOLDER"] = str(folder)
        self.began_s = time.perf_counter()
        self._process = subprocess.Popen(
            command,
            stdin=program_side,
            stdout=program_side,
            stderr=program_side,
            env=environ,
            start_new_session=True,
        )
        os.close(program_side)

    def look(self, seconds: float, until: Callable[[bytes], bool] = lambda written: False) -> bool:
        """Read for so long, or until what was written since then is enough: whether it was."""
        end_s = time.perf_counter() + seconds
        written = b""
        while (left_s := end_s - time.perf_counter()) > 0:
            if not select.select([self._host], [], [], left_s)[0]:
                continue
            try:
                piece = os.read(self._host, 1 << 16)
            except OSError:  # the program has ended
                return False
            self.written_bytes += len(piece)
            for asked, answer in ANSWERS.items():
                if asked in piece:
                    os.write(self._host, answer)
            written += piece
            if until(written):
                return True
        return False

    def processor_s(self) -> float:
        """The time that all its threads have computed so far."""
        stat = Path(f"/proc/{self._process.pid}/stat").read_text(encoding="ascii", errors="replace")
        user, system = stat.rpartition(")")[2].split()[11:13]
        return (int(user) + int(system)) / os.sysconf("SC_CLK_TCK")

    def end(self) -> None:
        """Wait for it; what does not end by itself is told to."""
        self.look(SETTLING_S)
        self._process.terminate()
        try:
            self._process.wait(LIMIT_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        os.close(self._host)


def measure(
    first_pictures: int = FIRST_PICTURES, idle_s: float = IDLE_S, talking_s: float = TALKING_S
) -> dict[str, Figure]:
    """All figures.

    Raises:
        EngineError: the screen does not appear.
    """
    with TemporaryDirectory(prefix="voxterm-") as name:
        folder = Path(name)
        return {
            "idle_bytes_per_s": Figure([_played("idle", idle_s, folder)[0]], "B/s"),
            **_talking(talking_s, folder),
            "first_paint_ms": Figure([_first_paint_ms(folder) for _ in range(first_pictures)], "ms"),
            "longest_block_ms": Figure([_longest_block_ms(talking_s, folder)], "ms"),
        }


def _talking(seconds: float, folder: Path) -> dict[str, Figure]:
    bytes_per_s, cpu_share = _played("talking", seconds, folder)
    return {
        "talking_bytes_per_s": Figure([bytes_per_s], "B/s"),
        "cpu_share": Figure([cpu_share], "of one core"),
    }


def _played(what: str, seconds: float, folder: Path) -> tuple[float, float]:
    """Bytes a second, and the share of a core, once the first picture is complete."""
    terminal = Terminal([*STAND_IN, what, f"{LIMIT_S + 2 * SETTLING_S + seconds}"], folder)
    try:
        _see_first_picture(terminal)
        terminal.look(SETTLING_S)
        bytes_before, processor_before_s = terminal.written_bytes, terminal.processor_s()
        began_s = time.perf_counter()
        terminal.look(seconds)
        took_s = time.perf_counter() - began_s
        written_bytes = terminal.written_bytes - bytes_before
        return written_bytes / took_s, (terminal.processor_s() - processor_before_s) / took_s
    finally:
        terminal.end()


def _first_paint_ms(folder: Path) -> float:
    """From the start of the real program, Python's included, to a picture with all its panes."""
    terminal = Terminal(PROGRAM, folder)
    try:
        return _see_first_picture(terminal) * 1000
    finally:
        terminal.end()


def _longest_block_ms(seconds: float, folder: Path) -> float:
    """By asyncio's own log of slow callbacks, which is on for this alone."""
    report = folder / "blocks.json"
    terminal = Terminal([*STAND_IN, "talking", f"{seconds}", str(report)], folder)
    try:
        _see_first_picture(terminal)
        terminal.look(LIMIT_S + seconds, until=lambda _: report.exists())
    finally:
        terminal.end()
    if not report.exists():
        raise EngineError("the screen ended before it was measured", "measure again")
    longest_ms: float = json.loads(report.read_text(encoding="utf-8"))["longest_block_ms"]
    return longest_ms


def _see_first_picture(terminal: Terminal) -> float:
    """Seconds from its start."""
    if not terminal.look(LIMIT_S, until=lambda written: FIRST_PICTURE in written):
        raise EngineError("the screen does not appear", "start `voxterm` in a terminal to see why")
    return time.perf_counter() - terminal.began_s
