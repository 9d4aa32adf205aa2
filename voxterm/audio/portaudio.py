"""The one owner of PortAudio in the process: it opens and closes the streams of all devices.

PortAudio reads its list of devices once, when it is initialised, and reading it again kills every open
stream. So the list is read anew while no stream is open. While one is, a short process of its own looks
whether the wanted device has appeared, and only then are the other streams asked to make way.
"""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import threading
from collections.abc import Awaitable, Callable
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any, TypeAlias, TypeVar

from voxterm.audio.devices import (
    SEE_DEVICES,
    DeviceInfo,
    Kind,
    devices_of,
    find_device,
    list_devices,
    load_sounddevice,
)
from voxterm.audio.timing import BlockTimes
from voxterm.clock import Clock
from voxterm.engines.protocols import Samples
from voxterm.errors import DeviceError

T = TypeVar("T")

_LATENCY_S = (
    0.02  # with less (PortAudio's own `low` is 8.7 ms) a thread that computes in Python causes dropouts
)
_USUAL_RATE_HZ = 48_000
_PATIENCE_S = 10.0
_PROBE = (
    "import json, sounddevice as s;"
    "print(json.dumps([list(s.query_devices()), list(s.query_hostapis()), list(s.default.device)]))"
)


@dataclass(slots=True)
class DeviceStream:
    """A stream that runs. Its identity tells one opening from the next."""

    name: str
    rate_hz: int
    latency_s: float = 0.0  # as claimed when it was opened
    raw: Any = None

    def is_active(self) -> bool:
        """False once PortAudio itself has noticed that the device is gone. It does not always notice."""
        return bool(self.raw.active)


OnBlock: TypeAlias = Callable[[DeviceStream, Samples, BlockTimes, bool], None]
"""Called on PortAudio's thread: the stream, the block (N,) to read or to fill, its times, and whether the
device lost samples before it. Must not block."""


async def in_thread(job: Callable[[], T]) -> T:
    """Run a job that may block on a thread of its own, which ends with it."""
    future: Future[T] = Future()

    def run() -> None:
        try:
            future.set_result(job())
        except BaseException as error:  # handed on to whoever waits
            future.set_exception(error)

    thread = threading.Thread(target=run, name="voxterm-portaudio", daemon=True)
    thread.start()
    try:
        return await asyncio.wrap_future(future)
    finally:
        if future.done():
            thread.join()  # it has nothing left to do


