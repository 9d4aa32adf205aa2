"""The engine on a tiny checkpoint of the real architecture: what it says must be what Transformers says."""

from __future__ import annotations

import base64
import io
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile  # type: ignore[import-untyped]
import torch
from demo_clips import clip, faint_noise, no_progress

from voxterm.decoding import DecodeLoop, Prompt
from voxterm.engines.protocols import (
    HEARING_RATE_HZ,
    AudioEncoded,
    Delta,
    Ending,
    Message,
    PacedEngine,
    Placement,
    Samples,
    SpeechLanguageModel,
    Transcript,
    Understood,
)
from voxterm.engines.silence import QUIETEST_SPEECH_RMS, is_silence
from voxterm.engines.voxtral import engine as voxtral_module
from voxterm.engines.voxtral.engine import Voxtral, VoxtralSettings
from voxterm.engines.voxtral.model import AudioEncoder
from voxterm.engines.voxtral.turn import REPLY_ROW, TRANSCRIPT_ROW, SentenceEnd
from voxterm.errors import EngineError

SYSTEM = "Be kind."
TOLD = Message("system", SYSTEM)
HISTORY = [Message("user", "Who are you?"), Message("assistant", "A friend.")]
ON_CPU = Placement("cpu", "float32", 1024)
GREEDY = VoxtralSettings(reply_tokens=12, transcript_tokens=30, temperature=0.0)
needs_gpu = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs an NVIDIA GPU")


def long_clip(seconds: float) -> Samples:
    return np.resize(clip("demo-1"), round(seconds * HEARING_RATE_HZ))


def loaded(folder: Path, settings: VoxtralSettings = GREEDY, placement: Placement = ON_CPU) -> Voxtral:
    engine = Voxtral(placement, str(folder), settings)
    engine.load(no_progress)
    return engine


pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture(scope="module")
def greedy(voxtral_folder: Path) -> Iterator[Voxtral]:
    engine = loaded(voxtral_folder)
    yield engine
    engine.close()


@pytest.fixture(scope="module")
def sampled(voxtral_folder: Path) -> Iterator[Voxtral]:
    """Says little, so that it can be asked often."""
    with pytest.MonkeyPatch.context() as short:
        short.setattr(voxtral_module, "TRANSCRIPT_SPARE_TOKENS", 3)
        settings = VoxtralSettings(reply_tokens=4, transcript_tokens=1, temperature=1.0)
        engine = loaded(voxtral_folder, settings)
        yield engine
        engine.close()


@pytest.fixture(scope="module")
def processor(voxtral_folder: Path) -> Any:
    from transformers import VoxtralProcessor

    return VoxtralProcessor.from_pretrained(voxtral_folder)


@pytest.fixture(scope="module")
def reference(voxtral_folder: Path) -> Any:
    from transformers import VoxtralForConditionalGeneration

    model: Any = VoxtralForConditionalGeneration.from_pretrained(voxtral_folder, dtype=torch.float32)
    return model.eval()


