"""A room without sound cards: a private PulseAudio in which a program meets real devices.

The room is one sink of two channels with one clock: the person speaks on its left channel, the loudspeaker
plays on its right. The default microphone hears the left channel alone. A recording of the room has both
sides sample by sample, so any latency is read off it as a number of samples.

libasound and PortAudio read the environment when they are loaded. So whatever uses the room's devices is run
in a process of its own with `PulseRoom.environment`; who opened the room only speaks and records.
"""

from __future__ import annotations

import contextlib
import ctypes.util
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeVar

from voxterm.errors import DeviceError

R = TypeVar("R", bound="PulseRoom")

ROOM_RATE_HZ = 48_000
PATIENCE_S = 15.0
_PROGRAMS = ("pulseaudio", "pactl", "paplay", "parec")
_ALSA_CONFIG = """
pcm.!default { type pulse hint { show on description "The room" } }
pcm.headset { type pulse hint { show on description "The same room by another name" } }
ctl.!default { type pulse }
"""


def one_channel(module: str, what: str, channel: str) -> str:
    """The command that makes a device of one channel of the room."""
    return f"load-module {module} {what} channels=1 channel_map=mono master_channel_map={channel} remix=no"


_DEVICES = [
    f"load-module module-null-sink sink_name=room rate={ROOM_RATE_HZ} channels=2"
    " channel_map=front-left,front-right",
    one_channel("module-remap-sink", "sink_name=person master=room", "front-left"),
    one_channel("module-remap-sink", "sink_name=speaker master=room", "front-right"),
    one_channel("module-remap-source", "source_name=mic master=room.monitor", "front-left"),
    "set-default-sink speaker",
    "set-default-source mic",
]
_DOOR = "load-module module-native-protocol-unix auth-anonymous=1"  # last: who comes in finds all devices


def missing_for_a_room() -> list[str]:
    """What would have to be installed; nothing, where a room can be opened."""
    missing = [name for name in _PROGRAMS if shutil.which(name) is None]
    if ctypes.util.find_library("portaudio") is None:
        missing.append("libportaudio2")
    if not any(Path("/usr/lib").rglob("libasound_module_pcm_pulse.so")):
        missing.append("libasound2-plugins")
    return missing


@contextlib.contextmanager
def open_pulse_room() -> Iterator[PulseRoom]:
    """A room that is ready when it is entered, and gone with all its processes when it is left.

    Raises:
        DeviceError: what it needs is not installed, or the sound server does not start.
    """
    missing = missing_for_a_room()
    if missing:
        what = f"a private room of sound needs {', '.join(missing)}"
        raise DeviceError(what, "install them: apt install pulseaudio libasound2-plugins libportaudio2")
    with running(PulseRoom) as room:
        yield room


@contextlib.contextmanager
def running(kind: type[R]) -> Iterator[R]:
    """A room of this kind, started in a folder of its own; gone with all its processes in the end."""
    with tempfile.TemporaryDirectory(prefix="room-") as folder:
        room = kind(Path(folder))
        try:
            room.start()
            yield room
        finally:
            room.kill()


class PulseRoom:
    """Where the person and the loudspeaker sound."""

    def __init__(self, folder: Path) -> None:
        """`folder`: what belongs to the room, empty, and removed by whoever made it."""
        self.folder = folder
        self._socket = folder / "native"
        self._daemon: subprocess.Popen[bytes] | None = None
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
        """Start the sound server, as after `kill`; returns when its devices are there.

        Raises:
            DeviceError: it does not start.
        """
        script = self.folder / "room.pa"
        script.write_text("\n".join([*_DEVICES, f"{_DOOR} socket={self._socket}", ""]))
        command = ["pulseaudio", "-n", "--exit-idle-time=-1", "--daemonize=no", "--use-pid-file=no"]
        self._daemon = subprocess.Popen(
            [*command, f"--file={script}"],
            env=self.environment,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        wait_until(lambda: "mic" in self.pactl("list", "short", "sources"), "the sound server to start")

    def kill(self) -> None:
        """Take the sound server away without a word."""
        if self._daemon:
            if self._daemon.poll() is None:
                self._daemon.kill()
            self._daemon.wait(PATIENCE_S)
        self._daemon = None
        self._socket.unlink(missing_ok=True)

    def pactl(self, *arguments: str) -> str:
        """What pactl answers; nothing while there is no server."""
        command = ["pactl", *arguments]
        return subprocess.run(
            command, env=self.environment, capture_output=True, text=True, timeout=PATIENCE_S, check=False
        ).stdout


def wait_until(condition: Callable[[], bool], what: str) -> None:
    """Look every 20 ms.

    Raises:
        DeviceError: it takes too long.
    """
    until_s = time.monotonic() + PATIENCE_S
    while not condition():
        if time.monotonic() > until_s:
            raise DeviceError(f"waited in vain for {what}", "run voxterm doctor")
        time.sleep(0.02)
