"""Real streams in a room without sound cards: what is heard, when, and what happens when the devices go away.

The room's recording says when each sound really was; the microphone and the loudspeaker must agree with it.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from room import ROOM_RATE_HZ, Room, first_sound, open_room, require_room

from voxterm.audio.protocols import FRAME_S, FRAME_SAMPLES

pytestmark = pytest.mark.devices

PROGRAM = Path(__file__).with_name("room_program.py")
CLICK = np.full(ROOM_RATE_HZ // 200, 0.8, np.float32)
LOUD = 0.3


@pytest.fixture
def room() -> Iterator[Room]:
    require_room()
    with open_room() as room:
        yield room


@contextmanager
def running(room: Room, name: str) -> Iterator[Scenario]:
    """A scenario of room_program.py that runs in the room; killed if it still does when this is left."""
    with subprocess.Popen(
        [sys.executable, str(PROGRAM), name],
        env={**room.environment, "PYTHONPATH": str(PROGRAM.parents[2])},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            yield Scenario(process)
        finally:
            process.kill()


class Scenario:
    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process

    def until(self, line: str) -> None:
        """Return when it has said this line."""
        assert self._process.stdout is not None
        for said in self._process.stdout:
            if said.strip() == line:
                return
        pytest.fail(f"it ended before it said {line!r}: {self._process.communicate(timeout=30)[1]}")

    def findings(self) -> Any:
        """What it found, when it has ended by itself; every thread of its own must be gone by then."""
        out, errors = self._process.communicate(timeout=90)
        assert self._process.returncode == 0, errors
        findings = json.loads(out.strip().splitlines()[-1])
        assert findings.pop("threads") == ["MainThread"]
        return findings


def assert_in_real_time(findings: Any) -> None:
    """Frames came without holes, in order, one every 32 ms by the clock and by the count."""
    firsts, ended_s, read_s = (np.array(findings[key]) for key in ("firsts", "ended_s", "read_s"))
    assert (np.diff(firsts) >= FRAME_SAMPLES).all()
    assert (np.diff(ended_s) >= 0).all()
    span_s = ended_s[-1] - ended_s[0]
    assert (firsts[-1] - firsts[0]) / 16000 == pytest.approx(span_s, abs=0.05)
    assert len(firsts) == pytest.approx(span_s / FRAME_S, rel=0.1)
    assert (read_s - ended_s > -0.03).all()  # no frame from the future


def test_clicks_are_timed_as_the_room_has_them(room: Room) -> None:
    with room.record() as recording, running(room, "clicks") as scenario:
        scenario.until("listening")
        room.say(CLICK)
        findings = scenario.findings()
    by_room_s = (first_sound(recording.speaker, LOUD) - first_sound(recording.person, LOUD)) / ROOM_RATE_HZ
    by_program_s = findings["played_s"] - findings["heard_s"]
    assert by_program_s == pytest.approx(by_room_s, abs=0.015)
    assert findings["played"] == findings["written"]
    assert findings["underruns"] == 0
    assert findings["overruns"] == 0
    assert_in_real_time(findings)
    late_s = np.array(findings["read_s"]) - np.array(findings["ended_s"])
    assert float(np.median(late_s)) < 0.05


def test_silence_is_heard_at_once_and_counted_exactly(room: Room) -> None:
    with room.record() as recording, running(room, "silence") as scenario:
        findings = scenario.findings()
    sounding = np.flatnonzero(np.abs(recording.speaker) > 1e-4)
    ends = np.flatnonzero(np.diff(sounding) > ROOM_RATE_HZ // 10)
    assert len(ends) == 1, "one tone, then one pause, then the other tone"
    heard_s = (sounding[ends[0]] - sounding[0]) / ROOM_RATE_HZ
    asked_s = findings["silenced_s"] - findings["begun_s"]
    assert 0.0 < heard_s - asked_s < 0.1  # 20 ms of fade and the device's own buffer
    assert findings["played"] == findings["written"]  # both where the fade began
    assert findings["played"] / findings["rate_hz"] + 0.02 == pytest.approx(heard_s, abs=0.004)
    assert findings["played_next"] == findings["written"] + round(0.2 * findings["rate_hz"])
    assert findings["underruns"] == 0


def test_a_sound_server_that_goes_away_and_comes_back_is_survived(room: Room) -> None:
    with running(room, "restart") as scenario:
        scenario.until("ready to be cut off")
        room.kill()
        scenario.until("loudspeaker reconnecting")
        room.start()
        with room.record() as recording:
            scenario.until("ready to hear")
            room.say(CLICK)
            findings = scenario.findings()
    assert first_sound(recording.speaker, LOUD) > first_sound(recording.person, LOUD)
    assert findings["played"] == findings["written"] > 0
    assert_in_real_time(findings)


def test_devices_are_taken_up_when_they_appear(room: Room) -> None:
    room.kill()
    with running(room, "appear") as scenario:
        scenario.until("ready for devices")
        room.start()
        findings = scenario.findings()
    assert findings["reports"][:2] == [["microphone", "missing"], ["loudspeaker", "missing"]]
    assert findings["played"] == 24000  # at the speed of the clock, to nothing
    assert findings["frames"] == pytest.approx(1.0 / FRAME_S, abs=5)


def test_another_device_is_taken_and_given_back_and_taken_up_again(room: Room) -> None:
    with running(room, "change") as scenario:
        scenario.until("loudspeaker open")
        assert len(room.streams().splitlines()) == 2
        scenario.until("given back")
        assert not room.streams(), "other programs can have the devices"
        with room.record() as recording:
            scenario.until("ready to hear")
            room.say(CLICK)
            findings = scenario.findings()
    assert first_sound(recording.speaker, LOUD) > first_sound(recording.person, LOUD)
    assert findings["played"] == findings["written"] > 0
    assert {status for _, status in findings["reports"]} == {"open"}
    assert findings["names"] == ["headset", "headset"]
    assert_in_real_time(findings)


def test_devices_are_listed_by_name(room: Room) -> None:
    with running(room, "names") as scenario:
        assert set(scenario.findings()["names"]) == {"default", "headset"}
