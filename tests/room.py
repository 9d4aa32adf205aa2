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
import ctypes.util
import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import soundfile  # type: ignore[import-untyped]

from voxterm.engines.protocols import Samples

ROOM_RATE_HZ = 48_000
_PATIENCE_S = 15.0
_ALSA_CONFIG = """
pcm.!default { type pulse hint { show on description "The room" } }
pcm.headset { type pulse hint { show on description "The same room by another name" } }
ctl.!default { type pulse }
"""


def _one_channel(module: str, what: str, channel: str) -> str:
    return f"load-module {module} {what} channels=1 channel_map=mono master_channel_map={channel} remix=no"


_DEVICES = [
    f"load-module module-null-sink sink_name=room rate={ROOM_RATE_HZ} channels=2"
    " channel_map=front-left,front-right",
    _one_channel("module-remap-sink", "sink_name=person master=room", "front-left"),
    _one_channel("module-remap-sink", "sink_name=speaker master=room", "front-right"),
    _one_channel("module-remap-source", "source_name=mic master=room.monitor", "front-left"),
    "set-default-sink speaker",
    "set-default-source mic",
]
_DOOR = "load-module module-native-protocol-unix auth-anonymous=1"  # last: who comes in finds all devices


def require_room() -> None:
    """Skip the test that calls this where a room cannot be opened."""
    missing = [name for name in ("pulseaudio", "pactl", "paplay", "parec") if shutil.which(name) is None]
    if ctypes.util.find_library("portaudio") is None:
        missing.append("libportaudio2")
    if not any(Path("/usr/lib").rglob("libasound_module_pcm_pulse.so")):
        missing.append("libasound2-plugins")
    if missing:
        pytest.skip(f"needs a private PulseAudio; not installed: {', '.join(missing)}")


@contextlib.contextmanager
def open_room() -> Iterator[Room]:
    """A room that is ready when it is entered, and gone with all its processes when it is left."""
    with tempfile.TemporaryDirectory(prefix="room-") as folder:
        room = Room(Path(folder))
        try:
            room.start()
            yield room
        finally:
            room.kill()


class Room:
    """Where the person and the loudspeaker sound. Use `open_room()` to make one."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._socket = folder / "native"
        self._daemon: subprocess.Popen[bytes] | None = None
        self._players: list[subprocess.Popen[bytes]] = []
        alsa_config = folder / "asound.conf"
        alsa_config.write_text(_ALSA_CONFIG)
        self.environment = {
            **os.environ,
            "XDG_RUNTIME_DIR": str(folder),
            "XDG_CONFIG_HOME": str(folder / "config"),
            "PULSE_RUNTIME_PATH": str(folder),
            "PULSE_SERVER": f"unix:{self._socket}",
            "ALSA_CONFIG_PATH": str(alsa_config),
        }
        """What a process needs to find the room's devices as its default ones."""

    def start(self) -> None:
        """Start the sound server, as after `kill`; returns when its devices are there."""
        script = self._folder / "room.pa"
        script.write_text("\n".join([*_DEVICES, f"{_DOOR} socket={self._socket}", ""]))
        command = ["pulseaudio", "-n", "--exit-idle-time=-1", "--daemonize=no", "--use-pid-file=no"]
        self._daemon = subprocess.Popen(
            [*command, f"--file={script}"],
            env=self.environment,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        _wait_until(lambda: "mic" in self._pactl("list", "short", "sources"), "the sound server to start")

    def kill(self) -> None:
        """Take the sound server away without a word, and stop whoever is speaking."""
        for process in [*self._players, *([self._daemon] if self._daemon else [])]:
            if process.poll() is None:
                process.kill()
            process.wait(_PATIENCE_S)
        self._daemon = None
        self._players.clear()
        self._socket.unlink(missing_ok=True)

    def hear_loudspeaker(self) -> None:
        """From now on the microphone hears the loudspeaker in place of the person: the shortest loop."""
        loop = _one_channel("module-remap-source", "source_name=loop master=room.monitor", "front-right")
        self._pactl(*loop.split())
        self._pactl("set-default-source", "loop")

    def say(self, sound: Path | Samples, rate_hz: int = ROOM_RATE_HZ, *, wait: bool = True) -> None:
        """The person plays a recording, or float32 mono samples (N,) at `rate_hz`, into the microphone.

        Returns when all of it was played, or at once with `wait=False`.
        """
        path = sound if isinstance(sound, Path) else self._folder / f"said-{time.monotonic_ns()}.wav"
        if not isinstance(sound, Path):
            soundfile.write(path, sound, rate_hz, subtype="FLOAT")
        command = ["paplay", "--device=person", "--latency-msec=20", str(path)]
        player = subprocess.Popen(command, env=self.environment)
        self._players.append(player)
        if wait:
            player.wait(soundfile.info(path).duration + _PATIENCE_S)

    @contextlib.contextmanager
    def record(self) -> Iterator[Recording]:
        """Record both sides while inside; the samples are in the recording afterwards."""
        path = self._folder / f"room-{time.monotonic_ns()}.raw"
        command = ["parec", "--device=room.monitor", "--format=float32le", f"--rate={ROOM_RATE_HZ}"]
        recording = Recording()
        with path.open("wb") as file:
            recorder = subprocess.Popen(
                [*command, "--channels=2", "--latency-msec=20", "--raw"], stdout=file, env=self.environment
            )
        try:
            _wait_until(lambda: path.stat().st_size > 0, "the recording to begin")
            yield recording
        finally:
            recorder.send_signal(signal.SIGTERM)
            recorder.wait(_PATIENCE_S)
            whole = path.stat().st_size // 8 * 8  # two float32 a sample
            both = np.frombuffer(path.read_bytes()[:whole], np.float32).reshape(-1, 2)
            recording.person, recording.speaker = both[:, 0].copy(), both[:, 1].copy()

    def streams(self) -> str:
        """What programs hold open on the person's and the loudspeaker's devices: a line each."""
        held = self._pactl("list", "short", "sink-inputs") + self._pactl("list", "short", "source-outputs")
        return "\n".join(line for line in held.splitlines() if "module-remap" not in line)

    def _pactl(self, *arguments: str) -> str:
        """What pactl answers; nothing while there is no server."""
        command = ["pactl", *arguments]
        return subprocess.run(
            command, env=self.environment, capture_output=True, text=True, timeout=_PATIENCE_S, check=False
        ).stdout


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


def _wait_until(condition: Callable[[], bool], what: str) -> None:
    until_s = time.monotonic() + _PATIENCE_S
    while not condition():
        assert time.monotonic() < until_s, f"waited in vain for {what}"
        time.sleep(0.02)
