"""A local LLM answers: any chat checkpoint of a Llama, Mistral, Qwen2 or Qwen3 model, by its own template.

What a prompt shares with the one before stays in the KV cache, so that in each turn only what is new is read.
What the model thinks aloud is neither given out nor kept.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from datetime import date

from voxterm.checkpoints import Checkpoint, find
from voxterm.decoding import DecodeLoop, Prompt, Sampling
from voxterm.engines.declared.llm import LlmSettings
from voxterm.engines.llm.generation import chosen_sampling, declared_ends, generation_config
from voxterm.engines.llm.model import ARCHITECTURES, context_tokens, load_decoder, parameters, read_tokenizer
from voxterm.engines.llm.prompt import ChatPrompts
from voxterm.engines.llm.text import TokenText
from voxterm.engines.mapped import WEIGHT_BYTES
from voxterm.engines.memory import failures, free_caches, within_memory
from voxterm.engines.one_model import OneModel
from voxterm.engines.protocols import Delta, LoadProgress, Message, Placement, Replied
from voxterm.engines.tempo import Tempo
from voxterm.engines.thinking import ThinkingFilter
from voxterm.errors import EngineError

TITLE = "LLM"

LONGEST_REPLY = 1 / 2
"""Of the context: the rest is for the dialogue."""

WARM_UP_PROMPTS = (1024, 64)
"""Tokens that are read: about a dialogue that is new to the cache, and about what one turn adds to it."""

WARM_UP_TOKENS = 4


@dataclass(frozen=True)
class _Loaded:
    prompts: ChatPrompts
    sampling: Sampling
    loop: DecodeLoop
    memory_bytes: Mapping[str, int]


class TransformersLlm(OneModel[_Loaded]):
    """A `LanguageModel`."""

    def __init__(
        self,
        placement: Placement,
        settings: LlmSettings | None = None,
        now: Callable[[], float] = time.monotonic,
        today: Callable[[], date] = date.today,
    ) -> None:
        """`now`: seconds, by which its speed is measured; `today`: the date that it is told."""
        super().__init__("llm", TITLE, placement)
        self._settings = settings or LlmSettings()
        self._now = now
        self._today = today

    def load(self, progress: LoadProgress) -> None:
        """Take up the model, and memory for its context.

        Raises:
            CheckpointError: the checkpoint is missing, broken, no chat model, or of an unknown architecture.
            EngineMemoryError: it does not fit.
        """
        self.close()
        checkpoint = find(self._settings.checkpoint, ARCHITECTURES)
        tokenizer = read_tokenizer(checkpoint)
        prompts = ChatPrompts(tokenizer, checkpoint.name, self._today)
        generation = generation_config(checkpoint)
        ends = {*declared_ends(checkpoint, generation), *prompts.end_ids}
        if tokenizer.eos_token_id is not None:
            ends.add(tokenizer.eos_token_id)
        sampling = chosen_sampling(self._settings, generation)
        self._loaded = within_memory(
            lambda: self._on_device(checkpoint, prompts, sampling, frozenset(ends), progress),
            lambda: self._needs(checkpoint),
            self.placement.device,
        )

    def warm_up(self) -> None:
        """Capture and choose all kernels, with prompts of real lengths."""
        loaded = self._ready()
        for token_id, length in enumerate(WARM_UP_PROMPTS):
            ids = [token_id] * min(length, loaded.loop.capacity - WARM_UP_TOKENS)
            for _ in self._tokens(loaded, ids, WARM_UP_TOKENS):
                pass
        with failures(TITLE, self.placement.device):
            loaded.loop.warm_up()

    def close(self) -> None:
        if self._loaded is not None:
            self._loaded.loop.close()
        self._loaded = None
        free_caches()

    def reply(self, history: Sequence[Message]) -> Iterator[Replied]:
        """Answer the last message of the history, the user's. Where that has no text there is no answer.

        A Delta for each token, empty where nothing of it is said: it can be closed while it thinks.

        Raises:
            EngineError: the message is too long for its context, the model failed, or it thought and thought.
        """
        loaded = self._ready()
        if not history or history[-1].role != "user":
            return
        limit = min(self._settings.reply_tokens, int(LONGEST_REPLY * loaded.loop.capacity))
        ids = loaded.prompts.chat(history, loaded.loop.capacity - limit)
        if not ids:
            return
        text = TokenText(loaded.prompts.decode, loaded.prompts.hidden_ids)
        thoughts = ThinkingFilter(loaded.prompts.opening)
        has_spoken = False
        with closing(self._paced(loaded, ids, limit)) as tokens:
            for token in tokens:
                said = thoughts.push(text.take(token))
                has_spoken = has_spoken or bool(said)
                yield Delta(said)
        if said := thoughts.push(text.finish()) + thoughts.finish():
            yield Delta(said)
        elif thoughts.thinking and not has_spoken:
            raise EngineError(
                f"{self._settings.checkpoint} did nothing but think: no reply within {limit} tokens",
                "choose a model that does not think, or raise reply_tokens",
            )

    def _paced(self, loaded: _Loaded, ids: list[int], limit: int) -> Generator[int, None, None]:
        """The tokens of a reply, counted."""
        tempo = Tempo(self._now)
        with closing(self._tokens(loaded, ids, limit)) as tokens:
            for token in tokens:
                tempo.token()
                self._speed = tempo.speed or self._speed
                yield token
                tempo.resume()

    def _tokens(self, loaded: _Loaded, ids: list[int], limit: int) -> Generator[int, None, None]:
        seed = random.getrandbits(31) if self._settings.seed is None else self._settings.seed
        with closing(loaded.loop.generate([Prompt(ids)], [loaded.sampling], [limit], seed)) as steps:
            while True:
                with failures(TITLE, self.placement.device):
                    step = next(steps, None)
                if step is None:
                    return
                if step[0] is not None:
                    yield step[0]

    def _ready(self) -> _Loaded:
        if self._loaded is None:
            raise EngineError(f"the {TITLE} is not loaded", "call load() first")
        return self._loaded

    def _on_device(
        self,
        checkpoint: Checkpoint,
        prompts: ChatPrompts,
        sampling: Sampling,
        ends: frozenset[int],
        progress: LoadProgress,
    ) -> _Loaded:
        decoder = load_decoder(checkpoint, self.placement, progress)
        loop = DecodeLoop(decoder, 1, context_tokens(checkpoint, self.placement), ends)
        held = {TITLE: decoder.memory_bytes, f"{TITLE} cache": loop.memory_bytes}
        return _Loaded(prompts, sampling, loop, held)

    def _needs(self, checkpoint: Checkpoint) -> str:
        precision = self.placement.precision
        weight_bytes = WEIGHT_BYTES[precision] * parameters(checkpoint, self.placement)
        return f"{checkpoint.name} in {precision} needs {weight_bytes / 1e9:.1f} GB and its cache"


def placed(placement: Placement, settings: LlmSettings) -> TransformersLlm:
    """As its section of the settings says; the plan may have granted less context than that asks for."""
    granted = replace(placement, context_tokens=min(placement.context_tokens, settings.context_tokens))
    return TransformersLlm(granted, settings)
