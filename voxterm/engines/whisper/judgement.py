"""Whether what Whisper said was heard or made up. Pure.

The rules and their bounds are those of OpenAI's Whisper (Radford et al. 2022, "Robust Speech Recognition via
Large-Scale Weak Supervision", section 4.5; `decode_with_fallback` in its transcribe.py).
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from enum import Enum

TEMPERATURES = (0.2, 0.4, 0.6, 0.8, 1.0)
"""At which a doubtful transcript is made again, one after the other."""

LEAST_AUDIO_S = 0.1
"""No word is shorter, and whisper.cpp refuses such audio."""

SPARE_TOKENS = 16
TOKENS_PER_S = 25
"""More than anyone says: fast Hindi, of which Whisper makes some six tokens a word, has about 20 a second."""


class Verdict(Enum):
    SOUND = "sound"
    DOUBTFUL = "doubtful"  # worth another try at a higher temperature
    SILENCE = "silence"  # nobody spoke


@dataclass(frozen=True, slots=True)
class Bounds:
    """Beyond which a transcript is doubtful, or none at all."""

    no_speech: float = 0.6
    log_probability: float = -1.0
    compression: float = 2.4


def judged(text: str, log_probability: float, no_speech: float, bounds: Bounds) -> Verdict:
    """What to make of a transcript with this average log-probability of its tokens.

    Args:
        no_speech: the probability of <|nospeech|>. It counts only where the words are improbable too.
    """
    improbable = log_probability < bounds.log_probability
    if improbable and no_speech > bounds.no_speech:
        return Verdict.SILENCE
    if improbable or compression(text) > bounds.compression:
        return Verdict.DOUBTFUL
    return Verdict.SOUND


def compression(text: str) -> float:
    """How much smaller zlib makes a text: much, where it repeats itself.

    Each character counts as one byte. As UTF-8, of which OpenAI takes the ratio, ordinary Hindi is above the
    bound already, since its letters are three bytes that begin alike; English is about the same either way.
    """
    numbers = {character: number for number, character in enumerate(dict.fromkeys(text))}
    as_bytes = bytes(numbers[character] % 256 for character in text)
    return len(as_bytes) / len(zlib.compress(as_bytes))


def most_tokens(seconds: float) -> int:
    """The most tokens that so much speech can be."""
    return SPARE_TOKENS + round(TOKENS_PER_S * seconds)
