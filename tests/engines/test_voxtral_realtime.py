"""The turns of a person: fed in pieces, paused, taken up again, silent, very long, and gone wrong."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from demo_clips import clip, faint_noise, no_progress
from realtime_scene import (
    ON_CPU,
    Recorder,
    loaded,
    long_clip,
    transcribed,
    transcript,
)

from voxterm.decoding import Decoder
from voxterm.engines.declared.voxtral_realtime import VoxtralRealtimeSettings
from voxterm.engines.protocols import (
    AudioEncoded,
    PacedEngine,
    PlacedEngine,
    Placement,
    Samples,
    Transcriber,
    Transcript,
)
from voxterm.engines.voxtral_realtime.encoder import StreamingEncoder, _LastColumns
from voxterm.engines.voxtral_realtime.engine import FEED_LIMIT_S, VoxtralRealtime, placed
from voxterm.engines.voxtral_realtime.prompt import FRAME_SAMPLES
from voxterm.engines.voxtral_realtime.stream import RealtimeStream, Token
from voxterm.errors import EngineError

pytestmark = pytest.mark.usefixtures("one_thread", "vocabulary_once")


@pytest.fixture(scope="module")
def engine(realtime_folder: Path) -> Iterator[VoxtralRealtime]:
    engine = loaded(realtime_folder)
    yield engine
    engine.close()


@pytest.fixture(scope="module")
def narrow(narrow_realtime_folder: Path) -> Iterator[VoxtralRealtime]:
    engine = loaded(narrow_realtime_folder)
    yield engine
    engine.close()


@pytest.fixture
def recorder(monkeypatch: pytest.MonkeyPatch) -> Recorder:
    return Recorder(monkeypatch)


@pytest.fixture
def frames_encoded(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many frames each call of the encoder took in."""
    counted: list[int] = []
    encode = StreamingEncoder.__call__

    def counting(encoder: StreamingEncoder, samples: Samples) -> torch.Tensor:
        vectors = encode(encoder, samples)
        counted.append(len(vectors))
        return vectors

    monkeypatch.setattr(StreamingEncoder, "__call__", counting)
    return counted


def test_is_a_transcriber(engine: VoxtralRealtime) -> None:
    assert isinstance(engine, Transcriber)
    assert isinstance(engine, PlacedEngine)
    assert isinstance(engine, PacedEngine)


@pytest.mark.parametrize("piece_samples", [1, 160, 999, 1280, 5000])
def test_samples_may_come_in_any_pieces_and_are_copied(
    engine: VoxtralRealtime, recorder: Recorder, piece_samples: int
) -> None:
    samples = clip("demo-2")[: 16_000 if piece_samples > 1 else 4_000]
    whole = transcribed(engine, samples)[-2:]
    tokens = list(recorder.ids)
    recorder.tokens.clear()
    engine.begin()
    buffer = np.zeros(piece_samples, dtype=np.float32)
    for begin in range(0, len(samples), piece_samples):
        piece = samples[begin : begin + piece_samples]
        buffer[: len(piece)] = piece  # a microphone's buffer, used over and over
        engine.feed(buffer[: len(piece)])
    buffer[:] = 1.0
    assert list(engine.finish())[-2:] == whole
    assert recorder.ids == tokens


def test_the_transcript_grows_while_the_person_speaks(engine: VoxtralRealtime) -> None:
    samples = clip("demo-2")
    engine.begin()
    told = [engine.feed(samples[begin : begin + 320]) for begin in range(0, len(samples), 320)]
    texts = [text for text in told if text is not None]
    assert len(texts) >= 5
    assert None in told, "it tells only of changes"
    for before, after in pairwise(texts):
        assert after != before
        assert after.startswith(before)
    assert transcript(list(engine.finish())).startswith(texts[-1])


def test_nothing_is_computed_twice(engine: VoxtralRealtime, frames_encoded: list[int]) -> None:
    samples = long_clip(4.0)
    engine.begin()
    for begin in range(0, len(samples), 320):
        engine.feed(samples[begin : begin + 320])
    assert sum(frames_encoded) == 32 + len(samples) // FRAME_SAMPLES - 1  # the last one lacks 2.5 ms
    frames_encoded.clear()
    list(engine.finish())
    assert frames_encoded == [17], "all that is left to do is the silence"


