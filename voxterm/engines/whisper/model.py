"""Whisper in torch: any checkpoint of Transformers' architecture, from its files to a `Recogniser`.

The checkpoint stays mapped from its files: each weight goes straight to the device. It is kept in bf16, or in
float32 where that was asked for; int8 and int4 are taken for bf16, since most of its work is the encoder's,
which they would not make faster.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor

from voxterm.checkpoints import Checkpoint, find
from voxterm.decoding.graph import CapturedFunction, on_stream
from voxterm.decoding.weights import placed_module
from voxterm.engines.architectures import from_transformers, importing
from voxterm.engines.log_mel import LogMel
from voxterm.engines.mapped import config_of, empty, mapped
from voxterm.engines.memory import failures, free_caches, within_memory
from voxterm.engines.protocols import LoadProgress, Placement, Samples, Speed
from voxterm.engines.repeats import loop_period
from voxterm.engines.tempo import Tempo
from voxterm.engines.whisper.decoder import FRAMES, Step, WhisperDecoder
from voxterm.engines.whisper.recogniser import TITLE, Decoded
from voxterm.engines.whisper.text import WhisperVocabulary
from voxterm.errors import CheckpointError

ARCHITECTURES = frozenset({"WhisperForConditionalGeneration"})
OUTPUT = "proj_out.weight"


def opened(
    name: str, placement: Placement, progress: LoadProgress, now: Callable[[], float] = time.monotonic
) -> WhisperModel:
    """Load the checkpoint of this name where it was placed. `now`: seconds, by which its speed is measured.

    Raises:
        CheckpointError: the checkpoint is missing, broken or another model's.
        EngineMemoryError: it does not fit.
    """
    checkpoint = find(name, ARCHITECTURES)
    vocabulary = _vocabulary(checkpoint)
    return within_memory(
        lambda: WhisperModel(checkpoint, vocabulary, placement, progress, now),
        lambda: f"{TITLE} needs its checkpoint of {checkpoint.weight_bytes / 1e9:.1f} GB and its cache",
        placement.device,
    )


class WhisperModel:
    """A `Recogniser` in torch."""

    def __init__(
        self,
        checkpoint: Checkpoint,
        vocabulary: WhisperVocabulary,
        placement: Placement,
        progress: LoadProgress,
        now: Callable[[], float],
    ) -> None:
        """Raises torch.OutOfMemoryError, and CheckpointError where weights are missing or of other shapes."""
        self.vocabulary = vocabulary
        self.is_stand_in = not checkpoint.weights
        self._device = torch.device(placement.device)
        self._dtype = torch.float32 if placement.precision == "float32" else torch.bfloat16
        self._now = now
        self.speed: Speed | None = None
        self._stream = None
        if self._device.type == "cuda":
            torch.backends.cuda.enable_cudnn_sdp(False)  # it plans each length of a prompt anew, for 0.1 s
            self._stream = torch.cuda.Stream(self._device)
        model, output = _mapped(checkpoint)
        self._encoder = placed_module(model.model.encoder, self._device, self._dtype)
        encoder_bytes = sum(parameter.nbytes for parameter in self._encoder.parameters())
        numbers = sum(parameter.numel() for parameter in model.model.parameters())
        progress(encoder_bytes, numbers * self._dtype.itemsize)
        self._decoder = WhisperDecoder(model.model.decoder, output, vocabulary, self._device, self._dtype)
        self._log_mel = LogMel(model.config.num_mel_bins, self._device)
        self._hear = CapturedFunction(self._heard, self._device)
        weight_bytes = encoder_bytes + self._decoder.weight_bytes
        self.memory_bytes: Mapping[str, int] = {
            TITLE: weight_bytes,
            f"{TITLE} cache": self._decoder.cache_bytes,
        }
        progress(weight_bytes, weight_bytes)
        if self._stream is not None:  # the weights are still on their way, on another
            self._stream.wait_stream(torch.cuda.current_stream(self._device))

    def warm_up(self) -> None:
        with self._working():
            self._decoder.capture()

    def close(self) -> None:
        if self._stream is not None:
            self._stream.synchronize()
        self._hear.release()
        self._decoder.close()
        del self._hear, self._encoder, self._decoder
        free_caches()

    def encode(self, samples: Samples) -> None:
        with self._working():
            self._hear(self._log_mel(torch.from_numpy(samples)).to(self._dtype))
            if self._stream is not None:
                self._stream.synchronize()

    def languages(self) -> Mapping[int, float]:
        ids = list(self.vocabulary.languages.values())
        with self._working():
            logits = self._decoder.read([self.vocabulary.start_id])[0]
            probabilities: list[float] = logits[torch.tensor(ids, device=self._device)].softmax(-1).tolist()
        return dict(zip(ids, probabilities, strict=True))

    def decode(
        self, prompt: Sequence[int], said: Sequence[int], limit: int, temperature: float = 0.0, seed: int = 0
    ) -> Decoded:
        room = self._decoder.positions - len(prompt) - len(said)
        if room < 1:
            return Decoded((), (), 0.0, is_full=True)
        with self._working():
            first, last = self._decoder.read([*prompt, *said])
            no_speech = float(first.softmax(-1)[self.vocabulary.no_speech_id])
            steps = self._decoder.generate(last, min(limit, room), temperature, seed, is_begin=not said)
            taken, looped = self._paced(steps)
        has_ended = taken[-1].id == self.vocabulary.end_id
        return Decoded(
            ids=tuple(step.id for step in (taken[:-1] if has_ended else taken)),
            log_probabilities=tuple(step.log_probability for step in taken),
            no_speech=no_speech,
            full_stops=tuple(step.watched for step in taken),
            is_full=len(taken) == room and not (has_ended or looped),
        )

    def _paced(self, steps: Iterator[Step]) -> tuple[list[Step], bool]:
        """The steps up to a loop, in which nothing new would come, and whether there is one."""
        tempo = Tempo(self._now)
        taken: list[Step] = []
        ids: list[int] = []
        for step in steps:
            tempo.token()
            taken.append(step)
            ids.append(step.id)
            if loop_period(ids):
                break
        self.speed = tempo.speed or self.speed
        return taken, loop_period(ids) > 0

    def _heard(self, mel: Tensor) -> Tensor:
        """(1, bins, 3000) → the keys and values of the decoder's layers"""
        frames: Tensor = self._encoder(mel).last_hidden_state  # (1, 1500, hidden)
        return self._decoder.hear(frames[0])

    @contextmanager
    def _working(self) -> Iterator[None]:
        with failures(TITLE, str(self._device)), torch.inference_mode(), on_stream(self._stream):
            yield


