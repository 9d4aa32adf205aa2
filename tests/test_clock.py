"""The skipping clock: real while somebody works, a jump while nobody does."""

from __future__ import annotations

import asyncio
import time

from voxterm.clock import RealClock, SkippingClock


async def test_time_is_skipped_while_nobody_works() -> None:
    clock = SkippingClock()
    begun_s, real_s = clock.now(), time.monotonic()
    await clock.sleep_until(begun_s + 3600)
    assert clock.now() - begun_s >= 3600
    assert time.monotonic() - real_s < 60


async def test_time_runs_as_it_is_while_somebody_works() -> None:
    """Else the latency of an engine would look like nothing, or like hours."""
    clock = SkippingClock()
    begun_s, real_s = clock.now(), time.monotonic()

    async def work() -> float:
        with clock.working():
            await asyncio.sleep(0.05)
        return clock.now() - begun_s

    worker = asyncio.create_task(work())
    await clock.sleep_until(begun_s + 3600)
    assert worker.done(), "the jump waits for the work"
    assert worker.result() < 60
    assert time.monotonic() - real_s >= 0.05


async def test_a_wait_that_is_over_returns_while_somebody_works() -> None:
    clock = SkippingClock()
    with clock.working():
        begun_s = clock.now()
        await clock.sleep_until(begun_s + 0.01)
        assert 0.01 <= clock.now() - begun_s < 60


async def test_the_clock_never_goes_back() -> None:
    clock = SkippingClock()
    times = []
    for _ in range(20):
        await clock.sleep_until(clock.now() + 0.5)
        times.append(clock.now())
    assert times == sorted(times)


async def test_the_real_clock_waits() -> None:
    clock = RealClock()
    begun_s = clock.now()
    with clock.working():
        await clock.sleep_until(begun_s + 0.02)
    assert clock.now() >= begun_s + 0.02
    await clock.sleep_until(begun_s)
