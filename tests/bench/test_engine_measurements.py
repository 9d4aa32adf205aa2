"""`bench stt`, `llm` and `tts` on every engine of their roles: tiny checkpoints, and made up engines with a
clock of their own."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Sequence
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import pytest
from chat_server import ChatServer
from subjects import subject_of_one, without_weights, write_tiny

from voxterm.bench import llm, stt, tts
from voxterm.bench.conversation.lines import Line
from voxterm.bench.models import Subject
from voxterm.bench.report import Count, Figure
from voxterm.engines.declared.declaration import Declaration
from voxterm.engines.declared.engines import ENGINES
from voxterm.engines.protocols import (
    AudioEncoded,
    Delta,
    Message,
    Notice,
    Replied,
    Samples,
    Transcript,
    Understood,
)
from voxterm.errors import EngineError

Given: TypeAlias = Callable[[str, bool], Subject]

SMALL = {"context_tokens": 1024, "reply_tokens": 12, "temperature": 0.0}
"""Of the settings of an engine, those that it has."""


def of_role(roles: Sequence[str]) -> list[Any]:
    """The names of all engines of these roles, and whether their weights are drawn."""
    engines = [engine for engine in ENGINES.values() if engine.role in roles]
    return [pytest.param(engine.name, False, id=engine.name) for engine in engines] + [
        pytest.param(engine.name, True, id=f"{engine.name}-random") for engine in engines if engine.model
    ]


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """The tiny checkpoint of a model or codec, written once."""
    written: dict[str, Path] = {}

    def of(name: str) -> Path:
        if name not in written:
            written[name] = write_tiny(name, tmp_path_factory.mktemp("tiny") / name)
        return written[name]

    return of


@pytest.fixture
def given(tiny: Callable[[str], Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Given]:
    """An engine to be measured; one that is remote has a server on loopback."""
    with ChatServer() as server:

        def of(name: str, is_random: bool) -> Subject:
            engine = ENGINES[name]
            if engine.lacking():
                pytest.skip(f"needs {', '.join(engine.lacking())}")
            if engine.is_remote:
                return subject_of_one(name, {"base_url": server.url, "model": ""})
            return subject_of_one(name, _checkpoints(engine, tiny, tmp_path if is_random else None))

        monkeypatch.setenv("OPENAI_API_KEY", "sk-verysecret")
        yield of


def _checkpoints(engine: Declaration, tiny: Callable[[str], Path], drawn: Path | None) -> dict[str, Any]:
    if engine.model is None:
        return {}

    def place(name: str) -> str:
        return str(without_weights(tiny(name), drawn / name) if drawn else tiny(name))

    fields = type(getattr(subject_of_one(engine.name, {}).settings.engines, engine.name)).model_fields
    update: dict[str, Any] = {key: value for key, value in SMALL.items() if key in fields}
    codec = {"codec": place(engine.model.codec_name)} if engine.model.codec_name else {}
    return {**update, **codec, "checkpoint": place(engine.name)}


def value(figures: Any, name: str) -> float:
    readings = sorted(figures[name].readings)
    return float(readings[len(readings) // 2])


RECORDING = min(stt.read_recordings([], None), key=lambda recording: len(recording.line.samples))


@pytest.mark.parametrize(("name", "is_random"), of_role(stt.ROLES))
def test_every_engine_that_hears(name: str, is_random: bool, given: Given) -> None:
    subject = given(name, is_random)
    told: list[str] = []
    found = stt.measure(subject_telling(subject, told), name, [RECORDING], runs=1, realtime=False)
    assert value(found, "real_time_factor") > 0
    assert value(found, "transcript_wait_ms") >= 0
    assert len(found["partials"].readings) == 1  # type: ignore[union-attr]
    assert ("word_errors" in found) == (not is_random)
    held = found["memory_mb"].readings  # type: ignore[union-attr]
    assert bool(held and held[0] > 0) == (ENGINES[name].model is not None)
    notes = stt.notes(subject, name, [RECORDING], realtime=False)
    assert any("no word error rate" in note for note in notes) == is_random
    assert any("hearing speech-lj001" in part for part in told)


@pytest.mark.parametrize(("name", "is_random"), of_role(llm.ROLES))
def test_every_engine_that_answers(name: str, is_random: bool, given: Given) -> None:
    subject = given(name, is_random)
    found = llm.measure(subject, name, 3, "")
    figures = llm.figures(found)
    assert len(figures["first_delta_ms"].readings) == 3
    assert len(figures["closing_ms"].readings) == len(figures["first_delta_anew_ms"].readings) == 3
    lengths = list(figures["history_characters"].readings)
    assert lengths == sorted(set(lengths)), "each turn has more to read"
    told = " ".join([*subject.described([name]).values(), *llm.notes(subject, name, found)])
    assert "verysecret" not in told
    assert ("http://" in told) == ENGINES[name].is_remote
    assert ("a fixed one stands" in told) == is_random


@pytest.mark.parametrize(("name", "is_random"), of_role(tts.ROLES))
def test_every_engine_that_speaks(name: str, is_random: bool, given: Given) -> None:
    subject = given(name, is_random)
    found = tts.measure(subject, name, "Hello there.", 1)
    assert 0 < value(found, "speech_s") < 60
    assert value(found, "time_to_first_audio_ms") > 0
    assert any("random" in note for note in tts.notes(subject, name)) == is_random


def subject_telling(subject: Subject, told: list[str]) -> Subject:
    from dataclasses import replace

    return replace(subject, tell=told.append)


class Clock:
    """A clock that goes on only when it is told to."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, module: str) -> None:
        self.now_s = 100.0
        monkeypatch.setattr(f"voxterm.bench.{module}.time.monotonic", lambda: self.now_s)
        monkeypatch.setattr(f"voxterm.bench.{module}.time.sleep", self.sleep)

    def sleep(self, seconds: float) -> None:
        self.now_s += seconds


