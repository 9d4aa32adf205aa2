"""A room without sound cards: a private PulseAudio in which a program meets real devices.

The room is one sink of two channels with one clock: the person speaks on its left channel, the loudspeaker
plays on its right. The default microphone hears the left channel alone. A recording of the room has both
sides sample by sample, so any latency is read off it as a number of samples.

libasound and PortAudio read the environment when they are loaded. So whatever uses the room's devices is
run in a process of its own with `room.environment`; the test itself only speaks and records.

    with open_room() as room, room.record() as recording:
        program = subprocess.Popen([sys.executable, "-m", "voxterm"], env=room.environment)
        room.say(Path("question.wav"))
        ...
    answered = first_sound(recording.speaker)  # in samples of ROOM_RATE_HZ

Tests that use it are marked `devices` and call `require_room()` first, which skips them where PulseAudio,
ALSA's plugin for it or PortAudio are not installed.
"""

from __future__ import annotations

import contextlib
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import soundfile  # type: ignore[import-untyped]

from voxterm.bench.pulse_room import (
    PATIENCE_S,
    ROOM_RATE_HZ,
    PulseRoom,
    missing_for_a_room,
    one_channel,
    running,
    wait_until,
)
from voxterm.engines.protocols import Samples

__all__ = ["ROOM_RATE_HZ", "Recording", "Room", "first_sound", "last_sound", "open_room", "require_room"]


def require_room() -> None:
    """Skip the test that calls this where a room cannot be opened."""
    if missing := missing_for_a_room():
        pytest.skip(f"needs a private PulseAudio; not installed: {', '.join(missing)}")


@contextlib.contextmanager
def open_room() -> Iterator[Room]:
    """A room that is ready when it is entered, and gone with all its processes when it is left."""
    with running(Room) as room:
        yield room


class Room(PulseRoom):
    """A room in which a test speaks and records. Use `open_room()` to make one."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self._players: list[subprocess.Popen[bytes]] = []

    def kill(self) -> None:
        """Take the sound server away without a word, and stop whoever is speaking."""
        for player in self._players:
            if player.poll() is None:
                player.kill()
            player.wait(PATIENCE_S)
        self._players.clear()
        super().kill()

    def hear_loudspeaker(self) -> None:
        """From now on the microphone hears the loudspeaker in place of the person: the shortest loop."""
        loop = one_channel("module-remap-source", "source_name=loop master=room.monitor", "front-right")
        self.pactl(*loop.split())
        self.pactl("set-default-source", "loop")

    def say(self, sound: Path | Samples, rate_hz: int = ROOM_RATE_HZ, *, wait: bool = True) -> None:
        """The person plays a recording, or float32 mono samples (N,) at `rate_hz`, into the microphone.

        Returns when all of it was played, or at once with `wait=False`.
        """
        path = sound if isinstance(sound, Path) else self.folder / f"said-{time.monotonic_ns()}.wav"
        if not isinstance(sound, Path):
            soundfile.write(path, sound, rate_hz, subtype="FLOAT")
        command = ["paplay", "--device=person", "--latency-msec=20", str(path)]
        player = subprocess.Popen(command, env=self.environment)
        self._players.append(player)
        if wait:
            player.wait(soundfile.info(path).duration + PATIENCE_S)

    @contextlib.contextmanager
    def record(self) -> Iterator[Recording]:
        """Record both sides while inside; the samples are in the recording afterwards."""
        path = self.folder / f"room-{time.monotonic_ns()}.raw"
        command = ["parec", "--device=room.monitor", "--format=float32le", f"--rate={ROOM_RATE_HZ}"]
        recording = Recording()
        with path.open("wb") as file:
            recorder = subprocess.Popen(
                [*command, "--channels=2", "--latency-msec=20", "--raw"], stdout=file, env=self.environment
            )
        try:
            wait_until(lambda: path.stat().st_size > 0, "the recording to begin")
            yield recording
        finally:
            recorder.send_signal(signal.SIGTERM)
            recorder.wait(PATIENCE_S)
            whole = path.stat().st_size // 8 * 8  # two float32 a sample
            both = np.frombuffer(path.read_bytes()[:whole], np.float32).reshape(-1, 2)
            recording.person, recording.speaker = both[:, 0].copy(), both[:, 1].copy()

    def streams(self) -> str:
        """What programs hold open on the person's and the loudspeaker's devices: a line each."""
        held = self.pactl("list", "short", "sink-inputs") + self.pactl("list", "short", "source-outputs")
        return "\n".join(line for line in held.splitlines() if "module-remap" not in line)


class Recording:
    """Both sides of the room as float32 mono at ROOM_RATE_HZ, of one length; empty until it ends."""

    def __init__(self) -> None:
        self.person: Samples = np.zeros(0, np.float32)
        self.speaker: Samples = np.zeros(0, np.float32)


def first_sound(samples: Samples, threshold: float = 0.01) -> int:
    """The index of the first sample that is louder than the threshold."""
    loud = np.flatnonzero(np.abs(samples) > threshold)
    assert len(loud), "nothing was heard at all"
    return int(loud[0])


def last_sound(samples: Samples, threshold: float = 0.01) -> int:
    """The index of the last sample that is louder than the threshold."""
    loud = np.flatnonzero(np.abs(samples) > threshold)
    assert len(loud), "nothing was heard at all"
    return int(loud[-1])
