"""Voxtral Mini hears and answers: one model, one encoding of the audio, two answers from it at once.

The transcript and the reply are two rows of one decode loop. Decoding is bound by reading the weights, so the
second row costs next to nothing. What was encoded is kept: asked again with nothing more heard, as in a pause
that goes on, it is not encoded again.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from voxterm.checkpoints import Checkpoint, find
from voxterm.decoding import DecodeLoop, Prompt, Sampling
from voxterm.decoding.graph import on_stream
from voxterm.engines.declared import voxtral as declared
from voxterm.engines.log_mel import windows_of
from voxterm.engines.mapped import WEIGHT_BYTES
from voxterm.engines.memory import failures, free_caches, within_memory
from voxterm.engines.one_model import OneModel
from voxterm.engines.protocols import (
    HEARING_RATE_HZ,
    AudioEncoded,
    Delta,
    LoadProgress,
    Message,
    Placement,
    Samples,
    Transcript,
    Understood,
)
from voxterm.engines.silence import is_silence
from voxterm.engines.tempo import Tempo
from voxterm.engines.voxtral.model import ARCHITECTURES, AudioEncoder, load_model
from voxterm.engines.voxtral.prompt import AUDIO_ID, AUTO, END_OF_TEXT_ID, TOKENS_PER_WINDOW, VoxtralPrompts
from voxterm.engines.voxtral.turn import REPLY_ROW, TRANSCRIPT_ROW, spoken, understood
from voxterm.errors import EngineError

CHECKPOINT = "mistralai/Voxtral-Mini-3B-2507"
TITLE = "Voxtral"
ROWS = 2

TRANSCRIPT_SPARE_TOKENS = 16  # for the name of the language, and for very short turns
LEAST_TRANSCRIPT = 1 / 3
"""So much of the transcript's limit must fit into the context: 4 tokens a second, about what people say."""

WARM_UP_TOKENS = 4


@dataclass(frozen=True, slots=True)
class VoxtralSettings:
    """How it hears and answers. The temperature and top-p are those that the model's authors recommend."""

    language: str = AUTO  # ISO 639-1, or "auto": it finds out
    reply_tokens: int = 400
    transcript_tokens: int = 360  # at most, for 30 s of speech: 12 a second
    temperature: float = 0.2
    top_p: float = 0.95
    seed: int = 0


@dataclass(frozen=True)
class _Loaded:
    prompts: VoxtralPrompts
    encoder: AudioEncoder
    loop: DecodeLoop
    memory_bytes: Mapping[str, int]


@dataclass(frozen=True)
class _Question:
    """What the decode loop is asked: for each row the ids and the most tokens of its answer."""

    ids: tuple[list[int], ...]
    limits: tuple[int, ...]


