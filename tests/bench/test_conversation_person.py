"""When the person of a script speaks: in their turn, into a reply at its moment, and not for ever."""

from __future__ import annotations

import numpy as np
import pytest

from voxterm.bench.conversation.lines import Line
from voxterm.bench.conversation.person import GIVES_UP_S, PATIENCE_S, Person
from voxterm.bench.conversation.script import Act, Into, Say
from voxterm.engines.protocols import Samples

SOUND: Samples = np.full(160, 0.1, np.float32)
SILENCE: Samples = np.zeros(160, np.float32)
BLOCK_S = 0.01


def line(seconds: float, name: str = "line") -> Line:
    count = round(seconds * 16_000)
    return Line(name, np.full(count, 0.3, np.float32), 0, count, 3, made=False)


def run(person: Person, until_s: float, *replies_s: tuple[float, float]) -> None:
    """Let time pass; the loudspeaker sounds in these spans."""
    while person.now_s < until_s - 1e-9:
        sounds = any(begins_s <= person.now_s < ends_s for begins_s, ends_s in replies_s)
        person.speak(160, SOUND if sounds else SILENCE)


def begun_s(person: Person) -> list[float]:
    return [round(said.begins_s, 2) for said in person.said]


def person_of(*acts: Act, starts_s: float = 0.0, speaking_s: float = 0.0) -> Person:
    return Person(acts, starts_s, speaking_s)


def test_the_first_thing_is_said_once_voxterm_is_ready() -> None:
    person = person_of(Say(line(1.0), 0.5), starts_s=2.5)
    run(person, 4.0)
    assert begun_s(person) == [2.5]


def test_the_next_thing_waits_until_the_answer_is_over() -> None:
    person = person_of(Say(line(1.0), 0.5), Say(line(1.0), 1.2))
    run(person, 10.0, (1.8, 3.0), (3.4, 5.0))
    assert begun_s(person) == [0.5, pytest.approx(6.2, abs=0.02)]
    assert person.finished is False
    run(person, 16.0)
    assert person.finished
    assert person.spoken_s == pytest.approx(3.2, abs=0.02)


def test_without_an_answer_patience_ends() -> None:
    person = person_of(Say(line(1.0), 0.5), Say(line(1.0), 0.5))
    run(person, 8.0)
    assert begun_s(person) == [0.5, pytest.approx(1.5 + PATIENCE_S, abs=0.02)]


def test_an_interruption_comes_at_its_moment_of_the_reply() -> None:
    person = person_of(Say(line(1.0), 0.5), Into(line(1.0), 0.7))
    run(person, 6.0, (2.0, 5.0))
    assert begun_s(person)[1] == pytest.approx(2.7, abs=0.02)
    assert [said.interrupts for said in person.said] == [False, True]


def test_an_interruption_of_a_reply_that_was_shorter_is_left_out() -> None:
    person = person_of(Say(line(1.0), 0.5), Into(line(1.0), 2.0))
    run(person, 8.0, (2.0, 3.0))
    assert len(person.said) == 1
    assert person.finished


def test_what_is_begun_is_said_to_its_end_whatever_is_played() -> None:
    person = person_of(Say(line(1.0), 0.0))
    blocks = [person.speak(160, SOUND) for _ in range(3)]
    assert not np.concatenate(blocks).any(), "nobody speaks while voxterm does"
    person = person_of(Say(line(1.0), 0.0))
    heard = np.concatenate([person.speak(160, SILENCE), *(person.speak(160, SOUND) for _ in range(120))])
    assert np.count_nonzero(heard) == 16_000


def test_the_script_begins_again_until_voxterm_has_spoken_enough() -> None:
    person = person_of(Say(line(1.0), 0.5), speaking_s=10.0)
    replies = [(at + 2.0, at + 6.0) for at in (0.0, 8.0, 16.0)]
    run(person, 40.0, *replies)
    assert len(person.said) == 3
    assert person.finished
    assert person.spoken_s == pytest.approx(12.0, abs=0.1)


def test_a_voxterm_that_talks_with_itself_is_given_up() -> None:
    """Without echo cancelling it answers its own echo, and the floor is never free."""
    person = person_of(Say(line(1.0), 0.5), Say(line(1.0), 0.5))
    run(person, GIVES_UP_S, (1.6, 1000.0))
    assert not person.finished
    run(person, GIVES_UP_S + 2.0, (1.6, 1000.0))
    assert person.finished
    assert len(person.said) == 1