class Recorder:
    """Every decode loop's prompts, and the ids it gave of each row."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.asked: list[Sequence[Prompt]] = []
        self.rows: list[list[int]] = []
        generate = DecodeLoop.generate

        def recorded(loop: DecodeLoop, prompts: Any, *others: Any) -> Iterator[tuple[int | None, ...]]:
            self.asked.append(prompts)
            self.rows = [[], []]
            for step in generate(loop, prompts, *others):
                for row, token in zip(self.rows, step, strict=True):
                    row.extend([] if token is None else [token])
                yield step

        monkeypatch.setattr(DecodeLoop, "generate", recorded)


@pytest.fixture
def recorder(monkeypatch: pytest.MonkeyPatch) -> Recorder:
    return Recorder(monkeypatch)


def answered(engine: Voxtral, samples: Samples, history: Sequence[Message] = ()) -> list[Understood]:
    engine.begin()
    engine.hear(samples)
    return list(engine.answer(history))


def as_wav(samples: Samples) -> str:
    buffer = io.BytesIO()
    soundfile.write(buffer, samples, HEARING_RATE_HZ, format="WAV", subtype="FLOAT")
    return base64.b64encode(buffer.getvalue()).decode()


def as_in_wav(samples: Samples) -> Samples:
    buffer = io.BytesIO()
    soundfile.write(buffer, samples, HEARING_RATE_HZ, format="WAV")
    buffer.seek(0)
    return np.asarray(soundfile.read(buffer, dtype="float32")[0], dtype=np.float32)


def generated(reference: Any, inputs: Any, tokens: int) -> list[int]:
    with torch.inference_mode():
        ids = reference.generate(**inputs, max_new_tokens=tokens, do_sample=False)
    said: list[int] = ids[0, inputs["input_ids"].shape[1] :].tolist()
    return said[:-1] if said[-1] == 2 else said


def test_is_a_speech_language_model(greedy: Voxtral) -> None:
    assert isinstance(greedy, SpeechLanguageModel)


@pytest.mark.parametrize("seconds", [0.1, 5.0, 31.0])
def test_the_transcript_is_what_transformers_generates(
    greedy: Voxtral, processor: Any, reference: Any, recorder: Recorder, seconds: float
) -> None:
    samples = long_clip(seconds)
    items = answered(greedy, as_in_wav(samples))
    inputs = processor.apply_transcription_request(
        audio=[samples], model_id="", sampling_rate=HEARING_RATE_HZ, format=["WAV"]
    )
    got = recorder.rows[TRANSCRIPT_ROW]
    assert len(got) >= 12
    assert got == generated(reference, inputs, 16 + 31)[: len(got)]
    assert items[0] == AudioEncoded()
    assert sum(isinstance(item, Transcript) for item in items) == 1


@pytest.mark.parametrize("seconds", [5.0, 31.0])
@pytest.mark.parametrize("history", [[], HISTORY])
def test_the_reply_is_what_transformers_generates(
    greedy: Voxtral,
    processor: Any,
    reference: Any,
    recorder: Recorder,
    seconds: float,
    history: list[Message],
) -> None:
    samples = long_clip(seconds)
    items = answered(greedy, samples, [TOLD, *history])
    said: list[dict[str, Any]] = [
        {"role": message.role, "content": [{"type": "text", "text": message.text}]} for message in history
    ]
    said.append({"role": "user", "content": [{"type": "audio", "base64": as_wav(samples)}]})
    if history:
        said[0]["content"][0]["text"] = f"{SYSTEM}\n\n{history[0].text}"
    else:
        said[0]["content"].insert(0, {"type": "text", "text": f"{SYSTEM}\n\n"})
    wanted = generated(reference, processor.apply_chat_template(said), 12)
    assert recorder.rows[REPLY_ROW] == wanted
    assert "".join(item.text for item in items if isinstance(item, Delta)) == processor.decode(wanted)


def test_a_typed_line_is_answered_as_transformers_does(
    greedy: Voxtral, processor: Any, reference: Any, recorder: Recorder
) -> None:
    list(greedy.answer_text([TOLD, *HISTORY], "Good morning!"))
    said: list[dict[str, Any]] = [
        {"role": "user", "content": [{"type": "text", "text": f"{SYSTEM}\n\n{HISTORY[0].text}"}]},
        {"role": "assistant", "content": [{"type": "text", "text": HISTORY[1].text}]},
        {"role": "user", "content": [{"type": "text", "text": "Good morning!"}]},
    ]
    assert recorder.rows[REPLY_ROW] == generated(reference, processor.apply_chat_template(said), 12)


def test_the_ending_is_of_the_transcript_s_own_probabilities_of_a_full_stop(
    greedy: Voxtral, processor: Any, reference: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Read off the steps that are decoded anyway, they must be what Transformers' logits say."""
    told: list[tuple[int | None, float]] = []
    take = SentenceEnd.take

    def recorded(end: SentenceEnd, token_id: int | None, full_stop: float) -> None:
        told.append((token_id, full_stop))
        take(end, token_id, full_stop)

    monkeypatch.setattr(SentenceEnd, "take", recorded)
    samples = long_clip(5.0)
    (ending,) = (item for item in answered(greedy, as_in_wav(samples)) if isinstance(item, Ending))
    said = [token_id for token_id, _ in told if token_id is not None]
    assert len(said) >= 8
    inputs = processor.apply_transcription_request(
        audio=[samples], model_id="", sampling_rate=HEARING_RATE_HZ, format=["WAV"]
    )
    inputs["input_ids"] = torch.cat([inputs["input_ids"], torch.tensor([said])], dim=1)
    inputs["attention_mask"] = torch.ones_like(inputs["input_ids"])
    with torch.inference_mode():
        logits = reference(**inputs).logits[0, -1 - len(said) :].float()
    assert greedy._loaded is not None
    ends = greedy._loaded.prompts.sentence_ends()
    wanted = logits.softmax(-1)[: len(said), ends].sum(-1)
    got = torch.tensor([full_stop for _, full_stop in told[: len(said)]])
    torch.testing.assert_close(got, wanted, atol=1e-5, rtol=0.02)
    expected = SentenceEnd(greedy._loaded.prompts.piece)
    for token_id, full_stop in told:
        take(expected, token_id, full_stop)
    assert ending.probability == pytest.approx(expected.probability, abs=1e-4)


