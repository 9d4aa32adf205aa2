"""What is written is played, counted and timed, whatever the device does: a scripted one, a clock by hand."""

from __future__ import annotations

import asyncio

import numpy as np
import pytest
from fake_portaudio import FakeSoundDevice, fake_portaudio
from hand_clock import HandClock

from voxterm.audio.loudspeaker import DeviceLoudspeaker
from voxterm.audio.portaudio import PortAudio
from voxterm.audio.protocols import Loudspeaker
from voxterm.engines.protocols import Samples
from voxterm.events import DeviceChanged, DeviceStatus, Trouble

BLOCK = 480  # 10 ms at 48 kHz
LATENCY_S = 0.02


class Speaking:
    """A loudspeaker on a scripted device."""

    def __init__(self, module: FakeSoundDevice) -> None:
        self.module = module
        self.clock = HandClock()
        self.portaudio: PortAudio = fake_portaudio(module, self.clock)
        self.loudspeaker = DeviceLoudspeaker(self.portaudio, self.clock)
        self.reports: list[DeviceChanged] = []

    async def __aenter__(self) -> Speaking:
        await self.loudspeaker.open(self._report)
        return self

    async def __aexit__(self, *_: object) -> None:
        closing = asyncio.create_task(self.loudspeaker.close())
        await self.clock.advance(1.0)
        await closing
        assert all(stream.closed for stream in self.module.streams)

    async def play(self, seconds: float) -> Samples:
        """The device takes blocks of 10 ms for so long; what it was given."""
        blocks = []
        for _ in range(round(seconds * 100)):
            blocks.append(self.module.streams[-1].play(BLOCK))
            await self.clock.advance(0.01)
        return np.concatenate(blocks)

    def statuses(self) -> list[DeviceStatus]:
        return [report.status for report in self.reports]

    def _report(self, event: DeviceChanged | Trouble) -> None:
        assert isinstance(event, DeviceChanged)
        assert event.device == "loudspeaker"
        self.reports.append(event)


def ramp(count: int) -> Samples:
    return np.linspace(0.1, 0.9, count, dtype=np.float32)


async def test_what_is_written_is_played_once_and_in_order() -> None:
    async with Speaking(FakeSoundDevice("Speaker")) as speaking:
        await speaking.loudspeaker.write(ramp(1000))
        await speaking.loudspeaker.write(ramp(500))
        heard = await speaking.play(0.05)
        assert np.array_equal(heard[:1500], np.concatenate([ramp(1000), ramp(500)]))
        assert not heard[1500:].any()
        assert speaking.loudspeaker.rate_hz == 48000
        loudspeaker: Loudspeaker = speaking.loudspeaker
        assert loudspeaker.written_samples() == 1500


async def test_samples_have_left_only_after_the_devices_latency() -> None:
    async with Speaking(FakeSoundDevice("Speaker")) as speaking:
        loudspeaker = speaking.loudspeaker
        await loudspeaker.write(ramp(48000))
        begun_s = speaking.clock.now()
        await speaking.play(0.02)
        assert loudspeaker.played_samples() == 0
        assert loudspeaker.played_at(0) == pytest.approx(begun_s + LATENCY_S)
        assert loudspeaker.played_at(480) is None  # handed over, and not out yet
        await speaking.play(0.1)
        assert loudspeaker.played_samples() == pytest.approx(0.1 * 48000, abs=2)
        assert loudspeaker.played_at(2400) == pytest.approx(begun_s + LATENCY_S + 0.05)


async def test_what_left_more_than_a_minute_ago_is_forgotten() -> None:
    async with Speaking(FakeSoundDevice("Speaker")) as speaking:
        await speaking.loudspeaker.write(ramp(480))
        await speaking.play(0.05)
        assert speaking.loudspeaker.played_at(0) is not None
        await speaking.play(61.0)
        assert speaking.loudspeaker.played_at(0) is None


async def test_silence_is_reached_within_twenty_milliseconds_and_counted_exactly() -> None:
    async with Speaking(FakeSoundDevice("Speaker")) as speaking:
        loudspeaker = speaking.loudspeaker
        await loudspeaker.write(np.ones(48000, np.float32))
        await speaking.play(0.1)
        loudspeaker.silence()
        assert loudspeaker.written_samples() == 4800
        fading = await speaking.play(0.05)
        assert np.flatnonzero(fading)[-1] < 0.02 * 48000
        assert float(np.abs(np.diff(fading)).max()) < 0.01  # no click
        assert loudspeaker.played_samples() == loudspeaker.written_samples() == 4800
        assert loudspeaker.underruns == 0


async def test_the_next_reply_follows_a_silence_with_its_own_places() -> None:
    async with Speaking(FakeSoundDevice("Speaker")) as speaking:
        loudspeaker = speaking.loudspeaker
        await loudspeaker.write(ramp(48000))
        await speaking.play(0.1)
        loudspeaker.silence()
        await loudspeaker.write(ramp(960))
        assert loudspeaker.written_samples() == 4800 + 960
        at_s = speaking.clock.now()
        await speaking.play(0.1)
        assert loudspeaker.played_samples() == 4800 + 960
        assert loudspeaker.played_at(4800) == pytest.approx(at_s + LATENCY_S + 0.02, abs=0.001)


