"""The dialogue is cleared, another is taken up, the program is suspended: whatever is under way then."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator, Sequence

import pytest
from fakes import EarlyListener, Listener, said, silence
from scene import Scene

from voxterm.audio.recording import RecordedMicrophone
from voxterm.conversation import Conversation
from voxterm.engines.protocols import Message, Understood
from voxterm.events import (
    DialogueCleared,
    Event,
    Interrupted,
    PartialTranscript,
    ReplyHeard,
    State,
    StateChanged,
    TranscriptReady,
    TurnEnded,
    TurnFinished,
)
from voxterm.history import History

LONG = " ".join(["word"] * 40)


class Late(Listener):
    """Understands when it is let."""

    def __init__(self, *replies: str) -> None:
        super().__init__(*replies)
        self.may_answer = threading.Event()

    def answer(self, history: Sequence[Message]) -> Iterator[Understood]:
        self.may_answer.wait(timeout=30)
        yield from super().answer(history)


def at(
    moment: Callable[[Event], bool], do: Callable[[Conversation], None]
) -> Callable[[Conversation, Event], None]:
    """What to do at the first event that fits, and never again."""
    done: list[Event] = []

    def meanwhile(conversation: Conversation, event: Event) -> None:
        if moment(event) and not done:
            done.append(event)
            do(conversation)

    return meanwhile


def is_speaking(event: Event) -> bool:
    return isinstance(event, ReplyHeard) and event.heard_chars > 10


def is_hearing(event: Event) -> bool:
    return isinstance(event, PartialTranscript) and event.text >= "0.8"


def is_thinking(event: Event) -> bool:
    return isinstance(event, StateChanged) and event.state is State.THINKING


def is_done(event: Event) -> bool:
    return isinstance(event, TurnFinished)


async def test_what_was_said_is_forgotten_and_no_longer_repeated() -> None:
    scene = Scene(Listener("first answer", "second answer"))

    def clear(conversation: Conversation) -> None:
        conversation.clear_dialogue()
        conversation.repeat()

    talked = await scene.play(said(0.3, 1.0), silence(1.0), said(0.3, 1.0), meanwhile=at(is_done, clear))
    assert scene.of(DialogueCleared) == [DialogueCleared()]
    assert scene.listener.histories[-1] == ()
    assert [turn.turn for turn in talked.turns] == [1, 2]
    assert [text for text in scene.voice.spoken if "first" in text] == ["first answer"]


async def test_a_reply_is_cut_off_before_it_is_forgotten() -> None:
    scene = Scene(Listener(LONG, "second"))
    talked = await scene.play(
        said(0.3, 1.0),
        silence(1.0),
        said(0.3, 1.0),
        meanwhile=at(is_speaking, lambda conversation: conversation.clear_dialogue()),
    )
    assert talked.turns[0].interrupted
    assert 0 < len(talked.turns[0].heard_reply) < len(LONG)
    assert scene.listener.histories[-1] == ()
    told = [type(event) for event in scene.events]
    assert told.index(TurnFinished) < told.index(DialogueCleared)


async def test_a_turn_that_is_understood_after_the_clearing_is_forgotten_too() -> None:
    """Its transcript comes late; the session has it, the models have not."""
    listener = EarlyListener(LONG, "second", "third")
    scene = Scene(listener)

    def meanwhile(conversation: Conversation, event: Event) -> None:
        if is_speaking(event) and not scene.of(DialogueCleared):
            conversation.clear_dialogue()
            asyncio.get_running_loop().call_later(0.1, listener.may_transcribe.set)

    talked = await scene.play(said(0.3, 1.0), silence(1.0), said(0.3, 1.0), meanwhile=meanwhile)
    assert [turn.turn for turn in talked.turns] == [1, 2]
    assert talked.turns[0].transcript
    assert listener.histories[-1] == ()


@pytest.mark.parametrize("moment", [is_hearing, is_thinking, is_speaking, is_done])
async def test_another_dialogue_is_taken_up_whatever_is_under_way(moment: Callable[[Event], bool]) -> None:
    """All of the old one is told before, and nothing that was said is lost."""
    scene = Scene(Listener(LONG, "fine"))
    other = History()
    other.add_turn("long ago", "so it was")
    taken: list[int] = []
    tasks: list[asyncio.Task[None]] = []

    async def take_up(conversation: Conversation) -> None:
        await conversation.take_up(other, 41)
        taken.append(len(scene.events))

    meanwhile = at(moment, lambda conversation: tasks.append(asyncio.create_task(take_up(conversation))))
    await asyncio.wait_for(scene.play(said(0.3, 1.0), silence(1.5), said(0.3, 1.0), meanwhile=meanwhile), 60)
    await tasks[0]
    before, after = scene.events[: taken[0]], scene.events[taken[0] :]
    assert any(isinstance(event, TurnFinished) and event.turn == 1 and event.transcript for event in before)
    assert all(getattr(event, "turn", None) in (None, 42, 43) for event in after)
    last = scene.talked.turns[-1]
    assert last.turn in (42, 43)
    assert last.heard_reply
    assert scene.listener.histories[-1][:2] == (
        Message("user", "long ago"),
        Message("assistant", "so it was"),
    )


async def test_a_transcript_that_hangs_does_not_keep_another_dialogue_from_being_taken_up(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("voxterm.conversation.floor.CLOSE_LIMIT_S", 0.2)
    listener = Late(LONG, "fine")
    scene = Scene(listener)
    tasks: list[asyncio.Task[None]] = []

    async def take_up(conversation: Conversation) -> None:
        await conversation.take_up(History(), 0)
        listener.may_answer.set()
        conversation.type_text("now this")

    meanwhile = at(is_thinking, lambda conversation: tasks.append(asyncio.create_task(take_up(conversation))))
    await asyncio.wait_for(scene.play(said(0.3, 1.0), silence(5.0), meanwhile=meanwhile), 30)
    await tasks[0]
    (turn,) = scene.talked.turns
    assert (turn.turn, turn.transcript) == (1, "now this")


class Suspended:
    """Suspends a conversation at a moment, and resumes it soon after."""

    def __init__(self, scene: Scene, moment: Callable[[Event], bool]) -> None:
        self.scene = scene
        self.told_meanwhile: list[Event] = []
        self.task: asyncio.Task[None] | None = None
        self.meanwhile = at(moment, self._begin)

    def _begin(self, conversation: Conversation) -> None:
        self.task = asyncio.create_task(self._suspend(conversation))

    async def _suspend(self, conversation: Conversation) -> None:
        await conversation.suspend()
        told = len(self.scene.events)
        await asyncio.sleep(0.1)
        self.told_meanwhile = self.scene.events[told:]
        await conversation.resume()


@pytest.mark.parametrize("moment", [is_hearing, is_thinking, is_speaking, is_done])
async def test_after_a_suspension_the_talk_goes_on(moment: Callable[[Event], bool]) -> None:
    scene = Scene(Listener(LONG, "fine"))
    suspended = Suspended(scene, moment)
    talked = await asyncio.wait_for(
        scene.play(said(0.3, 1.0), silence(1.5), said(0.3, 1.0), meanwhile=suspended.meanwhile), 60
    )
    assert suspended.task
    await suspended.task
    assert not [event for event in suspended.told_meanwhile if not isinstance(event, TranscriptReady)]
    assert talked.turns[0].transcript, "what was said before is kept"
    assert talked.turns[-1].heard_reply.strip() == "fine"
    assert scene.listener.histories[-1][0].text.startswith(talked.turns[0].transcript)
    if moment is is_speaking:
        assert talked.turns[0].interrupted
        assert talked.turns[0].heard_reply
        assert len(scene.of(Interrupted)) == 1


async def test_a_conversation_that_is_suspended_can_be_stopped() -> None:
    scene = Scene(Listener(LONG))
    conversations: list[Conversation] = []

    def suspend(conversation: Conversation) -> None:
        conversations.append(conversation)
        tasks.append(asyncio.create_task(conversation.suspend()))
        asyncio.get_running_loop().call_later(0.1, conversation.stop)

    tasks: list[asyncio.Task[None]] = []
    await asyncio.wait_for(scene.play(said(0.3, 1.0), silence(60.0), meanwhile=at(is_speaking, suspend)), 10)
    await tasks[0]
    assert scene.of(StateChanged)[-1].state is State.STOPPED
    assert scene.voice.closed == 1
    conversations[0].clear_dialogue()
    await conversations[0].suspend()


async def test_nobody_reads_the_microphone_of_a_suspended_conversation(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It must wait without spinning."""
    reads = [0]
    read = RecordedMicrophone.read

    async def counted(self: RecordedMicrophone):  # type: ignore[no-untyped-def]
        reads[0] += 1
        return await read(self)

    monkeypatch.setattr(RecordedMicrophone, "read", counted)
    scene = Scene(Listener("fine"))
    seen: list[int] = []

    async def watch(conversation: Conversation) -> None:
        await conversation.suspend()
        await asyncio.sleep(0.05)
        before = reads[0]
        await asyncio.sleep(0.1)
        seen.append(reads[0] - before)
        await conversation.resume()

    tasks: list[asyncio.Task[None]] = []
    meanwhile = at(
        lambda event: isinstance(event, TurnEnded),
        lambda conversation: tasks.append(asyncio.create_task(watch(conversation))),
    )
    await asyncio.wait_for(scene.play(said(0.3, 1.0), silence(2.0), meanwhile=meanwhile), 30)
    await tasks[0]
    assert seen == [0]