def _mapped(checkpoint: Checkpoint) -> tuple[Any, Tensor | None]:
    """The model of Transformers, its weights in the checkpoint's files still, and its output layer where that
    is not the embedding."""
    model = empty(from_transformers("WhisperForConditionalGeneration"), _config(checkpoint))
    weights = mapped(model, checkpoint, without={OUTPUT})
    return model, None if model.config.tie_word_embeddings else weights.get(OUTPUT)


def _config(checkpoint: Checkpoint) -> Any:
    config = config_of(checkpoint, from_transformers("WhisperConfig"))
    if config.max_source_positions != FRAMES:
        raise CheckpointError(
            f"{checkpoint.name} hears {config.max_source_positions} frames at once, not {FRAMES}",
            "name a checkpoint of Whisper with windows of 30 s",
        )
    return config


def _vocabulary(checkpoint: Checkpoint) -> WhisperVocabulary:
    name, config = checkpoint.name, checkpoint.config
    try:
        with importing():
            kind = from_transformers("WhisperTokenizer")
            tokenizer = kind.from_pretrained(checkpoint.folder, local_files_only=True)
    except (OSError, ValueError, LookupError, TypeError, AttributeError) as error:
        raise CheckpointError(f"the tokenizer of {name} cannot be read: {error}", "fetch it again") from error
    size = config.get("vocab_size")
    if not isinstance(size, int):
        raise CheckpointError(f"the config.json of {name} names no vocab_size", "fetch it again")
    generation = {**config, **_generation(checkpoint)}
    return WhisperVocabulary(tokenizer.backend_tokenizer, generation, size, name)


def _generation(checkpoint: Checkpoint) -> Mapping[str, Any]:
    """generation_config.json, which checkpoints of old do not have."""
    path = checkpoint.folder / "generation_config.json"
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        raise CheckpointError(f"{path} cannot be read: {error}", "fetch it again") from error
    return found if isinstance(found, dict) else {}
