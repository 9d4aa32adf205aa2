"""A clock moved by hand, so that nothing sleeps."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

T = TypeVar("T")
TURNS = 20  # of the event loop, enough for every task to get as far as it can


class HandClock:
    """Time passes only in `advance` and `running`, which wake every sleeper at its moment."""

    def __init__(self) -> None:
        self._now_s = 100.0
        self._sleepers: list[tuple[float, asyncio.Future[None]]] = []

    def now(self) -> float:
        return self._now_s

    async def sleep_until(self, at_s: float) -> None:
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._sleepers.append((at_s, future))
        await future

    @contextmanager
    def working(self) -> Iterator[None]:
        yield

    async def advance(self, seconds: float) -> None:
        until_s = self._now_s + seconds
        await settle()
        while any(at_s <= until_s + 1e-9 for at_s, _ in self._sleepers):
            await self._wake_next()
        self._now_s = until_s
        await settle()

    async def running(self, job: Coroutine[Any, Any, T]) -> T:
        """What the job gives; time goes on from one sleeper's moment to the next one's while it runs."""
        task = asyncio.create_task(job)
        await settle()
        while not task.done():
            if self._sleepers:
                await self._wake_next()
            else:
                await settle()
        return task.result()

    async def _wake_next(self) -> None:
        at_s, future = min(self._sleepers, key=lambda sleeper: sleeper[0])
        self._sleepers.remove((at_s, future))
        self._now_s = max(self._now_s, at_s)
        if not future.done():
            future.set_result(None)
        await settle()


async def settle() -> None:
    for _ in range(TURNS):
        await asyncio.sleep(0)