class PortAudio:
    """Opens and closes streams, one at a time, off the event loop. Use from one event loop."""

    def __init__(
        self,
        clock: Clock,
        load: Callable[[], Any] = load_sounddevice,
        run: Callable[[Callable[[], Any]], Awaitable[Any]] = in_thread,
    ) -> None:
        self.must_yield = False
        """A device has appeared that only a new list shows: whoever can spare its stream should close it."""
        self._clock = clock
        self._load = load
        self._run = run
        self._open_streams = 0
        self._one_at_a_time = asyncio.Lock()

    async def open(
        self, kind: Kind, wanted: str | int, rate_hz: int | None, on_block: OnBlock
    ) -> DeviceStream:
        """Open and start a stream of one channel; at the device's own rate where none is asked for.

        Raises:
            DeviceError: there is no such device, or it refuses.
        """
        stream: DeviceStream = await self._do(lambda: self._open(kind, wanted, rate_hz, on_block), kind)
        return stream

    async def close(self, stream: DeviceStream) -> None:
        """Stop a stream at once and close it. A device that is gone is closed all the same."""
        await self._do(lambda: self._close(stream), stream.name)

    async def look_again(self, kind: Kind, wanted: str | int) -> None:
        """Take notice of devices that came or went. Call before opening one that was missing or lost."""
        await self._do(lambda: self._look_again(kind, wanted), kind)

    async def _do(self, job: Callable[[], Any], what: str) -> Any:
        async with self._one_at_a_time:
            try:
                return await asyncio.wait_for(self._run(job), _PATIENCE_S)
            except asyncio.TimeoutError:
                raise DeviceError(f"the {what} does not answer", "restart the sound server") from None

    def _open(self, kind: Kind, wanted: str | int, rate_hz: int | None, on_block: OnBlock) -> DeviceStream:
        sd = self._load()
        device = find_device(kind, wanted, list_devices(sd))
        try:
            stream = self._start(sd, kind, device, rate_hz or _own_rate_hz(sd, kind, device), on_block)
        except sd.PortAudioError as error:
            if rate_hz and not _takes(sd, kind, device, rate_hz):
                what = f"the {kind} {device.name!r} does not take the {rate_hz} Hz that voxterm runs at"
                raise DeviceError(what, "choose another, or start voxterm with this one") from None
            raise DeviceError(f"the {kind} {device.name!r} cannot be opened ({error})", SEE_DEVICES) from None
        self._open_streams += 1
        return stream

    def _start(
        self, sd: Any, kind: Kind, device: DeviceInfo, rate_hz: int, on_block: OnBlock
    ) -> DeviceStream:
        stream = DeviceStream(device.name, rate_hz)
        now = self._clock.now
        if kind == "microphone":

            def hear(block: Any, _frames: int, time: Any, status: Any) -> None:
                times = BlockTimes(now(), time.inputBufferAdcTime - time.currentTime)
                on_block(stream, block[:, 0], times, status.input_overflow)

            new, callback = sd.InputStream, hear
        else:

            def play(block: Any, _frames: int, time: Any, status: Any) -> None:
                times = BlockTimes(now(), time.outputBufferDacTime - time.currentTime)
                on_block(stream, block[:, 0], times, status.output_underflow)

            new, callback = sd.OutputStream, play
        stream.raw = new(
            device=device.index,
            samplerate=rate_hz,
            channels=1,
            dtype="float32",
            latency=_LATENCY_S,
            callback=callback,
        )
        stream.latency_s = float(stream.raw.latency)
        try:
            stream.raw.start()
        except sd.PortAudioError:
            stream.raw.close(ignore_errors=True)
            raise
        return stream

    def _close(self, stream: DeviceStream) -> None:
        # A device that is gone may refuse both; there is nothing left to save then.
        stream.raw.abort(ignore_errors=True)
        stream.raw.close(ignore_errors=True)
        self._open_streams -= 1

    def _look_again(self, kind: Kind, wanted: str | int) -> None:
        if self._open_streams == 0:
            sd = self._load()
            sd._terminate()
            sd._initialize()
            self.must_yield = False
        elif not self.must_yield:
            self.must_yield = self._has_appeared(kind, wanted)

    def _has_appeared(self, kind: Kind, wanted: str | int) -> bool:
        """Whether a process that initialises PortAudio now finds a device that this one does not."""
        try:
            find_device(kind, wanted, list_devices(self._load()))
            return False
        except DeviceError:
            pass
        try:
            probe = subprocess.run(
                [sys.executable, "-c", _PROBE], capture_output=True, timeout=_PATIENCE_S / 2, check=True
            )
            find_device(kind, wanted, devices_of(*json.loads(probe.stdout)))
        except (DeviceError, subprocess.SubprocessError, OSError, ValueError):
            return False
        return True


def _own_rate_hz(sd: Any, kind: Kind, device: DeviceInfo) -> int:
    """The device's own rate, as far as it can be known."""
    if device.host_api != "ALSA":
        return device.default_rate_hz
    # There the default is 44.1 kHz wherever that can be had at all, while cards and servers run at 48.
    return _USUAL_RATE_HZ if _takes(sd, kind, device, _USUAL_RATE_HZ) else device.default_rate_hz


def _takes(sd: Any, kind: Kind, device: DeviceInfo, rate_hz: int) -> bool:
    check = sd.check_input_settings if kind == "microphone" else sd.check_output_settings
    try:
        check(device=device.index, channels=1, dtype="float32", samplerate=rate_hz)
    except sd.PortAudioError:
        return False
    return True