async def test_a_write_waits_for_room_and_silence_ends_the_wait() -> None:
    async with Speaking(FakeSoundDevice("Speaker")) as speaking:
        loudspeaker = speaking.loudspeaker
        writing = asyncio.create_task(loudspeaker.write(np.ones(31 * 48000, np.float32)))
        await speaking.clock.advance(0.2)
        assert not writing.done()
        assert loudspeaker.written_samples() == 30 * 48000
        await speaking.play(0.5)
        assert not writing.done()
        loudspeaker.silence()
        await speaking.clock.advance(0.1)
        assert writing.done()
        assert loudspeaker.written_samples() == 24000  # the rest of the write is not queued
        await speaking.play(0.5)
        assert loudspeaker.played_samples() == 24000


async def test_a_long_write_is_done_as_the_device_plays() -> None:
    async with Speaking(FakeSoundDevice("Speaker")) as speaking:
        writing = asyncio.create_task(speaking.loudspeaker.write(np.ones(31 * 48000, np.float32)))
        await speaking.play(1.2)
        assert writing.done()
        assert speaking.loudspeaker.written_samples() == 31 * 48000


async def test_running_dry_in_a_reply_is_an_underrun_and_after_it_is_none() -> None:
    async with Speaking(FakeSoundDevice("Speaker")) as speaking:
        loudspeaker = speaking.loudspeaker
        await speaking.play(0.05)
        assert loudspeaker.underruns == 0
        await loudspeaker.write(ramp(1000))
        await speaking.play(0.1)
        assert loudspeaker.underruns == 1
        await loudspeaker.write(ramp(1000))
        loudspeaker.end_reply()
        await speaking.play(0.1)
        assert loudspeaker.underruns == 1


async def test_an_underflow_of_the_device_counts_in_a_reply_only() -> None:
    async with Speaking(FakeSoundDevice("Speaker")) as speaking:
        speaking.module.streams[0].play(BLOCK, underflow=True)
        assert speaking.loudspeaker.underruns == 0
        await speaking.loudspeaker.write(ramp(48000))
        speaking.module.streams[0].play(BLOCK, underflow=True)
        assert speaking.loudspeaker.underruns == 1


async def test_a_reply_survives_the_loss_of_its_device() -> None:
    async with Speaking(FakeSoundDevice("Speaker")) as speaking:
        loudspeaker = speaking.loudspeaker
        await speaking.play(4.0)
        await loudspeaker.write(ramp(48000))
        before = await speaking.play(0.5)
        await speaking.clock.advance(0.75)
        assert speaking.statuses() == [DeviceStatus.OPEN, DeviceStatus.RECONNECTING]
        assert loudspeaker.played_samples() == 24000
        await speaking.clock.advance(0.5)
        assert speaking.statuses()[-1] is DeviceStatus.OPEN
        assert speaking.module.streams[1].wish["samplerate"] == 48000
        after = await speaking.play(0.5)
        assert np.array_equal(np.concatenate([before, after]), ramp(48000))


async def test_a_device_that_comes_back_is_asked_for_the_same_rate() -> None:
    """The rate is fixed once it is open: what waits in the buffer has it."""
    async with Speaking(FakeSoundDevice("Speaker", rate_hz=44100)) as speaking:
        assert speaking.loudspeaker.rate_hz == 44100
        speaking.module._rate_hz = 96000
        speaking.module.streams[0].active = False
        await speaking.clock.advance(1.0)
        assert speaking.module.streams[1].wish["samplerate"] == 44100


async def test_without_any_device_replies_play_to_nothing_at_the_speed_of_the_clock() -> None:
    async with Speaking(FakeSoundDevice()) as speaking:
        loudspeaker = speaking.loudspeaker
        assert speaking.statuses() == [DeviceStatus.MISSING]
        assert speaking.reports[0].remedy
        await speaking.clock.advance(1.0)
        await loudspeaker.write(ramp(48000))
        loudspeaker.end_reply()
        await speaking.clock.advance(0.5)
        assert loudspeaker.played_samples() == pytest.approx(24000, abs=960)
        await speaking.clock.advance(0.6)
        assert loudspeaker.played_samples() == 48000
        assert loudspeaker.underruns == 0


async def test_a_device_that_appears_takes_over() -> None:
    async with Speaking(FakeSoundDevice()) as speaking:
        speaking.module.present.append("Speaker")
        await speaking.clock.advance(0.5)
        assert speaking.statuses() == [DeviceStatus.MISSING, DeviceStatus.OPEN]
        await speaking.loudspeaker.write(ramp(4800))
        await speaking.clock.advance(0.1)
        assert speaking.loudspeaker.played_samples() == 0  # nothing but the device plays it now
        assert np.array_equal(await speaking.play(0.1), ramp(4800))