class Voxtral(OneModel[_Loaded]):
    """A `SpeechLanguageModel`."""

    def __init__(
        self,
        placement: Placement,
        checkpoint: str = CHECKPOINT,
        settings: VoxtralSettings | None = None,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        """`checkpoint` is a folder, or the name of a repository in the Hugging Face cache.

        `now`: seconds, by which its speed is measured.
        """
        super().__init__("voxtral", TITLE, placement)
        self._checkpoint = checkpoint
        self._settings = settings or VoxtralSettings()
        self._now = now
        self._heard: list[Samples] = []
        self._heard_samples = 0
        self._encoded: tuple[int, Tensor] | None = None  # samples; (375 · windows, hidden)

    def load(self, progress: LoadProgress) -> None:
        """Take up the model, and memory for `placement.context_tokens` in each row.

        Raises:
            CheckpointError: the checkpoint is missing, broken or another model's.
            EngineMemoryError: it does not fit.
            ConfigError: there is no such language.
        """
        self.close()
        checkpoint = find(self._checkpoint, ARCHITECTURES)
        prompts = VoxtralPrompts(checkpoint.folder / "tekken.json", self._settings.language)
        self._loaded = within_memory(
            lambda: self._on_device(checkpoint, prompts, progress),
            lambda: self._needs(checkpoint.weight_bytes),
            self.placement.device,
        )

    def warm_up(self) -> None:
        """Capture and choose all kernels, with input of the real shapes. Forgets what was heard."""
        loaded = self._ready()
        with failures(TITLE, self.placement.device):
            loaded.loop.warm_up()
        self.begin()
        noise = np.random.default_rng(0).normal(0.0, 0.01, HEARING_RATE_HZ)
        self.hear(noise.astype(np.float32))
        short = (WARM_UP_TOKENS, WARM_UP_TOKENS)
        with failures(TITLE, self.placement.device):
            inputs = self._encode(loaded)
        for _ in self._steps(loaded, _Question(self._asked(loaded, []).ids, short), inputs):
            pass
        typed = loaded.prompts.chat_text([], "Hello.", loaded.loop.capacity - WARM_UP_TOKENS)
        for _ in self._steps(loaded, _Question((typed,), short[:1]), None):
            pass
        self.begin()

    def close(self) -> None:
        self.begin()
        if self._loaded is not None:
            self._loaded.loop.close()
            self._loaded.encoder.close()
        self._loaded = None
        free_caches()

    def begin(self) -> None:
        self._heard = []
        self._heard_samples = 0
        self._encoded = None

    def hear(self, samples: Samples) -> None:
        """Keep the samples. It has no partial text: it hears the turn as a whole, when it is asked."""
        self._heard_samples += len(samples)
        if windows_of(self._heard_samples) * TOKENS_PER_WINDOW <= self.placement.context_tokens:
            self._heard.append(np.array(samples, dtype=np.float32))

    def answer(self, history: Sequence[Message]) -> Iterator[Understood]:
        """AudioEncoded, an Ending, one Transcript and Deltas; see `protocols.SpeechLanguageModel`.

        Deltas may come before the Transcript, but not before it is known that there are words in it.

        Raises:
            EngineError: the turn is too long for its context, or the model failed.
        """
        loaded = self._ready()
        if is_silence(self._samples()):
            yield AudioEncoded()
            yield Transcript("")
            return
        question = self._asked(loaded, history)
        with failures(TITLE, self.placement.device):
            inputs = self._encode(loaded)
        yield AudioEncoded()
        with closing(self._steps(loaded, question, inputs)) as steps:
            yield from understood(
                self._paced(steps), loaded.prompts.piece, lambda: loaded.loop.watched[TRANSCRIPT_ROW]
            )

    def answer_text(self, history: Sequence[Message], text: str) -> Iterator[Delta]:
        """Answer a line that was typed.

        Raises:
            EngineError: the line is too long for its context, or the model failed.
        """
        loaded = self._ready()
        limit = self._settings.reply_tokens
        ids = loaded.prompts.chat_text(history, text, loaded.loop.capacity - limit)
        with closing(self._steps(loaded, _Question((ids,), (limit,)), None)) as steps:
            yield from spoken(self._paced(steps), loaded.prompts.piece)

    def _asked(self, loaded: _Loaded, history: Sequence[Message]) -> _Question:
        """The two prompts over what was heard, in the order of `turn`'s rows."""
        windows = windows_of(self._heard_samples)
        capacity, reply_limit = loaded.loop.capacity, self._settings.reply_tokens
        transcription = loaded.prompts.transcription(windows)
        per_s = self._settings.transcript_tokens / 30
        wanted = TRANSCRIPT_SPARE_TOKENS + math.ceil(per_s * self._heard_samples / HEARING_RATE_HZ)
        limit = min(wanted, capacity - len(transcription))
        if limit < LEAST_TRANSCRIPT * wanted:
            seconds = round(self._heard_samples / HEARING_RATE_HZ)
            what = f"a turn of {seconds} s is too long for the {capacity} tokens of Voxtral's context"
            raise EngineError(what, "take shorter turns, or give it a longer context")
        chat = loaded.prompts.chat(history, windows, capacity - reply_limit)
        return _Question((chat, transcription), (reply_limit, limit))

    def _encode(self, loaded: _Loaded) -> Tensor:
        """(375 · windows, hidden) of what was heard; returns when the device has it."""
        if self._encoded is None or self._encoded[0] != self._heard_samples:
            stream = loaded.loop.cuda_stream
            with torch.inference_mode(), on_stream(stream):
                encoded = loaded.encoder(self._samples())
            if stream is not None:
                stream.synchronize()
            self._encoded = self._heard_samples, encoded
        return self._encoded[1]

    def _steps(
        self, loaded: _Loaded, question: _Question, inputs: Tensor | None
    ) -> Generator[tuple[int | None, ...], None, None]:
        prompts = [
            Prompt(ids, inputs, AUDIO_ID) if inputs is not None else Prompt(ids) for ids in question.ids
        ]
        reply = Sampling(self._settings.temperature, self._settings.top_p)
        sampling = [reply, Sampling()][: len(prompts)]  # the transcript is greedy
        answer = loaded.loop.generate(prompts, sampling, question.limits, self._settings.seed)
        with closing(answer) as steps:
            while True:
                with failures(TITLE, self.placement.device):
                    step = next(steps, None)
                if step is None:
                    return
                yield step

    def _paced(self, steps: Iterable[tuple[int | None, ...]]) -> Iterator[tuple[int | None, ...]]:
        """The steps as they come, the reply's tokens counted."""
        tempo = Tempo(self._now)
        for step in steps:
            if step[REPLY_ROW] is not None:
                tempo.token()
                self._speed = tempo.speed or self._speed
            yield step

    def _samples(self) -> Samples:
        """All that was heard and kept, in one piece. (N,)"""
        if len(self._heard) != 1:
            self._heard = [np.concatenate([np.zeros(0, np.float32), *self._heard])]
        return self._heard[0]

    def _ready(self) -> _Loaded:
        if self._loaded is None:
            raise EngineError("Voxtral is not loaded", "call load() first")
        return self._loaded

    def _on_device(self, checkpoint: Checkpoint, prompts: VoxtralPrompts, progress: LoadProgress) -> _Loaded:
        encoder, decoder = load_model(checkpoint, self.placement, progress)
        ends = prompts.sentence_ends()
        loop = DecodeLoop(decoder, ROWS, self.placement.context_tokens, {END_OF_TEXT_ID}, watched_ids=ends)
        held = {
            "Voxtral": encoder.memory_bytes + decoder.memory_bytes,
            "Voxtral cache": loop.memory_bytes,
        }
        return _Loaded(prompts, encoder, loop, held)

    def _needs(self, weight_bytes: int) -> str:
        precision = self.placement.precision
        needed_gb = weight_bytes / 2 * WEIGHT_BYTES[precision] / 1e9  # the files are in bf16
        return f"{TITLE} in {precision} needs {needed_gb:.1f} GB and its cache"


def placed(placement: Placement, section: declared.VoxtralSettings) -> Voxtral:
    """As its section of the settings says; the plan may have granted less context than that asks for."""
    granted = replace(placement, context_tokens=min(placement.context_tokens, section.context_tokens))
    settings = VoxtralSettings(
        language=section.language,
        reply_tokens=section.reply_tokens,
        temperature=section.temperature,
        top_p=section.top_p,
    )
    return Voxtral(granted, section.checkpoint, settings)
