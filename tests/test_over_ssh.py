"""The real program behind a real ssh: a person talks with it, goes away, comes back, and is cut off.

The person's terminal is a tmux of the test's own with ssh in its window, so that its screen can be read and
its size changed. At the far end are sshd on the loopback, the devices of a room, and voxterm.
"""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import psutil  # type: ignore[import-untyped]
import pytest
from room import ROOM_RATE_HZ, Room, first_sound, last_sound, open_room, require_room
from ssh_host import SshHost, open_host, require_ssh

from voxterm.store import Store, StoredTurn

LIMIT_S = 45.0
QUIET_S = 1.5
"""How long a reply that was cut off is listened for."""

SILENCED_S = 1.0
"""From the key to the last sound, through ssh and two tmux, on a machine that is busy with other things."""

DATA = Path(__file__).parents[1] / "voxterm" / "data"
SPOKEN = "My mother and my father."
"""Slowly, so that PocketSphinx gets it; and ELIZA has only long answers to it, whatever of it is heard."""

WORD_MARK = "▌"
_MARGIN = re.compile(r"^ +(\d\d:\d\d:\d\d|turn \d+)? +")

pytestmark = pytest.mark.devices


class Terminal:
    """The person's terminal: one window, whose program may end and be started anew."""

    def __init__(self, folder: Path) -> None:
        settings = folder / "tmux.conf"
        settings.write_text("set -g status off\nset -g remain-on-exit on\nset -s escape-time 0\n")
        self._tmux = ["tmux", "-S", str(folder / "terminal"), "-f", str(settings)]
        self._environment = {name: value for name, value in os.environ.items() if not name.startswith("TMUX")}

    def open(self, width: int, height: int) -> None:
        self._ask("new-session", "-d", "-x", str(width), "-y", str(height), "true")

    def run(self, *command: str) -> None:
        """Run a command in the window, in place of what was there."""
        self._ask("respawn-pane", "-k", shlex.join(command))

    def resize(self, width: int, height: int) -> None:
        self._ask("resize-window", "-x", str(width), "-y", str(height))

    def press(self, *keys: str) -> None:
        self._ask("send-keys", *keys)

    def type(self, text: str) -> None:
        self._ask("send-keys", "-l", text)

    def screen(self) -> str:
        return self._ask("capture-pane", "-p")

    @property
    def is_running(self) -> bool:
        """The command in the window has not ended."""
        return self._ask("display-message", "-p", "#{pane_dead}").strip() == "0"

    def close(self) -> None:
        subprocess.run([*self._tmux, "kill-server"], capture_output=True, check=False)

    def _ask(self, *command: str) -> str:
        done = subprocess.run(
            [*self._tmux, *command], env=self._environment, capture_output=True, text=True, check=True
        )
        return done.stdout


class Desk:
    """A person in a room, before a terminal, and the host that voxterm runs on."""

    def __init__(self, terminal: Terminal, room: Room, host: SshHost, store: Store) -> None:
        self.terminal = terminal
        self.room = room
        self._host = host
        self._store = store

    def connect(self, *arguments: str) -> None:
        voxterm = [sys.executable, "-m", "voxterm", "run", "--profile", "embedded"]
        self.terminal.run(*self._host.login(), shlex.join([*voxterm, *arguments]))

    def drop_link(self) -> None:
        """The connection is gone, and neither end has said goodbye to the other."""
        self._host.drop_connections()
        self.wait_for(lambda _: not self.terminal.is_running, "end of ssh")

    def wait_for(self, condition: Callable[[str], object], what: str) -> None:
        """Until the condition, which is given the screen, is met."""
        until_s = time.monotonic() + LIMIT_S
        while not condition(screen := self.terminal.screen()):
            shown = f"\n{screen}\n{self._host.log()}"
            assert time.monotonic() < until_s, f"no {what} within {LIMIT_S:.0f} s{shown}"
            time.sleep(0.05)

    def say_by_keyboard(self, text: str) -> None:
        self.terminal.press("t")
        self.wait_for(lambda screen: "enter say it" in screen, "line to type in")
        self.terminal.type(text)
        self.terminal.press("Enter")
        self.wait_for(lambda screen: f"you › {text}" in talk(screen), "line that was typed")
        self.terminal.press("Escape")
        self.wait_for(lambda screen: "enter say it" not in screen, "end of typing")

    def wait_for_turn(self, number: int) -> StoredTurn:
        """The turn, once it is stored and nothing sounds any more."""
        self.wait_for(
            lambda screen: "● listening" in screen and len(self.turns()) >= number, f"turn {number}"
        )
        return self.turns()[number - 1]

    def turns(self) -> list[StoredTurn]:
        """What is stored, of the one session that there may be."""
        sessions = self._store.sessions()
        assert len(sessions) <= 1
        return self._store.turns(sessions[0].id) if sessions else []

    def processes(self) -> list[psutil.Process]:
        """Whatever voxterm has started at the far end, itself and its tmux included."""
        ours = ("VOXTERM_SESSIONS__FOLDER", str(self._store.folder))
        every = psutil.process_iter(["environ", "cmdline"])
        return [process for process in every if ours in (process.info["environ"] or {}).items()]

    def program(self) -> int:
        """The number of the one voxterm that runs."""
        (pid,) = (one.pid for one in self.processes() if one.info["cmdline"][1:4] == ["-m", "voxterm", "run"])
        return int(pid)

    def expect_everything_given_back(self) -> None:
        self.wait_for(lambda _: not self.processes(), "end of all processes")
        assert self.room.streams() == ""

    def close(self) -> None:
        self.terminal.close()
        for process in self.processes():
            with suppress(psutil.NoSuchProcess):
                process.kill()
        self._store.close()


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    if shutil.which("tmux") is None:
        pytest.skip("tmux is not installed")
    require_ssh()
    require_room()
    home = tmp_path / "home"
    home.mkdir()
    with open_room() as room:
        environment = {
            **dict(room.environment.items() - os.environ.items()),
            "PATH": os.environ.get("PATH", os.defpath),
            "LANG": "C.UTF-8",
            "HOME": str(home),
            "TMUX_TMPDIR": str(home),
            "OMP_NUM_THREADS": "1",
            "VOXTERM_SESSIONS__FOLDER": str(home / "sessions"),
            "VOXTERM_SPEECH__SPEED": "0.5",  # a reply lasts long enough to be interrupted
        }
        with open_host(tmp_path, environment) as host:
            desk = Desk(Terminal(tmp_path), room, host, Store(home / "sessions"))
            try:
                desk.terminal.open(120, 40)
                yield desk
            finally:
                desk.close()