async def test_a_stream_that_plays_does_not_make_way_for_another_device() -> None:
    async with Speaking(FakeSoundDevice("Speaker")) as speaking:
        await speaking.loudspeaker.write(ramp(24000))
        speaking.loudspeaker.end_reply()
        speaking.portaudio.must_yield = True
        await speaking.play(0.4)
        assert not speaking.module.streams[0].closed
        await speaking.play(0.15)
        await speaking.clock.advance(0.3)  # all of it was heard
        assert speaking.module.streams[0].closed
        assert not speaking.portaudio.must_yield
        assert len(speaking.module.streams) == 2
        assert speaking.statuses() == [DeviceStatus.OPEN]  # nothing was lost, so nothing is said


async def test_closing_ends_a_write_that_waits() -> None:
    async with Speaking(FakeSoundDevice("Speaker")) as speaking:
        writing = asyncio.create_task(speaking.loudspeaker.write(np.ones(31 * 48000, np.float32)))
        await speaking.clock.advance(0.1)
    await speaking.clock.advance(0.1)
    assert writing.done()


async def test_a_reply_goes_on_at_another_device() -> None:
    async with Speaking(FakeSoundDevice("Speaker", "Headset")) as speaking:
        loudspeaker = speaking.loudspeaker
        await loudspeaker.write(ramp(48000))
        before = await speaking.play(0.5)
        loudspeaker.change_to("Headset")
        await speaking.clock.advance(0.1)
        assert speaking.module.streams[0].closed
        assert speaking.module.streams[1].wish["device"] == 1
        assert [report.name for report in speaking.reports] == ["Speaker", "Headset"]
        after = await speaking.play(0.5)
        assert np.array_equal(np.concatenate([before, after]), ramp(48000))


async def test_a_device_that_refuses_the_rate_is_told_and_replies_play_to_nothing() -> None:
    """Else a reply would wait for ever, and the conversation with it."""
    async with Speaking(FakeSoundDevice("Speaker", "Headset")) as speaking:
        loudspeaker = speaking.loudspeaker
        await loudspeaker.write(ramp(48000))
        await speaking.play(0.5)
        speaking.module.refused_rates.add(48000)
        loudspeaker.change_to("Headset")
        await speaking.clock.advance(0.1)
        assert speaking.statuses() == [DeviceStatus.OPEN, DeviceStatus.MISSING]
        assert "'Headset' does not take the 48000 Hz" in speaking.reports[1].what
        assert speaking.reports[1].remedy
        await speaking.clock.advance(0.6)
        assert loudspeaker.played_samples() == 48000
        speaking.module.refused_rates.clear()
        loudspeaker.change_to("Speaker")
        await speaking.clock.advance(0.2)
        await loudspeaker.write(ramp(480))
        assert np.array_equal((await speaking.play(0.01)), ramp(480))


async def test_a_device_is_given_back_once_the_silenced_reply_has_faded() -> None:
    async with Speaking(FakeSoundDevice("Speaker")) as speaking:
        loudspeaker = speaking.loudspeaker
        await loudspeaker.write(np.ones(48000, np.float32))
        await speaking.play(0.1)
        loudspeaker.silence()
        pausing = asyncio.create_task(loudspeaker.pause())
        await asyncio.sleep(0)
        fading = await speaking.play(0.03)
        assert fading.any()
        await speaking.clock.advance(0.05)
        assert pausing.done()
        assert speaking.module.streams[0].closed
        await speaking.clock.advance(600.0)
        loudspeaker.go_on()
        await speaking.clock.advance(0.1)
        assert not (await speaking.play(0.1)).any(), "nothing of the reply before"
        await loudspeaker.write(ramp(480))
        assert np.array_equal(await speaking.play(0.01), ramp(480))


async def test_all_that_leaves_is_told_with_its_time_silence_included() -> None:
    module = FakeSoundDevice("Speaker")
    speaking = Speaking(module)
    told: list[tuple[Samples, float]] = []
    speaking.loudspeaker.tap(lambda block, left_s: told.append((block.copy(), left_s)))
    async with speaking:
        begun_s = speaking.clock.now()
        await speaking.play(0.05)
        await speaking.loudspeaker.write(ramp(1000))
        heard = await speaking.play(0.05)
    assert np.array_equal(np.concatenate([block for block, _ in told])[2400:], heard)
    times = [left_s for _, left_s in told]
    assert times == pytest.approx([begun_s + LATENCY_S + 0.01 * index for index in range(10)])


async def test_what_plays_to_nothing_is_told_too() -> None:
    speaking = Speaking(FakeSoundDevice())
    told: list[Samples] = []
    speaking.loudspeaker.tap(lambda block, left_s: told.append(block.copy()))
    async with speaking:
        await speaking.loudspeaker.write(ramp(4800))
        await speaking.clock.advance(0.2)
    sound = np.concatenate(told)
    begin = int(np.flatnonzero(sound)[0])
    assert np.array_equal(sound[begin : begin + 4800], ramp(4800))
    assert len(sound) == pytest.approx(0.2 * 48000, abs=1000)
