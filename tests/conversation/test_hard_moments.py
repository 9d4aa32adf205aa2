"""Keys, failures and slowness at the worst moment: no word of the person is lost, and it always ends."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator, Sequence

import numpy as np
import pytest
from fakes import LevelVad, Listener, ToneVoice, said, silence
from scene import Scene, Sink, turn_settings

from voxterm.conversation import Conversation
from voxterm.conversation.ears import HeardTurn, with_unanswered
from voxterm.engines.protocols import Delta, Message, Samples, SpeechChunk, Spoken, Understood, Voice
from voxterm.errors import EngineError, OutputError
from voxterm.events import (
    Event,
    Ready,
    ReplyHeard,
    ReplyStarted,
    SpeechResumed,
    SpeechStarted,
    State,
    StateChanged,
    TranscriptReady,
    TurnFinished,
)


class Patient(Listener):
    """Replies when it is let."""

    def __init__(self, *replies: str) -> None:
        super().__init__(*replies)
        self.may_reply = threading.Event()

    def _reply(self) -> Iterator[Delta]:
        self.may_reply.wait(timeout=30)
        yield from super()._reply()


class Late(Listener):
    """Understands when it is let."""

    def __init__(self, *replies: str) -> None:
        super().__init__(*replies)
        self.may_answer = threading.Event()

    def answer(self, history: Sequence[Message]) -> Iterator[Understood]:
        self.may_answer.wait(timeout=30)
        yield from super().answer(history)


def voiced_s(samples: Samples) -> float:
    return float(np.count_nonzero(np.abs(samples) > 0.01)) / 16_000


@pytest.mark.parametrize("key", ["interrupt", "repeat"])
async def test_a_key_while_voxterm_thinks_and_the_person_goes_on(key: str) -> None:
    """The speech that follows is a turn of its own: it once vanished into the exchange of the key."""
    listener = Patient("answer")
    scene = Scene(listener, settings=turn_settings(end_silence_ms=300))
    pressed: list[Event] = []

    def meanwhile(conversation: Conversation, event: Event) -> None:
        if isinstance(event, TurnFinished) and event.turn == 1:
            listener.may_reply.clear()
        if isinstance(event, SpeechStarted) and event.turn in (1, 3):
            listener.may_reply.set()
        if isinstance(event, TranscriptReady) and event.turn == 2 and not pressed:
            pressed.append(event)
            getattr(conversation, key)()

    clip = said(0.3, 0.8, 2.5, 0.8, 0.8, 0.8)
    await asyncio.wait_for(scene.play(clip, talks_over=True, meanwhile=meanwhile), 30)
    assert pressed
    assert [turn.turn for turn in scene.talked.turns] == [1, 2, 3]
    assert all(turn.transcript for turn in scene.talked.turns)
    assert voiced_s(scene.listener.turns[-1]) == pytest.approx(0.8, abs=0.02)


async def test_a_failing_answer_while_the_person_goes_on_hears_nothing_twice() -> None:
    may_fail = threading.Event()

    class FailsLate(Listener):
        asked = 0

        def answer(self, history: Sequence[Message]) -> Iterator[Understood]:
            self.asked += 1
            if self.asked == 1:
                may_fail.wait(timeout=30)
                raise EngineError("out of memory", "take a smaller model")
            yield from super().answer(history)

    def meanwhile(_: Conversation, event: Event) -> None:
        if isinstance(event, SpeechResumed):
            asyncio.get_running_loop().call_later(0.1, may_fail.set)

    scene = Scene(FailsLate())
    await scene.play(said(0.3, 0.8, 0.4, 0.8), meanwhile=meanwhile)
    assert voiced_s(scene.listener.turns[-1]) == pytest.approx(1.6, abs=0.02)


class Breaks(Sink):
    full = False

    def write(self, samples: Samples) -> None:
        if self.full:
            raise OutputError("the disk is full", "make room")
        super().write(samples)


async def test_a_full_disk_under_the_recording_loses_no_turn_and_gives_everything_back() -> None:
    sink = Breaks()
    scene = Scene(Listener(" ".join(["word"] * 40)), played=sink)

    def meanwhile(_: Conversation, event: Event) -> None:
        if isinstance(event, ReplyHeard) and event.heard_chars >= 20:
            sink.full = True

    with pytest.raises(OutputError, match="disk is full"):
        await scene.play(said(0.3, 1.0, 2.5), talks_over=True, meanwhile=meanwhile)
    assert len(scene.of(TurnFinished)) == 1
    assert scene.listener.closed == scene.voice.closed == 1
    assert scene.of(StateChanged)[-1].state is State.STOPPED


async def test_everything_is_given_back_whatever_raises_on_the_way() -> None:
    class Clumsy(Listener):
        def close(self) -> None:
            raise RuntimeError("it fell")

    scene = Scene(Clumsy())
    with pytest.raises(RuntimeError, match="it fell"):
        await scene.play(said(0.3, 1.0))
    assert scene.voice.closed == 1
    assert not [thread.name for thread in threading.enumerate() if thread.name in ("understand", "speak")]


async def test_what_was_said_to_no_reply_is_known_to_the_next_answer() -> None:
    """A turn cut at its limit is understood while the next half is spoken already."""
    listener = Late("a", "b")
    scene = Scene(listener, settings=turn_settings(max_turn_s=5))

    def meanwhile(_: Conversation, event: Event) -> None:
        if isinstance(event, SpeechStarted) and event.turn == 2:
            asyncio.get_running_loop().call_later(1.0, listener.may_answer.set)

    await scene.play(said(0.3, 5.5), talks_over=True, meanwhile=meanwhile)
    first = next(turn for turn in scene.talked.turns if turn.turn == 1)
    assert listener.histories[-1] == (Message("user", first.transcript),)


def test_unanswered_turns_join_the_last_message_of_the_user() -> None:
    before = (Message("user", "one"), Message("assistant", "two"))
    lates = [HeardTurn(transcript="three"), HeardTurn(), HeardTurn(transcript="four")]
    assert with_unanswered(before, lates) == [*before, Message("user", "three\nfour")]
    assert with_unanswered((), []) == []


async def test_any_exception_of_a_voice_leaves_the_text_whole() -> None:
    class Broken(ToneVoice):
        def speak(self, text: str, voice: Voice, speed: float = 1.0) -> Iterator[Spoken]:
            if text != "a":
                raise ValueError("boom")
            yield SpeechChunk(np.zeros(10, np.float32))

    scene = Scene(Listener("First of all. Second of all. Third of all. Fourth and last."), Broken())
    talked = await scene.play(said(0.3, 1.0))
    assert talked.turns[0].reply.strip().endswith("Fourth and last.")
    assert [trouble.what for trouble in talked.troubles] == ["ValueError: boom"]


async def test_typed_lines_that_wait_are_all_answered() -> None:
    scene = Scene(Listener("an answer"))
    typed: list[Event] = []

    def meanwhile(conversation: Conversation, event: Event) -> None:
        if isinstance(event, SpeechStarted) and not typed:
            typed.append(event)
            for line in ("one", "two", "three"):
                conversation.type_text(line)

    await scene.play(said(0.3, 1.0), silence(12.0), meanwhile=meanwhile)
    assert [turn.transcript for turn in scene.talked.turns if turn.typed] == ["one", "two", "three"]
    assert all(turn.heard_reply and not turn.interrupted for turn in scene.talked.turns)


async def test_a_line_typed_into_a_reply_interrupts_it() -> None:
    scene = Scene(Listener(" ".join(["word"] * 40), "fine"))
    typed: list[Event] = []

    def meanwhile(conversation: Conversation, event: Event) -> None:
        if isinstance(event, ReplyHeard) and event.heard_chars > 10 and not typed:
            typed.append(event)
            conversation.type_text("stop that")

    await scene.play(said(0.3, 1.0), silence(3.0), meanwhile=meanwhile)
    first, second = scene.talked.turns
    assert first.interrupted
    assert second.typed
    assert second.heard_reply.strip() == "fine"


async def test_a_voice_without_sound_was_not_heard() -> None:
    class Mute(ToneVoice):
        def speak(self, text: str, voice: Voice, speed: float = 1.0) -> Iterator[Spoken]:
            yield SpeechChunk(np.zeros(0, np.float32))

    scene = Scene(voice=Mute())
    talked = await scene.play(said(0.3, 1.0))
    assert talked.turns[0].heard_reply == ""
    assert not scene.of(ReplyStarted)


async def test_a_vad_that_fails_is_said_once_and_typing_works() -> None:
    class Deaf(LevelVad):
        def probability(self, frame: Samples) -> float:
            raise ValueError("no model")

    scene = Scene(Listener("typed answer"), vad=Deaf())

    def meanwhile(conversation: Conversation, event: Event) -> None:
        if isinstance(event, Ready):
            conversation.type_text("hello")

    talked = await scene.play(silence(1.0), meanwhile=meanwhile)
    assert [trouble.what for trouble in talked.troubles] == ["level failed: no model"]
    assert talked.turns[0].heard_reply.strip() == "typed answer"


async def test_keys_after_the_end_do_nothing() -> None:
    scene = Scene()
    kept: list[Conversation] = []
    await scene.play(said(0.3, 1.0), meanwhile=lambda conversation, _: kept.append(conversation))
    told = len(scene.events)
    kept[0].repeat()
    kept[0].talk(True)
    kept[0].interrupt()
    kept[0].stop()
    await asyncio.sleep(0)
    assert len(scene.events) == told


async def test_whoever_stops_while_the_engines_load_does_not_wait_for_them() -> None:
    """A server may take a minute for its first answer."""

    class Slow(Late):
        def warm_up(self) -> None:
            self.may_answer.wait(timeout=60)

    listener = Slow("never")
    scene = Scene(listener)

    def meanwhile(conversation: Conversation, event: Event) -> None:
        if isinstance(event, StateChanged) and event.state is State.LOADING:
            conversation.stop()

    try:
        await asyncio.wait_for(scene.play(said(0.3, 1.0), meanwhile=meanwhile), 30)
        assert not listener.may_answer.is_set()
    finally:
        listener.may_answer.set()
    assert scene.of(Ready) == []
    assert scene.of(StateChanged)[-1].state is State.STOPPED


async def test_an_engine_that_hangs_does_not_keep_the_conversation_from_ending() -> None:
    listener = Late("never")
    scene = Scene(listener)

    def meanwhile(conversation: Conversation, event: Event) -> None:
        if isinstance(event, StateChanged) and event.state is State.THINKING:
            conversation.stop()

    try:
        await asyncio.wait_for(scene.play(said(0.3, 1.0), meanwhile=meanwhile), 30)
    finally:
        listener.may_answer.set()
    assert scene.of(StateChanged)[-1].state is State.STOPPED
