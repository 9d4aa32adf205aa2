"""Where model threads and the event loop meet; there is no other place.

An engine is synchronous and lives on one thread. `EngineThread` is that thread: `call` runs a function on it,
`stream` steps a generator on it and gives its items to the loop as an async iterator. Work is done in the
order it was given. Closing a stream closes the generator on its own thread, between two items.
"""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from collections.abc import Callable, Generator, Iterator
from concurrent.futures import Future
from contextlib import ExitStack, suppress
from contextvars import copy_context
from queue import SimpleQueue
from typing import Generic, TypeVar

from voxterm.clock import Clock

T = TypeVar("T")

CLOSE_LIMIT_S = 3.0
"""How long anything that hangs may hold up the end of the program."""

ITEMS_AHEAD = 32
"""How far a generator may run ahead of its reader: a second of speech in chunks, or a sentence of text."""


def loop_caller() -> Callable[..., None]:
    """A function with which any thread can have something called on this loop, in the context of now.

    Without the context whoever is called would run in the thread's own, in which a screen does not find its
    app. On a loop that is closed nobody is left to call.
    """
    loop, context = asyncio.get_running_loop(), copy_context()

    def call(what: Callable[..., object], *arguments: object) -> None:
        with suppress(RuntimeError):
            loop.call_soon_threadsafe(what, *arguments, context=context)

    return call


class EngineThread:
    """One thread for one engine. Use it from one event loop; while it works the clock runs in real time."""

    def __init__(self, name: str, clock: Clock) -> None:
        self._clock = clock
        self._jobs: SimpleQueue[Callable[[], None] | None] = SimpleQueue()  # bounded by who gives them
        # A daemon: an engine that hangs must not keep the program from ending.
        self._thread = threading.Thread(target=self._work, name=name, daemon=True)
        self._started = False

    async def call(self, work: Callable[[], T]) -> T:
        """Run `work` on the thread, after all that was given before; its result or its exception."""
        with self._clock.working():
            return await asyncio.wrap_future(self._submit(work))

    def post(self, work: Callable[[], T], then: Callable[[T], None] | None = None) -> None:
        """Run `work` on the thread and call `then` with its result on the loop. `work` must not raise."""
        working = ExitStack()
        working.enter_context(self._clock.working())

        def done(result: T) -> None:
            working.close()
            if then:
                then(result)

        call_on_loop = loop_caller()
        self._submit(work).add_done_callback(lambda job: call_on_loop(done, job.result()))

    def stream(self, start: Callable[[], Iterator[T]], ahead: int = ITEMS_AHEAD) -> Stream[T]:
        """Step the generator that `start` gives, at most `ahead` items before its reader."""
        stream: Stream[T] = Stream(start, ahead, self._clock)
        stream.finished_by(self._submit(stream.step_through))
        return stream

    async def close(self, last: Callable[[], None] | None = None) -> None:
        """End the thread once all the work it was given is done, and `last`; one that hangs is left behind.

        Raises:
            Exception: whatever `last` raised.
        """
        if not self._started and last is None:
            return
        job = self._submit(last or (lambda: None))
        self._jobs.put(None)
        ended = asyncio.wrap_future(job)
        ended.add_done_callback(lambda end: end.cancelled() or end.exception())  # seen, should it come late
        await asyncio.wait([ended], timeout=CLOSE_LIMIT_S)
        self._thread.join(0.1 if job.done() else 0.0)
        if job.done():
            job.result()

    def _submit(self, work: Callable[[], T]) -> Future[T]:
        if not self._started:
            self._started = True
            self._thread.start()
        job: Future[T] = Future()

        def run() -> None:
            if job.set_running_or_notify_cancel():
                try:
                    result = work()
                except BaseException as error:
                    job.set_exception(error)
                else:
                    job.set_result(result)

        self._jobs.put(run)
        return job

    def _work(self) -> None:
        while (job := self._jobs.get()) is not None:
            job()


class Stream(Generic[T]):
    """An async iterator over a generator that runs on an engine's thread."""

    def __init__(self, start: Callable[[], Iterator[T]], ahead: int, clock: Clock) -> None:
        self._start = start
        self._clock = clock
        self._call_on_loop = loop_caller()
        self._room = threading.Semaphore(ahead)
        self._closed = threading.Event()
        self._items: deque[T] = deque()
        self._arrived = asyncio.Event()
        self._ended = False  # told to the loop after the last item
        self._job: Future[None] | None = None

    def __aiter__(self) -> Stream[T]:
        return self

    async def __anext__(self) -> T:
        """The next item.

        Raises:
            StopAsyncIteration: the generator has ended, or the stream was closed.
            Exception: whatever the generator raised, after the items before it.
        """
        while not self._items:
            if self._closed.is_set():
                raise StopAsyncIteration
            if self._ended and self._job is not None:
                self._closed.set()
                self._job.result()
                raise StopAsyncIteration
            self._arrived.clear()
            with self._clock.working():
                await self._arrived.wait()
        self._room.release()
        return self._items.popleft()

    def cancel(self) -> None:
        """Have the generator closed after the item it is working on; nothing more will be given."""
        self._closed.set()
        self._items.clear()
        self._room.release()  # wakes a generator that waits for room
        self._arrived.set()

    async def aclose(self) -> None:
        """Cancel, and return when the generator has been closed. What it raised then was nobody's to see."""
        self.cancel()
        if self._job is not None:
            closing = asyncio.wrap_future(self._job)
            closing.add_done_callback(lambda job: job.cancelled() or job.exception())
            await asyncio.wait([closing])

    def finished_by(self, job: Future[None]) -> None:
        self._job = job
        job.add_done_callback(lambda _: self._call_on_loop(self._end))

    def step_through(self) -> None:
        """On the engine's thread: the whole life of the generator."""
        if self._closed.is_set():
            return
        items = self._start()
        try:
            for item in items:
                self._room.acquire()
                if self._closed.is_set():
                    return
                self._call_on_loop(self._deliver, item)
        finally:
            if isinstance(items, Generator):
                items.close()

    def _deliver(self, item: T) -> None:
        if not self._closed.is_set():
            self._items.append(item)
            self._arrived.set()

    def _end(self) -> None:
        self._ended = True
        self._arrived.set()
