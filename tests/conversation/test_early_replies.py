"""Replies that begin before the transcript is complete: heard early, and cut off without losing a word."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from datetime import datetime

import numpy as np
import pytest
from fakes import EarlyListener, Listener, said, silence
from scene import Scene
from test_reply import Stage, until

from voxterm.conversation import Conversation
from voxterm.conversation.ears import HeardTurn, with_unanswered
from voxterm.engines.protocols import (
    AudioEncoded,
    Delta,
    Message,
    ReplyComplete,
    Samples,
    Transcript,
    Understood,
)
from voxterm.errors import EngineError
from voxterm.events import (
    Event,
    Interrupted,
    ReplyDelta,
    ReplyHeard,
    ReplyStarted,
    SpeechStarted,
    TranscriptReady,
    TurnDropped,
    TurnFinished,
    TurnMeasured,
)
from voxterm.latency import STAGES
from voxterm.tui.dialogue import Dialogue, Turn, apply_to_dialogue
from voxterm.tui.panes.turn_lines import lines_of

LONG_REPLY = " ".join(f"word{n}" for n in range(60))


def index_of(events: Sequence[Event], kind: type[Event], turn: int = 1) -> int:
    return next(n for n, e in enumerate(events) if isinstance(e, kind) and getattr(e, "turn", 0) == turn)


def loud_s(samples: Samples) -> float:
    return float(np.count_nonzero(np.abs(samples) > 0.01)) / 24_000


async def test_a_reply_sounds_before_the_transcript_is_complete() -> None:
    listener = EarlyListener(LONG_REPLY)
    scene = Scene(listener)

    def meanwhile(_: Conversation, event: Event) -> None:
        if isinstance(event, ReplyHeard) and event.heard_chars > 10:
            listener.may_transcribe.set()

    await scene.play(said(0.3, 1.0), meanwhile=meanwhile)
    (turn,) = scene.talked.turns
    assert turn.transcript
    assert turn.heard_reply == turn.reply == LONG_REPLY
    assert not turn.interrupted
    kinds = (ReplyDelta, ReplyStarted, TranscriptReady, TurnMeasured, TurnFinished)
    order = [index_of(scene.events, kind) for kind in kinds]
    assert order == sorted(order)
    assert [event.latency_ms for event in scene.of(TurnMeasured)] == [turn.latency_ms]
    assert set(turn.latency_ms) == {stage.key for stage in STAGES}
    values = {key: value for key, value in turn.latency_ms.items() if value is not None}
    assert len(values) == len(STAGES)
    assert min(values.values()) >= 0
    assert values["first_text"] < 500 < values["transcript"], "each is true by itself"


async def test_a_reply_of_one_sentence_does_not_wait_for_the_transcript_either() -> None:
    """Nothing follows its full stop but the end of the reply."""
    listener = EarlyListener("Yes.")
    scene = Scene(listener)

    def meanwhile(_: Conversation, event: Event) -> None:
        if isinstance(event, ReplyStarted):
            listener.may_transcribe.set()

    await scene.play(said(0.3, 1.0), meanwhile=meanwhile)
    (turn,) = scene.talked.turns
    assert turn.heard_reply == "Yes."
    assert index_of(scene.events, ReplyStarted) < index_of(scene.events, TranscriptReady)


async def test_the_person_stands_above_the_reply_whichever_comes_first() -> None:
    listener = EarlyListener(LONG_REPLY)
    scene = Scene(listener)
    seen: list[list[str]] = []
    dialogue: list[Dialogue] = [()]

    def meanwhile(_: Conversation, event: Event) -> None:
        dialogue[0] = apply_to_dialogue(dialogue[0], event, datetime(2026, 1, 1))
        if isinstance(event, ReplyHeard) and event.heard_chars > 10:
            listener.may_transcribe.set()
        if isinstance(event, ReplyStarted | TurnFinished):
            (turn,) = dialogue[0]
            assert isinstance(turn, Turn)
            lines = ["".join(text for text, _ in line) for line in lines_of(turn, 80)]
            seen.append(lines[:2])

    await scene.play(said(0.3, 1.0), meanwhile=meanwhile)
    for first, second in seen:
        assert "you" in first
        assert "voxterm" in second
        assert "word0" in second
    assert "…" in seen[0][0], "what was heard so far"
    assert scene.talked.turns[0].transcript in seen[1][0]


class Rambling(EarlyListener):
    """Has more to reply when it gets to its first transcript."""

    def answer(self, history: Sequence[Message]) -> Iterator[Understood]:
        for item in super().answer(history):
            if isinstance(item, Transcript) and len(self.turns) == 1:
                yield Delta(" and on, and on")
            if not isinstance(item, ReplyComplete):
                yield item


class CutOff:
    """Speech into a reply whose transcript is missing; it comes a while after the cut."""

    def __init__(self) -> None:
        self.listener = Rambling(LONG_REPLY + " <", "fine")
        self.scene = Scene(self.listener)
        self.transcribes_after_s = 0.2
        self.heard_chars_at_cut = 0

    async def play(self) -> Scene:
        await self.scene.play(said(0.3, 0.8, 1.8, 0.8), talks_over=True, meanwhile=self._follow)
        return self.scene

    def _follow(self, _: Conversation, event: Event) -> None:
        if isinstance(event, ReplyHeard) and event.turn == 1:
            self.heard_chars_at_cut = event.heard_chars
        if isinstance(event, SpeechStarted) and event.turn == 2:
            loop = asyncio.get_running_loop()
            loop.call_later(self.transcribes_after_s, self.listener.may_transcribe.set)


async def test_speech_into_a_reply_without_transcript_silences_it_at_once() -> None:
    scene = await CutOff().play()
    first, second = sorted(scene.talked.turns, key=lambda turn: turn.turn)
    assert first.interrupted
    assert first.transcript
    assert not second.interrupted
    (cut,) = scene.of(Interrupted)
    assert (cut.turn, cut.by_voice) == (1, True)
    assert index_of(scene.events, Interrupted) < index_of(scene.events, TranscriptReady)
    assert LONG_REPLY.startswith(first.heard_reply)
    assert 3 < len(first.heard_reply.split()) < 20
    words = len(first.heard_reply.split()) + 1  # fine
    assert loud_s(scene.played.samples) == pytest.approx(words * 0.1, abs=0.15)
    told = [e for e in scene.events[index_of(scene.events, Interrupted) :] if isinstance(e, ReplyDelta)]
    assert {event.turn for event in told} == {2}
    assert first.reply == LONG_REPLY
    measured = scene.of(TurnMeasured)
    assert [event.turn for event in measured] == [1, 2]
    assert measured[0].latency_ms == first.latency_ms
    assert first.latency_ms["transcript"] is not None


async def test_the_next_answer_knows_what_was_said_and_what_was_heard() -> None:
    scene = await CutOff().play()
    first = next(turn for turn in scene.talked.turns if turn.turn == 1)
    assert scene.listener.histories[-1] == (
        Message("user", first.transcript),
        Message("assistant", first.heard_reply + " —"),
    )


async def test_it_knows_them_before_the_turn_is_concluded_too() -> None:
    """The next answer is asked for while the engine still transcribes: it gets to it when that is done."""
    cut_off = CutOff()
    cut_off.transcribes_after_s = 1.2
    scene = await cut_off.play()
    first = next(turn for turn in scene.talked.turns if turn.turn == 1)
    asked_with = scene.listener.histories[1]
    assert asked_with == (Message("user", first.transcript), Message("assistant", first.heard_reply + " —"))


async def test_what_is_played_after_the_cut_is_not_counted_as_heard() -> None:
    cut_off = CutOff()
    writing: list[asyncio.Task[None]] = []

    def play_something_else(event: Event) -> None:
        if isinstance(event, Interrupted):
            anothers = cut_off.scene.loudspeaker.write(np.full(24_000, 0.2, np.float32))
            writing.append(asyncio.create_task(anothers))

    follow = cut_off._follow

    def meanwhile(conversation: Conversation, event: Event) -> None:
        follow(conversation, event)
        play_something_else(event)

    cut_off.transcribes_after_s = 0.6
    await cut_off.scene.play(said(0.3, 0.8, 1.8, 0.8), talks_over=True, meanwhile=meanwhile)
    first = next(turn for turn in cut_off.scene.talked.turns if turn.turn == 1)
    words_told = len(LONG_REPLY[: cut_off.heard_chars_at_cut].split())
    assert len(first.heard_reply.split()) in (words_told, words_told + 1)


@pytest.mark.parametrize("transcribed", [True, False])
async def test_a_turn_cut_off_at_its_first_sound_is_measured(transcribed: bool) -> None:
    listener = EarlyListener(LONG_REPLY)
    scene = Scene(Listener(LONG_REPLY) if transcribed else listener)

    def meanwhile(conversation: Conversation, event: Event) -> None:
        loop = asyncio.get_running_loop()
        if isinstance(event, ReplyStarted):
            loop.call_soon(conversation.interrupt)
        if isinstance(event, Interrupted):
            loop.call_later(0.1, listener.may_transcribe.set)

    await scene.play(said(0.3, 1.0), meanwhile=meanwhile)
    (turn,) = scene.talked.turns
    assert turn.interrupted
    assert turn.transcript
    assert turn.heard_reply == ""
    assert turn.latency_ms["playout"] is not None
    assert [event.latency_ms for event in scene.of(TurnMeasured)] == [turn.latency_ms]


class Fails(EarlyListener):
    """Replies, and then does not get to the transcript."""

    def answer(self, history: Sequence[Message]) -> Iterator[Understood]:
        yield AudioEncoded()
        yield from self._reply()
        self.may_transcribe.wait(timeout=30)
        raise EngineError("out of memory", "take a smaller model")


@pytest.mark.parametrize("cut", [True, False])
async def test_a_reply_that_was_heard_is_kept_where_the_transcript_fails(cut: bool) -> None:
    listener = Fails(LONG_REPLY)
    scene = Scene(listener)

    def meanwhile(conversation: Conversation, event: Event) -> None:
        if isinstance(event, ReplyHeard) and event.heard_chars > 10:
            if cut:
                conversation.interrupt()
            listener.may_transcribe.set()

    await scene.play(said(0.3, 1.0), silence(0.5), meanwhile=meanwhile)
    (turn,) = scene.talked.turns
    assert turn.transcript == ""
    assert turn.interrupted == cut
    assert turn.heard_reply.startswith("word0 word1")
    assert [trouble.what for trouble in scene.talked.troubles] == ["out of memory"]
    assert not scene.of(TurnDropped)
    assert len(scene.of(Interrupted)) == cut


async def test_a_reply_that_waits_for_leave_to_sound_ends_when_only_the_transcript_is_wanted() -> None:
    stage = Stage("unused")
    listener = EarlyListener("Hello there, my dear friend.")
    listener.hear(np.ones(16_000, np.float32))
    reply = stage.reply()
    reply.start(stage.threads[0].stream(lambda: listener.answer(())), None)
    reply.commit()
    await until(lambda: reply.stamps.first_samples_s is not None)
    reply.only_transcribe()
    told = len(stage.told)
    reply.may_sound(True)
    listener.may_transcribe.set()
    await asyncio.wait_for(reply.ended(), 10)
    assert reply.transcript
    assert [type(event) for event in stage.told[told:]] == [TranscriptReady]
    assert stage.ear.writes == 0
    await stage.close()


async def test_a_reply_with_more_lines_than_may_wait_ends_too() -> None:
    """Nobody takes the lines any more: whoever gives them must not wait for room for ever."""

    class Chatty(EarlyListener):
        def _reply(self) -> Iterator[Delta]:
            yield Delta("This is a sentence of some length. " * 500)

    stage = Stage("unused")
    listener = Chatty()
    listener.hear(np.ones(16_000, np.float32))
    reply = stage.reply()
    reply.start(stage.threads[0].stream(lambda: listener.answer(())), None)
    reply.commit()
    await until(lambda: reply.stamps.first_samples_s is not None)
    reply.only_transcribe()
    listener.may_transcribe.set()
    await asyncio.wait_for(reply.ended(), 10)
    assert reply.transcript
    await stage.close()


def test_turns_cut_off_in_their_reply_join_the_history_with_what_was_heard() -> None:
    before = (Message("user", "one"), Message("assistant", "two"))
    lates = [HeardTurn(transcript="three", heard_reply=" four "), HeardTurn(heard_reply="five")]
    assert with_unanswered(before, lates) == [
        *before, Message("user", "three"), Message("assistant", "four —")
    ]  # fmt: skip


async def test_a_reply_that_was_heard_is_kept_where_no_words_were_heard_after_all() -> None:
    """No engine should do this; what a person has heard is not made unheard."""

    class Deaf(EarlyListener):
        def answer(self, history: Sequence[Message]) -> Iterator[Understood]:
            for item in super().answer(history):
                yield Transcript("") if isinstance(item, Transcript) else item

    listener = Deaf(LONG_REPLY)
    scene = Scene(listener)

    def meanwhile(_: Conversation, event: Event) -> None:
        if isinstance(event, ReplyHeard) and event.heard_chars > 10:
            listener.may_transcribe.set()

    await scene.play(said(0.3, 1.0), meanwhile=meanwhile)
    assert [turn.heard_reply for turn in scene.talked.turns] == [LONG_REPLY]
    assert not scene.of(TurnDropped)
