"""What is kept of a conversation, and what is said when it cannot be kept."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
from turn_scenes import ordinary

from voxterm.clock import RealClock
from voxterm.errors import StoreError
from voxterm.events import PersonaChanged, Trouble, TurnAudio, TurnFinished, TurnTimeline
from voxterm.recorder import Recorder
from voxterm.store import Session, Store, TurnRecord


def finished(turn: int, said: str = "hello") -> TurnFinished:
    return TurnFinished(turn, said, "hi there", "hi", True, False, 0.0, 1.0, 2.0, {"response": 12.0})


def audio(turn: int) -> TurnAudio:
    tone = np.full(1600, 0.25, np.float32).tobytes()
    return TurnAudio(turn, tone, 16_000, tone, 24_000)


def time_line(turn: int) -> TurnTimeline:
    return replace(ordinary(), turn=turn)


class FullOnce:
    """A session whose disk is full for one turn."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self.full = True
        self.add_audio = session.add_audio
        self.add_timeline = session.add_timeline

    def add_turn(self, turn: TurnRecord) -> int:
        if self.full:
            self.full = False
            raise StoreError("the disk is full", "make room")
        return self._session.add_turn(turn)


async def test_turns_are_stored_in_order_with_their_sound_and_their_trouble(tmp_path: Path) -> None:
    store = Store(tmp_path)
    session = store.new_session("embedded", {}, "english")
    recorder = Recorder(session, RealClock(), lambda trouble: None)
    recorder.follow(finished(1))
    recorder.follow(audio(1))
    recorder.follow(time_line(1))
    recorder.follow(Trouble("the voice is hoarse", "give it tea", "engine", 2))
    recorder.follow(finished(2, "again"))
    await recorder.close()
    one, two = session.turns()
    assert (one.number, one.transcript, one.heard_reply, one.interrupted) == (1, "hello", "hi", True)
    assert one.latency_ms == {"response": 12.0}
    assert one.person_audio is not None
    assert one.person_audio.exists()
    assert (one.error, two.error) == ("", "the voice is hoarse")
    assert two.person_audio is None
    assert one.timeline is not None
    assert one.timeline.marks == ordinary().marks
    assert two.timeline is None
    session.close()
    store.close()


async def test_who_answers_is_kept_in_the_session_that_is_open_then(tmp_path: Path) -> None:
    store = Store(tmp_path)
    first, second = (store.new_session("embedded", {}, "english") for _ in range(2))
    recorder = Recorder(first, RealClock(), lambda trouble: None)
    recorder.follow(PersonaChanged("tutor"))
    recorder.go_on_in(second)
    recorder.follow(PersonaChanged("expert"))
    recorder.go_on_in(None)
    recorder.follow(PersonaChanged(""))
    await recorder.close()
    assert (store.find(first.id).persona, store.find(second.id).persona) == ("tutor", "expert")
    first.close()
    second.close()
    store.close()


async def test_a_turn_that_cannot_be_stored_is_told_and_the_next_one_is_stored(tmp_path: Path) -> None:
    """Its sound must not end up with another turn."""
    store = Store(tmp_path)
    session = store.new_session("embedded", {}, "english")
    told: list[Trouble] = []
    recorder = Recorder(FullOnce(session), RealClock(), told.append)  # type: ignore[arg-type]
    recorder.follow(finished(1))
    recorder.follow(audio(1))
    recorder.follow(time_line(1))
    recorder.follow(finished(2, "again"))
    recorder.follow(time_line(2))
    await recorder.close()
    assert told == [Trouble("the disk is full", "make room", "store", 1)]
    (kept,) = session.turns()
    assert (kept.number, kept.transcript) == (1, "again")
    assert kept.person_audio is None
    assert kept.timeline is not None, "that of the turn that was stored"
    session.close()
    store.close()


async def test_what_is_on_its_way_goes_into_the_session_that_it_was_said_in(tmp_path: Path) -> None:
    store = Store(tmp_path)
    first, second = (store.new_session("embedded", {}, "english") for _ in range(2))
    recorder = Recorder(first, RealClock(), lambda trouble: None)
    recorder.follow(finished(1, "in the first"))
    recorder.follow(audio(1))
    recorder.follow(Trouble("hoarse", "tea", "engine", 2))
    recorder.go_on_in(second)
    recorder.follow(finished(1, "in the second"))
    recorder.follow(finished(2, "in the second too"))
    await recorder.settle()
    recorder.go_on_in(None)
    recorder.follow(finished(3, "nowhere"))
    await recorder.close()
    assert [turn.transcript for turn in first.turns()] == ["in the first"]
    assert first.turns()[0].reply_audio is not None
    assert [(turn.transcript, turn.error) for turn in second.turns()] == [
        ("in the second", ""),
        ("in the second too", ""),
    ]
    first.close()
    second.close()
    store.close()


async def test_sound_never_ends_up_with_the_turn_of_that_number_in_another_session(tmp_path: Path) -> None:
    store = Store(tmp_path)
    first, second = (store.new_session("embedded", {}, "english") for _ in range(2))
    recorder = Recorder(first, RealClock(), lambda trouble: None)
    recorder.follow(finished(1))
    recorder.go_on_in(FullOnce(second))  # type: ignore[arg-type]
    recorder.follow(finished(1))
    recorder.follow(audio(1))
    recorder.follow(time_line(1))
    await recorder.close()
    assert first.turns()[0].person_audio is None
    assert first.turns()[0].timeline is None
    assert not second.turns()
    first.close()
    second.close()
    store.close()