class Ear:
    """A Transcriber that takes 10 ms for every frame, and has a new text at each half second of sound."""

    name = "ear"

    def __init__(self, clock: Clock, texts: Sequence[str], cost_s: float = 0.01) -> None:
        self.clock, self.texts, self.cost_s = clock, list(texts), cost_s
        self.fed: list[Samples] = []

    def load(self, progress: object) -> None: ...

    def warm_up(self) -> None: ...

    def close(self) -> None: ...

    def begin(self) -> None:
        self.fed = []

    def feed(self, samples: Samples) -> str | None:
        before = sum(map(len, self.fed))
        self.fed.append(samples)
        self.clock.sleep(self.cost_s)
        is_time = before // 8000 != (before + len(samples)) // 8000
        return self.texts.pop(0) if is_time and self.texts else None

    def finish(self) -> Iterator[AudioEncoded | Transcript]:
        yield AudioEncoded()
        self.clock.sleep(0.2)
        yield Transcript("and so my fellow")


class SpeechModel(Ear):
    """A SpeechLanguageModel with the same ears; it takes a minute to reply."""

    hear = Ear.feed
    feed = None  # type: ignore[assignment]
    finish = None  # type: ignore[assignment]
    closed = False

    def answer(self, history: Sequence[Message]) -> Iterator[Understood]:
        try:
            yield AudioEncoded()
            yield Delta("What a ")
            self.clock.sleep(0.2)
            yield Transcript("and so my fellow")
            self.clock.sleep(60.0)
            yield Delta("question.")
        finally:
            self.closed = True

    def answer_text(self, history: Sequence[Message], text: str) -> Iterator[Replied]:
        yield Delta(text)


def two_seconds(text: str | None = "and so my fellows") -> stt.Recording:
    """The voice begins after a quarter of a second."""
    samples = np.arange(32_000, dtype=np.float32)
    return stt.Recording(Line("two", samples, 4000, 30_000, 4, made=True), text)


class TestHearing:
    def test_times_and_texts_of_an_engine_that_keeps_up(self, monkeypatch: pytest.MonkeyPatch) -> None:
        ear = Ear(Clock(monkeypatch, "stt"), ["", "in so", "and so my"])
        hearing = stt.hear(ear, two_seconds(), realtime=False)
        assert np.array_equal(np.concatenate(ear.fed), two_seconds().line.samples), "nothing is lost"
        assert {len(samples) for samples in ear.fed[:-1]} == {512}
        assert hearing.work_s == pytest.approx(63 * 0.01 + 0.2)
        assert hearing.wait_s == pytest.approx(0.2)
        assert hearing.first_partial_s == pytest.approx(32 * 512 / 16_000 - 0.25), "an empty text is none"
        assert hearing.partials == ("in so", "and so my")
        figures = stt.figures([hearing], knows_words=True)
        assert value(figures, "real_time_factor") == pytest.approx(0.83 / 2)
        assert figures["words_changed"] == Count(1, 4, "words shown")
        assert figures["word_errors"] == Count(1, 4, "words")
        assert value(figures, "word_error_rate") == pytest.approx(25.0)

    def test_in_real_time_what_came_meanwhile_is_fed_in_one_go(self, monkeypatch: pytest.MonkeyPatch) -> None:
        clock = Clock(monkeypatch, "stt")
        ear = Ear(clock, ["and"], cost_s=0.1)
        hearing = stt.hear(ear, two_seconds(), realtime=True)
        assert np.array_equal(np.concatenate(ear.fed), two_seconds().line.samples)
        assert [len(samples) for samples in ear.fed[:3]] == [512, 4 * 512 - 512, 3 * 512]
        assert hearing.work_s < 2.5, "as many steps as time allows"
        first_s = hearing.first_partial_s
        assert first_s is not None
        assert 0.25 < first_s <= 0.25 + 0.2, "when it is seen, not how much was fed"

    def test_a_speech_language_model_is_not_made_to_reply(self, monkeypatch: pytest.MonkeyPatch) -> None:
        model = SpeechModel(Clock(monkeypatch, "stt"), ["and so"])
        hearing = stt.hear(model, two_seconds(), realtime=False)
        assert model.closed
        assert hearing.transcript == "and so my fellow"
        assert hearing.wait_s == pytest.approx(0.2)

    def test_without_words_there_are_no_errors(self, monkeypatch: pytest.MonkeyPatch) -> None:
        hearing = stt.hear(Ear(Clock(monkeypatch, "stt"), []), two_seconds(None), realtime=False)
        figures = stt.figures([hearing], knows_words=True)
        assert (figures["word_errors"].chances, figures["word_error_rate"].chances) == (0, 0)
        assert figures["first_partial_s"].chances == 0

    def test_shipped_recordings_have_their_words(self) -> None:
        recordings = stt.read_recordings([], None)
        assert len(recordings) == 4
        assert all(recording.text for recording in recordings)


