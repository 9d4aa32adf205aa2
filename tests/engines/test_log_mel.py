"""The log-mel on the device must be what Transformers' own processor gives: the model was trained on that."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile  # type: ignore[import-untyped]
import torch
from demo_clips import clip

from voxterm.engines.log_mel import WINDOW_SAMPLES, LogMel, windows_of
from voxterm.engines.protocols import HEARING_RATE_HZ, Samples


def speech(seconds: float) -> Samples:
    """Real speech of this length; the second half is quieter, so that the loudest point is in one window."""
    samples = np.resize(clip("demo-1"), round(seconds * HEARING_RATE_HZ))
    samples[len(samples) // 2 :] *= 0.1
    return samples


def as_in_wav(samples: Samples) -> Samples:
    """What is left of the samples after the WAV file of 16 bits that the processor makes of them."""
    buffer = io.BytesIO()
    soundfile.write(buffer, samples, HEARING_RATE_HZ, format="WAV")
    buffer.seek(0)
    return np.asarray(soundfile.read(buffer, dtype="float32")[0], dtype=np.float32)


def log_mel(samples: Samples) -> torch.Tensor:
    return LogMel(128, torch.device("cpu"))(torch.from_numpy(samples))


@pytest.fixture(scope="module")
def processor(voxtral_folder: Path) -> Any:
    from transformers import VoxtralProcessor

    return VoxtralProcessor.from_pretrained(voxtral_folder)


@pytest.mark.parametrize("seconds", [0.1, 11.0, 30.0, 31.0, 65.0])
def test_equals_the_processor_with_all_windows_cut_at_the_loudest_point_of_the_whole(
    processor: Any, seconds: float
) -> None:
    samples = speech(seconds)
    wanted = processor.apply_transcription_request(
        audio=[samples], model_id="", sampling_rate=HEARING_RATE_HZ, format=["WAV"]
    )["input_features"]
    got = log_mel(as_in_wav(samples))
    assert got.shape == wanted.shape == (windows_of(len(samples)), 128, 3000)
    torch.testing.assert_close(got, wanted, atol=1e-5, rtol=0)


def test_equals_the_feature_extractor_on_one_window() -> None:
    from transformers import WhisperFeatureExtractor

    samples = speech(7.0)
    extractor: Any = WhisperFeatureExtractor(feature_size=128)  # type: ignore[no-untyped-call]
    wanted = extractor(samples, sampling_rate=HEARING_RATE_HZ, return_tensors="pt")["input_features"]
    torch.testing.assert_close(log_mel(samples), wanted, atol=1e-5, rtol=0)


def test_silence_is_flat() -> None:
    mel = log_mel(np.zeros(1600, dtype=np.float32))
    assert mel.shape == (1, 128, 3000)
    assert mel.unique().tolist() == [-1.5]  # (log10(1e-10) + 4) / 4


@pytest.mark.parametrize(
    ("samples", "windows"),
    [(0, 0), (1, 1), (WINDOW_SAMPLES, 1), (WINDOW_SAMPLES + 1, 2), (3 * WINDOW_SAMPLES, 3)],
)
def test_counts_windows(samples: int, windows: int) -> None:
    assert windows_of(samples) == windows


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs an NVIDIA GPU")
def test_is_the_same_on_a_gpu() -> None:
    samples = torch.from_numpy(speech(31.0))
    on_gpu = LogMel(128, torch.device("cuda:0"))(samples).cpu()
    torch.testing.assert_close(on_gpu, LogMel(128, torch.device("cpu"))(samples), atol=1e-3, rtol=0)
