"""Frames in order and in real time, whatever the device does; a scripted device and a clock moved by hand."""

from __future__ import annotations

import asyncio
from itertools import pairwise

import numpy as np
import pytest
from fake_portaudio import FakeSoundDevice, fake_portaudio
from hand_clock import HandClock, settle

from voxterm.audio.front_end import FrontEnd, FrontEndSettings
from voxterm.audio.microphone import DeviceMicrophone
from voxterm.audio.protocols import FRAME_S, FRAME_SAMPLES, Microphone, MicrophoneFrame
from voxterm.engines.protocols import Samples
from voxterm.events import DeviceChanged, DeviceStatus, Trouble

BLOCK = 480  # 10 ms at 48 kHz
BLOCK_S = 0.01


class Listening:
    """A microphone on a scripted device, and a reader that takes each frame at once."""

    def __init__(self, module: FakeSoundDevice, front_end: FrontEnd | None = None) -> None:
        self.module = module
        self.clock = HandClock()
        portaudio = fake_portaudio(module, self.clock)
        self.microphone = DeviceMicrophone(portaudio, self.clock, front_end=front_end)
        self.reports: list[DeviceChanged] = []
        self.frames: list[MicrophoneFrame] = []
        self._reader: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Listening:
        await self.microphone.open(self._report)
        self.resume()
        return self

    async def __aexit__(self, *_: object) -> None:
        closing = asyncio.create_task(self.microphone.close())
        await self.clock.advance(1.0)
        await closing
        assert self._reader is not None
        await self._reader
        assert all(stream.closed for stream in self.module.streams)

    def resume(self) -> None:
        self._reader = asyncio.create_task(self._read())

    async def pause(self) -> None:
        """Nobody reads any more."""
        assert self._reader is not None
        self._reader.cancel()
        await asyncio.wait({self._reader})

    async def hear(self, seconds: float, level: float = 0.5, *, overflow: bool = False) -> None:
        """The device delivers blocks of 10 ms for so long."""
        for _ in range(round(seconds / BLOCK_S)):
            await self.clock.advance(BLOCK_S)
            self.module.streams[-1].hear(np.full(BLOCK, level, np.float32), overflow=overflow)
            overflow = False
        await settle()

    def statuses(self) -> list[DeviceStatus]:
        return [report.status for report in self.reports]

    def _report(self, event: DeviceChanged | Trouble) -> None:
        assert isinstance(event, DeviceChanged)
        assert event.device == "microphone"
        self.reports.append(event)

    async def _read(self) -> None:
        while frame := await self.microphone.read():
            self.frames.append(frame)


def assert_in_real_time(frames: list[MicrophoneFrame]) -> None:
    """By the count and by the clock alike: one frame after the other, 32 ms each."""
    for before, after in pairwise(frames):
        counted_s = (after.first_sample - before.first_sample) / 16000
        assert after.first_sample >= before.first_sample + FRAME_SAMPLES
        assert counted_s == pytest.approx(after.ended_at_s - before.ended_at_s, abs=0.002)


async def test_frames_come_in_order_and_end_when_their_last_sample_sounded() -> None:
    async with Listening(FakeSoundDevice("Mic")) as listening:
        opened_s = listening.clock.now()
        await listening.hear(1.0)
        frames = listening.frames
        assert len(frames) == 31
        assert [frame.first_sample for frame in frames] == list(range(0, 31 * FRAME_SAMPLES, FRAME_SAMPLES))
        assert frames[9].ended_at_s == pytest.approx(opened_s + 10 * FRAME_S, abs=0.001)
        assert all(frame.samples.shape == (FRAME_SAMPLES,) for frame in frames)
        assert np.allclose(frames[5].samples, 0.5, atol=1e-4)
        assert listening.statuses() == [DeviceStatus.OPEN]
        assert listening.microphone.name == "Mic"
        assert isinstance(listening.microphone.overruns, int)
        microphone: Microphone = listening.microphone
        assert microphone.name == "Mic"


async def test_silence_keeps_the_heartbeat_until_the_device_calls() -> None:
    async with Listening(FakeSoundDevice("Mic")) as listening:
        await listening.clock.advance(1.7)
        assert len(listening.frames) == int(1.7 / FRAME_S)
        assert not any(frame.samples.any() for frame in listening.frames)
        await listening.hear(1.0)
        assert listening.frames[-1].samples.any()
        assert_in_real_time(listening.frames)


