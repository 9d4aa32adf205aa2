from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from demo_clips import clip, faint_noise, no_progress

from voxterm.engines.protocols import HEARING_RATE_HZ, Samples, TurnDetector
from voxterm.engines.smart_turn.engine import SmartTurn
from voxterm.engines.smart_turn.features import WINDOW_SAMPLES, Features
from voxterm.errors import EngineError, EngineLoadError

PAUSE = np.zeros(HEARING_RATE_HZ // 10, np.float32)


@pytest.fixture(scope="module")
def detector() -> SmartTurn:
    detector = SmartTurn()
    detector.load(no_progress)
    detector.warm_up()
    return detector


def after_pause(samples: Samples) -> Samples:
    return np.concatenate([samples, PAUSE])


def test_it_is_a_turn_detector(detector: SmartTurn) -> None:
    assert isinstance(detector, TurnDetector)


def test_an_end_sounds_finished_and_the_middle_of_a_sentence_does_not(detector: SmartTurn) -> None:
    assert detector.probability(after_pause(clip("demo-2"))) > 0.9
    middle = clip("demo-1")[: 3 * HEARING_RATE_HZ]
    assert detector.probability(after_pause(middle)) < 0.2


def test_a_sentence_that_ends_with_a_comma_does_not_sound_finished(detector: SmartTurn) -> None:
    assert detector.probability(after_pause(clip("demo-1"))) < 0.1


def test_only_the_last_eight_seconds_count(detector: SmartTurn) -> None:
    latest = np.resize(clip("demo-1"), WINDOW_SAMPLES)
    longer = np.concatenate([clip("demo-2"), latest])
    assert detector.probability(longer) == detector.probability(latest)


@pytest.mark.parametrize("size", [0, 1, 399, 160_000])
def test_any_length_gives_a_probability(detector: SmartTurn, size: int) -> None:
    assert 0.0 <= detector.probability(faint_noise(size / HEARING_RATE_HZ)) <= 1.0


def test_one_turn_leaves_nothing_to_the_next(detector: SmartTurn) -> None:
    first = detector.probability(clip("demo-2"))
    detector.probability(clip("demo-1"))
    assert detector.probability(clip("demo-2")) == first


@pytest.mark.parametrize("seconds", [0.5, 5.0, 8.0, 20.0])
def test_features_equal_those_of_transformers(seconds: float) -> None:
    """The network was trained on these: padded in front, normalised, then Whisper's log-mel."""
    from transformers import WhisperFeatureExtractor

    turn = np.resize(clip("demo-1"), round(seconds * HEARING_RATE_HZ))[-WINDOW_SAMPLES:]
    padded = np.pad(turn, (WINDOW_SAMPLES - len(turn), 0))
    extractor: Any = WhisperFeatureExtractor(chunk_length=8)  # type: ignore[no-untyped-call]
    wanted = extractor(padded, sampling_rate=HEARING_RATE_HZ, do_normalize=True, return_tensors="np")
    got = Features()(turn)
    assert got.shape == (1, 80, 800)
    assert got.dtype == np.float32
    np.testing.assert_allclose(got, wanted["input_features"], atol=1e-4)


def test_a_missing_or_broken_file_is_a_load_error(tmp_path: Path) -> None:
    broken = tmp_path / "broken.onnx"
    broken.write_bytes(b"no model at all")
    for path in (tmp_path / "missing.onnx", broken):
        with pytest.raises(EngineLoadError, match=path.name):
            SmartTurn(path).load(no_progress)


def test_closed_it_says_that_it_is_not_loaded() -> None:
    detector = SmartTurn()
    detector.load(no_progress)
    detector.close()
    detector.close()
    with pytest.raises(EngineError, match="not loaded"):
        detector.probability(clip("demo-2"))


def test_a_network_that_fails_is_an_engine_error(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its own exceptions are no errors that a conversation knows how to go on after."""

    class Broken:
        def run(self, *arguments: object) -> None:
            raise RuntimeError("out of memory")

    detector = SmartTurn()
    monkeypatch.setattr(detector, "_session", Broken())
    with pytest.raises(EngineError, match="out of memory") as caught:
        detector.probability(clip("demo-2"))
    assert "turns.detector" in caught.value.remedy


def test_it_needs_neither_torch_nor_transformers() -> None:
    program = (
        "import sys, numpy; from voxterm.engines.smart_turn.engine import SmartTurn; detector = SmartTurn();"
        "detector.load(lambda done, total: None); detector.probability(numpy.zeros(100, 'float32'));"
        "print(*{'torch', 'transformers', 'scipy'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.split() == []
