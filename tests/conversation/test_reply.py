"""One attempt to answer, by itself."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from fakes import VOICE, Listener, ToneVoice, speech

from voxterm.clock import RealClock
from voxterm.conversation.bridge import EngineThread
from voxterm.conversation.mouth import Mouth, Speaker
from voxterm.conversation.reply import Reply
from voxterm.engines.protocols import Samples
from voxterm.events import Event


async def until(condition: Callable[[], bool]) -> None:
    """Let the loop and the engines' threads go on."""
    for _ in range(10_000):
        if condition():
            return
        await asyncio.sleep(0.001)
    raise AssertionError("it never came to that")


class Ear:
    """A loudspeaker that calls back with every write."""

    name = "ear"
    rate_hz = 24_000
    underruns = 0

    def __init__(self) -> None:
        self.writes = 0
        self.ends = 0
        self.on_write: Callable[[], None] = lambda: None

    async def write(self, samples: Samples) -> None:
        self.writes += 1
        self.on_write()

    def end_reply(self) -> None:
        self.ends += 1

    def silence(self) -> None:
        """Nothing waits in it."""

    def written_samples(self) -> int:
        return 2400 * self.writes

    def played_samples(self) -> int:
        return 0

    def played_at(self, sample: int) -> float:
        return 1.0


class Stage:
    """A reply with its engines on their threads."""

    def __init__(self, text: str) -> None:
        self.clock = RealClock()
        self.ear = Ear()
        self.told: list[Event] = []
        self.threads = [EngineThread(name, self.clock) for name in ("understand", "speak")]
        self.listener = Listener(text)
        self.listener.hear(speech(1.0))

    def reply(self, turn: int = 1) -> Reply:
        mouth = Mouth(ToneVoice(), self.threads[1], Speaker(VOICE), 1.0, self.ear)  # type: ignore[arg-type]
        return Reply(turn, mouth, self.clock, self.told.append)

    def start(self, reply: Reply, after: Reply | None = None) -> Reply:
        reply.start(self.threads[0].stream(lambda: self.listener.answer(())), after)
        return reply

    async def close(self) -> None:
        for thread in self.threads:
            await thread.close()


async def test_nothing_is_written_after_a_cancel() -> None:
    """The cancelling needs some turns of the loop; a chunk that arrives in them must not be heard."""
    stage = Stage("one two three four five six")
    reply = stage.reply()
    stage.ear.on_write = reply.cancel
    reply.may_sound(True)
    reply.commit()
    stage.start(reply)
    await asyncio.wait_for(reply.ended(), 10)
    assert stage.ear.writes == 1
    assert stage.ear.ends == 1
    await stage.close()


async def test_a_reply_that_was_cut_off_takes_no_other_samples_for_its_own() -> None:
    """What is silenced gives its numbers back; the next reply's first sample may have the same."""
    for cut_off in (Reply.cancel, Reply.only_transcribe):
        stage = Stage("one two three")
        reply = stage.reply()
        stage.ear.on_write = lambda reply=reply, cut_off=cut_off: cut_off(reply)  # type: ignore[misc]
        reply.may_sound(True)
        reply.commit()
        stage.start(reply)
        await asyncio.wait_for(reply.ended(), 10)
        assert reply.handed
        assert not reply.has_left()
        await stage.close()


async def test_nothing_is_told_after_a_cancel() -> None:
    stage = Stage("one two three")
    reply = stage.start(stage.reply())
    reply.commit()
    reply.cancel()
    await asyncio.wait_for(reply.ended(), 10)
    assert stage.told == []
    await stage.close()


async def test_a_cancelled_attempt_leaves_its_engines_free() -> None:
    """Cancelled before its task ever ran: the stream must not block the engine's thread."""
    stage = Stage(" ".join(["word"] * 1000))
    for _ in range(3):
        stage.start(stage.reply()).cancel()
    reply = stage.start(stage.reply())
    reply.may_sound(True)
    reply.commit()
    await asyncio.wait_for(reply.ended(), 30)
    assert stage.ear.writes == 1000
    await stage.close()


async def test_a_reply_waits_until_the_one_before_has_come_to_rest() -> None:
    """Two replies that write at once would be mixed word by word."""
    stage = Stage("one two three four")
    first = stage.start(stage.reply(1))
    second = stage.start(stage.reply(2), after=first)
    second_has_begun: list[bool] = []
    stage.ear.on_write = lambda: second_has_begun.append(second.handed)
    second.may_sound(True)
    second.commit()
    await until(lambda: second.stamps.first_samples_s is not None)
    for _ in range(20):
        await asyncio.sleep(0)
    assert stage.ear.writes == 0, "the first still waits for leave to sound"
    first.may_sound(True)
    await asyncio.wait_for(second.ended(), 10)
    assert second_has_begun == [False] * 4 + [True] * 4
    await stage.close()


async def test_nothing_sounds_without_leave() -> None:
    stage = Stage("one two")
    reply = stage.start(stage.reply())
    reply.may_sound(True)
    reply.may_sound(False)
    await until(lambda: reply.stamps.first_samples_s is not None)
    assert not reply.handed
    reply.may_sound(True)
    await asyncio.wait_for(reply.ended(), 10)
    assert reply.handed
    await stage.close()
