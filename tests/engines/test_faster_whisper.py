"""Whisper through faster-whisper: on a fake of its model, and on a real conversion of the tiny checkpoint."""

from __future__ import annotations

import inspect
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from demo_clips import no_progress
from scripted_whisper import ScriptedTokens
from tiny_whisper import tiny_whisper
from whisper_reference import speech

from voxterm.engines.declared.whisper import WhisperSettings
from voxterm.engines.protocols import AudioEncoded, Placement, Transcript
from voxterm.engines.whisper import faster_whisper as backend
from voxterm.engines.whisper.engine import Whisper
from voxterm.engines.whisper.faster_whisper import FasterWhisper
from voxterm.engines.whisper.model import opened as opened_in_torch
from voxterm.errors import CheckpointError, EngineError, EngineLoadError, EngineMemoryError, VoxtermError

ON_CPU = Placement("cpu", "float32")

ctranslate2 = pytest.importorskip("ctranslate2")
faster_whisper = pytest.importorskip("faster_whisper")


class FakeTokens(ScriptedTokens):
    def get_vocab_size(self) -> int:
        return len(self.tokens)


class FakeModel:
    """What is used of a `faster_whisper.WhisperModel`, and of the model of CTranslate2 inside."""

    def __init__(self) -> None:
        self.hf_tokenizer = FakeTokens()
        self.is_multilingual = True
        self.n_mels = 80
        self.asked: list[dict[str, Any]] = []
        self.ids = [1, 2, 3]
        self.failure: Exception | None = None
        self.is_loaded = True

    @property
    def model(self) -> FakeModel:
        return self

    @property
    def feature_extractor(self) -> Any:
        def features(waveform: Any, padding: int = 160) -> Any:
            assert (waveform.shape, waveform.dtype, padding) == ((480_000,), np.float32, 0)
            return np.zeros((80, 3000), dtype=np.float32)

        return _Extractor(features)

    def encode(self, features: Any) -> str:
        self._fail()
        assert features.shape == (80, 3000)
        return "encoded"

    def detect_language(self, features: Any) -> list[list[tuple[str, float]]]:
        self._fail()
        assert features == "encoded"
        return [[("<|hi|>", 0.8), ("<|en|>", 0.1), ("<|xx|>", 0.1)]]

    def generate(self, features: Any, prompts: list[list[int]], **settings: Any) -> list[Any]:
        self._fail()
        assert features == "encoded"
        self.asked.append({"prompt": prompts[0], **settings})
        said = prompts[0][4:]
        ids = [*said, *self.ids][: settings["max_length"] // 2]
        return [SimpleNamespace(sequences_ids=[ids], scores=[-1.2], no_speech_prob=0.25)]

    def unload_model(self) -> None:
        self.is_loaded = False

    def _fail(self) -> None:
        if self.failure is not None:
            raise self.failure


class _Extractor:
    def __init__(self, features: Any) -> None:
        self._features = features
        self.mel_filters = np.zeros((80, 201), dtype=np.float32)

    def __call__(self, waveform: Any, padding: int = 160) -> Any:
        return self._features(waveform, padding)


@pytest.fixture
def fake() -> FakeModel:
    return FakeModel()


@pytest.fixture
def recogniser(fake: FakeModel) -> FasterWhisper:
    return FasterWhisper(fake, "fake", 1000)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_whisper(tmp_path_factory.mktemp("checkpoints") / "whisper")


@pytest.fixture(scope="module")
def converted(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    from ctranslate2.converters import TransformersConverter  # type: ignore[import-untyped]

    to = tmp_path_factory.mktemp("checkpoints") / "converted"
    files = ["tokenizer.json", "preprocessor_config.json"]
    TransformersConverter(str(folder), copy_files=files).convert(str(to))
    return to


@pytest.fixture(scope="module")
def real(converted: Path) -> Iterator[FasterWhisper]:
    recogniser = backend.opened(str(converted), ON_CPU, no_progress)
    yield recogniser
    recogniser.close()


def prompt_of(recogniser: Any, language: str = "en") -> list[int]:
    return list(recogniser.vocabulary.prompt(recogniser.vocabulary.language_id(language)))


def test_the_fake_has_the_interface_of_the_installed_package(fake: FakeModel) -> None:
    """Else the other tests would go on where a new release has changed it."""
    model = faster_whisper.WhisperModel
    inspect.signature(model.__init__).bind(
        None, "folder", device="cpu", device_index=0, compute_type="default", local_files_only=True
    )
    assert list(inspect.signature(model.encode).parameters) == ["self", "features"]
    extractor = faster_whisper.feature_extractor.FeatureExtractor
    inspect.signature(extractor.__call__).bind(None, np.zeros(1), padding=0)
    assert len(extractor(feature_size=128).mel_filters) == 128
    inner = ctranslate2.models.Whisper
    for name in ("is_multilingual", "n_mels", "unload_model", "detect_language", "generate"):
        assert hasattr(inner, name)
    recogniser = FasterWhisper(fake, "fake", 1)
    recogniser.encode(np.ones(100, dtype=np.float32))
    recogniser.decode(prompt_of(recogniser), [], 5)
    documented = inner.generate.__doc__ or ""
    assert all(f" {name}: " in documented for name in fake.asked[0] if name != "prompt")


def test_what_is_said_already_is_given_and_not_told_again(recogniser: FasterWhisper, fake: FakeModel) -> None:
    recogniser.encode(np.ones(100, dtype=np.float32))
    decoded = recogniser.decode(prompt_of(recogniser), [7, 8], 30)
    assert fake.asked[0]["prompt"][-2:] == [7, 8]
    assert fake.asked[0]["suppress_blank"] is False
    vocabulary = recogniser.vocabulary
    controls = range(vocabulary.end_id + 1, vocabulary.no_timestamps_id + 1)
    assert fake.asked[0]["suppress_tokens"] == [-1, *controls]
    assert decoded.ids == (1, 2, 3)
    assert decoded.log_probabilities == pytest.approx([-0.3] * 4)
    assert decoded.no_speech == 0.25
    assert not decoded.is_full
    assert decoded.full_stops == ()


def test_the_limit_and_the_positions_are_kept(recogniser: FasterWhisper, fake: FakeModel) -> None:
    fake.ids = [5] * 500
    recogniser.encode(np.ones(100, dtype=np.float32))
    prompt = prompt_of(recogniser)
    limited = recogniser.decode(prompt, [], 30)
    assert (len(limited.ids), limited.is_full) == (30, False)
    full = recogniser.decode(prompt, [6] * 100, 300)
    assert (len(full.ids), full.is_full) == (124, True)
    assert recogniser.decode(prompt, [6] * 224, 300).is_full
    assert len(fake.asked) == 2


def test_languages_are_told_by_their_ids(recogniser: FasterWhisper) -> None:
    recogniser.encode(np.ones(100, dtype=np.float32))
    ids = recogniser.vocabulary.languages
    assert recogniser.languages() == {ids["hi"]: 0.8, ids["en"]: 0.1}


@pytest.mark.parametrize(
    ("failure", "kind"),
    [
        (RuntimeError("CUDA failed with error out of memory"), EngineMemoryError),
        (RuntimeError("cuBLAS failed"), EngineError),
        (ValueError("input is empty"), EngineError),
    ],
)
def test_a_failure_is_told_and_the_next_call_works(
    recogniser: FasterWhisper, fake: FakeModel, failure: Exception, kind: type[VoxtermError]
) -> None:
    samples = np.ones(100, dtype=np.float32)
    prompt = prompt_of(recogniser)
    recogniser.encode(samples)
    whole = recogniser.decode(prompt, [], 30)
    fake.failure = failure
    for work in (
        lambda: recogniser.encode(samples),
        recogniser.languages,
        lambda: recogniser.decode(prompt, [], 5),
    ):
        with pytest.raises(kind) as error:
            work()
        assert error.value.remedy
    fake.failure = None
    recogniser.encode(samples)
    assert recogniser.decode(prompt, [], 30) == whole


@pytest.mark.parametrize(
    "message",
    [
        "Library libcublas.so.12 is not found or cannot be loaded",
        "Library cublas64_12.dll is not found or cannot be loaded",
        "Library libcudnn_ops.so.9 not found",
    ],
)
def test_a_library_that_is_missed_only_at_work_is_named_with_its_packages(
    recogniser: FasterWhisper, fake: FakeModel, message: str
) -> None:
    """CTranslate2 loads cuBLAS when it first encodes: to say it again would not help."""
    fake.failure = RuntimeError(message)
    with pytest.raises(EngineLoadError) as error:
        recogniser.encode(np.ones(100, dtype=np.float32))
    assert type(error.value) is EngineLoadError
    assert message in error.value.what
    assert error.value.remedy == (
        'set engines.whisper.backend to "transformers", or install nvidia-cublas-cu12 and nvidia-cudnn-cu12'
    )


def test_closing_unloads_the_model(recogniser: FasterWhisper, fake: FakeModel) -> None:
    recogniser.close()
    recogniser.close()
    assert not fake.is_loaded


def test_features_of_another_size_are_an_error(fake: FakeModel) -> None:
    fake.n_mels = 128
    with pytest.raises(CheckpointError, match="hears 128 mel bins"):
        FasterWhisper(fake, "fake", 1000)


@pytest.mark.parametrize("seconds", [0.5, 6.0])
def test_a_converted_checkpoint_says_what_it_said_in_torch(
    real: FasterWhisper, folder: Path, seconds: float
) -> None:
    in_torch = opened_in_torch(str(folder), ON_CPU, no_progress)
    samples = speech(seconds)
    for each in (real, in_torch):
        each.encode(samples)
    prompt = prompt_of(in_torch)
    assert prompt_of(real) == prompt
    wanted = in_torch.decode(prompt, [], 40)
    got = real.decode(prompt, [], 40)
    assert got.ids == wanted.ids
    assert len(set(got.ids)) > 4
    assert sum(got.log_probabilities) == pytest.approx(sum(wanted.log_probabilities), abs=0.01)
    assert got.no_speech == pytest.approx(wanted.no_speech, rel=0.01)
    said = wanted.ids[:7]
    assert real.decode(prompt, said, 20).ids == in_torch.decode(prompt, said, 20).ids == wanted.ids[7:27]
    assert real.languages() == pytest.approx(dict(in_torch.languages()), abs=1e-3)


def test_a_temperature_says_something_else(real: FasterWhisper) -> None:
    real.encode(speech(3.0))
    prompt = prompt_of(real)
    assert real.decode(prompt, [], 30, 1.0).ids != real.decode(prompt, [], 30).ids


def test_runs_in_the_engine_and_may_be_closed_at_any_point(converted: Path) -> None:
    section = WhisperSettings(checkpoint=str(converted), backend="faster_whisper", language="en")
    engine = Whisper(ON_CPU, section)
    engine.load(no_progress)
    engine.warm_up()
    assert engine.memory_bytes == {"Whisper": (converted / "model.bin").stat().st_size}
    engine.begin()
    engine.feed(speech(2.0))
    whole = list(engine.finish())
    assert [type(item) for item in whole] == [AudioEncoded, Transcript]
    for point in range(3):
        finish = engine.finish()
        assert [next(finish) for _ in range(point)] == whole[:point]
        finish.close()  # type: ignore[attr-defined]
        assert list(engine.finish()) == whole
    engine.close()
    assert engine.memory_bytes == {}


def published(converted: Path, to: Path) -> Path:
    """The checkpoint with just the files that Systran/faster-whisper-small has."""
    for name in ("config.json", "model.bin", "tokenizer.json"):
        (to / name).write_bytes((converted / name).read_bytes())
    words = json.loads((converted / "vocabulary.json").read_text(encoding="utf-8"))
    (to / "vocabulary.txt").write_text("".join(f"{word}\n" for word in words), encoding="utf-8")
    return to


def test_a_checkpoint_needs_no_file_that_published_ones_lack(
    converted: Path, tmp_path: Path, real: FasterWhisper
) -> None:
    """Each of them but large-v3 was refused: they have no preprocessor_config.json."""
    recogniser = backend.opened(str(published(converted, tmp_path)), ON_CPU, no_progress)
    for each in (recogniser, real):
        each.encode(speech(1.0))
    prompt = prompt_of(real)
    assert recogniser.decode(prompt, [], 20) == real.decode(prompt, [], 20)
    recogniser.close()


def test_a_checkpoint_of_128_mel_bins_needs_its_features(tmp_path: Path) -> None:
    from ctranslate2.converters import TransformersConverter

    folder = tiny_whisper(tmp_path / "v3", mel_bins=128)
    to = tmp_path / "converted"
    TransformersConverter(str(folder), copy_files=["tokenizer.json"]).convert(str(to))
    with pytest.raises(CheckpointError, match=r"hears 128 mel bins.* gives 80") as error:
        backend.opened(str(to), ON_CPU, no_progress)
    assert "all of its files" in error.value.remedy


def test_a_checkpoint_that_was_not_converted_is_an_error(folder: Path) -> None:
    with pytest.raises(CheckpointError, match=r"lacks model\.bin") as error:
        backend.opened(str(folder), ON_CPU, no_progress)
    assert "Systran/faster-whisper-small" in error.value.remedy


@pytest.mark.parametrize("name", ["no/such-repository", "no such name", "large-v3-turbo"])
def test_a_checkpoint_that_is_not_there_is_an_error_and_nothing_is_downloaded(name: str) -> None:
    with pytest.raises(CheckpointError, match="is not on this machine"):
        backend.opened(name, ON_CPU, no_progress)


def test_a_broken_file_is_an_error(converted: Path, tmp_path: Path) -> None:
    for path in converted.iterdir():
        (tmp_path / path.name).write_bytes(
            path.read_bytes()[:1000] if path.suffix == ".bin" else path.read_bytes()
        )
    with pytest.raises(CheckpointError, match="cannot read"):
        backend.opened(str(tmp_path), ON_CPU, no_progress)


@pytest.mark.parametrize(
    ("failure", "kind"),
    [
        (RuntimeError("CUDA failed with error out of memory"), EngineMemoryError),
        (ValueError("This CTranslate2 package was not compiled with CUDA support"), EngineLoadError),
        (RuntimeError("Library libcublas.so.12 is not found or cannot be loaded"), EngineLoadError),
    ],
)
def test_a_device_that_is_full_or_missing_is_told(
    converted: Path, monkeypatch: pytest.MonkeyPatch, failure: Exception, kind: type[VoxtermError]
) -> None:
    def refused(*_: Any, **__: Any) -> None:
        raise failure

    monkeypatch.setattr(faster_whisper, "WhisperModel", refused)
    with pytest.raises(kind) as error:
        backend.opened(str(converted), ON_CPU, no_progress)
    assert type(error.value) is kind
    assert error.value.remedy


def test_torch_is_not_imported() -> None:
    """A machine without it is what this backend is for."""
    modules = "voxterm.engines.whisper.engine, voxterm.engines.whisper.faster_whisper"
    code = f"import sys, {modules}; print('torch' in sys.modules)"
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == "False"


def test_without_the_package_the_remedy_installs_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "faster_whisper", None)
    with pytest.raises(EngineLoadError, match="faster-whisper") as error:
        backend.opened("any", ON_CPU, no_progress)
    assert "pip install 'voxterm[faster-whisper]'" in error.value.remedy