def test_an_answer_may_be_closed_at_any_point(sampled: Voxtral) -> None:
    samples = clip("demo-2")
    whole = answered(sampled, samples, HISTORY)
    assert len(whole) > 5
    for point in range(len(whole) + 1):
        answer = sampled.answer(HISTORY)
        assert [next(answer) for _ in range(point)] == whole[:point]
        answer.close()  # type: ignore[attr-defined]
        assert list(sampled.answer(HISTORY)) == whole, f"after it was closed at {point}"
    assert answered(sampled, samples, HISTORY) == whole


def test_a_typed_answer_may_be_closed_at_any_point_and_leaves_the_turn_alone(sampled: Voxtral) -> None:
    whole = answered(sampled, clip("demo-2"))
    typed = list(sampled.answer_text(HISTORY, "Hello."))
    for point in range(len(typed)):
        answer = sampled.answer_text(HISTORY, "Hello.")
        assert [next(answer) for _ in range(point)] == typed[:point]
        answer.close()  # type: ignore[attr-defined]
        assert list(sampled.answer([])) == whole


def test_asked_again_it_encodes_only_what_is_new(greedy: Voxtral, monkeypatch: pytest.MonkeyPatch) -> None:
    encoded: list[int] = []
    encode = AudioEncoder.__call__

    def counted(encoder: AudioEncoder, samples: Samples) -> torch.Tensor:
        encoded.append(len(samples))
        return encode(encoder, samples)

    monkeypatch.setattr(AudioEncoder, "__call__", counted)
    samples = clip("demo-2")
    first = answered(greedy, samples)
    assert list(greedy.answer([])) == first
    assert encoded == [len(samples)]
    greedy.hear(samples)
    twice = list(greedy.answer([]))
    assert twice == answered(greedy, np.concatenate([samples, samples]))
    assert encoded == [len(samples), 2 * len(samples), 2 * len(samples)]


def test_samples_may_come_in_any_pieces_and_are_copied(greedy: Voxtral) -> None:
    samples = clip("demo-2")
    whole = answered(greedy, samples)
    greedy.begin()
    buffer = np.zeros(999, dtype=np.float32)
    for begin in range(0, len(samples), len(buffer)):
        piece = samples[begin : begin + len(buffer)]
        buffer[: len(piece)] = piece  # a microphone's buffer, used over and over
        greedy.hear(buffer[: len(piece)])
    assert list(greedy.answer([])) == whole


@pytest.mark.parametrize(
    "samples",
    [np.zeros(0, dtype=np.float32), np.zeros(32_000, dtype=np.float32), faint_noise(2.0)],
    ids=["nothing", "zeros", "quiet room"],
)
def test_silence_is_not_given_to_the_model(greedy: Voxtral, recorder: Recorder, samples: Samples) -> None:
    assert answered(greedy, samples, HISTORY) == [AudioEncoded(), Transcript("")]
    assert recorder.asked == []


def test_one_quiet_word_in_a_long_silence_is_no_silence() -> None:
    samples = np.zeros(30 * HEARING_RATE_HZ, dtype=np.float32)
    word = clip("demo-2")[4000:8000]
    samples[100_001:104_001] = word * (2 * QUIETEST_SPEECH_RMS / np.sqrt(np.mean(word**2)))
    assert not is_silence(samples)
    assert is_silence(samples[:100_000])


@pytest.mark.parametrize("seconds", [90, 600])
def test_a_turn_too_long_for_the_context_is_an_error_and_the_next_one_works(
    greedy: Voxtral, seconds: int
) -> None:
    greedy.begin()
    for _ in range(seconds):
        greedy.hear(faint_noise(1.0, level=0.01))
    assert sum(len(kept) for kept in greedy._heard) <= 60 * HEARING_RATE_HZ, "its memory is bounded"
    with pytest.raises(EngineError, match=rf"{seconds} s is too long|room for") as error:
        list(greedy.answer([]))
    assert "shorter turns" in error.value.remedy
    assert answered(greedy, clip("demo-2"))


