"""What the engine needs of a Whisper model, whichever library runs it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from voxterm.engines.protocols import HEARING_RATE_HZ, Samples, Speed
from voxterm.engines.whisper.text import WhisperVocabulary

TITLE = "Whisper"

WINDOW_SAMPLES = 30 * HEARING_RATE_HZ
"""What Whisper hears at once."""


@dataclass(frozen=True, slots=True)
class Decoded:
    """What the model said after a prompt.

    `log_probabilities` has one more than `ids` where it ended by itself: that of the end. `full_stops` tells,
    of the same steps, how probable a token that ends a sentence was; empty where the library does not tell.
    """

    ids: tuple[int, ...]
    log_probabilities: tuple[float, ...]
    no_speech: float  # the probability of <|nospeech|>
    full_stops: tuple[float, ...] = ()
    is_full: bool = False  # it had more to say, but no position was left


class Recogniser(Protocol):
    """A loaded model. It hears one window at a time, and is asked about that as often as needed.

    Raises, all of its verbs: EngineError, and EngineMemoryError where the memory ran out.
    """

    vocabulary: WhisperVocabulary
    is_stand_in: bool
    """Its weights are random: what it says means nothing."""

    memory_bytes: Mapping[str, int]
    """What it holds on its device, by what holds it."""

    speed: Speed | None
    """How fast it decoded last; None where nothing was decoded, or the library does not tell."""

    def warm_up(self) -> None:
        """Record what can be recorded, so that the first call need not."""
        ...

    def encode(self, samples: Samples) -> None:
        """Hear at most WINDOW_SAMPLES; they take the place of what was heard before."""
        ...

    def languages(self) -> Mapping[int, float]:
        """The probability of each language, by its id, of what was heard; of multilingual models alone."""
        ...

    def decode(
        self, prompt: Sequence[int], said: Sequence[int], limit: int, temperature: float = 0.0, seed: int = 0
    ) -> Decoded:
        """Transcribe what was heard.

        Args:
            prompt: as `WhisperVocabulary.prompt` gives it.
            said: tokens of text with which the transcript begins; they are not given again.
            limit: at most so many tokens are decoded.
            temperature: 0 takes the most probable token; otherwise `seed` decides.
        """
        ...

    def close(self) -> None:
        """Give back everything."""
        ...
