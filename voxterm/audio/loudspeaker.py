"""A loudspeaker that is a sound device.

While the device is gone its buffer is kept. Where the one that is wanted never was there, replies play to
nothing at the speed of the clock, so that the conversation goes on.
"""

from __future__ import annotations

import asyncio

import numpy as np

from voxterm.audio.lasting import LastingStream
from voxterm.audio.playing import Playing
from voxterm.audio.portaudio import DeviceStream, PortAudio
from voxterm.audio.protocols import Report, Tap
from voxterm.audio.timing import BlockTimes, SampleTimes
from voxterm.clock import Clock
from voxterm.engines.protocols import Samples
from voxterm.events import DeviceStatus

_BUFFER_S = 30.0
_USUAL_RATE_HZ = 48_000  # where there is no device to ask
_ROOM_S = 0.05  # how often `write` looks for room
_NOTHING_S = 0.02  # the blocks that play to nothing
_BEHIND_S = 1.0  # a program that was stopped for longer has nothing to catch up
_FADED_S = 0.05  # what `silence` fades has left by then
_REMEMBERED_S = 60.0


class DeviceLoudspeaker:
    """Implements `audio.protocols.Loudspeaker` on PortAudio."""

    def __init__(self, portaudio: PortAudio, clock: Clock, wanted: str | int = "default") -> None:
        """`wanted` names the device as `devices.find_device` takes it."""
        self.name = str(wanted)
        self.rate_hz = _USUAL_RATE_HZ
        self.underruns = 0
        self._clock = clock
        self._lasting = LastingStream(portaudio, "loudspeaker", wanted, clock, self._play, self._is_idle)
        self._playing: Playing | None = None
        self._stream: DeviceStream | None = None
        self._times = SampleTimes("loudspeaker", _USUAL_RATE_HZ, 0.0)
        self._passed = 0  # samples of the stream so far, silence included
        self._era = 0  # counts the calls of `silence`
        self._taps: list[Tap] = []
        self._closed = False
        self._nothing: asyncio.Task[None] | None = None

    def tap(self, listener: Tap) -> None:
        """Have every block told on PortAudio's thread as it is handed over, and when it leaves; what plays to
        nothing is told on the event loop. Call before `open`."""
        self._taps.append(listener)

    async def open(self, report: Report) -> None:
        """Returns when the device is open, or was found missing and reported. `rate_hz` is then fixed."""
        await self._lasting.start(report)
        if stream := self._lasting.stream:
            self.name, self.rate_hz = stream.name, stream.rate_hz
        self._lasting.rate_hz = self.rate_hz
        self._playing = Playing(self.rate_hz, round(_BUFFER_S * self.rate_hz))
        if self._lasting.stream is None:
            self._bridge_absence()

    async def write(self, samples: Samples) -> None:
        """Queue samples (N,); waits while 30 s are queued. What `silence` drops meanwhile is not queued."""
        era = self._era
        self._lasting.raise_failure()
        while len(samples) and era == self._era and not self._closed:
            samples = samples[self._open_playing().put(samples) :]
            self._open_playing().in_reply = True
            if len(samples):
                await self._clock.sleep_until(self._clock.now() + _ROOM_S)

    def end_reply(self) -> None:
        """Running dry is no underrun from here on."""
        self._open_playing().in_reply = False

    def silence(self, fade_s: float = 0.02) -> None:
        """Fade out from the next block on, and drop what waits."""
        self._era += 1
        self._open_playing().cut(fade_s)

    def written_samples(self) -> int:
        """Samples ever written, less those that `silence` dropped."""
        return self._open_playing().written()

    def played_samples(self) -> int:
        """How many of them have left the loudspeaker by now, its own buffer taken off."""
        return self._open_playing().played(self._clock.now())

    def played_at(self, sample: int) -> float | None:
        """When this sample left; None while it has not, or when that was more than a minute ago."""
        left_s = self._open_playing().left_at(sample)
        now_s = self._clock.now()
        return left_s if left_s is not None and now_s - _REMEMBERED_S <= left_s <= now_s else None

    def change_to(self, wanted: str | int) -> None:
        """Play on another device, at the same rate."""
        self._lasting.change_to(wanted)
        self._bridge_absence()

    async def pause(self) -> None:
        """Give the device back until `go_on`, once what was silenced has faded out."""
        await self._clock.sleep_until(self._clock.now() + _FADED_S)
        await self._lasting.pause()

    def go_on(self) -> None:
        """Take the device up again."""
        self._lasting.go_on()
        self._bridge_absence()

    async def close(self) -> None:
        """End the stream and its thread. A `write` that waits gives up."""
        self._closed = True
        if self._nothing is not None:
            self._nothing.cancel()
            await asyncio.wait({self._nothing})
        await self._lasting.stop()

    def _open_playing(self) -> Playing:
        assert self._playing is not None, "open the loudspeaker first"
        return self._playing

    def _is_idle(self) -> bool:
        """Whether nobody would hear it if the stream stopped for a moment."""
        playing = self._playing
        return playing is None or (
            not playing.in_reply and playing.played(self._clock.now()) == playing.written()
        )

    def _bridge_absence(self) -> None:
        """Until the device that is asked for is open: where it is missing, play to nothing."""
        is_bridged = self._nothing is not None and not self._nothing.done()
        if self._playing is not None and not is_bridged and not self._closed:
            self._nothing = asyncio.create_task(self._play_to_nothing(), name="play to nothing")

    async def _play_to_nothing(self) -> None:
        """Both run on the event loop, so exactly one of this and the device empties the buffer."""
        block = np.zeros(round(_NOTHING_S * self.rate_hz), np.float32)
        at_s = self._clock.now()
        while self._lasting.status is not DeviceStatus.OPEN:
            if self._lasting.status is DeviceStatus.MISSING:
                self._fill(self._open_playing(), block, at_s)
            at_s = max(at_s + len(block) / self.rate_hz, self._clock.now() - _BEHIND_S)
            await self._clock.sleep_until(at_s)

    def _play(self, stream: DeviceStream, block: Samples, times: BlockTimes, lost: bool) -> None:
        """On PortAudio's thread: fill the block, and learn when it will be heard."""
        if stream is not self._stream:
            self._stream, self._passed = stream, 0
            self.name = stream.name
            self._times = SampleTimes("loudspeaker", stream.rate_hz, stream.latency_s)
        if lost:
            self._times.forget()
        self._times.observe(self._passed, len(block), times)
        left_s = self._times.at(self._passed)
        self._passed += len(block)
        if self._playing is None or self._lasting.stream is not stream:
            block[:] = 0.0  # not yet, or no longer, the stream that plays
            return
        if lost:
            self._playing.note_dry()
        self._fill(self._playing, block, left_s)

    def _fill(self, playing: Playing, block: Samples, left_s: float) -> None:
        playing.fill(block, left_s)
        self.underruns = playing.underruns
        for listener in self._taps:
            listener(block, left_s)
