"""Waiting for a server, a slice at a time: a wait can be broken off at any moment of it.

A generator can only be closed between two items. One that waits inside a call for a server that has gone
quiet could not be closed, and would hold its thread, until that server's time is over. So the request runs on
an event loop of its own, which only turns while somebody waits here, on the thread of whoever waits: after
each slice the generator gives an empty Delta. Nothing of it is seen outside, and no thread reads meanwhile.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Generator
from typing import Any, TypeVar

from voxterm.engines.protocols import Delta

T = TypeVar("T")

SLICE_S = 0.05
"""How long a wait may hold its thread: so late does a reply stop that is cancelled while nothing comes."""

END_LIMIT_S = 1.0
"""How long something may take that nobody waits for: to close a connection, or to open one beforehand."""

NOTHING_YET = Delta("")


class SlicedLoop:
    """An event loop that runs while its owner waits for something on it, and is still otherwise."""

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self._loop = asyncio.new_event_loop()

    def waiting(self, work: Coroutine[Any, Any, T], limit_s: float) -> Generator[Delta, None, T]:
        """NOTHING_YET for each slice that the work takes; the generator's value is what the work returns.

        Closing the generator breaks the work off.

        Raises:
            TimeoutError: it took longer than the limit, and was broken off.
            Exception: whatever the work raised.
        """
        if self._loop.is_closed():
            work.close()
            raise TimeoutError("closed")
        task = self._loop.create_task(work)
        until_s = self._now() + limit_s
        try:
            while not self._turned(task, SLICE_S):
                if self._now() >= until_s:
                    raise TimeoutError
                yield NOTHING_YET
        finally:
            self._break_off(task)
        return task.result()

    def run(self, work: Coroutine[Any, Any, object]) -> bool:
        """Wait for something short to be through, whatever becomes of it; not longer than END_LIMIT_S.

        Returns whether it was through by then.
        """
        if self._loop.is_closed():
            work.close()
            return False
        task = self._loop.create_task(work)
        is_through = self._turned(task, END_LIMIT_S)
        self._break_off(task)
        return is_through

    def close(self) -> None:
        """Give back what the loop holds. May be called twice."""
        if not self._loop.is_closed():
            self.run(self._loop.shutdown_asyncgens())
            self._loop.close()  # its thread, on which hosts are looked up, ends when it has nothing to do

    def _turned(self, task: asyncio.Task[T], limit_s: float) -> bool:
        """Turn the loop until the task is done; whether it is, within the limit."""
        done, _ = self._loop.run_until_complete(asyncio.wait({task}, timeout=limit_s))
        return bool(done)

    def _break_off(self, task: asyncio.Task[T]) -> None:
        if not task.done() and not self._loop.is_closed():
            task.cancel()
            self._turned(task, END_LIMIT_S)
        if task.done() and not task.cancelled():
            task.exception()  # seen, so that asyncio does not complain of it