@pytest.mark.parametrize("name", ["engine", "narrow"])
def test_more_may_be_fed_after_a_finish(
    name: str, request: pytest.FixtureRequest, recorder: Recorder
) -> None:
    """`narrow` overwrites, while it ends, what it has to look back to when it goes on."""
    engine: VoxtralRealtime = request.getfixturevalue(name)
    samples = long_clip(9.0)
    whole = transcribed(engine, samples)[-2:]
    for stops in ([100], [7_000, 7_001], [20_000, 60_000, 99_000], [len(samples) - 1]):
        engine.begin()
        before = 0
        for stop in stops:
            engine.feed(samples[before:stop])
            alone = list(engine.finish())[-2:]
            assert list(engine.finish())[-2:] == alone, "asked again it says the same"
            before = stop
        engine.feed(samples[before:])
        recorder.tokens.clear()
        assert list(engine.finish())[-2:] == whole, f"after it was asked at {stops}"


def test_what_was_heard_before_a_pause_is_what_a_turn_of_its_own_would_be(engine: VoxtralRealtime) -> None:
    samples = clip("demo-1")
    engine.begin()
    engine.feed(samples[:40_000])
    paused = list(engine.finish())[-2:]
    assert paused == transcribed(engine, samples[:40_000])[-2:]


@pytest.mark.parametrize("name", ["engine", "narrow"])
def test_a_finish_may_be_closed_at_any_point(name: str, request: pytest.FixtureRequest) -> None:
    engine: VoxtralRealtime = request.getfixturevalue(name)
    samples = long_clip(6.0)
    whole = transcribed(engine, samples)
    assert len(whole) > 15
    longer = transcribed(engine, np.concatenate([samples, samples[:9_000]]))[-2:]
    engine.begin()
    engine.feed(samples)
    for point in range(len(whole) + 1):
        items = engine.finish()
        assert [next(items) for _ in range(point)] == whole[:point]
        items.close()  # type: ignore[attr-defined]
        assert list(engine.finish()) == whole, f"after it was closed at {point}"
    engine.finish().close()  # type: ignore[attr-defined]
    engine.feed(samples[:9_000])
    assert list(engine.finish())[-2:] == longer


def test_a_device_slower_than_speech_is_never_long_in_a_feed_and_catches_up_at_the_end(
    realtime_folder: Path, recorder: Recorder
) -> None:
    now_s = 0.0

    def now() -> float:
        nonlocal now_s
        now_s += FEED_LIMIT_S / 3  # a look at the clock is made before and after each frame
        return now_s

    slow = VoxtralRealtime(ON_CPU, VoxtralRealtimeSettings(checkpoint=str(realtime_folder)), now)
    slow.load(no_progress)
    samples = clip("demo-1")
    quick = transcribed(loaded(realtime_folder), samples)[-2:]
    tokens = list(recorder.ids)
    recorder.tokens.clear()
    slow.feed(samples)
    slow.feed(samples[:0])
    fed = len(recorder.tokens)
    assert fed <= 4
    items = slow.finish()
    next(items)
    items.close()  # type: ignore[attr-defined]
    assert len(recorder.tokens) <= fed + 1, "it can be closed after each frame"
    rest = list(slow.finish())
    assert rest[-2:] == quick
    assert recorder.ids == tokens
    assert rest.count(AudioEncoded()) == len(tokens) - fed - 1


@pytest.mark.parametrize(
    "samples",
    [np.zeros(0, dtype=np.float32), np.zeros(32_000, dtype=np.float32), faint_noise(2.0)],
    ids=["nothing", "zeros", "quiet room"],
)
def test_silence_has_no_text(engine: VoxtralRealtime, samples: Samples) -> None:
    engine.begin()
    assert [engine.feed(piece) for piece in np.array_split(samples, 20)] == [None] * 20
    assert list(engine.finish()) == [AudioEncoded(), Transcript("")]


def test_speech_after_silence_is_heard_with_the_silence_before_it(
    engine: VoxtralRealtime, recorder: Recorder
) -> None:
    samples = np.concatenate([faint_noise(1.5), clip("demo-2")])
    engine.begin()
    engine.feed(samples[:24_000])
    assert list(engine.finish()) == [AudioEncoded(), Transcript("")]
    engine.feed(samples[24_000:])
    said = list(engine.finish())[-2:]
    tokens = list(recorder.ids)
    recorder.tokens.clear()
    assert transcribed(engine, samples)[-2:] == said
    assert recorder.ids == tokens
    assert transcript(said)


def test_a_quiet_word_between_two_feeds_is_no_silence(engine: VoxtralRealtime) -> None:
    """32 ms are judged together, whatever the pieces in which they come."""
    samples = np.zeros(4096, dtype=np.float32)
    samples[1900:2300] = 0.01
    engine.begin()
    for piece in np.array_split(samples, 64):
        engine.feed(piece)
    assert transcript(list(engine.finish()))
    engine.begin()
    engine.feed(np.full(200, 0.01, dtype=np.float32))  # shorter than what is judged together
    assert transcript(list(engine.finish()))


