"""The pure parts of the engine for servers, and the loop on which it waits."""

from __future__ import annotations

import asyncio
import threading
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from voxterm.engines.openai.question import trimmed
from voxterm.engines.openai.reply import ReplyText
from voxterm.engines.openai.waiting import NOTHING_YET, SlicedLoop
from voxterm.engines.protocols import Message

ROLES = st.sampled_from(["user", "assistant"])
DIALOGUES = st.lists(st.builds(Message, ROLES, st.text(max_size=20)), max_size=12)


def chars(messages: list[Message]) -> int:
    return sum(len(message.text) for message in messages)


@given(DIALOGUES, st.text(max_size=9), st.integers(0, 300), st.booleans())
def test_a_trimmed_dialogue_is_the_newest_whole_turns(
    past: list[Message], last: str, most_chars: int, has_system: bool
) -> None:
    opening = [Message("system", "Be brief.")] if has_system else []
    history = [*opening, *past, Message("user", last)]
    kept = trimmed(history, most_chars)
    newest = kept[len(opening) :]
    assert kept[: len(opening)] == opening
    assert newest == history[len(history) - len(newest) :]
    assert newest[0].role == "user"
    assert chars(kept) <= most_chars or len([m for m in newest if m.role == "user"]) == 1
    more = [m for m in history[len(opening) : len(history) - len(newest)] if m.role == "user"]
    if more:  # the next older turn would not fit
        begin = max(
            at for at in range(len(opening), len(history) - len(newest)) if history[at].role == "user"
        )
        assert chars(opening) + chars(history[begin:]) > most_chars


def piece(content: str, ending: str | None = None) -> object:
    choice = SimpleNamespace(delta=SimpleNamespace(content=content), finish_reason=ending)
    return SimpleNamespace(choices=[choice])


@given(st.data())
def test_however_a_reply_is_cut_the_same_is_said(data: st.DataObject) -> None:
    text = "\n<think>They greet.</think>\n\nGood day, 5 < 7 friend.<think>Was that kind?</think> Bye"
    cuts = sorted(data.draw(st.lists(st.integers(0, len(text)), max_size=20)))
    reply = ReplyText()
    ends = [*cuts, len(text)]
    said = "".join(reply.take(piece(text[a:b])) for a, b in zip([0, *cuts], ends, strict=True))
    assert said + reply.finish() == "Good day, 5 < 7 friend. Bye"


def test_a_model_taken_to_think_first_that_did_not_is_heard_at_the_end() -> None:
    reply = ReplyText("<think>")
    assert reply.take(piece("Good ")) + reply.take(piece("day.", "stop")) == ""
    assert reply.finish() == "Good day."
    assert reply.opened == ""


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ("<think>I should greet.</think>Hello!", "Hello!"),
        ("I should greet.</think>\n\nHello!", "Hello!"),
        ("<thought>I should greet.</thought>Hello!", "Hello!"),
        ("<think>I should greet.", ""),
    ],
)
def test_a_model_taken_to_think_first_may_begin_the_thought_itself(written: str, said: str) -> None:
    """All of it was said behind the reply, thoughts and marks included."""
    reply = ReplyText("<think>")
    assert reply.take(piece(written, "stop")) + reply.finish() == said
    assert reply.opened == ("<think>" if "</think>" in written else "")


def test_thoughts_that_were_cut_off_are_not_heard_at_the_end() -> None:
    reply = ReplyText("<think>")
    assert reply.take(piece("They greet, so", "length")) + reply.finish() == ""


# Waiting in slices


class Ticks:
    """A clock on which each look takes a second."""

    def __init__(self) -> None:
        self.now_s = 0.0

    def __call__(self) -> float:
        self.now_s += 1.0
        return self.now_s


async def for_ever(seen: list[str]) -> None:
    try:
        await asyncio.Event().wait()
    finally:
        seen.append("broken off")


@pytest.fixture
def loop() -> SlicedLoop:
    return SlicedLoop(Ticks())


def test_the_value_of_a_wait_is_that_of_the_work(loop: SlicedLoop) -> None:
    async def work() -> int:
        await asyncio.sleep(0)
        return 7

    with pytest.raises(StopIteration) as end:
        next(loop.waiting(work(), 5.0))
    assert end.value.value == 7
    loop.close()


def test_an_error_of_the_work_is_that_of_the_wait(loop: SlicedLoop) -> None:
    async def work() -> None:
        raise KeyError("oh")

    with pytest.raises(KeyError):
        next(loop.waiting(work(), 5.0))
    loop.close()


def test_a_wait_gives_its_thread_back_after_each_slice_and_ends_at_its_limit(loop: SlicedLoop) -> None:
    seen: list[str] = []
    wait = loop.waiting(for_ever(seen), 3.0)
    assert next(wait) is NOTHING_YET
    assert next(wait) is NOTHING_YET
    with pytest.raises(TimeoutError):
        next(wait)
    assert seen == ["broken off"]
    loop.close()


def test_a_wait_that_is_closed_breaks_its_work_off(loop: SlicedLoop) -> None:
    seen: list[str] = []
    wait = loop.waiting(for_ever(seen), 3.0)
    next(wait)
    wait.close()
    assert seen == ["broken off"]
    loop.close()


def test_nothing_goes_on_between_two_slices(loop: SlicedLoop) -> None:
    """The engine's thread is its own: nothing of a request runs while it does other things."""
    steps: list[int] = []

    async def work() -> None:
        while True:
            steps.append(threading.get_ident())
            await asyncio.sleep(0.001)

    wait = loop.waiting(work(), 100.0)
    next(wait)
    done = len(steps)
    assert done > 0
    threading.Event().wait(0.01)
    assert len(steps) == done
    assert set(steps) == {threading.get_ident()}
    wait.close()
    loop.close()


def test_a_loop_that_is_closed_waits_for_nothing(loop: SlicedLoop) -> None:
    seen: list[str] = []
    wait = loop.waiting(for_ever(seen), 9.0)
    next(wait)
    loop.close()
    loop.close()
    with pytest.raises(TimeoutError):
        next(loop.waiting(for_ever([]), 9.0))
    loop.run(for_ever([]))
    wait.close()
