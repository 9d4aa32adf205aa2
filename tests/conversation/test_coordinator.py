"""The coordinator with fake engines: whole conversations on recordings, faster than real time."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from contextvars import ContextVar

import numpy as np
import pytest
from fakes import LevelVad, Listener, ToneVoice, said, silence, speech
from scene import Scene, turn_settings

from voxterm.config import Settings
from voxterm.conversation import Conversation
from voxterm.engines.protocols import Message
from voxterm.events import (
    Event,
    Interrupted,
    PartialTranscript,
    Ready,
    ReplyDelta,
    ReplyHeard,
    ReplyStarted,
    ReplyWithdrawn,
    SpeechPaused,
    SpeechResumed,
    State,
    StateChanged,
    TranscriptReady,
    Trouble,
    TurnAudio,
    TurnDropped,
    TurnEnded,
    TurnFinished,
    TurnMeasured,
)
from voxterm.latency import STAGES


def names(events: Sequence[Event], *kinds: type[Event]) -> list[str]:
    return [type(event).__name__ for event in events if isinstance(event, kinds)]


async def test_a_turn_is_heard_answered_and_measured() -> None:
    scene = Scene()
    talked = await scene.play(said(0.5, 1.0))
    (turn,) = talked.turns
    assert [event.latency_ms for event in scene.of(TurnMeasured)] == [turn.latency_ms]
    assert turn.reply.strip() == turn.heard_reply.strip() == "one two three four"
    assert not turn.interrupted
    assert set(turn.latency_ms) == {stage.key for stage in STAGES}
    assert all(value is not None and value >= 0 for value in turn.latency_ms.values())
    assert turn.latency_ms["endpoint_wait"] == pytest.approx(700, abs=50)
    loud = np.abs(scene.played.samples) > 0.05
    assert np.count_nonzero(loud) / 24_000 == pytest.approx(0.4, abs=0.05)


async def test_facts_come_in_their_documented_order() -> None:
    scene = Scene()
    await scene.play(said(0.5, 1.0))
    kinds = (
        SpeechPaused,
        TurnEnded,
        TranscriptReady,
        ReplyDelta,
        ReplyStarted,
        TurnMeasured,
        TurnFinished,
        Ready,
    )
    assert names(scene.events, *kinds) == [
        "Ready", "SpeechPaused", "TurnEnded", "TranscriptReady",
        *["ReplyDelta"] * 4, "ReplyStarted", "TurnMeasured", "TurnFinished",
    ]  # fmt: skip
    states = [event.state for event in scene.of(StateChanged)]
    assert states[0] is State.LOADING
    assert states[-1] is State.STOPPED
    assert [s for s in states if s in (State.HEARING, State.SPEAKING)] == [State.HEARING, State.SPEAKING]


async def test_the_first_word_is_not_clipped() -> None:
    """The engine must get at least 300 ms from before the voice was sure."""
    scene = Scene()
    await scene.play(said(1.0, 1.0))
    heard = scene.listener.turns[-1]
    onset = int(np.flatnonzero(np.abs(heard) > 0.01)[0])
    assert onset >= 0.3 * 16_000
    assert np.count_nonzero(np.abs(heard) > 0.01) >= 0.98 * 16_000


async def test_an_answer_begun_in_a_pause_is_dropped_when_the_person_goes_on() -> None:
    scene = Scene()
    talked = await scene.play(said(0.5, 0.8, 0.4, 0.8))
    assert len(talked.turns) == 1
    assert len(scene.of(SpeechPaused)) == 2
    assert len(scene.of(SpeechResumed)) == 1
    assert len(scene.listener.turns) == 2
    assert np.count_nonzero(np.abs(scene.listener.turns[-1]) > 0.01) == pytest.approx(1.6 * 16_000, rel=0.03)
    assert len(scene.of(TranscriptReady)) == 1, "what was found in the pause must not be told"
    assert talked.turns[0].transcript == scene.of(TranscriptReady)[0].text


async def test_no_sample_between_pause_and_resume_is_lost() -> None:
    scene = Scene()
    clip = said(0.5, 0.8, 0.4, 0.8)
    await scene.play(clip)
    heard = scene.listener.turns[-1]
    loud = np.flatnonzero(np.abs(heard) > 0.01)
    original = np.flatnonzero(np.abs(clip) > 0.01)
    assert loud[-1] - loud[0] == original[-1] - original[0], "the pause must keep its length"


async def test_two_clips_are_two_turns_with_a_history() -> None:
    scene = Scene(Listener("first answer here", "second answer"))
    talked = await scene.play(said(0.3, 1.0), said(0.3, 0.5))
    assert [turn.turn for turn in talked.turns] == [1, 2]
    assert scene.listener.histories[-1] == (
        Message("user", talked.turns[0].transcript),
        Message("assistant", "first answer here"),
    )


async def test_speech_into_the_reply_silences_it_and_history_keeps_what_was_heard() -> None:
    reply = " ".join(f"word{n}" for n in range(40))
    scene = Scene(Listener(reply, "fine"))
    talked = await scene.play(said(0.3, 1.0, 2.5, 1.0), talks_over=True)
    first, second = talked.turns
    assert first.interrupted
    assert not second.interrupted
    assert reply.startswith(first.heard_reply.strip())
    assert 5 < len(first.heard_reply.split()) < 30
    assert scene.listener.histories[-1][-1] == Message("assistant", first.heard_reply.strip() + " —")
    (cut,) = scene.of(Interrupted)
    assert cut.by_voice
    heard_s = np.count_nonzero(np.abs(scene.played.samples) > 0.01) / 24_000
    words = len(first.heard_reply.split()) + 1  # fine
    assert heard_s == pytest.approx(words * 0.1, abs=0.2), (
        "the words told as heard are those that were played"
    )


async def test_a_reply_longer_than_the_buffer_is_silent_for_good() -> None:
    """What waits to be written when the person speaks must not be written afterwards."""
    scene = Scene(Listener(" ".join(["word"] * 600), "fine"))
    talked = await scene.play(said(0.3, 1.0, 2.5, 1.0), talks_over=True)
    words = len(talked.turns[0].heard_reply.split()) + 1
    heard_s = np.count_nonzero(np.abs(scene.played.samples) > 0.01) / 24_000
    assert heard_s == pytest.approx(words * 0.1, abs=0.2)


async def test_the_reply_stops_within_the_time_of_a_barge_in() -> None:
    scene = Scene(Listener(" ".join(["word"] * 60), "fine"))
    await scene.play(said(0.3, 1.0, 2.5, 1.0), talks_over=True)
    (cut,) = scene.of(Interrupted)
    started = [e for e in scene.events if type(e).__name__ == "SpeechStarted"][1]
    onset_s = getattr(started, "at_s") + scene.settings.turns.pre_roll_ms / 1000  # noqa: B009
    assert 0.032 < cut.at_s - onset_s < 0.1


async def test_speech_before_the_reply_sounds_joins_the_same_turn() -> None:
    """A slow answer: the person goes on while voxterm still thinks, and it must not talk over them."""

    class Slow(Listener):
        def _reply(self):  # type: ignore[no-untyped-def]
            went_on.wait(timeout=30)
            yield from super()._reply()

    def meanwhile(_: Conversation, event: Event) -> None:
        if isinstance(event, SpeechResumed):
            went_on.set()

    went_on = threading.Event()
    scene = Scene(Slow("late answer"), settings=turn_settings(end_silence_ms=300))
    talked = await scene.play(said(0.3, 0.8, 0.6, 0.8), talks_over=True, meanwhile=meanwhile)
    assert len(talked.turns) == 1
    assert len(scene.of(ReplyWithdrawn)) == 1
    assert np.count_nonzero(scene.listener.turns[-1]) == pytest.approx(1.6 * 16_000, rel=0.03)


async def test_an_engine_that_fails_once_is_given_the_turn_again() -> None:
    scene = Scene()
    scene.listener.fails_next = 1
    talked = await scene.play(said(0.3, 1.0))
    assert len(talked.turns) == 1
    assert not talked.troubles
    assert np.count_nonzero(np.abs(scene.listener.turns[-1]) > 0.01) >= 0.98 * 16_000, "with all its audio"


async def test_an_engine_that_fails_ends_its_turn_and_the_next_one_works() -> None:
    scene = Scene()
    scene.listener.fails_next = 2
    talked = await scene.play(said(0.3, 1.0), said(0.3, 1.0))
    (trouble,) = talked.troubles
    assert trouble.what == "the listener fell asleep"
    assert trouble.remedy == "wake it"
    assert talked.turns[-1].heard_reply.strip() == "one two three four"


async def test_a_voice_that_fails_leaves_the_text_and_says_so() -> None:
    scene = Scene(Listener("bad words here", "good words"), ToneVoice(fails_on="bad"))
    talked = await scene.play(said(0.3, 1.0), said(0.3, 1.0))
    assert [trouble.what for trouble in talked.troubles] == ["the voice is hoarse"]
    assert talked.turns[0].reply.strip() == "bad words here"
    assert talked.turns[0].heard_reply == ""
    assert talked.turns[1].heard_reply.strip() == "good words"


async def test_a_noise_without_words_is_no_turn() -> None:
    scene = Scene()
    talked = await scene.play(said(0.3, 0.12), said(0.3, 1.0))
    assert [event.turn for event in scene.of(TurnDropped)] == [1]
    assert [turn.turn for turn in talked.turns] == [1], "its number is used again"


async def test_a_typed_line_is_a_turn() -> None:
    scene = Scene(Listener("typed answer"))
    typed: list[Event] = []

    def meanwhile(conversation: Conversation, event: Event) -> None:
        if isinstance(event, Ready):
            conversation.type_text("  hello there ")
            typed.append(event)

    talked = await scene.play(silence(1.0), meanwhile=meanwhile)
    (turn,) = talked.turns
    assert turn.typed
    assert turn.transcript == "hello there"
    assert turn.heard_reply.strip() == "typed answer"
    assert turn.latency_ms["endpoint_wait"] is None
    assert scene.listener.histories[0][-1] == Message("user", "hello there")


async def test_the_interrupt_key_silences_and_keeps_what_was_heard() -> None:
    scene = Scene(Listener(" ".join(["word"] * 40)))

    def meanwhile(conversation: Conversation, event: Event) -> None:
        if isinstance(event, ReplyHeard) and event.heard_chars >= 20:
            conversation.interrupt()

    talked = await scene.play(said(0.3, 1.0), meanwhile=meanwhile)
    (turn,) = talked.turns
    assert turn.interrupted
    assert 4 <= len(turn.heard_reply.split()) <= 6
    assert not scene.of(Interrupted)[0].by_voice


async def test_muted_hears_nothing() -> None:
    scene = Scene()

    def meanwhile(conversation: Conversation, event: Event) -> None:
        if isinstance(event, Ready):
            conversation.mute(True)

    talked = await scene.play(said(0.3, 1.0), meanwhile=meanwhile)
    assert not talked.turns
    assert State.MUTED in [event.state for event in scene.of(StateChanged)]


async def test_the_talk_key_makes_a_turn_without_waiting_for_silence() -> None:
    scene = Scene(settings=turn_settings(mode="push_to_talk"))
    frames = [0]

    def meanwhile(conversation: Conversation, event: Event) -> None:
        if type(event).__name__ == "Levels":
            frames[0] += 3
            if frames[0] == 9:
                conversation.talk(True)
            if frames[0] == 42:
                conversation.talk(False)

    talked = await scene.play(said(0.3, 1.0), meanwhile=meanwhile)
    (turn,) = talked.turns
    assert turn.latency_ms["endpoint_wait"] is not None
    assert turn.latency_ms["endpoint_wait"] < 150


async def test_repeat_says_the_last_reply_again_and_is_no_turn() -> None:
    scene = Scene()
    repeated: list[Event] = []

    def meanwhile(conversation: Conversation, event: Event) -> None:
        if isinstance(event, TurnFinished) and not repeated:
            repeated.append(event)
            conversation.repeat()

    talked = await scene.play(said(0.3, 1.0), silence(2.0), meanwhile=meanwhile)
    assert len(talked.turns) == 1
    assert [text.strip() for text in scene.voice.spoken].count("one two three four") == 2


async def test_every_fact_is_told_in_the_context_of_the_run() -> None:
    """A screen finds its app through a context variable; told from a thread's context it would not update."""
    app: ContextVar[str] = ContextVar("app", default="nobody's")
    app.set("the screen's")
    found: set[tuple[str, str]] = set()

    def meanwhile(_: Conversation, event: Event) -> None:
        found.add((type(event).__name__, app.get()))

    await Scene().play(said(0.3, 1.0), meanwhile=meanwhile)
    assert {"Loading", "PartialTranscript", "TurnFinished"} <= {name for name, _ in found}
    assert {value for _, value in found} == {"the screen's"}