def test_a_long_history_is_cut_to_the_context(greedy: Voxtral, recorder: Recorder) -> None:
    history = [*HISTORY * 200]
    assert len(answered(greedy, clip("demo-2"), history)) > 1
    assert len(list(greedy.answer_text(history, "Hello."))) > 1
    spoken, typed = recorder.asked
    assert 800 < len(spoken[REPLY_ROW].ids) <= 1024 - 12
    assert 800 < len(typed[REPLY_ROW].ids) <= 1024 - 12


def test_answers_are_the_same_before_and_after_warming_up(voxtral_folder: Path) -> None:
    engine = loaded(voxtral_folder)
    cold = answered(engine, clip("demo-2"))
    engine.warm_up()
    assert list(engine.answer([])) == [AudioEncoded(), Transcript("")], "what warmed it up is forgotten"
    assert answered(engine, clip("demo-2")) == cold


@pytest.mark.parametrize(
    "failure", [torch.OutOfMemoryError("CUDA out of memory"), RuntimeError("device lost")]
)
def test_a_failure_ends_its_turn_only(
    greedy: Voxtral, monkeypatch: pytest.MonkeyPatch, failure: RuntimeError
) -> None:
    before = answered(greedy, clip("demo-2"))
    greedy.begin()
    greedy.hear(clip("demo-2"))
    with monkeypatch.context() as broken:
        broken.setattr(AudioEncoder, "__call__", lambda *_: (_ for _ in ()).throw(failure))
        with pytest.raises(EngineError, match=r"ran out|device lost") as error:
            list(greedy.answer([]))
        assert error.value.remedy
    assert list(greedy.answer([])) == before


def test_its_speed_is_that_of_the_reply_without_the_prefill(
    greedy: Voxtral, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The transcript's row may go on for long after it: those steps are not the reply's."""
    now_s = 0.0

    def generate(*_: Any) -> Iterator[tuple[int | None, ...]]:
        nonlocal now_s
        now_s += 3.0
        for number in range(40):
            now_s += 0.005 if number < 12 else 1.0
            yield (1_200 + number if number < 12 else None), 1_300 + number

    monkeypatch.setattr(DecodeLoop, "generate", generate)
    monkeypatch.setattr(greedy, "_now", lambda: now_s)
    monkeypatch.setattr(greedy, "_speed", None)
    assert isinstance(greedy, PacedEngine)
    assert greedy.speeds == {}
    answered(greedy, clip("demo-2"))
    assert list(greedy.speeds) == ["Voxtral"]
    assert greedy.speeds["Voxtral"].tokens_per_s == pytest.approx(200.0)
    assert greedy.speeds["Voxtral"].times_real_time is None


def test_a_typed_line_has_a_speed_and_warming_up_has_none(voxtral_folder: Path) -> None:
    engine = loaded(voxtral_folder)
    engine.warm_up()
    assert engine.speeds == {}
    list(engine.answer_text([], "Good morning!"))
    assert engine.speeds["Voxtral"].tokens_per_s > 0
    assert set(engine.memory_bytes) == {"Voxtral", "Voxtral cache"}
    engine.close()
    assert engine.memory_bytes == {}


@pytest.mark.gpu
@needs_gpu
@pytest.mark.parametrize("precision", ["bf16", "int8"])
def test_runs_on_a_gpu(voxtral_folder: Path, precision: Any) -> None:
    engine = loaded(voxtral_folder, placement=Placement("cuda:0", precision, 1024))
    engine.warm_up()
    samples = long_clip(31.0)
    whole = answered(engine, samples, HISTORY)
    assert len(whole) > 2
    assert answered(engine, samples, HISTORY) == whole
    engine.close()


@pytest.mark.gpu
@needs_gpu
def test_encodes_on_a_gpu_as_on_the_cpu(voxtral_folder: Path) -> None:
    encodings = []
    for device in ("cpu", "cuda:0"):
        engine = loaded(voxtral_folder, placement=Placement(device, "float32", 1024))
        engine.hear(long_clip(31.0))
        assert engine._loaded is not None
        encodings += [engine._encode(engine._loaded).cpu() for _ in range(2)]
    torch.testing.assert_close(encodings[2], encodings[0], atol=2e-2, rtol=2e-2)
    assert torch.equal(encodings[2], encodings[3])