@pytest.fixture
def spoken(tmp_path: Path) -> Path:
    """A recording of SPOKEN."""
    recording = tmp_path / "spoken.wav"
    say = [sys.executable, "-m", "voxterm", "say", SPOKEN, "--profile", "embedded", "--speed", "0.7"]
    subprocess.run([*say, "--out", str(recording)], check=True, capture_output=True)
    return recording


def talk(screen: str) -> str:
    """The words of the conversation, without the times beside them and the line breaks between them."""
    rows = [row.split("│")[1] for row in screen.splitlines() if row.startswith("│")]
    return " ".join(" ".join(_MARGIN.sub("", row) for row in rows).split())


def is_in_panes(screen: str) -> bool:
    """The instruments stand beside the talk."""
    return "─ latency (ms) ─" in screen and "1  talk" not in screen


def is_in_tabs(screen: str) -> bool:
    """The talk stands alone, the instruments are a line of figures and a tab each."""
    return "1  talk  2  latency" in screen and "─ latency (ms) ─" not in screen


# ---- in tmux


def test_a_talk_in_tmux_outlives_the_link(desk: Desk, spoken: Path) -> None:
    desk.connect("--tmux")
    desk.wait_for(lambda screen: "● listening" in screen, "conversation")
    program = desk.program()
    expect_an_answer(desk)
    expect_escape_to_silence(desk, spoken)
    expect_the_screen_to_fit(desk)
    expect_it_to_listen_while_nobody_looks(desk)
    expect_it_to_outlive_the_link(desk)
    assert desk.program() == program, "it was the same all the time"
    desk.say_by_keyboard("My father is a sailor")
    desk.wait_for_turn(4)
    desk.terminal.press("q")
    desk.wait_for(lambda _: not desk.terminal.is_running, "end of the program")
    desk.expect_everything_given_back()
    expect_four_turns(desk.turns())


def expect_an_answer(desk: Desk) -> None:
    """What is said appears, and the reply appears and sounds."""
    with desk.room.record() as recording:
        desk.room.say(DATA / "demo-2.flac")
        desk.wait_for(lambda screen: "you has never been surpassed" in talk(screen), "words that were said")
        turn = desk.wait_for_turn(1)
    assert talk(desk.terminal.screen()).endswith(f"you {turn.transcript} voxterm {turn.reply}")
    sounded_s = (last_sound(recording.speaker) - first_sound(recording.speaker)) / ROOM_RATE_HZ
    assert sounded_s > 0.5
    assert first_sound(recording.speaker) > last_sound(recording.person), "it let the person finish"


