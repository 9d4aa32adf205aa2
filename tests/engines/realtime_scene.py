"""What the tests of Voxtral Realtime share: how it is asked, and how Transformers is asked the same."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from demo_clips import clip, no_progress

from voxterm.engines.declared.voxtral_realtime import VoxtralRealtimeSettings
from voxterm.engines.protocols import (
    HEARING_RATE_HZ,
    AudioEncoded,
    Ending,
    Placement,
    Samples,
    Transcript,
)
from voxterm.engines.voxtral_realtime.engine import VoxtralRealtime
from voxterm.engines.voxtral_realtime.stream import RealtimeStream, Token

ON_CPU = Placement("cpu", "float32", 1024)
NARROW = 64
"""Tokens: 5 s, so that a short clip is longer than what the text model looks back to."""
OPENING = 39  # tokens, at the delay of 480 ms

Item = AudioEncoded | Ending | Transcript


def long_clip(seconds: float) -> Samples:
    """Begins in the midst of a word."""
    return np.resize(clip("demo-1")[4000:], round(seconds * HEARING_RATE_HZ))


def loaded(folder: Path, placement: Placement = ON_CPU, **settings: Any) -> VoxtralRealtime:
    """Its clock stands still: however busy the machine is, a feed takes in all it is given."""
    section = VoxtralRealtimeSettings(checkpoint=str(folder), **settings)
    engine = VoxtralRealtime(placement, section, now=lambda: 0.0)
    engine.load(no_progress)
    return engine


def transcribed(engine: VoxtralRealtime, samples: Samples) -> list[Item]:
    engine.begin()
    engine.feed(samples)
    return list(engine.finish())


def transcript(items: Sequence[Item]) -> str:
    (text,) = (item.text for item in items if isinstance(item, Transcript))
    return text


class Recorder:
    """The tokens of every step, in the order in which they were taken."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.tokens: list[Token] = []
        step = RealtimeStream.step

        def recorded(stream: RealtimeStream) -> Token | None:
            token = step(stream)
            if token is not None:
                self.tokens.append(token)
            return token

        monkeypatch.setattr(RealtimeStream, "step", recorded)

    @property
    def ids(self) -> list[int]:
        return [token.id for token in self.tokens]


def library_model(folder: Path) -> Any:
    from transformers import VoxtralRealtimeForConditionalGeneration

    model: Any = VoxtralRealtimeForConditionalGeneration.from_pretrained(folder, dtype=torch.float32)
    return model.eval()


def generated(reference: Any, processor: Any, samples: Samples, delay_ms: int = 480) -> list[int]:
    """What Transformers writes for a whole recording, without the opening."""
    processor.mistral_common_audio_config.transcription_delay_ms = delay_ms
    inputs = processor(samples, return_tensors="pt", sampling_rate=HEARING_RATE_HZ)
    length = inputs["input_ids"].shape[1]
    tokens = inputs["input_features"].shape[-1] // 8
    with torch.inference_mode():
        ids = reference.generate(**inputs, max_new_tokens=tokens - length, do_sample=False)
    processor.mistral_common_audio_config.transcription_delay_ms = 480
    said: list[int] = ids[0, length:].tolist()
    return said


def streamed(reference: Any, processor: Any, samples: Samples) -> list[int]:
    """What Transformers writes when it is handed a recording in pieces, as its documentation does it."""
    frame = processor.raw_audio_length_per_tok
    silence = -len(samples) % frame + processor.num_right_pad_tokens * frame
    padded = np.pad(samples, (0, silence))
    first = processor(
        padded[: processor.num_samples_first_audio_chunk],
        is_streaming=True,
        is_first_audio_chunk=True,
        return_tensors="pt",
        sampling_rate=HEARING_RATE_HZ,
    )

    def features() -> Iterator[torch.Tensor]:
        yield first.input_features
        hop, window = processor.feature_extractor.hop_length, processor.feature_extractor.win_length
        begin = processor.num_mel_frames_first_audio_chunk * hop - window // 2
        while (end := begin + processor.num_samples_per_audio_chunk) <= len(padded) + window:
            piece = np.pad(padded[begin:end], (0, max(0, end - len(padded))))
            yield processor(
                piece,
                is_streaming=True,
                is_first_audio_chunk=False,
                return_tensors="pt",
                sampling_rate=HEARING_RATE_HZ,
            ).input_features
            begin += frame

    with torch.inference_mode():
        ids = reference.generate(
            input_ids=first.input_ids,
            input_features=features(),
            num_delay_tokens=first.num_delay_tokens,
            do_sample=False,
        )
    said: list[int] = ids[0, first.input_ids.shape[1] :].tolist()
    return said