async def test_partials_come_while_the_person_speaks() -> None:
    scene = Scene()
    await scene.play(said(0.3, 2.0))
    texts = [event.text for event in scene.of(PartialTranscript)]
    assert len(texts) > 5
    assert texts == sorted(texts)


async def test_recordings_of_both_sides_are_told_where_they_are_kept() -> None:
    settings = Settings()
    settings = settings.model_copy(
        update={"sessions": settings.sessions.model_copy(update={"keep_audio": True})}
    )
    scene = Scene(settings=settings)
    await scene.play(said(0.3, 1.0))
    (audio,) = scene.of(TurnAudio)
    person = np.frombuffer(audio.person, np.float32)
    reply = np.frombuffer(audio.reply, np.float32)
    assert np.count_nonzero(np.abs(person) > 0.01) >= 0.98 * 16_000
    assert len(reply) == pytest.approx(0.4 * audio.reply_rate_hz, abs=100)


async def test_everything_is_given_back() -> None:
    scene = Scene()
    await scene.play(said(0.3, 1.0))
    assert scene.listener.closed == scene.voice.closed == 1


async def test_a_full_turn_is_cut_and_the_rest_is_a_turn_of_its_own() -> None:
    scene = Scene(Listener("a", "b"), settings=turn_settings(max_turn_s=5))
    talked = await scene.play(said(0.3, 7.0), talks_over=True)
    assert len(talked.turns) == 2
    voiced = sum(np.count_nonzero(np.abs(turn) > 0.01) for turn in scene.listener.turns[-2:])
    assert voiced >= 6.95 * 16_000, "no sample of the person is lost at the cut"


async def test_trouble_from_an_unknown_exception_is_one_line() -> None:
    class Broken(Listener):
        def answer(self, history):  # type: ignore[no-untyped-def]
            raise ValueError("boom\nboom")

    scene = Scene(Broken())
    talked = await scene.play(said(0.3, 1.0))
    assert [t.what for t in scene.of(Trouble)] == ["ValueError: boom boom"]
    assert len(talked.turns) <= 1


def test_speech_is_loud_enough_for_the_fake_vad() -> None:
    assert LevelVad().probability(speech(0.032)) == 1.0