async def test_a_device_is_starting_until_it_calls() -> None:
    """Else the screen would say that it listens while PulseAudio still drops what is said."""
    async with Listening(FakeSoundDevice("Mic")) as listening:
        assert listening.microphone.starting
        await listening.hear(0.1)
        assert not listening.microphone.starting


async def test_a_missing_device_is_reported_and_taken_up_when_it_appears() -> None:
    async with Listening(FakeSoundDevice()) as listening:
        assert listening.statuses() == [DeviceStatus.MISSING]
        assert listening.reports[0].remedy
        await listening.clock.advance(3.0)
        assert len(listening.frames) == int(3.0 / FRAME_S)
        listening.module.present.append("Mic")
        await listening.clock.advance(1.0)
        assert listening.statuses() == [DeviceStatus.MISSING, DeviceStatus.OPEN]
        assert listening.reports[1].name == "Mic"
        await listening.hear(0.5)
        assert listening.frames[-1].samples.any()
        assert_in_real_time(listening.frames)


async def test_a_missing_device_is_looked_for_with_growing_pauses() -> None:
    async with Listening(FakeSoundDevice()) as listening:
        looks = [listening.module.times_initialised]
        for _ in range(30):
            await listening.clock.advance(1.0)
            looks.append(listening.module.times_initialised)
        assert looks[1] - looks[0] == 2  # after 0.25 and 0.75 s
        assert 1 <= looks[30] - looks[21] <= 2  # every 5 s


async def test_a_device_that_goes_quiet_is_opened_again() -> None:
    """A stream can stop being called with no exception and no status."""
    async with Listening(FakeSoundDevice("Mic")) as listening:
        await listening.hear(4.0)
        await listening.clock.advance(0.45)
        assert listening.statuses() == [DeviceStatus.OPEN]
        await listening.clock.advance(0.3)
        assert listening.statuses() == [DeviceStatus.OPEN, DeviceStatus.RECONNECTING]
        assert listening.module.streams[0].closed
        await listening.clock.advance(0.5)
        assert listening.statuses()[-1] is DeviceStatus.OPEN
        assert len(listening.module.streams) == 2
        await listening.hear(1.0)
        assert listening.frames[-1].samples.any()
        assert_in_real_time(listening.frames)


async def test_a_device_that_portaudio_knows_is_gone_is_opened_again_at_once() -> None:
    async with Listening(FakeSoundDevice("Mic")) as listening:
        await listening.hear(1.0)
        listening.module.streams[0].active = False
        await listening.clock.advance(0.15)
        assert listening.statuses()[-1] is DeviceStatus.RECONNECTING
        await listening.clock.advance(0.3)
        assert listening.statuses()[-1] is DeviceStatus.OPEN


async def test_a_slow_start_is_no_loss() -> None:
    """PulseAudio may take 1.8 s from the opening to the first block."""
    async with Listening(FakeSoundDevice("Mic")) as listening:
        await listening.clock.advance(2.5)
        assert listening.statuses() == [DeviceStatus.OPEN]
        await listening.hear(1.0)
        assert listening.statuses() == [DeviceStatus.OPEN]


async def test_a_device_that_flaps_is_not_opened_ever_faster() -> None:
    async with Listening(FakeSoundDevice("Mic")) as listening:
        for _ in range(100):
            listening.module.streams[-1].active = False
            await listening.clock.advance(0.2)
        assert len(listening.module.streams) < 10


async def test_blocks_that_nobody_reads_are_counted_and_the_count_of_samples_goes_on() -> None:
    async with Listening(FakeSoundDevice("Mic")) as listening:
        await listening.hear(1.0)
        await listening.pause()
        await listening.hear(6.0)
        assert listening.microphone.overruns == pytest.approx(200, abs=3)  # 4 s of 6 waited
        listening.resume()
        await listening.hear(1.0)
        assert listening.frames[-1].first_sample == pytest.approx(8.0 * 16000, abs=2 * FRAME_SAMPLES)
        assert_in_real_time(listening.frames)


