"""The engine: as a Transcriber on a tiny checkpoint, and paced, with a recogniser that needs no model."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from demo_clips import clip, faint_noise, no_progress
from scripted_whisper import ScriptedRecogniser, said, spoken
from tiny_whisper import tiny_whisper
from whisper_reference import features_of, generated, reference_of, speech

from voxterm.engines.declared.whisper import WhisperSettings
from voxterm.engines.protocols import (
    HEARING_RATE_HZ,
    AudioEncoded,
    Ending,
    PacedEngine,
    PlacedEngine,
    Placement,
    Samples,
    Transcriber,
    Transcript,
)
from voxterm.engines.silence import is_silence
from voxterm.engines.whisper.engine import Whisper, placed
from voxterm.engines.whisper.model import WhisperModel
from voxterm.engines.whisper.pass_pacing import LONGEST_PASS_S
from voxterm.errors import ConfigError, EngineError, EngineMemoryError

ON_CPU = Placement("cpu", "float32")
FRAME = 512

Heard = AudioEncoded | Ending | Transcript


class HandClock:
    def __init__(self) -> None:
        self.now_s = 0.0

    def __call__(self) -> float:
        return self.now_s

    def pass_time(self, seconds: float) -> None:
        self.now_s += seconds


pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_whisper(tmp_path_factory.mktemp("checkpoints") / "whisper")


def loaded(folder: Path, **settings: Any) -> Whisper:
    section = WhisperSettings(checkpoint=str(folder), **{"language": "en", **settings})
    engine = placed(ON_CPU, section)
    engine.load(no_progress)
    return engine


@pytest.fixture(scope="module")
def engine(folder: Path) -> Iterator[Whisper]:
    engine = loaded(folder)
    yield engine
    engine.close()


@pytest.fixture
def recogniser() -> ScriptedRecogniser:
    return ScriptedRecogniser()


@pytest.fixture
def clock() -> HandClock:
    return HandClock()


@pytest.fixture
def scripted(
    recogniser: ScriptedRecogniser, clock: HandClock, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., Whisper]:
    """An engine over the scripted recogniser, with time in the test's hands."""

    def make(**settings: Any) -> Whisper:
        monkeypatch.setattr(Whisper, "_opened", lambda *_: recogniser)
        engine = Whisper(ON_CPU, WhisperSettings(**{"language": "en", **settings}), clock)
        engine.load(no_progress)
        return engine

    return make


def heard(engine: Whisper, samples: Samples) -> list[Heard]:
    engine.begin()
    engine.feed(samples)
    return list(engine.finish())


