"""The whole path on real PortAudio devices: speech into the microphone is answered at the loudspeaker.

A recording of the room, the person on one channel and the loudspeaker on the other, sample by sample on one
clock, is the judge of what voxterm says of itself.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from queue import Queue
from typing import Any

import numpy as np
import pytest
from room import ROOM_RATE_HZ, Room, open_room, require_room

from voxterm.audio.wav import read_audio
from voxterm.engines.protocols import Samples

DATA = Path(__file__).parents[2] / "voxterm" / "data"
LOUD = 0.01  # −40 dB: speech, not the rustle before it

pytestmark = pytest.mark.devices


class Told:
    """What the conversation in the other process says, event by event."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process
        self.events: list[dict[str, Any]] = []
        self._queue: Queue[dict[str, Any] | None] = Queue()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def until(self, kind: str, timeout_s: float = 60.0) -> dict[str, Any]:
        """Wait for an event of this kind; there are others, ten a second at least."""
        end_s = time.monotonic() + timeout_s
        while (event := self._queue.get(timeout=timeout_s)) is not None:
            self.events.append(event)
            assert time.monotonic() < end_s, f"no {kind} within {timeout_s:.0f} s"
            if event["event"] == kind:
                return event
        raise AssertionError(f"the conversation ended before {kind}; it had told {self.events[-5:]}")

    def close(self) -> None:
        """End the process, whatever it does."""
        self.process.kill()
        self.process.wait()
        self._reader.join()
        for pipe in (self.process.stdin, self.process.stdout):
            assert pipe
            pipe.close()

    def _read(self) -> None:
        assert self.process.stdout
        for line in self.process.stdout:
            self._queue.put(json.loads(line))
        self._queue.put(None)


@contextmanager
def conversation_in(room: Room) -> Iterator[Told]:
    script = Path(__file__).with_name("on_devices.py")
    process = subprocess.Popen(
        [sys.executable, str(script)],
        env={**os.environ, **room.environment},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    told = Told(process)
    try:
        while told.until("StateChanged")["state"] != "listening":
            pass
        yield told
        assert process.stdin
        process.stdin.write("stop\n")
        process.stdin.flush()
        assert process.wait(timeout=30) == 0
    finally:
        told.close()


def clip(name: str) -> Samples:
    return read_audio(DATA / name, ROOM_RATE_HZ)


def loud_windows(samples: Samples, threshold: float = LOUD, window_s: float = 0.01) -> np.ndarray[Any, Any]:
    """Where the RMS of 10 ms is above the threshold: indexes of windows."""
    size = round(window_s * ROOM_RATE_HZ)
    whole = len(samples) // size
    rms = np.sqrt(np.mean(np.square(samples[: whole * size].reshape(whole, size)), axis=1))
    return np.flatnonzero(rms > threshold)


def test_speech_into_the_microphone_is_answered_at_the_loudspeaker() -> None:
    require_room()
    with open_room() as room, conversation_in(room) as told:
        with room.record() as recording:
            room.say(clip("demo-1.flac"))
            turn = told.until("TurnFinished")
        person = loud_windows(recording.person)
        reply = loud_windows(recording.speaker, threshold=0.001)  # its first sound is a soft "h"
    assert len(turn["transcript"].split()) > 5
    assert turn["heard_reply"] == turn["reply"] != ""
    assert not turn["interrupted"]
    reply = reply[reply > person[-1]]  # what sounds before is the chime
    assert len(reply) > 50, "half a second of sound, at least"
    measured_ms = (reply[0] - (person[-1] + 1)) * 10.0
    reported_ms = turn["latency_ms"]["voice_to_voice"]
    print(f"\nvoice-to-voice: {measured_ms:.0f} ms in the room, {reported_ms:.0f} ms as voxterm says")
    assert measured_ms == pytest.approx(reported_ms, abs=40)
    assert not [event for event in told.events if event["event"] == "Trouble"]


def test_speech_into_the_answer_silences_it_and_the_history_holds_what_was_heard() -> None:
    require_room()
    with open_room() as room, conversation_in(room) as told:
        with room.record() as recording:
            room.say(clip("demo-1.flac"))
            while told.until("ReplyHeard")["heard_chars"] < 22:  # beyond the second in which it is taken back
                pass
            room.say(clip("demo-2.flac"), wait=False)
            cut = told.until("TurnFinished")
            after = told.until("TurnFinished")
        person, reply = recording.person, recording.speaker
    interruption_s = _second_onset_s(person)
    sounding_s = loud_windows(reply, threshold=0.003) * 0.01
    first_reply = sounding_s[sounding_s < interruption_s + 1.0]
    delay_ms = (first_reply[-1] + 0.01 - interruption_s) * 1000
    print(f"\nbarge-in: silent {delay_ms:.0f} ms after the first voiced sample")
    assert 0 < delay_ms <= 250
    assert cut["interrupted"]
    assert cut["reply"].startswith(cut["heard_reply"])
    assert 0 < len(cut["heard_reply"]) < len(cut["reply"])
    assert after["turn"] == cut["turn"] + 1
    assert not after["interrupted"]
    assert len(after["transcript"].split()) >= 3, "the words that interrupted are a turn, from the first on"


def _second_onset_s(person: Samples) -> float:
    """When the person begins to speak for the second time: after the longest silence between loud windows."""
    loud = loud_windows(person)
    gap = int(np.argmax(np.diff(loud)))
    return float(loud[gap + 1]) * 0.01
