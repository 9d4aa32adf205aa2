"""A decode loop that is watched, and what stands in for the words of a model with random weights.

Random weights babble: what they say never forms a sentence, and audio tokens come in the wrong slots. So
that everything behind the model works as it would, each id is replaced by another one the moment it comes.
The model's work, and the time it takes, stay the same.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, TypeAlias

if TYPE_CHECKING:
    from voxterm.decoding import DecodeLoop, Prompt, Sampling

Step: TypeAlias = "tuple[int | None, ...]"
Rewrite: TypeAlias = "Callable[[Iterable[Step], Sequence[Prompt]], Iterator[Step]]"
"""(steps, prompts) → the steps as they are to be understood; may end before they do."""

FIRST_AUDIO_ID = 128_266
SLOTS = 7
CODES = 4096
PROMPT_MARKS = 6  # ids of Orpheus' prompt that are no text
LETTERS_PER_S = 15.0
FRAMES_PER_S = 24_000 / 2048
LEAST_FRAMES = 6

REPLY = (
    "I think I can help you. Most people begin with something small, learn how it feels, and only then"
    " decide whether it is worth more of their time. If you tell me what you have at home, and how long you"
    " would like it to take, I can say what I would try first."
)
"""Its first sentence is known to be one when its eighth token comes."""

TRANSCRIPT = "Could you tell me how I should begin with something like this?"

REPLY_NOTE = "what Voxtral's random weights say is replaced, id by id, by a fixed transcript and reply"
SPEECH_NOTE = (
    "the audio tokens of Orpheus' random weights are moved into the slots where they stand, and end after "
    f"a number fixed by the text ({LETTERS_PER_S:.0f} letters a second)"
)


@dataclass(slots=True)
class Seen:
    """What was seen of the latest answer."""

    new_tokens: tuple[int, ...] = ()  # of each row's prompt, those that the cache did not hold
    prompt_tokens: tuple[int, ...] = ()
    first_step_s: float | None = None
    last_step_s: float | None = None
    steps: int = 0

    @property
    def steps_per_s(self) -> float | None:
        """From the first step to the last."""
        if self.first_step_s is None or self.last_step_s is None or self.steps < 2:
            return None
        return (self.steps - 1) / (self.last_step_s - self.first_step_s)


class WatchedLoop:
    """A `DecodeLoop` that notes when its steps come."""

    def __init__(self, loop: DecodeLoop, rewrite: Rewrite | None = None) -> None:
        """With `rewrite` no id ends an answer: what ends it is the rewriting."""
        self.seen = Seen()
        self._loop = loop
        self._rewrite = rewrite
        if rewrite:
            loop._stop_ids = frozenset()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._loop, name)

    def generate(
        self,
        prompts: Sequence[Prompt],
        sampling: Sequence[Sampling],
        max_new_tokens: Sequence[int],
        seed: int = 0,
    ) -> Generator[Step, None, None]:
        """As `DecodeLoop.generate`."""
        held = self._loop._cache.held
        lengths = tuple(len(prompt.ids) for prompt in prompts)
        common = (held[row].common(prompt) for row, prompt in enumerate(prompts))
        new = tuple(length - old for length, old in zip(lengths, common, strict=True))
        self.seen = seen = Seen(new, lengths)
        answer: Any = self._loop.generate(prompts, sampling, max_new_tokens, seed)
        with closing(answer) as steps:
            noted = self._noted(steps, seen)
            yield from self._rewrite(noted, prompts) if self._rewrite else noted

    @staticmethod
    def _noted(steps: Iterable[Step], seen: Seen) -> Iterator[Step]:
        for step in steps:
            seen.last_step_s = time.monotonic()
            seen.first_step_s = seen.first_step_s or seen.last_step_s
            seen.steps += 1
            yield step


def scripted(*scripts: Sequence[int]) -> Rewrite:
    """Each row says its script, an id a step, and ends with it."""

    def rewrite(steps: Iterable[Step], prompts: Sequence[Prompt]) -> Iterator[Step]:
        rows = scripts[: len(prompts)]
        for number, _ in zip(range(max(map(len, rows))), steps, strict=False):
            yield tuple(row[number] if number < len(row) else None for row in rows)

    return rewrite


def in_slots(steps: Iterable[Step], prompts: Sequence[Prompt]) -> Iterator[Step]:
    """Each id in the slot where it stands, for as long as the prompt's text takes to say."""
    letters = len(prompts[0].ids) - PROMPT_MARKS  # the stand-in's tokenizer knows bytes alone
    frames = max(LEAST_FRAMES, round(letters / LETTERS_PER_S * FRAMES_PER_S))
    for number, (token,) in zip(range(SLOTS * frames), steps, strict=False):
        yield (None if token is None else slotted(token, number % SLOTS),)


def slotted(token: int, slot: int) -> int:
    """The id of the same code in this slot."""
    return FIRST_AUDIO_ID + slot * CODES + (token - FIRST_AUDIO_ID) % CODES


def watch_voxtral(engine: Any, *, is_random: bool) -> WatchedLoop:
    """Put a watch into an engine that is loaded."""
    parts = engine._loaded
    rewrite = None
    if is_random:
        encode = parts.prompts._tokenizer.instruct_tokenizer.tokenizer.encode
        rewrite = scripted(*(encode(text, bos=False, eos=False) for text in (REPLY, TRANSCRIPT)))
    watched = WatchedLoop(parts.loop, rewrite)
    engine._loaded = replace(parts, loop=watched)
    return watched


def watch_orpheus(engine: Any, *, is_random: bool) -> WatchedLoop:
    """Put a watch into an engine that is loaded."""
    watched = WatchedLoop(engine._model._loop, in_slots if is_random else None)
    engine._model._loop = watched
    return watched


SPEECH_WATCHES: Mapping[str, Callable[..., WatchedLoop]] = {"orpheus": watch_orpheus}
"""By engine that speaks with a decode loop inside."""

SPEECH_NOTES: Mapping[str, str] = {"orpheus": SPEECH_NOTE}
"""What became of the random weights' babbling, by the same."""


def watch_speech(name: str, engine: Any, *, is_random: bool) -> WatchedLoop | None:
    """Put a watch into an engine that is loaded; None where it has no decode loop."""
    watch = SPEECH_WATCHES.get(name)
    return watch(engine, is_random=is_random) if watch else None