def fed_live(engine: Whisper, clock: HandClock, audio: Samples) -> list[str]:
    """Feed frame by frame as a microphone does: what came while a pass ran is fed in one go."""
    partials = []
    at, began_s = 0, clock.now_s
    while at < len(audio):
        due = max(at + FRAME, int((clock.now_s - began_s) * HEARING_RATE_HZ) // FRAME * FRAME)
        clock.now_s = max(clock.now_s, began_s + due / HEARING_RATE_HZ)
        partial = engine.feed(audio[at:due])
        partials += [partial] if partial is not None else []
        at = due
    return partials


def text_of(items: list[Heard]) -> str:
    (transcript,) = (item for item in items if isinstance(item, Transcript))
    return transcript.text


def decoded(folder: Path, ids: list[int]) -> str:
    from transformers import WhisperTokenizer

    tokenizer: Any = WhisperTokenizer.from_pretrained(folder)
    return str(tokenizer.decode(ids, skip_special_tokens=True)).strip()


def test_is_a_transcriber_that_is_placed_and_paced(engine: Whisper) -> None:
    assert isinstance(engine, Transcriber)
    assert isinstance(engine, PlacedEngine)
    assert isinstance(engine, PacedEngine)


@pytest.mark.parametrize(
    ("backend", "precisions"),
    [("transformers", ("float32", "bf16")), ("faster_whisper", ("float32", "bf16", "int8"))],
)
def test_it_tells_what_its_weights_can_be_kept_in(backend: Any, precisions: tuple[str, ...]) -> None:
    assert placed(ON_CPU, WhisperSettings(backend=backend)).precisions == precisions


@pytest.mark.parametrize("seconds", [0.5, 6.0])
def test_the_transcript_is_what_transformers_generates(folder: Path, seconds: float) -> None:
    samples = speech(seconds)
    items = heard(loaded(folder, retries=0), samples)
    assert [type(item) for item in items] == [AudioEncoded, Ending, Transcript]
    limit = 16 + round(25 * seconds)
    wanted = generated(
        reference_of(folder), features_of(folder, samples), limit, language="en", task="transcribe"
    )
    assert len(wanted) == limit
    assert text_of(items) == decoded(folder, wanted)


def test_after_partials_it_goes_on_as_transformers_would_after_the_committed_words(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = loaded(folder)
    asked: list[tuple[list[int], list[int]]] = []
    decode = WhisperModel.decode

    def recorded(model: WhisperModel, prompt: Any, before: Any, limit: int, *others: Any) -> Any:
        asked.append((list(prompt), list(before)))
        return decode(model, prompt, before, min(limit, 20), *others)

    monkeypatch.setattr(WhisperModel, "decode", recorded)
    samples = speech(3.0)
    engine.begin()
    engine.feed(samples[:-5])
    engine.feed(samples[-5:])  # a pass over nearly the same agrees with the one before
    list(engine.finish())
    engine.feed(np.zeros(5, dtype=np.float32))
    items = list(engine.finish())
    prompt, before = asked[-1]
    assert len(before) > 3
    given = torch.tensor([[*prompt, *before]])
    padded = np.pad(samples, (0, 5))
    wanted = generated(reference_of(folder), features_of(folder, padded), 20, decoder_input_ids=given)
    assert text_of(items) == decoded(folder, [*before, *wanted[-20:]])


def test_finish_may_be_closed_at_any_point(engine: Whisper) -> None:
    samples = clip("demo-2")
    whole = heard(engine, samples)
    assert len(whole) == 3
    for point in range(len(whole) + 1):
        engine.begin()
        engine.feed(samples[:20_000])
        engine.feed(samples[20_000:])
        finish = engine.finish()
        began = [next(finish) for _ in range(point)]
        finish.close()  # type: ignore[attr-defined]
        after = list(engine.finish())
        assert after[: len(began)] == began
        assert after == list(engine.finish()), f"after it was closed at {point}"
        assert heard(engine, samples) == whole, "nothing of it is left in the next turn"


def test_closed_in_a_pause_and_fed_on_it_hears_all(
    scripted: Callable[..., Whisper], recogniser: ScriptedRecogniser, clock: HandClock
) -> None:
    engine = scripted()
    engine.begin()
    fed_live(engine, clock, spoken(0, 6))
    finish = engine.finish()
    next(finish)
    finish.close()  # type: ignore[attr-defined]
    encoded = len(recogniser.encoded)
    assert text_of(list(engine.finish())) == said(0, 6)
    assert len(recogniser.encoded) == encoded, "the same samples are not encoded again"
    fed_live(engine, clock, spoken(6, 9))
    assert text_of(list(engine.finish())) == said(0, 9)


@pytest.mark.parametrize(("words", "positions"), [(6, 10_000), (40, 9)], ids=["retries", "cuts"])
def test_it_may_be_closed_between_two_tries(
    scripted: Callable[..., Whisper], recogniser: ScriptedRecogniser, words: int, positions: int
) -> None:
    """All tries and cuts were one piece, for which whoever spoke on had to wait."""
    recogniser.positions = positions
    recogniser.log_probability = lambda temperature: -0.5 if temperature == 0.4 else -2.0
    engine = scripted(partial_every_s=30.0)

    def told(closed_at: int) -> tuple[list[Heard], str]:
        """What `finish` gives after one that was closed, and the text of the turn that goes on."""
        engine.begin()
        engine.feed(spoken(0, words))
        finish = engine.finish()
        assert [next(finish) for _ in range(closed_at)] == [AudioEncoded()] * closed_at
        finish.close()  # type: ignore[attr-defined]
        items = list(engine.finish())
        engine.feed(spoken(words, words + 2))
        return items, text_of(list(engine.finish()))

    items, after = told(0)
    assert items.count(AudioEncoded()) >= 3
    assert (text_of(items), after) == (said(0, words), said(0, words + 2))
    for point in range(1, items.count(AudioEncoded()) + 1):
        again, after = told(point)
        assert (text_of(again), after) == (said(0, words), said(0, words + 2)), (
            f"after it was closed at {point}"
        )


def test_partials_grow_while_one_speaks(scripted: Callable[..., Whisper], clock: HandClock) -> None:
    engine = scripted()
    engine.begin()
    partials = fed_live(engine, clock, spoken(0, 20))
    assert len(partials) >= 12
    assert partials == list(dict.fromkeys(partials)), "what has not changed is not told"
    for text in partials:
        complete = text.removesuffix(" half").split()
        assert complete == said(0, len(complete)).split()
    assert text_of(list(engine.finish())) == said(0, 20)
    assert engine.feed(np.zeros(10, dtype=np.float32)) is None, "the transcript was told"


@pytest.mark.parametrize("cost_s", [0.05, 0.3, 0.9])
def test_passes_take_at_most_half_of_the_time(
    scripted: Callable[..., Whisper], recogniser: ScriptedRecogniser, clock: HandClock, cost_s: float
) -> None:
    recogniser.working = lambda: clock.pass_time(cost_s / 2)  # to encode, and to decode
    engine = scripted()
    engine.begin()
    fed_live(engine, clock, spoken(0, 60)[: 28 * HEARING_RATE_HZ])
    took_s = len(recogniser.encoded) * cost_s
    assert len(recogniser.encoded) >= 10
    assert took_s <= clock.now_s / 2 + cost_s


def test_a_machine_too_slow_for_partials_makes_none_after_it_has_seen_so(
    scripted: Callable[..., Whisper], recogniser: ScriptedRecogniser, clock: HandClock
) -> None:
    """Neither silence nor an end that is asked for again is a pass that was quick."""
    recogniser.working = lambda: clock.pass_time(LONGEST_PASS_S)
    engine = scripted()
    heard(engine, spoken(0, 2))
    list(engine.finish())
    engine.begin()
    audio = np.concatenate([np.zeros(HEARING_RATE_HZ, dtype=np.float32), spoken(0, 20)])
    clock.now_s += 60.0
    assert fed_live(engine, clock, audio) == []
    assert len(recogniser.encoded) == 1
    assert text_of(list(engine.finish())) == said(0, 20)


def test_warming_up_measures_what_a_pass_costs(
    scripted: Callable[..., Whisper], recogniser: ScriptedRecogniser, clock: HandClock
) -> None:
    recogniser.working = lambda: clock.pass_time(LONGEST_PASS_S)
    engine = scripted()
    engine.warm_up()
    assert not engine._pacing.due(60.0, clock.now_s + 60.0)


@pytest.mark.parametrize(
    ("of_noise", "bound", "text"),
    [(0.8, 0.6, "w0 w1"), (0.5, 0.9, "w0 w1"), (1e-10, 0.6, ""), (1e-10, 1.0, "w0 w1")],
    ids=["it tells", "a little", "not at all", "not wanted"],
)
def test_warming_up_finds_out_whether_it_tells_noise_from_speech(
    scripted: Callable[..., Whisper],
    recogniser: ScriptedRecogniser,
    of_noise: float,
    bound: float,
    text: str,
) -> None:
    """Where it does, improbable words stay that it takes for speech; elsewhere nothing speaks for them."""
    engine = scripted(no_speech=bound)
    recogniser.no_speech = of_noise
    engine.warm_up()
    recogniser.no_speech, recogniser.log_probability = 0.0, lambda _: -1.3
    assert text_of(heard(engine, spoken(0, 2))) == text


def test_a_long_turn_is_heard_in_windows_however_slow_the_machine(
    scripted: Callable[..., Whisper], recogniser: ScriptedRecogniser, clock: HandClock
) -> None:
    recogniser.working = lambda: clock.pass_time(2.0)
    engine = scripted()
    engine.begin()
    fed_live(engine, clock, spoken(0, 240))
    assert text_of(list(engine.finish())) == said(0, 240)


def test_how_long_a_reader_waits_between_two_items_is_no_cost_of_a_pass(
    scripted: Callable[..., Whisper], recogniser: ScriptedRecogniser, clock: HandClock
) -> None:
    engine = scripted()
    engine.begin()
    sure, recogniser.log_probability = recogniser.log_probability, lambda _: -2.0
    engine.feed(spoken(0, 2))
    stops = 0
    for _ in engine.finish():
        clock.pass_time(60.0)
        stops += 1
    assert stops == 4, "encoded, tried again, tried again, told"
    recogniser.log_probability = sure
    clock.pass_time(1.0)
    assert engine.feed(spoken(2, 4)) == said(0, 4)


@pytest.mark.parametrize(
    "samples",
    [np.zeros(0, dtype=np.float32), np.zeros(32_000, dtype=np.float32), faint_noise(2.0)],
    ids=["nothing", "zeros", "quiet room"],
)
def test_silence_has_no_words(engine: Whisper, monkeypatch: pytest.MonkeyPatch, samples: Samples) -> None:
    assert is_silence(samples)
    monkeypatch.setattr(WhisperModel, "encode", lambda *_: pytest.fail("it was given to the model"))
    assert heard(engine, samples) == [AudioEncoded(), Transcript("")]


def test_a_very_short_and_a_very_long_turn_work(engine: Whisper, monkeypatch: pytest.MonkeyPatch) -> None:
    decode = WhisperModel.decode
    monkeypatch.setattr(  # few words, so that many windows are quick
        WhisperModel, "decode", lambda self, prompt, before, limit, *_: decode(self, prompt, before, 12)
    )
    for samples in (speech(0.11), speech(120.0)):
        items = heard(engine, samples)
        assert text_of(items)
        assert [type(item) for item in items] == [AudioEncoded, Ending, Transcript]


def test_samples_may_come_in_any_pieces_and_are_copied(
    scripted: Callable[..., Whisper], clock: HandClock
) -> None:
    engine = scripted(partial_every_s=30.0)
    engine.begin()
    samples = spoken(0, 9)
    buffer = np.zeros(999, dtype=np.float32)
    for begin in range(0, len(samples), len(buffer)):
        piece = samples[begin : begin + len(buffer)]
        buffer[: len(piece)] = piece  # a microphone's buffer, used over and over
        engine.feed(buffer[: len(piece)])
    assert text_of(list(engine.finish())) == said(0, 9)


def test_a_turn_forgets_the_one_before(scripted: Callable[..., Whisper]) -> None:
    engine = scripted()
    assert text_of(heard(engine, spoken(0, 5))) == said(0, 5)
    assert text_of(heard(engine, spoken(5, 7))) == said(5, 7)
    engine.begin()
    assert list(engine.finish()) == [AudioEncoded(), Transcript("")]


@pytest.mark.parametrize(
    ("failure", "kind"),
    [(torch.OutOfMemoryError("CUDA out of memory"), EngineMemoryError), (RuntimeError("lost"), EngineError)],
)
@pytest.mark.parametrize("part", ["linear", "conv1d"])
def test_a_failure_ends_its_turn_only(
    folder: Path, monkeypatch: pytest.MonkeyPatch, failure: Exception, kind: type[EngineError], part: str
) -> None:
    """The memory runs out where it is allocated: inside torch's own functions."""
    engine = loaded(folder)
    samples = clip("demo-2")
    whole = heard(engine, samples)
    engine.begin()
    monkeypatch.setattr(engine._pacing, "due", lambda *_: True)
    with monkeypatch.context() as broken:
        broken.setattr(
            f"torch.nn.{'functional.linear' if part == 'linear' else 'Conv1d.forward'}", _raise(failure)
        )
        with pytest.raises(kind) as error:
            engine.feed(samples)
        assert error.value.remedy
        with pytest.raises(kind):
            list(engine.finish())
    assert list(engine.finish()) == whole, "the audio was kept"
    assert heard(engine, samples) == whole


def _raise(failure: Exception) -> Callable[..., None]:
    def broken(*_: Any, **__: Any) -> None:
        raise failure

    return broken


def test_warming_up_is_forgotten(folder: Path, engine: Whisper) -> None:
    warm = loaded(folder)
    warm.warm_up()
    assert warm.speeds == {}
    assert list(warm.finish()) == [AudioEncoded(), Transcript("")]
    samples = clip("demo-2")
    assert heard(warm, samples) == heard(engine, samples)
    assert warm.speeds["Whisper"].tokens_per_s > 0


def test_closed_it_holds_nothing_and_may_be_loaded_again(folder: Path) -> None:
    engine = loaded(folder)
    assert set(engine.memory_bytes) == {"Whisper", "Whisper cache"}
    before = heard(engine, clip("demo-2"))
    engine.close()
    engine.close()
    assert engine.memory_bytes == {}
    assert engine.speeds == {}
    for verb in (engine.begin, lambda: engine.feed(clip("demo-2")), lambda: list(engine.finish())):
        with pytest.raises(EngineError, match="not loaded"):
            verb()
    engine.load(no_progress)
    assert heard(engine, clip("demo-2")) == before


def test_a_language_it_does_not_know_ends_the_load_and_gives_the_memory_back(
    scripted: Callable[..., Whisper], recogniser: ScriptedRecogniser
) -> None:
    with pytest.raises(ConfigError, match="knows no language 'xx'"):
        scripted(language="xx")
    assert recogniser.is_closed


def test_the_language_it_hears_is_used_where_none_was_chosen(engine: Whisper, folder: Path) -> None:
    auto = loaded(folder, language="auto")
    samples = speech(4.0)
    assert auto._loaded is not None
    recogniser = auto._loaded.recogniser
    recogniser.encode(samples)
    probabilities = recogniser.languages()
    best = max(probabilities, key=lambda id_: probabilities[id_])
    code = next(code for code, id_ in recogniser.vocabulary.languages.items() if id_ == best)
    assert code != "en"
    assert text_of(heard(auto, samples)) == text_of(heard(loaded(folder, language=code), samples))


def test_a_stand_in_s_words_are_not_doubted(
    scripted: Callable[..., Whisper], recogniser: ScriptedRecogniser
) -> None:
    """All random weights say is improbable: it would be decoded again and again, and never shown."""
    recogniser.is_stand_in = True
    recogniser.log_probability = lambda _: -10.0
    engine = scripted()
    engine.begin()
    assert engine.feed(spoken(0, 3)) == said(0, 3)
    assert len(recogniser.asked) == 1