class Mouth:
    """A LanguageModel that takes a millisecond for every character of the history that it did not read
    before, says one word each 50 ms, and knows a Notice and pauses."""

    name = "mouth"

    def __init__(self, clock: Clock, words: Sequence[str] = ("", "Yes, ", "that ", "is so.")) -> None:
        self.clock, self.words = clock, words
        self.read = ""
        self.asked: list[list[Message]] = []
        self.said = 0

    def load(self, progress: object) -> None: ...

    def warm_up(self) -> None: ...

    def close(self) -> None: ...

    def reply(self, history: Sequence[Message]) -> Generator[Replied, None, None]:
        self.asked.append(list(history))
        text = "".join(message.text for message in history)
        known = len(self.read) if text.startswith(self.read) else 0
        self.clock.sleep((len(text) - known) / 1000)
        self.read = text
        yield Notice("the server is away", "look after it")
        try:
            for word in self.words:
                yield Delta(word)
                self.said += 1
                self.clock.sleep(0.05)
        except GeneratorExit:
            self.clock.sleep(0.007)
            raise


class TestAnswering:
    @pytest.fixture
    def mouth(self, monkeypatch: pytest.MonkeyPatch) -> Mouth:
        mouth = Mouth(Clock(monkeypatch, "llm"))
        monkeypatch.setattr("voxterm.bench.models.built", lambda given, name: mouth)
        return mouth

    def test_the_first_word_of_a_turn_against_the_whole_history(self, mouth: Mouth) -> None:
        subject = subject_of_one("eliza", {})
        found = llm.measure(subject, "eliza", 6, "")
        figures = llm.figures(found)
        assert [message.role for message in mouth.asked[5]][:3] == ["system", "user", "assistant"]
        assert mouth.asked[5][2].text == "Yes, that is so."
        turn_ms = 50 + len(llm.LINES[5]) + len("Yes, that is so.")
        assert 1000 * found.answers[5].first_s == pytest.approx(turn_ms), "the empty word is none"
        whole = sum(len(message.text) for message in mouth.asked[5])
        assert value(figures, "first_delta_anew_ms") == pytest.approx(50 + whole)
        assert list(figures["closing_ms"].readings) == pytest.approx([7.0] * 3)
        assert len(figures["first_delta_early_ms"].readings) == 2
        assert value(figures, "characters_per_s") == pytest.approx(len("that is so.") / 0.1)
        assert "the server is away; look after it" in llm.notes(subject, "eliza", found)

    def test_what_is_said_can_be_given(self, mouth: Mouth) -> None:
        llm.measure(subject_of_one("eliza", {}), "eliza", 1, "Who are you?")
        assert mouth.asked[0][-1] == Message("user", "Who are you?")
        assert len(mouth.asked) == 4, "no more repeats than turns"

    def test_silence_is_an_error(self, mouth: Mouth) -> None:
        mouth.words = ("", "")
        with pytest.raises(EngineError, match="said nothing"):
            llm.measure(subject_of_one("eliza", {}), "eliza", 1, "")

    def test_a_reply_without_end_is_broken_off(self, monkeypatch: pytest.MonkeyPatch) -> None:
        mouth = Mouth(Clock(monkeypatch, "llm"), ["on "] * 1000)
        answer = llm.ask(mouth, [Message("user", "Go.")], llm.Dialogue(), 5)
        assert (answer.text, mouth.said) == ("on " * 5, 4)


def test_a_figure_of_nothing_is_left_out_of_the_document() -> None:
    from voxterm.bench.report import told

    found = tts.figures([], []) | {"stray_tokens": Figure([], "tokens")}
    assert told(found) == {}