async def test_what_the_device_lost_is_counted() -> None:
    async with Listening(FakeSoundDevice("Mic")) as listening:
        await listening.hear(1.0)
        await listening.clock.advance(0.2)
        await listening.hear(1.0, overflow=True)
        assert listening.microphone.overruns == 1
        assert listening.frames[-1].first_sample == pytest.approx(2.2 * 16000, abs=2 * FRAME_SAMPLES)
        assert_in_real_time(listening.frames)


@pytest.mark.parametrize("rate_hz", [16000, 44100, 48000, 96000])
async def test_any_rate_of_the_device_becomes_sixteen_kilohertz(rate_hz: int) -> None:
    async with Listening(FakeSoundDevice("Mic", rate_hz=rate_hz)) as listening:
        for _ in range(100):
            await listening.clock.advance(0.01)
            listening.module.streams[0].hear(np.full(rate_hz // 100, 0.25, np.float32))
        await settle()
        assert len(listening.frames) in {30, 31}
        assert np.allclose(listening.frames[10].samples, 0.25, atol=1e-4)


async def test_a_fault_in_the_watch_is_not_silence_for_ever() -> None:
    class Faulty:
        def __bool__(self) -> bool:
            raise RuntimeError("a bug")

    module = FakeSoundDevice("Mic")
    clock = HandClock()
    microphone = DeviceMicrophone(fake_portaudio(module, clock), clock)
    await microphone.open(lambda _: None)
    module.streams[0].hear(np.zeros(BLOCK, np.float32))
    reading = asyncio.create_task(microphone.read())
    await clock.advance(0.05)
    assert not reading.done()
    module.streams[0].active = Faulty()
    await clock.advance(0.2)
    await reading  # silence, while the stream is closed
    with pytest.raises(RuntimeError, match="a bug"):
        await microphone.read()
    assert module.streams[0].closed
    await microphone.close()


async def test_closing_ends_a_read_that_waits() -> None:
    async with Listening(FakeSoundDevice("Mic")) as listening:
        await listening.hear(0.1)
    assert await listening.microphone.read() is None


async def test_another_device_is_listened_to_and_the_heartbeat_goes_on() -> None:
    async with Listening(FakeSoundDevice("Mic", "Headset")) as listening:
        await listening.hear(1.0)
        listening.microphone.change_to("Headset")
        await listening.clock.advance(0.2)
        assert listening.module.streams[0].closed
        assert listening.module.streams[1].wish["device"] == 1
        assert [(report.status, report.name) for report in listening.reports] == [
            (DeviceStatus.OPEN, "Mic"),
            (DeviceStatus.OPEN, "Headset"),
        ]
        await listening.hear(1.0, level=0.25)
        assert np.allclose(listening.frames[-1].samples, 0.25, atol=1e-4)
        assert len(listening.frames) == pytest.approx(2.2 / FRAME_S, abs=2)
        assert listening.microphone.name == "Headset"
        assert_in_real_time(listening.frames)


async def test_a_device_that_is_not_there_is_said_at_once_and_taken_up_when_it_appears() -> None:
    async with Listening(FakeSoundDevice("Mic")) as listening:
        await listening.hear(1.0)
        listening.microphone.change_to("Headset")
        await listening.clock.advance(0.2)
        assert listening.statuses() == [DeviceStatus.OPEN, DeviceStatus.MISSING]
        assert "no microphone 'Headset'" in listening.reports[1].what
        assert "nearest" in listening.reports[1].remedy
        await listening.clock.advance(2.0)
        assert len(listening.reports) == 2, "it is said once"
        listening.module.present.append("Headset")
        await listening.clock.advance(4.0)
        assert listening.reports[-1].name == "Headset"
        await listening.hear(0.5)
        assert listening.frames[-1].samples.any()
        assert_in_real_time(listening.frames)


async def test_of_several_choices_the_last_wins() -> None:
    async with Listening(FakeSoundDevice("Mic", "Headset", "Webcam")) as listening:
        for wanted in ("Headset", "nowhere", 1, "Webcam"):
            listening.microphone.change_to(wanted)
            await asyncio.sleep(0)
        await listening.clock.advance(1.0)
        open_streams = [stream for stream in listening.module.streams if not stream.closed]
        assert [stream.wish["device"] for stream in open_streams] == [2]
        assert listening.reports[-1].name == "Webcam"
        assert DeviceStatus.MISSING not in listening.statuses()


async def test_a_device_that_is_given_back_is_free_and_the_gap_is_counted() -> None:
    async with Listening(FakeSoundDevice("Mic")) as listening:
        await listening.hear(1.0)
        await listening.pause()
        await listening.microphone.pause()
        assert listening.module.streams[0].closed
        await listening.clock.advance(3600.0)
        assert len(listening.module.streams) == 1
        told = len(listening.frames)
        listening.microphone.go_on()
        listening.resume()
        await listening.clock.advance(0.2)
        assert len(listening.frames) - told < 10, "silence does not catch up with the hour"
        await listening.hear(1.0)
        assert listening.frames[-1].samples.any()
        assert listening.frames[-1].first_sample == pytest.approx(3602.2 * 16000, abs=3 * FRAME_SAMPLES)
        assert_in_real_time(listening.frames)


async def test_pausing_again_at_once_opens_nothing() -> None:
    async with Listening(FakeSoundDevice("Mic")) as listening:
        await listening.microphone.pause()
        listening.microphone.go_on()
        await listening.microphone.pause()
        await listening.clock.advance(2.0)
        assert all(stream.closed for stream in listening.module.streams)
        listening.microphone.go_on()
        await listening.clock.advance(0.2)
        assert not listening.module.streams[-1].closed


async def test_closing_ends_a_device_that_is_given_back() -> None:
    async with Listening(FakeSoundDevice("Mic")) as listening:
        await listening.microphone.pause()
        opened = len(listening.module.streams)
    assert len(listening.module.streams) == opened
    assert await listening.microphone.read() is None


async def test_a_microphone_that_was_paused_before_it_was_opened_opens_later() -> None:
    module, clock = FakeSoundDevice("Mic"), HandClock()
    microphone = DeviceMicrophone(fake_portaudio(module, clock), clock)
    await microphone.pause()
    await asyncio.wait_for(microphone.open(lambda _: None), 5)
    assert not module.streams
    microphone.go_on()
    await clock.advance(0.1)
    assert len(module.streams) == 1
    await microphone.close()


class Listener(FrontEnd):
    """A front end that notes what it is told, gives samples back 100 late, and turns them round."""

    def __init__(self) -> None:
        super().__init__(FrontEndSettings("off"))
        self.told: list[str] = []
        self.firsts_s: list[float] = []
        self._late: Samples = np.zeros(0, np.float32)

    def load(self) -> None:
        self.told.append("load")

    def close(self) -> None:
        self.told.append("close")

    def gap(self) -> None:
        self.told.append("gap")
        self._late = np.zeros(0, np.float32)

    def reset(self) -> None:
        self.told.append("reset")
        self._late = np.zeros(0, np.float32)

    def hear(self, samples: Samples, first_at_s: float) -> Samples:
        self.firsts_s.append(first_at_s)
        held = np.concatenate([self._late, samples])
        given = max(0, len(held) - 100)
        self._late = held[given:]
        return -held[:given]


async def test_all_that_is_heard_goes_through_the_front_end_and_keeps_its_times() -> None:
    front_end = Listener()
    plain, through = Listening(FakeSoundDevice("Mic")), Listening(FakeSoundDevice("Mic"), front_end)
    async with plain, through:
        await plain.hear(0.5)
        await through.hear(0.5)
    assert front_end.told == ["load", "gap", "close"]
    loud = [frame for frame in through.frames if frame.samples.any()]
    assert loud
    assert all(frame.samples.mean() < 0 for frame in loud)
    for frame, same in zip(through.frames, plain.frames, strict=False):
        assert frame.first_sample == same.first_sample
        assert frame.ended_at_s == pytest.approx(same.ended_at_s)
    assert np.all(np.diff(front_end.firsts_s) > 0)


async def test_lost_samples_are_a_gap_and_another_stream_is_another_room() -> None:
    front_end = Listener()
    async with Listening(FakeSoundDevice("Mic"), front_end) as listening:
        await listening.hear(4.0)
        await listening.hear(0.1, overflow=True)
        assert front_end.told == ["load", "gap", "gap"]
        listening.module.streams[-1].active = False
        await listening.clock.advance(1.0)
        await listening.hear(0.2)
        assert front_end.told == ["load", "gap", "gap", "reset"]
