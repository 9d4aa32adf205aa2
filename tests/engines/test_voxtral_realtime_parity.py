"""What it hears must be what Transformers hears, on a tiny checkpoint of the real architecture."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
from demo_clips import clip
from realtime_scene import (
    NARROW,
    OPENING,
    Recorder,
    generated,
    library_model,
    loaded,
    long_clip,
    streamed,
    transcribed,
    transcript,
)

from voxterm.decoding import Decoder
from voxterm.engines.protocols import (
    HEARING_RATE_HZ,
    AudioEncoded,
    Ending,
    Placement,
    Transcript,
)
from voxterm.engines.voxtral_realtime.engine import VoxtralRealtime
from voxterm.engines.voxtral_realtime.prompt import FRAME_SAMPLES, RealtimePrompt
from voxterm.engines.voxtral_realtime.stream import RealtimeStream, Token

needs_gpu = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs an NVIDIA GPU")


pytestmark = pytest.mark.usefixtures("one_thread", "vocabulary_once")


@pytest.fixture(scope="module")
def engine(realtime_folder: Path) -> Iterator[VoxtralRealtime]:
    engine = loaded(realtime_folder)
    yield engine
    engine.close()


@pytest.fixture(scope="module")
def processor(realtime_folder: Path) -> Any:
    from transformers import VoxtralRealtimeFeatureExtractor, VoxtralRealtimeProcessor
    from transformers.tokenization_mistral_common import MistralCommonBackend

    features: Any = VoxtralRealtimeFeatureExtractor
    tokenizer: Any = MistralCommonBackend
    made: Any = VoxtralRealtimeProcessor
    return made(
        features.from_pretrained(realtime_folder),
        tokenizer(tokenizer_path=str(realtime_folder / "tekken.json")),
    )


@pytest.fixture(scope="module")
def reference(realtime_folder: Path) -> Any:
    return library_model(realtime_folder)


@pytest.fixture
def recorder(monkeypatch: pytest.MonkeyPatch) -> Recorder:
    return Recorder(monkeypatch)


@pytest.mark.parametrize("seconds", [0.01, 0.08125, 0.3, 0.8, 1.7835, 8.0])
def test_the_tokens_are_those_that_transformers_generates(
    engine: VoxtralRealtime, processor: Any, reference: Any, recorder: Recorder, seconds: float
) -> None:
    samples = long_clip(seconds)
    items = transcribed(engine, samples)
    wanted = generated(reference, processor, samples)
    assert recorder.ids == wanted
    assert len(wanted) == -(-len(samples) // FRAME_SAMPLES) + 32 + 17 - OPENING
    assert seconds < 1 or len(set(wanted)) >= 8, "a model that always says the same shows nothing"
    text = processor.decode(wanted, skip_special_tokens=True).replace("\ufffd", "")  # half a character
    assert transcript(items) == text.strip()
    assert [type(item) for item in items[-2:]] == [Ending, Transcript]


@pytest.mark.parametrize("delay_ms", [80, 1200, 2400])
def test_with_any_delay_the_tokens_are_those_of_transformers(
    realtime_folder: Path, processor: Any, reference: Any, recorder: Recorder, delay_ms: int
) -> None:
    engine = loaded(realtime_folder, delay_ms=delay_ms)
    samples = clip("demo-2")
    transcribed(engine, samples)
    wanted = generated(reference, processor, samples, delay_ms)
    assert recorder.ids == wanted
    assert wanted != generated(reference, processor, samples)


@pytest.mark.filterwarnings("ignore:Using the model-agnostic default:UserWarning")
def test_the_tokens_are_those_that_transformers_streams(
    engine: VoxtralRealtime, processor: Any, reference: Any, recorder: Recorder
) -> None:
    samples = clip("demo-2")
    engine.begin()
    for begin in range(0, len(samples), 320):
        engine.feed(samples[begin : begin + 320])
    list(engine.finish())
    wanted = streamed(reference, processor, samples)
    assert len(recorder.ids) >= 30
    assert recorder.ids == wanted[: len(recorder.ids)]


def test_a_turn_longer_than_its_context_is_heard_as_through_a_sliding_window(
    narrow_realtime_folder: Path, processor: Any, recorder: Recorder
) -> None:
    """Both caches go round: 64 tokens of text, and 1 s of the encoder."""
    samples = long_clip(12.0)
    items = transcribed(loaded(narrow_realtime_folder), samples)
    assert len(recorder.ids) + OPENING > 2 * NARROW
    assert recorder.ids == generated(library_model(narrow_realtime_folder), processor, samples)
    assert transcript(items)


def test_the_ending_is_of_the_model_s_own_probabilities_of_a_full_stop(
    realtime_folder: Path, processor: Any, reference: Any, recorder: Recorder, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Read off the steps that are decoded anyway, they must be what Transformers' logits say."""
    ends = list(range(1_000, 60_000))  # more than full stops, which this model hardly thinks of
    monkeypatch.setattr(RealtimePrompt, "sentence_ends", lambda _: ends)
    engine = loaded(realtime_folder)
    samples = clip("demo-2")
    (ending,) = (item for item in transcribed(engine, samples) if isinstance(item, Ending))
    inputs = processor(samples, return_tensors="pt", sampling_rate=HEARING_RATE_HZ)
    said = torch.tensor([recorder.ids[:-1]])
    inputs["input_ids"] = torch.cat([inputs["input_ids"], said], dim=1)
    inputs["attention_mask"] = torch.ones_like(inputs["input_ids"])
    inputs["input_features"] = inputs["input_features"][..., : 8 * inputs["input_ids"].shape[1]]
    with torch.inference_mode():
        logits = reference(**inputs).logits[0, OPENING - 1 :].float()
    wanted = logits.softmax(-1)[:, ends].sum(-1)
    got = torch.tensor([token.full_stop for token in recorder.tokens])
    torch.testing.assert_close(got, wanted, atol=1e-5, rtol=0.02)
    assert 0.05 < got.mean() < 0.95
    assert ending.probability == pytest.approx(engine_ending(engine, recorder.tokens), abs=1e-4)


