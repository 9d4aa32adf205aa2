"""What Transformers makes of real speech with a checkpoint of Whisper."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
from demo_clips import clip

from voxterm.engines.protocols import HEARING_RATE_HZ, Samples


def speech(seconds: float) -> Samples:
    samples = np.concatenate([clip("speech-jfk"), clip("speech-lj001-0002"), clip("speech-lj001-0013")])
    return np.resize(samples, round(seconds * HEARING_RATE_HZ))


def reference_of(folder: Path) -> Any:
    from transformers import WhisperForConditionalGeneration

    model: Any = WhisperForConditionalGeneration.from_pretrained(folder, dtype=torch.float32)
    return model.eval()


def features_of(folder: Path, samples: Samples) -> torch.Tensor:
    from transformers import WhisperFeatureExtractor

    extractor: Any = WhisperFeatureExtractor.from_pretrained(folder)
    given = extractor(samples, sampling_rate=HEARING_RATE_HZ, return_tensors="pt")
    features: torch.Tensor = given["input_features"]
    return features


def generated(reference: Any, features: torch.Tensor, tokens: int, **settings: Any) -> list[int]:
    """The tokens after the prompt, the end left out."""
    reference.generation_config.max_length = None
    with torch.inference_mode():
        ids: list[int] = reference.generate(
            features, do_sample=False, num_beams=1, max_new_tokens=tokens, **settings
        )[0].tolist()
    return ids
