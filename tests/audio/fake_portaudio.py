"""A scripted `sounddevice`, so that nothing here needs a device."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import numpy as np
from hand_clock import HandClock

from voxterm.audio.portaudio import PortAudio
from voxterm.engines.protocols import Samples


class FakeStream:
    """A stream whose callback the test calls."""

    def __init__(self, module: FakeSoundDevice, **wish: Any) -> None:
        self.wish = wish
        self.latency = wish["latency"]
        self.active: object = False
        self.closed = False
        self._module = module

    def start(self) -> None:
        if self._module.refuses_start:
            raise self._module.PortAudioError("Device unavailable")
        self.active = True

    def abort(self, ignore_errors: bool) -> None:
        self.active = False

    def close(self, ignore_errors: bool) -> None:
        self.closed = True

    def hear(self, samples: Samples, *, overflow: bool = False) -> None:
        """The device has recorded these."""
        time = SimpleNamespace(
            currentTime=5.0, inputBufferAdcTime=5.0 - len(samples) / self.wish["samplerate"]
        )
        status = SimpleNamespace(input_overflow=overflow)
        self.wish["callback"](samples[:, None], len(samples), time, status)

    def play(self, count: int, *, underflow: bool = False) -> Samples:
        """The device takes so many samples; they are audible 20 ms later."""
        block = np.full((count, 1), np.nan, np.float32)
        time = SimpleNamespace(currentTime=5.0, outputBufferDacTime=5.0 + self.latency)
        self.wish["callback"](block, count, time, SimpleNamespace(output_underflow=underflow))
        return block[:, 0]


class FakeSoundDevice:
    """What voxterm uses of the module `sounddevice`."""

    class PortAudioError(Exception):
        pass

    def __init__(self, *names: str, rate_hz: int = 48000, host_api: str = "Core Audio") -> None:
        self.present = list(names)
        """The devices that are plugged in; listed only after `_initialize`."""
        self.streams: list[FakeStream] = []
        self.refused_rates: set[int] = set()
        self.refuses_start = False
        self.times_initialised = 0
        self._rate_hz = rate_hz
        self._host_api = host_api
        self._initialize()

    def _terminate(self) -> None:
        assert all(stream.closed for stream in self.streams), "this would kill an open stream"

    def _initialize(self) -> None:
        self.times_initialised += 1
        self._listed = list(self.present)
        default = 0 if self._listed else -1
        self.default = SimpleNamespace(device=[default, default])

    def query_devices(self) -> list[dict[str, Any]]:
        return [fake_device(name, self._rate_hz) for name in self._listed]

    def query_hostapis(self) -> list[dict[str, Any]]:
        return [{"name": self._host_api}]

    def check_input_settings(self, *, samplerate: int, **_: Any) -> None:
        if samplerate in self.refused_rates:
            raise self.PortAudioError("Invalid sample rate")

    check_output_settings = check_input_settings

    def InputStream(self, **wish: Any) -> FakeStream:  # noqa: N802 - as sounddevice has it
        self.check_input_settings(**wish)
        self.streams.append(FakeStream(self, **wish))
        return self.streams[-1]

    OutputStream = InputStream


def fake_device(name: str, rate_hz: int = 48000, inputs: int = 1, outputs: int = 1) -> dict[str, Any]:
    return {
        "name": name,
        "hostapi": 0,
        "max_input_channels": inputs,
        "max_output_channels": outputs,
        "default_samplerate": float(rate_hz),
    }


async def at_once(job: Callable[[], Any]) -> Any:
    """In place of a thread."""
    await asyncio.sleep(0)
    return job()


def fake_portaudio(module: FakeSoundDevice, clock: HandClock) -> PortAudio:
    return PortAudio(clock, lambda: module, at_once)