def engine_ending(engine: VoxtralRealtime, tokens: Sequence[Token]) -> float:
    """The greatest probability since the last word."""
    assert engine._loaded is not None
    greatest = 0.0
    for token in tokens:
        piece = engine._loaded.prompt.piece(token.id).decode("utf-8", "ignore")
        is_word = any(character.isalnum() for character in piece)
        greatest = 0.0 if is_word else max(greatest, token.full_stop)
    return greatest


def scripted(monkeypatch: pytest.MonkeyPatch, script: Callable[[int], int]) -> None:
    """Have the model write `script(frame)` after this frame."""

    def choose(stream: RealtimeStream, _: torch.Tensor) -> None:
        stream._token.fill_(script(stream._taken))
        stream._full_stop.fill_(0.25)

    monkeypatch.setattr(RealtimeStream, "_choose", choose)


PAD, WORD, END, HERO = 32, 33, 2, 30_822


@pytest.mark.parametrize(
    ("words", "frames", "text"),
    [
        ({45}, 7, "Hero"),
        ({45, 57}, 7, "Hero Hero"),
        (range(57, 63), 12, "Hero Hero Hero Hero Hero Hero"),
        (range(50, 99), 16, " ".join(["Hero"] * 18)),
    ],
    ids=["nothing more", "a word within the delay", "a long word", "without end"],
)
def test_it_has_ended_when_the_delay_is_over_and_nothing_is_left_to_write(
    engine: VoxtralRealtime, monkeypatch: pytest.MonkeyPatch, words: set[int], frames: int, text: str
) -> None:
    """`words`: the frames in which it writes one; the speech ends before frame 52."""
    scripted(monkeypatch, lambda frame: HERO if frame in words else PAD)
    items = transcribed(engine, clip("demo-2")[: 20 * FRAME_SAMPLES])
    behind = 1  # the last frame of speech lacks 2.5 ms, and is taken in with the silence
    assert items.count(AudioEncoded()) == behind + frames
    assert items[-1] == Transcript(text)
    assert items[-2] == Ending(0.25 if frames < 16 else 0.0)


def test_an_end_of_text_in_the_midst_of_speech_does_not_make_it_deaf(
    engine: VoxtralRealtime, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[int] = []
    step = Decoder.step

    def recorded(decoder: Decoder, tokens: torch.Tensor, *others: Any, **more: Any) -> torch.Tensor:
        read.append(int(tokens))
        return step(decoder, tokens, *others, **more)

    monkeypatch.setattr(Decoder, "step", recorded)
    scripted(monkeypatch, lambda frame: {40: END, 44: WORD, 45: HERO, 55: END}.get(frame, PAD))
    items = transcribed(engine, clip("demo-2")[: 20 * FRAME_SAMPLES])
    assert transcript(items) == "Hero"
    assert END not in read
    assert HERO in read
    assert items.count(AudioEncoded()) == 5, "in the silence it ends the transcript"


@pytest.mark.parametrize("precision", ["bf16", "int8", "int4"])
def test_runs_in_less_precision(realtime_folder: Path, precision: Any) -> None:
    engine = loaded(realtime_folder, Placement("cpu", precision, 1024))
    samples = clip("demo-2")
    whole = transcribed(engine, samples)
    assert transcript(whole)
    assert transcribed(engine, samples) == whole


@pytest.mark.gpu
@needs_gpu
@pytest.mark.parametrize("precision", ["float32", "bf16", "int8"])
def test_runs_on_a_gpu(realtime_folder: Path, precision: Any, recorder: Recorder) -> None:
    samples = long_clip(6.0)
    engine = loaded(realtime_folder, Placement("cuda:0", precision, 1024))
    cold = transcribed(engine, samples)[-2:]
    engine.warm_up()
    recorder.tokens.clear()
    engine.begin()
    for begin in range(0, len(samples), 1600):
        engine.feed(samples[begin : begin + 1600])
        if begin % 16_000 == 0:
            list(engine.finish())
    recorder.tokens.clear()
    assert list(engine.finish())[-2:] == cold
    engine.close()
