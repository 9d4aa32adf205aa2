"""One monotonic clock for both sides of a conversation.

`RealClock` is the system's. `SkippingClock` lets recordings run as fast as the machine can while every
latency stays true: it runs with real time while an engine works, and jumps over the time in which all wait.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Protocol

HANDOVERS = 5
"""Turns of the event loop before time is skipped: what one task hands to the next through a queue or an event
takes two, and whoever is woken by it may have work to begin."""


class Clock(Protocol):
    def now(self) -> float:
        """Seconds since some fixed moment. Thread-safe, never goes back."""
        ...

    async def sleep_until(self, at_s: float) -> None:
        """Return when `now()` is at least `at_s`; gives the event loop a turn in any case."""
        ...

    def working(self) -> AbstractContextManager[None]:
        """While inside, somebody works and time must run as it really does."""
        ...


class RealClock:
    def now(self) -> float:
        return time.monotonic()

    async def sleep_until(self, at_s: float) -> None:
        await asyncio.sleep(max(0.0, at_s - self.now()))

    @contextmanager
    def working(self) -> Iterator[None]:
        yield


class SkippingClock:
    """Real time while anybody works, a jump while nobody does. Use from one event loop."""

    def __init__(self) -> None:
        self._skipped_s = 0.0
        self._workers = 0
        self._sleepers: list[float] = []  # until when; time is never skipped past the earliest
        self._changed = asyncio.Event()

    def now(self) -> float:
        return time.monotonic() + self._skipped_s

    async def sleep_until(self, at_s: float) -> None:
        self._sleepers.append(at_s)
        try:
            await self._asleep(at_s)
        finally:
            self._sleepers.remove(at_s)
            self._changed.set()

    async def _asleep(self, at_s: float) -> None:
        while True:
            for _ in range(HANDOVERS):
                await asyncio.sleep(0)
            left_s = at_s - self.now()
            if left_s <= 0:
                return
            if self._workers == 0 and at_s <= min(self._sleepers):
                self._skipped_s += left_s
                return
            self._changed.clear()
            try:
                await asyncio.wait_for(self._changed.wait(), left_s)
            except asyncio.TimeoutError:
                return

    @contextmanager
    def working(self) -> Iterator[None]:
        self._workers += 1
        try:
            yield
        finally:
            self._workers -= 1
            self._changed.set()