def expect_escape_to_silence(desk: Desk, spoken: Path) -> None:
    """The reply falls silent at the key, and what is stored as heard is what was heard."""
    with desk.room.record() as recording:
        desk.room.say(spoken)
        desk.wait_for(lambda screen: len(sounded(screen)) > 2, "reply that sounds")
        heard = sounded(desk.terminal.screen())
        pressed_s = time.monotonic()
        desk.terminal.press("Escape")
        desk.wait_for(lambda screen: "■ interrupted" in screen, "interruption")
        turn = desk.wait_for_turn(2)
        time.sleep(QUIET_S)
        ended_s = time.monotonic()
    quiet_s = (len(recording.speaker) - last_sound(recording.speaker)) / ROOM_RATE_HZ
    silenced_s = ended_s - quiet_s - pressed_s
    print(f"\nsilent {silenced_s:.2f} s after the key; heard {turn.heard_reply!r} of {turn.reply!r}")
    assert silenced_s < SILENCED_S
    before = heard[:-1]  # the last of them had only begun
    assert turn.heard_reply.split()[: len(before)] == before
    assert len(turn.heard_reply.split()) <= len(heard) + 2, "time passes between the look and the key"


def sounded(screen: str) -> list[str]:
    """The words of the reply that sounds, up to the one that leaves the loudspeaker."""
    before, mark, _ = talk(screen).partition(WORD_MARK)
    return before.rpartition("voxterm ")[2].split() if mark else []


def expect_the_screen_to_fit(desk: Desk) -> None:
    """At each size every word is there once, in a frame of that size; the last line is tmux's own."""
    said = talk(desk.terminal.screen())

    def is_whole(screen: str, width: int, height: int) -> bool:
        rows = screen.splitlines()
        framed = {len(row) for row in rows if row.startswith("│")}
        return len(rows) == height and framed == {width} and talk(screen) == said

    def fit(width: int, height: int, fits: Callable[[str], bool]) -> None:
        desk.terminal.resize(width, height)
        desk.wait_for(
            lambda screen: fits(screen) and is_whole(screen, width, height), f"screen of {width}×{height}"
        )

    fit(80, 24, is_in_tabs)
    fit(100, 30, is_in_panes)
    fit(120, 40, is_in_panes)


def expect_it_to_listen_while_nobody_looks(desk: Desk) -> None:
    said = talk(desk.terminal.screen())
    desk.terminal.press("C-b", "d")
    desk.wait_for(lambda _: not desk.terminal.is_running, "end of ssh")
    desk.room.say(DATA / "demo-2.flac")
    desk.wait_for(lambda _: len(desk.turns()) == 3, "turn without a screen")
    desk.connect("--tmux")
    more = f"you has never been surpassed voxterm {desk.turns()[2].reply}"
    desk.wait_for(lambda screen: talk(screen) == f"{said} {more}", "talk of before, and what was said since")


def expect_it_to_outlive_the_link(desk: Desk) -> None:
    said = talk(desk.terminal.screen())
    desk.drop_link()
    assert len(desk.room.streams().splitlines()) == 2, "it holds the microphone and the loudspeaker"
    desk.terminal.resize(100, 30)
    desk.connect("--tmux")
    desk.wait_for(lambda screen: is_in_panes(screen) and talk(screen) == said, "talk as it was")


def expect_four_turns(turns: list[StoredTurn]) -> None:
    assert [turn.number for turn in turns] == [1, 2, 3, 4]
    assert [turn.interrupted for turn in turns] == [False, True, False, False]
    assert [turn.typed for turn in turns] == [False, False, False, True]
    first, cut, alone, typed = turns
    assert first.transcript == alone.transcript == "has never been surpassed"
    assert re.search("mother|father", cut.transcript)
    assert typed.transcript == "My father is a sailor"
    assert all(turn.reply and turn.heard_reply == turn.reply for turn in (first, alone, typed))
    assert cut.reply.startswith(cut.heard_reply)
    assert 0 < len(cut.heard_reply) < len(cut.reply)
    assert not any(turn.error for turn in turns)


# ---- without tmux


def test_without_tmux_it_ends_with_the_link_and_keeps_the_talk(desk: Desk) -> None:
    desk.connect()
    desk.wait_for(lambda screen: "● listening" in screen, "conversation")
    desk.say_by_keyboard("My father is a sailor")
    whole = desk.wait_for_turn(1)
    desk.say_by_keyboard("My mother is a doctor")
    desk.wait_for(lambda screen: len(sounded(screen)) > 1, "reply that sounds")
    desk.drop_link()
    desk.expect_everything_given_back()
    assert desk.turns()[0] == whole
    (cut,) = desk.turns()[1:]
    assert cut.interrupted
    assert 0 < len(cut.heard_reply) < len(cut.reply)
    desk.connect("--resume")
    desk.wait_for(lambda screen: "● listening" in screen, "conversation that goes on")
    for turn in (whole, cut):
        assert f"you › {turn.transcript} voxterm {turn.reply}" in talk(desk.terminal.screen())
    desk.terminal.press("q")
    desk.wait_for(lambda _: not desk.terminal.is_running, "end of the program")
    desk.expect_everything_given_back()
    assert desk.turns() == [whole, cut], "to look at a talk changes nothing in it"
