"""A reply on its way out: it can wait, go on from an earlier sample, and is counted in its own samples."""

from __future__ import annotations

import asyncio

import numpy as np
import pytest
from scene import Sink

from voxterm.audio.recording import RecordedLoudspeaker
from voxterm.clock import SkippingClock
from voxterm.conversation.playout import FADE_IN_S, HELD_S, Playout
from voxterm.engines.protocols import Samples
from voxterm.events import DeviceChanged, Trouble

RATE = 24_000


def counting(begin: int, end: int) -> Samples:
    """Every sample another, so that one can tell which were heard."""
    return (np.arange(begin, end) / 1e6 + 0.001).astype(np.float32)


def places(samples: Samples) -> list[int]:
    """Of `counting`: which they are; silence is left out."""
    return [round(float(sample - 0.001) * 1e6) for sample in samples if sample > 0.0005]


class Stage:
    def __init__(self) -> None:
        self.clock = SkippingClock()
        self.heard = Sink()
        self.loudspeaker = RecordedLoudspeaker(self.clock, RATE, self.heard)
        self.troubles: list[DeviceChanged | Trouble] = []

    async def opened(self) -> Playout:
        await self.loudspeaker.open(self.troubles.append)
        return Playout(self.loudspeaker)

    async def broken_off(self) -> tuple[Playout, int]:
        """Two seconds of a reply, which has to wait in the middle of the first; and where it stopped."""
        playout = await self.opened()
        await playout.write(counting(0, RATE))
        await self.wait(0.5)
        playout.hold()
        stopped = playout.played()
        await playout.write(counting(RATE, 2 * RATE))
        return playout, stopped

    async def wait(self, seconds: float) -> None:
        await self.clock.sleep_until(self.clock.now() + seconds)

    async def recording(self) -> Samples:
        await self.loudspeaker.close()
        return self.heard.samples


async def test_it_counts_from_its_own_first_sample() -> None:
    stage = Stage()
    before = await stage.opened()
    await before.write(counting(0, RATE))
    await stage.wait(2.0)
    playout = Playout(stage.loudspeaker)
    assert (playout.played(), playout.begun, playout.complete) == (0, False, True)
    await playout.write(counting(0, RATE))
    assert playout.begun
    await stage.wait(0.5)
    assert playout.played() == pytest.approx(RATE / 2, abs=RATE * 0.02)
    assert playout.waiting_s == pytest.approx(0.5, abs=0.02)
    await stage.wait(1.0)
    assert playout.complete
    assert before.played() == RATE, "the one before keeps what it was"


async def test_what_is_held_waits_and_what_comes_meanwhile_too() -> None:
    stage = Stage()
    playout, stopped = await stage.broken_off()
    await stage.wait(3.0)
    assert playout.played() == stopped
    assert not playout.complete


async def test_it_goes_on_from_where_it_is_told_and_misses_nothing() -> None:
    stage = Stage()
    playout, stopped = await stage.broken_off()
    await stage.wait(1.0)
    playout.go_on(RATE // 4)
    assert playout.played() == RATE // 4, "it will be said again"
    await stage.wait(0.25)
    assert playout.played() == pytest.approx(RATE // 2, abs=RATE * 0.02)
    await stage.wait(3.0)
    assert playout.complete
    heard = await stage.recording()
    went_on = heard[np.flatnonzero(heard)[-1] + 1 - (2 * RATE - RATE // 4) :]
    faded = round(FADE_IN_S * RATE)
    assert places(went_on[faded:])[: RATE // 2] == list(
        range(RATE // 4 + faded, RATE // 4 + faded + RATE // 2)
    )
    assert stopped > RATE // 4


async def test_it_cannot_go_on_from_what_was_never_heard() -> None:
    stage = Stage()
    playout = await stage.opened()
    await playout.write(counting(0, RATE))
    await stage.wait(0.2)
    playout.hold()
    stopped = playout.played()
    playout.go_on(RATE)
    assert playout.played() == stopped


async def test_whoever_makes_more_than_may_wait_is_held_up_until_it_goes_on() -> None:
    stage = Stage()
    playout = await stage.opened()
    await playout.write(counting(0, RATE))
    playout.hold()
    long = np.zeros(round((HELD_S + 1) * RATE), np.float32)
    writing = asyncio.create_task(playout.write(long))
    for _ in range(10):
        await asyncio.sleep(0)
    assert not writing.done()
    playout.go_on(0)
    await asyncio.wait_for(writing, 10)


async def test_what_is_cut_stays_as_it_was_and_says_no_more() -> None:
    stage = Stage()
    playout = await stage.opened()
    await playout.write(counting(0, RATE))
    await stage.wait(0.5)
    heard = playout.cut()
    await playout.write(counting(RATE, 2 * RATE))
    after = Playout(stage.loudspeaker)
    await after.write(counting(0, RATE))
    await stage.wait(3.0)
    assert playout.played() == playout.cut() == heard
    assert len(playout.heard()) == heard
    playout.go_on(0)
    assert playout.played() == heard


async def test_a_long_reply_that_waits_to_be_written_is_not_heard_after_a_hold() -> None:
    """Half a minute is in the loudspeaker, the rest waits for room: all of it must fall silent at once."""
    stage = Stage()
    playout = await stage.opened()
    writing = [asyncio.create_task(playout.write(counting(n * RATE, (n + 1) * RATE))) for n in range(33)]
    await stage.wait(1.0)
    playout.hold()
    await stage.wait(5.0)
    heard = await stage.recording()
    assert np.count_nonzero(heard) <= 1.5 * RATE
    for task in writing:
        task.cancel()
