"""Judging a pause: all who can tell are waited for, once, and nobody who cannot."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator

import pytest
from fakes import silence

from voxterm.clock import RealClock
from voxterm.config import TurnSettings
from voxterm.conversation.bridge import EngineThread
from voxterm.conversation.pause import PauseJudge
from voxterm.endpointing import Evidence, silence_ms
from voxterm.engines.protocols import LoadProgress, Samples
from voxterm.errors import EngineError
from voxterm.events import Event, Trouble

TURNS = TurnSettings()
TURN = silence(1.0)


class Detector:
    """Is as sure as it is told to be, and as slow."""

    name = "detector"

    def __init__(self, probability: float = 0.9) -> None:
        self.heard: list[int] = []
        self.probability_told = probability
        self.may_answer = threading.Event()
        self.may_answer.set()
        self.fails = False

    def load(self, progress: LoadProgress) -> None: ...
    def warm_up(self) -> None: ...
    def close(self) -> None: ...

    def probability(self, turn: Samples) -> float:
        self.heard.append(len(turn))
        self.may_answer.wait(timeout=30)
        if self.fails:
            raise EngineError("the detector is deaf", "wake it")
        return self.probability_told


class Bench:
    def __init__(self) -> None:
        self.expected: list[float] = []
        self.told: list[Event] = []
        self.thread = EngineThread("detect", RealClock())
        self.judge = PauseJudge(self.thread, TURNS, self.expected.append, self.told.append)

    async def settle(self) -> None:
        """Let the detector say what it has to say."""
        await self.thread.call(lambda: None)
        await asyncio.sleep(0)


@pytest.fixture
async def bench() -> AsyncIterator[Bench]:
    bench = Bench()
    yield bench
    await bench.thread.close()


async def test_words_and_sound_are_weighed_together(bench: Bench) -> None:
    detector = bench.judge.detector = Detector(0.9)
    words = bench.judge.begin(TURN)
    await bench.settle()
    assert bench.expected == [], "the words are still to come"
    words(0.8)
    assert bench.expected == [silence_ms(Evidence(0.8, 0.9), TURNS)]
    assert detector.heard == [len(TURN)]


async def test_without_a_detector_the_words_decide(bench: Bench) -> None:
    bench.judge.begin(TURN)(0.8)
    assert bench.expected == [silence_ms(Evidence(words=0.8), TURNS)]


async def test_where_nobody_can_tell_nothing_is_expected(bench: Bench) -> None:
    bench.judge.begin(TURN)(None)
    assert bench.expected == []


async def test_the_sound_decides_where_the_words_cannot_be_judged(bench: Bench) -> None:
    bench.judge.detector = Detector(0.1)
    bench.judge.begin(TURN)(None)
    await bench.settle()
    assert bench.expected == [silence_ms(Evidence(sound=0.1), TURNS)]


async def test_what_comes_after_the_pause_is_of_no_use(bench: Bench) -> None:
    """A verdict on the first half of a sentence must not end the second."""
    detector = bench.judge.detector = Detector()
    detector.may_answer.clear()
    words = bench.judge.begin(TURN)
    bench.judge.end()
    words(1.0)
    detector.may_answer.set()
    await bench.settle()
    assert bench.expected == []


async def test_pauses_that_are_over_are_not_listened_to(bench: Bench) -> None:
    """A slow detector must not fall further and further behind."""
    detector = bench.judge.detector = Detector()
    detector.may_answer.clear()
    for _ in range(5):
        bench.judge.begin(TURN)
    bench.judge.begin(TURN)(0.5)
    detector.may_answer.set()
    await bench.settle()
    assert len(detector.heard) <= 2, "the one under way, and the newest"
    assert len(bench.expected) == 1


async def test_a_detector_that_fails_is_told_once_and_asked_no_more(bench: Bench) -> None:
    detector = bench.judge.detector = Detector()
    detector.fails = True
    for _ in range(2):
        bench.judge.begin(TURN)(0.5)
        await bench.settle()
    (trouble,) = bench.told
    assert isinstance(trouble, Trouble)
    assert trouble.what == "the detector is deaf"
    assert len(detector.heard) == 1
    assert bench.expected == [silence_ms(Evidence(words=0.5), TURNS)] * 2, "the words still count"
