"""Words that were heard beside those that were said, and texts that change while a person speaks."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from voxterm.bench.words import Steadiness, steadiness, word_errors, words_of

SENTENCES = st.lists(st.sampled_from(["a", "b", "c", "d"]), max_size=8).map(" ".join)


@pytest.mark.parametrize(
    ("said", "heard", "errors"),
    [
        ("ask not what your country", "ask not what your country", 0),
        ("ask not what your country", "Ask not: what your country!", 0),
        ("ask not what your country", "ask what your county", 2),
        ("ask not", "and ask not now", 2),
        ("ask not", "", 2),
        ("", "nothing was said", 3),
        ("don't go", "don’t go", 0),
        ("नमस्ते आप", "नमस्ते आप", 0),
    ],
)
def test_errors_are_words_put_in_left_out_or_replaced(said: str, heard: str, errors: int) -> None:
    assert word_errors(said, heard) == errors


def test_a_hyphen_parts_words_and_an_apostrophe_does_not() -> None:
    assert words_of("Twenty-one, it's “so”_far") == ["twenty", "one", "it's", "so", "far"]


@given(said=SENTENCES, heard=SENTENCES)
def test_errors_are_a_distance(said: str, heard: str) -> None:
    errors = word_errors(said, heard)
    lengths = len(words_of(said)), len(words_of(heard))
    assert errors == word_errors(heard, said)
    assert abs(lengths[0] - lengths[1]) <= errors <= max(lengths)
    assert (errors == 0) == (words_of(said) == words_of(heard))


def test_a_text_that_only_grows_is_steady() -> None:
    assert steadiness(["and so", "and so my", "And so my fellow"], "And so, my fellow.") == Steadiness(4, 0)


def test_a_word_that_is_taken_back_counts_and_those_after_it_do_not() -> None:
    assert steadiness(["in so", "and so my", "and so by"], "and so my fellow") == Steadiness(5, 3)


def test_what_the_transcript_drops_counts_too() -> None:
    assert steadiness(["the"], "") == Steadiness(1, 1)
    assert steadiness([], "all at once") == Steadiness(0, 0)


@given(partials=st.lists(SENTENCES, max_size=6), transcript=SENTENCES)
def test_no_more_is_changed_than_was_shown(partials: list[str], transcript: str) -> None:
    found = steadiness(partials, transcript)
    assert 0 <= found.changed <= found.shown
