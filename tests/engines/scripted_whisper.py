"""A recogniser that truly hears, with no model: each word is a tone of its own level, 0.4 s and a short gap.

So whatever a turn is fed, cut and asked, it is known which words must come out.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise

import numpy as np

from voxterm.engines.protocols import HEARING_RATE_HZ, Samples, Speed
from voxterm.engines.whisper.recogniser import WINDOW_SAMPLES, Decoded
from voxterm.engines.whisper.text import WhisperVocabulary

WORDS = 300
WORD_SAMPLES = round(0.4 * HEARING_RATE_HZ)
GAP_SAMPLES = round(0.1 * HEARING_RATE_HZ)
HALF_A_WORD = WORDS  # what it makes of a word that is cut off
FULL_STOP, COMMA = WORDS + 1, WORDS + 2
SPECIAL = (
    *("endoftext", "startoftranscript", "en", "hi", "zh"),
    *("translate", "transcribe", "startoflm", "startofprev", "nospeech", "notimestamps"),
)


class ScriptedTokens:
    """Ġw0 … Ġw299, one for a word cut off, punctuation, the special ones."""

    def __init__(self) -> None:
        text = [*(f"Ġw{n}" for n in range(WORDS)), "Ġhalf", ".", ","]
        self.tokens = [*text, *(f"<|{name}|>" for name in SPECIAL)]

    def token_to_id(self, token: str) -> int | None:
        return self.tokens.index(token) if token in self.tokens else None

    def id_to_token(self, id: int) -> str | None:  # noqa: A002 - as the library names it
        return self.tokens[id] if id < len(self.tokens) else None


def scripted_vocabulary(is_multilingual: bool = True) -> WhisperVocabulary:
    tokens = ScriptedTokens()
    about = {"is_multilingual": is_multilingual}
    return WhisperVocabulary(tokens, about, len(tokens.tokens), "scripted")


def spoken(first: int, last: int) -> Samples:
    """The words from `first` up to, and without, `last`."""
    gap = np.zeros(GAP_SAMPLES, dtype=np.float32)
    words = [part for n in range(first, last) for part in (np.full(WORD_SAMPLES, level(n)), gap)]
    return np.concatenate([gap, *words], dtype=np.float32)


def said(first: int, last: int) -> str:
    """The same as text."""
    return " ".join(f"w{n}" for n in range(first, last))


def level(word: int) -> float:
    return 0.05 + 0.001 * word


class ScriptedRecogniser:
    """A `Recogniser`. What it says may be changed by its attributes."""

    def __init__(self, is_multilingual: bool = True) -> None:
        self.vocabulary = scripted_vocabulary(is_multilingual)
        self.is_stand_in = False
        self.memory_bytes: Mapping[str, int] = {"Whisper": 1}
        self.speed: Speed | None = None
        self.heard: Samples = np.zeros(0, dtype=np.float32)
        self.encoded: list[int] = []  # how much, each time
        self.asked: list[tuple[tuple[int, ...], tuple[int, ...], float]] = []  # prompt, said, temperature
        self.language: Mapping[str, float] = {"en": 0.9, "hi": 0.1}
        self.asked_languages = 0
        self.no_speech = 0.0
        self.log_probability: Callable[[float], float] = lambda temperature: -0.1
        self.changed: Callable[[list[int], float], list[int]] = lambda ids, temperature: ids
        self.positions = 10_000
        self.full_stops: Callable[[int], float] | None = None  # by id; -1: the end
        self.working: Callable[[], None] = lambda: None
        self.is_closed = False

    def warm_up(self) -> None: ...

    def close(self) -> None:
        self.is_closed = True

    def encode(self, samples: Samples) -> None:
        assert 0 < len(samples) <= WINDOW_SAMPLES
        self.working()
        self.heard = samples.copy()
        self.encoded.append(len(samples))

    def languages(self) -> Mapping[int, float]:
        self.asked_languages += 1
        return {self.vocabulary.languages[code]: p for code, p in self.language.items()}

    def decode(
        self, prompt: Sequence[int], said: Sequence[int], limit: int, temperature: float = 0.0, seed: int = 0
    ) -> Decoded:
        self.working()
        self.asked.append((tuple(prompt), tuple(said), temperature))
        ids = self.changed(words_in(self.heard), temperature)[len(said) :][:limit]
        room = self.positions - len(said)
        is_full = len(ids) > room
        ids = ids[: max(room, 0)]
        steps = len(ids) + (not is_full)
        stops = tuple(map(self.full_stops, (*ids, -1))) if self.full_stops else ()
        probabilities = (self.log_probability(temperature),) * steps
        return Decoded(tuple(ids), probabilities, self.no_speech, stops, is_full)


def words_in(samples: Samples) -> list[int]:
    """The ids of the words, each by its level."""
    edges = np.flatnonzero(np.diff(np.concatenate([[0.0], samples, [0.0]])))
    tones = [(begin, end) for begin, end in pairwise(edges) if samples[begin] != 0.0]
    whole = 0.9 * WORD_SAMPLES
    return [
        round((float(samples[begin]) - 0.05) / 0.001) if end - begin > whole else HALF_A_WORD
        for begin, end in tones
    ]
