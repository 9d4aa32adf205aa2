"""A microphone that is a sound device: frames of 512 samples at 16 kHz, in order and in real time.

While the device is missing, starting or gone, silent frames keep the heartbeat. The count of samples follows
the clock throughout: what was lost is counted, what is older than what was already given is dropped.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from queue import Empty, SimpleQueue

import numpy as np

from voxterm.audio.front_end import FrontEnd
from voxterm.audio.lasting import LastingStream
from voxterm.audio.portaudio import DeviceStream, PortAudio, in_thread
from voxterm.audio.protocols import FRAME_S, FRAME_SAMPLES, MicrophoneFrame, Report
from voxterm.audio.resample import StreamResampler
from voxterm.audio.timing import BlockTimes, SampleTimes
from voxterm.clock import Clock
from voxterm.engines.protocols import HEARING_RATE_HZ, Samples

_WAITING_S = 4.0  # this much may wait to be read; what comes then is lost and counted


@dataclass(frozen=True, slots=True)
class _Block:
    stream: DeviceStream
    samples: Samples  # (N,) at the stream's rate
    times: BlockTimes
    after_loss: bool  # samples are missing before it


@dataclass(slots=True)
class _Hearing:
    """What was heard since the device was opened, or since samples were lost."""

    stream: DeviceStream
    front_end: FrontEnd | None = None
    resampler: StreamResampler = field(init=False)
    times: SampleTimes = field(init=False)
    taken: int = 0  # samples of the device
    resampled: int = 0  # of them made: samples at 16 kHz
    begin: float = 0.0  # where in them the first sample of `pending` lies
    skip: int = 0  # samples at 16 kHz to drop first: silence already stood for them
    pending: Samples = field(default_factory=lambda: np.zeros(0, np.float32))  # at 16 kHz

    def __post_init__(self) -> None:
        self.resampler = StreamResampler(self.stream.rate_hz, HEARING_RATE_HZ)
        self.times = SampleTimes("microphone", self.stream.rate_hz, self.stream.latency_s)

    def hear(self, block: _Block) -> None:
        self.times.observe(self.taken, len(block.samples), block.times)
        self.taken += len(block.samples)
        self.pending = np.concatenate([self.pending, self._cleaned(self.resampler.push(block.samples))])
        self._drop(min(self.skip, len(self.pending)))

    def next_frame(self) -> tuple[Samples, float] | None:
        """The next 512 samples, and when the last of them was in the air."""
        if self.skip or len(self.pending) < FRAME_SAMPLES:
            return None
        samples = self.pending[:FRAME_SAMPLES]
        self._forward(FRAME_SAMPLES)
        return samples, self.times.at(self.begin)

    def _cleaned(self, samples: Samples) -> Samples:
        """Without the loudspeaker, as far as that is known by now."""
        first_at_s = self.times.at(self.resampled * self.stream.rate_hz / HEARING_RATE_HZ)
        self.resampled += len(samples)
        return samples if self.front_end is None else self.front_end.hear(samples, first_at_s)

    def _drop(self, count: int) -> None:
        self.skip -= count
        self._forward(count)

    def _forward(self, count: int) -> None:
        self.pending = self.pending[count:]
        self.begin += count * self.stream.rate_hz / HEARING_RATE_HZ


class DeviceMicrophone:
    """Implements `audio.protocols.Microphone` on PortAudio."""

    def __init__(
        self,
        portaudio: PortAudio,
        clock: Clock,
        wanted: str | int = "default",
        front_end: FrontEnd | None = None,
    ) -> None:
        """`wanted` names the device as `devices.find_device` takes it; all that is heard goes through
        `front_end`, which is loaded by `open` and closed by `close`."""
        self.name = str(wanted)
        self.overruns = 0
        self._clock = clock
        self._front_end = front_end
        self._lasting = LastingStream(portaudio, "microphone", wanted, clock, self._take, lambda: True)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._closed = False
        self._blocks: SimpleQueue[_Block] = SimpleQueue()
        self._queued_samples = 0  # ever put into _blocks, counted by the callback
        self._read_samples = 0  # ever taken out of it
        self._dropped = False
        self._hearing: _Hearing | None = None
        self._stream: DeviceStream | None = None  # the one that was heard last
        self._counted = 0  # samples at 16 kHz so far, lost ones included
        self._heard_until_s = 0.0

    @property
    def starting(self) -> bool:
        return self._lasting.stream is not None and not self._lasting.is_running

    async def open(self, report: Report) -> None:
        """Start to listen; returns when the device is open, or was found missing and reported."""
        self._loop = asyncio.get_running_loop()
        if self._front_end is not None:
            await in_thread(self._front_end.load)
        self._heard_until_s = self._clock.now()
        await self._lasting.start(report)
        if stream := self._lasting.stream:
            self.name = stream.name

    async def read(self) -> MicrophoneFrame | None:
        """The next frame, at its time; None once it is closed."""
        while not self._closed:
            self._lasting.changed.clear()
            self._lasting.raise_failure()
            if frame := self._next_heard():
                return frame
            if self._lasting.is_running:
                await self._lasting.changed.wait()  # set by the next block, and by the loss of the device
            elif self._clock.now() >= self._heard_until_s + FRAME_S:
                return self._frame(np.zeros(FRAME_SAMPLES, np.float32), self._heard_until_s + FRAME_S)
            else:
                await self._clock.sleep_until(self._heard_until_s + FRAME_S)
        return None

    def change_to(self, wanted: str | int) -> None:
        """Listen to another device; until it calls, frames are silent."""
        self._lasting.change_to(wanted)

    async def pause(self) -> None:
        """Give the device back until `go_on`. Nobody should read meanwhile."""
        await self._lasting.pause()

    def go_on(self) -> None:
        """Take the device up again: what was heard before is dropped, and the time since then is counted."""
        self._hearing = None
        while not self._blocks.empty():
            self._read_samples += len(self._blocks.get_nowait().samples)
        now_s = self._clock.now()
        self._counted += round(max(0.0, now_s - self._heard_until_s) * HEARING_RATE_HZ)
        self._heard_until_s = max(now_s, self._heard_until_s)
        self._lasting.go_on()

    async def close(self) -> None:
        """End the stream and its thread. A `read` that waits then gives None."""
        self._closed = True
        self._lasting.changed.set()
        await self._lasting.stop()
        if self._front_end is not None:
            self._front_end.close()

    def _next_heard(self) -> MicrophoneFrame | None:
        """The next frame that the device has filled."""
        while True:
            if self._hearing and (heard := self._hearing.next_frame()):
                return self._frame(*heard)
            try:
                block = self._blocks.get_nowait()
            except Empty:
                return None
            self._read_samples += len(block.samples)
            if self._hearing is None or self._hearing.stream is not block.stream or block.after_loss:
                self._begin_anew(block)
            else:
                self._hearing.hear(block)

    def _begin_anew(self, block: _Block) -> None:
        """The sound goes on after a gap: count what is missing, or drop what silence already stood for."""
        if self._front_end is not None:
            self._reset(self._front_end, block)
        hearing = _Hearing(block.stream, self._front_end)
        hearing.hear(block)
        self.name = block.stream.name
        missing = round((hearing.times.at(0) - self._heard_until_s) * HEARING_RATE_HZ)
        if missing > 0:
            self._counted += missing
            self._heard_until_s = hearing.times.at(0)
        hearing.skip = max(0, -missing)
        self._hearing = hearing

    def _reset(self, front_end: FrontEnd, block: _Block) -> None:
        """Another device, or the same one after it was gone, is in another room for all that is known."""
        if self._stream is block.stream or self._stream is None:
            front_end.gap()
        else:
            front_end.reset()
        self._stream = block.stream

    def _frame(self, samples: Samples, ended_at_s: float) -> MicrophoneFrame:
        missing_s = ended_at_s - self._heard_until_s - FRAME_S
        if missing_s > FRAME_S:  # the device itself left something out
            self._counted += round(missing_s * HEARING_RATE_HZ)
        first_sample = self._counted
        self._counted += FRAME_SAMPLES
        self._heard_until_s = max(ended_at_s, self._heard_until_s)
        return MicrophoneFrame(samples, first_sample, self._heard_until_s)

    def _take(self, stream: DeviceStream, block: Samples, times: BlockTimes, lost: bool) -> None:
        """On PortAudio's thread: copy the block, and wake whoever reads."""
        if lost:
            self.overruns += 1
        if self._queued_samples - self._read_samples > _WAITING_S * stream.rate_hz:
            self.overruns += 1
            self._dropped = True
            return
        self._blocks.put(_Block(stream, block.copy(), times, lost or self._dropped))
        self._queued_samples += len(block)
        self._dropped = False
        if self._loop is not None and not self._lasting.changed.is_set() and not self._closed:
            self._loop.call_soon_threadsafe(self._lasting.changed.set)
