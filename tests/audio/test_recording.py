"""Recordings as devices: what is played, when it leaves, and what a file of it holds."""

from __future__ import annotations

import asyncio

import numpy as np
import pytest

from voxterm.audio.recording import BUFFER_S, RecordedLoudspeaker, RecordedMicrophone
from voxterm.engines.protocols import Samples
from voxterm.events import DeviceChanged, Trouble

RATE = 1000  # samples are milliseconds


class HandClock:
    """Time that moves when it is told to."""

    def __init__(self) -> None:
        self.at_s = 100.0

    def now(self) -> float:
        return self.at_s

    async def sleep_until(self, at_s: float) -> None:
        await asyncio.sleep(0)
        self.at_s = max(self.at_s, at_s)

    def working(self) -> None:  # pragma: no cover - nobody works here
        raise AssertionError


class File:
    def __init__(self) -> None:
        self.parts: list[Samples] = []

    def write(self, samples: Samples) -> None:
        self.parts.append(samples)

    @property
    def samples(self) -> Samples:
        return np.concatenate([np.zeros(0, np.float32), *self.parts])


def ignore(report: DeviceChanged | Trouble) -> None:
    raise AssertionError(report)


def tone(milliseconds: int, level: float = 0.5) -> Samples:
    return np.full(milliseconds, level, np.float32)


async def opened(clock: HandClock, file: File | None = None) -> RecordedLoudspeaker:
    loudspeaker = RecordedLoudspeaker(clock, RATE, file)  # type: ignore[arg-type]
    await loudspeaker.open(ignore)
    return loudspeaker


async def test_samples_leave_as_time_passes() -> None:
    clock = HandClock()
    loudspeaker = await opened(clock)
    await loudspeaker.write(tone(100))
    assert (loudspeaker.written_samples(), loudspeaker.played_samples()) == (100, 0)
    clock.at_s += 0.030
    assert loudspeaker.played_samples() == 30
    assert loudspeaker.played_at(10) == pytest.approx(100.010)
    assert loudspeaker.played_at(50) is None, "it has not left yet"
    clock.at_s += 5
    assert loudspeaker.played_samples() == 100


async def test_a_pause_between_writes_is_silence_in_the_file_and_no_sample() -> None:
    clock, file = HandClock(), File()
    loudspeaker = await opened(clock, file)
    clock.at_s += 0.2
    await loudspeaker.write(tone(100))
    clock.at_s += 0.3
    await loudspeaker.write(tone(50, 0.25))
    clock.at_s += 0.1
    await loudspeaker.close()
    assert loudspeaker.played_samples() == 150
    expected = np.concatenate([np.zeros(200), tone(100), np.zeros(200), tone(50, 0.25)])
    assert np.array_equal(file.samples, expected.astype(np.float32))
    assert loudspeaker.underruns == 1


async def test_the_end_of_a_reply_is_no_underrun() -> None:
    clock = HandClock()
    loudspeaker = await opened(clock)
    await loudspeaker.write(tone(100))
    loudspeaker.end_reply()
    clock.at_s += 1
    await loudspeaker.write(tone(100))
    assert loudspeaker.underruns == 0


async def test_silence_drops_what_waits_and_keeps_what_was_heard() -> None:
    clock, file = HandClock(), File()
    loudspeaker = await opened(clock, file)
    await loudspeaker.write(tone(100))
    await loudspeaker.write(tone(900))
    clock.at_s += 0.150
    loudspeaker.silence(fade_s=0.02)
    assert loudspeaker.played_samples() == loudspeaker.written_samples() == 150
    clock.at_s += 5
    assert loudspeaker.played_samples() == 150
    await loudspeaker.write(tone(10))
    assert loudspeaker.written_samples() == 160
    clock.at_s += 1
    await loudspeaker.close()
    heard = file.samples
    assert np.all(heard[:150] == 0.5)
    assert np.all(np.diff(heard[150:170]) < 0), "it fades"
    assert np.all(heard[170:5150] == 0)
    assert np.count_nonzero(heard[5150:]) == 10


async def test_silence_with_nothing_to_silence_does_nothing() -> None:
    loudspeaker = await opened(HandClock())
    loudspeaker.silence()
    assert loudspeaker.written_samples() == loudspeaker.played_samples() == 0


async def test_write_waits_while_the_buffer_is_full() -> None:
    clock = HandClock()
    loudspeaker = await opened(clock)
    begun_s = clock.now()
    for _ in range(50):
        await loudspeaker.write(tone(1000))
    assert clock.now() - begun_s >= 50 - BUFFER_S - 2


async def test_what_leaves_is_told_and_filed_up_to_the_moment_that_is_asked_for() -> None:
    """A simulated room brings its loudspeaker up to date before each block of its microphone."""
    clock, file = HandClock(), File()
    loudspeaker = RecordedLoudspeaker(clock, RATE, file)  # type: ignore[arg-type]
    told: list[tuple[float, Samples]] = []
    loudspeaker.tap(lambda samples, left_s: told.append((left_s, samples.copy())))
    await loudspeaker.open(ignore)
    begun_s = clock.at_s
    for block in range(50):  # of 10 ms
        if block == 12:
            await loudspeaker.write(tone(100))
            await loudspeaker.write(tone(200, 0.25))
        if block == 30:
            loudspeaker.silence(fade_s=0.02)
        clock.at_s = begun_s + (block + 1) / 100
        loudspeaker.play_until(clock.at_s)
    sound = np.concatenate([samples for _, samples in told])
    assert len(sound) == 500
    assert np.array_equal(sound, file.samples)
    assert not sound[:120].any()
    assert np.all(sound[120:220] == 0.5)
    assert np.all(sound[220:300] == 0.25)
    assert np.all(np.diff(sound[300:320]) < 0)
    assert not sound[320:].any()
    ends_s = begun_s
    for left_s, samples in told:
        assert left_s == pytest.approx(ends_s)
        ends_s = left_s + len(samples) / RATE


async def test_to_play_until_a_moment_twice_tells_nothing_twice() -> None:
    clock = HandClock()
    loudspeaker = await opened(clock)
    told: list[Samples] = []
    loudspeaker.tap(lambda samples, left_s: told.append(samples))
    for _ in range(3):
        loudspeaker.play_until(clock.at_s + 0.1)
    assert sum(map(len, told)) == 100


async def test_a_microphone_says_its_clips_with_a_tail_and_then_silence() -> None:
    clock = HandClock()
    microphone = RecordedMicrophone([tone(512), tone(1024)], clock, tail_s=0.064)  # type: ignore[arg-type]
    await microphone.open(ignore)
    frames = [await microphone.read() for _ in range(10)]
    loud = [bool(frame and frame.samples.any()) for frame in frames]
    assert loud == [True, False, False, True, True, False, False, False, False, False]
    assert [frame.first_sample for frame in frames if frame] == [512 * n for n in range(10)]
    assert frames[-1] is not None
    assert frames[-1].ended_at_s == pytest.approx(100 + 0.32)
    assert microphone.exhausted


async def test_a_held_microphone_is_silent_and_loses_nothing() -> None:
    clock = HandClock()
    microphone = RecordedMicrophone([tone(1024)], clock, tail_s=0.0)  # type: ignore[arg-type]
    await microphone.open(ignore)
    first = await microphone.read()
    microphone.hold(True)
    held = [await microphone.read() for _ in range(3)]
    microphone.hold(False)
    last = await microphone.read()
    assert first is not None
    assert first.samples.all()
    assert not any(frame.samples.any() for frame in held if frame)
    assert last is not None
    assert last.samples.all()
    assert microphone.said_share == 1.0
