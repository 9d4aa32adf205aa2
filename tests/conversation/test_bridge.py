"""Model threads and the event loop: order, backpressure, cancelling, errors."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Iterator

import pytest

from voxterm.clock import RealClock
from voxterm.conversation.bridge import EngineThread


@pytest.fixture
async def thread() -> AsyncIterator[EngineThread]:
    engine_thread = EngineThread("engine", RealClock())
    yield engine_thread
    await engine_thread.close()
    assert not [t for t in threading.enumerate() if t.name.startswith("engine")], "the thread has ended"


class Counter:
    """A generator that notes what becomes of it."""

    def __init__(self, last: int = 1_000_000) -> None:
        self.last = last
        self.made = 0
        self.closed_on: str | None = None

    def __call__(self) -> Iterator[int]:
        try:
            for number in range(self.last):
                self.made = number + 1
                yield number
        finally:
            self.closed_on = threading.current_thread().name


async def test_items_come_in_order_and_all_of_them(thread: EngineThread) -> None:
    """The last item must not be lost when the generator ends before it is read."""
    for _ in range(50):
        assert [item async for item in thread.stream(Counter(7))] == list(range(7))


async def test_a_generator_waits_for_its_reader(thread: EngineThread) -> None:
    counter = Counter()
    stream = thread.stream(counter, ahead=3)
    assert [await anext(stream) for _ in range(5)] == [0, 1, 2, 3, 4]
    await stream.aclose()
    assert counter.made <= 5 + 3 + 1


async def test_closing_closes_the_generator_on_its_own_thread(thread: EngineThread) -> None:
    counter = Counter()
    stream = thread.stream(counter)
    await anext(stream)
    await stream.aclose()
    assert counter.closed_on is not None
    assert counter.closed_on.startswith("engine")
    with pytest.raises(StopAsyncIteration):
        await anext(stream)


async def test_a_stream_cancelled_before_it_began_never_begins(thread: EngineThread) -> None:
    """Else a generator nobody reads would block its engine's thread for ever."""
    gate = threading.Event()
    thread.post(gate.wait)
    counter = Counter()
    stream = thread.stream(counter)
    stream.cancel()
    gate.set()
    await stream.aclose()
    assert counter.made == 0
    assert await thread.call(lambda: "free") == "free"


async def test_cancelling_wakes_a_generator_that_waits_for_room(thread: EngineThread) -> None:
    counter = Counter()
    stream = thread.stream(counter, ahead=1)
    assert await anext(stream) == 0
    stream.cancel()
    assert await asyncio.wait_for(thread.call(lambda: "free"), 10) == "free"
    await stream.aclose()


async def test_an_exception_comes_after_the_items_before_it(thread: EngineThread) -> None:
    def failing() -> Iterator[int]:
        yield 1
        yield 2
        raise ValueError("three")

    stream = thread.stream(failing)
    assert [await anext(stream), await anext(stream)] == [1, 2]
    with pytest.raises(ValueError, match="three"):
        await anext(stream)


async def test_an_exception_while_closing_is_nobodys(thread: EngineThread) -> None:
    def clumsy() -> Iterator[int]:
        try:
            yield 1
            yield 2
        finally:
            raise ValueError("on the way out")

    stream = thread.stream(clumsy, ahead=1)
    assert await anext(stream) == 1
    await stream.aclose()
    assert await thread.call(lambda: 5) == 5


async def test_work_is_done_in_the_order_it_was_given(thread: EngineThread) -> None:
    done: list[str] = []
    told: list[object] = []
    thread.post(lambda: done.append("a"), told.append)

    def second() -> Iterator[None]:
        done.append("b")
        yield

    stream = thread.stream(second)
    await thread.call(lambda: done.append("c"))
    assert done == ["a", "b", "c"]
    assert [item async for item in stream] == [None]
    assert told == [None]


async def test_call_passes_on_the_exception(thread: EngineThread) -> None:
    def fail() -> None:
        raise KeyError("missing")

    with pytest.raises(KeyError):
        await thread.call(fail)
