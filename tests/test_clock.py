"""The skipping clock: real while somebody works, a jump while nobody does."""

from __future__ import annotations

import asyncio
import time

import pytest

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


async def test_who_sleeps_longer_does_not_take_the_time_of_who_sleeps_less() -> None:
    """A loudspeaker that waits for room must not make the microphone fall behind."""
    clock = SkippingClock()
    begin_s = clock.now()
    woken: list[tuple[str, float]] = []

    async def beats() -> None:
        for beat in range(1, 6):
            await clock.sleep_until(begin_s + beat * 1.0)
            woken.append(("beat", clock.now() - begin_s))

    async def waits() -> None:
        await clock.sleep_until(begin_s + 3.5)
        woken.append(("waited", clock.now() - begin_s))

    await asyncio.gather(waits(), beats())
    assert [name for name, _ in woken] == ["beat"] * 3 + ["waited"] + ["beat"] * 2
    assert [at_s for _, at_s in woken] == pytest.approx([1, 2, 3, 3.5, 4, 5], abs=0.2)
