"""Coughs, hums and backchannels are no turns; words are, however short."""

from __future__ import annotations

import numpy as np
import pytest
from fakes import silence

from voxterm.conversation.interjection import Voice, holds_words, is_turn
from voxterm.engines.protocols import Samples

RATE = 16_000


def tones(seconds: float, *parts: tuple[float, float]) -> Samples:
    """So much of each frequency, after half a second of hardly anything. (N,)"""
    time_s = np.arange(round(seconds * RATE)) / RATE
    sound: Samples = np.sum([level * np.sin(2 * np.pi * hz * time_s) for hz, level in parts], axis=0)
    hiss = np.random.default_rng(0).normal(0, 1e-4, len(silence(0.5)))
    return np.concatenate([hiss, sound], dtype=np.float32)


VOWEL = tones(0.3, (150, 0.1), (600, 0.1), (1100, 0.05))
HUM = tones(0.4, (120, 0.1), (240, 0.1), (1200, 0.01))


@pytest.mark.parametrize(
    "transcript",
    [
        "",
        "Mm-hm.",
        "mhm",
        "Uh-huh.",
        "okay",
        "Okay, right.",
        "Yeah, sure.",
        "I see",
        "Genau!",
        "हाँ",
        "네, 네",
        "嗯",
    ],
)
def test_backchannels_hold_no_words(transcript: str) -> None:
    assert not holds_words(transcript)


@pytest.mark.parametrize(
    "transcript", ["no", "Stop!", "wait", "okay but why", "yes yes yes yes", "Yes, and you?"]
)
def test_everything_else_does(transcript: str) -> None:
    assert holds_words(transcript)


def test_only_what_is_new_counts() -> None:
    assert not holds_words("tell me a story", "tell me a story")
    assert not holds_words("tell me a story mm-hm", "tell me a story")
    assert holds_words("tell me a story now", "tell me a story")


def test_a_short_word_in_a_quiet_place_is_a_turn() -> None:
    assert is_turn(Voice(VOWEL, 0.95), "no")


def test_a_sound_that_the_vad_was_not_sure_of_is_none() -> None:
    """PocketSphinx writes "fun" for a cough."""
    assert not is_turn(Voice(VOWEL, 0.8), "fun")


def test_in_noise_the_vad_is_less_sure_of_words_too() -> None:
    noise = np.random.default_rng(1).normal(0, 0.03, len(VOWEL)).astype(np.float32)
    assert is_turn(Voice(VOWEL + noise, 0.75), "no")


def test_a_hum_is_no_word_whatever_is_written_for_it() -> None:
    assert not is_turn(Voice(HUM, 0.95), "a snap")


def test_without_words_there_is_no_turn_and_without_sound_the_words_decide() -> None:
    assert not is_turn(Voice(VOWEL, 1.0), "")
    assert is_turn(Voice(silence(0.0), 1.0), "stop")
