from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import pytest

from voxterm.engines.cascade import Cascade
from voxterm.engines.protocols import (
    AudioEncoded,
    Delta,
    Ending,
    LoadProgress,
    Message,
    Samples,
    SpeechLanguageModel,
    Transcript,
)
from voxterm.errors import EngineError


class Half:
    """What both halves share: it writes down what is asked of it."""

    def __init__(self, name: str, log: list[str]) -> None:
        self.name = name
        self.log = log

    def load(self, progress: LoadProgress) -> None:
        self.log.append(f"{self.name} load")

    def warm_up(self) -> None:
        self.log.append(f"{self.name} warm up")

    def close(self) -> None:
        self.log.append(f"{self.name} close")


class Ears(Half):
    text = "hello there"

    def begin(self) -> None:
        self.log.append("begin")

    def feed(self, samples: Samples) -> str | None:
        return f"{len(samples)} samples"

    def finish(self) -> Iterator[AudioEncoded | Ending | Transcript]:
        yield AudioEncoded()
        yield Ending(0.75)
        yield Transcript(self.text)


class Head(Half):
    history: Sequence[Message] = ()

    def reply(self, history: Sequence[Message]) -> Iterator[Delta]:
        self.history = list(history)
        try:
            yield Delta("Good ")
            yield Delta("day.")
        finally:
            self.log.append("reply closed")


@pytest.fixture
def log() -> list[str]:
    return []


@pytest.fixture
def ears(log: list[str]) -> Ears:
    return Ears("ears", log)


@pytest.fixture
def head(log: list[str]) -> Head:
    return Head("head", log)


PAST = [Message("user", "hi"), Message("assistant", "Hello.")]


def test_it_is_a_speech_language_model_named_after_both(ears: Ears, head: Head) -> None:
    cascade = Cascade(ears, head)
    assert isinstance(cascade, SpeechLanguageModel)
    assert cascade.name == "ears + head"


def test_it_hears_then_answers_with_the_history(ears: Ears, head: Head) -> None:
    cascade = Cascade(ears, head)
    cascade.begin()
    assert cascade.hear(np.zeros(7, dtype=np.float32)) == "7 samples"
    assert list(cascade.answer(PAST)) == [
        AudioEncoded(),
        Ending(0.75),
        Transcript("hello there"),
        Delta("Good "),
        Delta("day."),
    ]
    assert head.history == [*PAST, Message("user", "hello there")]


@pytest.mark.parametrize("text", ["", " \n"])
def test_where_no_words_were_heard_nothing_is_answered(ears: Ears, head: Head, text: str) -> None:
    ears.text = text
    assert list(Cascade(ears, head).answer(PAST)) == [AudioEncoded(), Ending(0.75), Transcript(text)]
    assert head.history == ()


def test_typed_text_is_answered_without_the_ears(ears: Ears, head: Head, log: list[str]) -> None:
    assert list(Cascade(ears, head).answer_text(PAST, "typed")) == [Delta("Good "), Delta("day.")]
    assert head.history[-1] == Message("user", "typed")
    assert "begin" not in log


def test_closing_an_answer_closes_the_reply(ears: Ears, head: Head, log: list[str]) -> None:
    answer = Cascade(ears, head).answer(PAST)
    for _ in range(4):
        next(answer)
    answer.close()  # type: ignore[attr-defined]
    assert log == ["reply closed"]


def test_both_are_loaded_warmed_and_closed(ears: Ears, head: Head, log: list[str]) -> None:
    cascade = Cascade(ears, head)
    cascade.load(lambda done, total: None)
    cascade.warm_up()
    cascade.close()
    assert log == [f"{name} {verb}" for verb in ("load", "warm up", "close") for name in ("ears", "head")]


def test_the_second_is_closed_even_where_the_first_fails(head: Head, log: list[str]) -> None:
    class Stuck(Ears):
        def close(self) -> None:
            raise EngineError("stuck")

    with pytest.raises(EngineError):
        Cascade(Stuck("ears", log), head).close()
    assert log == ["head close"]


class Expectant(Head):
    def expect(self) -> None:
        self.log.append("expect")


def test_who_answers_is_told_once_that_somebody_speaks_and_again_after_an_answer() -> None:
    log: list[str] = []
    both = Cascade(Ears("ears", log), Expectant("head", log))
    for _ in range(2):
        both.begin()
        assert [both.hear(np.zeros(size, np.float32)) for size in (1, 2)] == ["1 samples", "2 samples"]
    assert log == ["begin", "expect"] * 2
    next(iter(both.answer([])))  # in a pause; the person goes on
    for _ in range(2):
        both.hear(np.zeros(1, np.float32))
    assert log[4:] == ["expect"]