def test_a_very_long_turn_takes_no_more_memory(narrow: VoxtralRealtime) -> None:
    held = dict(narrow.memory_bytes)
    narrow.begin()
    samples = long_clip(130.0)
    for begin in range(0, len(samples), 16_000):
        narrow.feed(samples[begin : begin + 16_000])
    assert narrow._loaded is not None
    stream = narrow._loaded.stream
    assert sum(len(piece) for piece in stream._waiting) < 2 * FRAME_SAMPLES
    assert len(transcript(list(narrow.finish())).split()) > 200
    assert narrow.memory_bytes == held
    assert stream.memory_bytes == held["Voxtral Realtime cache"]
    assert transcript(transcribed(narrow, clip("demo-2")))


def test_a_turn_is_the_same_after_another_and_after_warming_up(realtime_folder: Path) -> None:
    engine = loaded(realtime_folder)
    cold = transcribed(engine, clip("demo-2"))
    transcribed(engine, long_clip(9.0))
    assert transcribed(engine, clip("demo-2")) == cold
    engine.warm_up()
    assert list(engine.finish()) == [AudioEncoded(), Transcript("")], "what warmed it up is forgotten"
    assert engine.speeds == {}
    assert transcribed(engine, clip("demo-2")) == cold


FAILURES = [torch.OutOfMemoryError("CUDA out of memory"), RuntimeError("device lost")]


@pytest.mark.parametrize("failure", FAILURES)
@pytest.mark.parametrize(
    ("owner", "method"), [(_LastColumns, "keep"), (Decoder, "step")], ids=["encoder", "decoder"]
)
def test_a_failure_loses_no_sample(
    engine: VoxtralRealtime,
    monkeypatch: pytest.MonkeyPatch,
    failure: RuntimeError,
    owner: type,
    method: str,
) -> None:
    """It fails as late as can be, when nearly all is done."""
    samples = clip("demo-2")
    whole = transcribed(engine, samples)[-2:]
    step = Decoder.step

    def failing(*arguments: Any, **more: Any) -> None:
        if owner is Decoder:
            step(*arguments, **more)
        raise failure

    engine.begin()
    engine.feed(samples[:12_000])
    with monkeypatch.context() as broken:
        broken.setattr(owner, method, failing)
        for doing in (lambda: engine.feed(samples[12_000:]), lambda: list(engine.finish())):
            with pytest.raises(EngineError, match=r"ran out|device lost") as error:
                doing()
            assert error.value.remedy
    assert list(engine.finish())[-2:] == whole


@pytest.mark.parametrize("failure", FAILURES)
def test_a_failure_at_the_end_leaves_the_turn_where_it_was(
    engine: VoxtralRealtime, monkeypatch: pytest.MonkeyPatch, failure: RuntimeError
) -> None:
    samples = clip("demo-2")
    longer = transcribed(engine, np.concatenate([samples, samples]))[-2:]
    engine.begin()
    engine.feed(samples)
    for place in ("step", "_keep"):
        with monkeypatch.context() as broken:
            broken.setattr(RealtimeStream, place, lambda *_: (_ for _ in ()).throw(failure))
            with pytest.raises(EngineError, match=r"ran out|device lost"):
                list(engine.finish())
    engine.feed(samples)
    assert list(engine.finish())[-2:] == longer


def test_its_speed_is_that_of_its_frames_without_the_wait_for_the_speaker(
    realtime_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    now_s = 0.0

    def step(stream: RealtimeStream) -> Token:
        nonlocal now_s
        now_s += 0.02
        stream._waiting_samples -= FRAME_SAMPLES
        return Token(30_822, 0.0)

    engine = VoxtralRealtime(ON_CPU, VoxtralRealtimeSettings(checkpoint=str(realtime_folder)), lambda: now_s)
    engine.load(no_progress)
    monkeypatch.setattr(RealtimeStream, "step", step)
    assert engine.speeds == {}
    samples = clip("demo-1")
    for begin in range(0, len(samples), FRAME_SAMPLES):
        now_s += 0.08
        engine.feed(samples[begin : begin + FRAME_SAMPLES])
    (speed,) = engine.speeds.values()
    assert speed.tokens_per_s == pytest.approx(50.0)
    assert speed.times_real_time == pytest.approx(4.0)


def test_the_settings_bound_the_context_that_the_plan_granted(realtime_folder: Path) -> None:
    settings = VoxtralRealtimeSettings(checkpoint=str(realtime_folder), context_tokens=2048)
    assert placed(Placement("cpu", "float32", 4096), settings).placement.context_tokens == 2048
    assert placed(Placement("cpu", "float32", 1024), settings).placement.context_tokens == 1024
