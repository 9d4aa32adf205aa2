"""Evidence → wait: bounded by the settings, and never longer for more evidence that it is over."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from voxterm.config import TurnSettings
from voxterm.endpointing import CERTAIN, PARAMETERS, Evidence, Parameters, finished, log_odds_of, silence_ms

TURNS = TurnSettings()
probabilities = st.floats(0.0, 1.0)
evidence = st.builds(Evidence, st.none() | probabilities, st.none() | probabilities)


def test_with_no_evidence_the_pause_alone_decides() -> None:
    assert finished(Evidence()) is None
    assert silence_ms(Evidence(), TURNS) == TURNS.end_silence_ms


def test_evidence_that_says_nothing_changes_nothing() -> None:
    assert finished(Evidence(words=0.5)) == 0.5
    assert silence_ms(Evidence(words=0.5), TURNS) == TURNS.end_silence_ms
    sound = Evidence(sound=0.8)
    assert silence_ms(Evidence(words=0.5, sound=0.8), TURNS) == silence_ms(sound, TURNS)


@pytest.mark.parametrize("kind", ["words", "sound"])
def test_who_sounds_finished_is_answered_soon_and_who_does_not_is_let_be(kind: str) -> None:
    assert silence_ms(Evidence(**{kind: 1.0}), TURNS) == TURNS.finished_silence_ms
    assert silence_ms(Evidence(**{kind: 0.0}), TURNS) == TURNS.unfinished_silence_ms


def test_kinds_that_contradict_each_other_end_up_between() -> None:
    both = silence_ms(Evidence(words=0.05, sound=0.99), TURNS)
    assert TURNS.finished_silence_ms < both < TURNS.unfinished_silence_ms


def test_words_count_as_they_are() -> None:
    assert finished(Evidence(words=0.8)) == pytest.approx(0.8)


@st.composite
def settings(draw: st.DrawFn) -> TurnSettings:
    """The pause alone may be outside of the other two."""
    waits = st.integers(100, 5000)
    quick, slow = sorted(draw(st.tuples(waits, waits)))
    return TurnSettings(
        finished_silence_ms=quick, unfinished_silence_ms=slow, end_silence_ms=draw(waits), pause_ms=64
    )


@given(evidence, settings())
def test_bounded_by_the_settings(given_evidence: Evidence, turns: TurnSettings) -> None:
    wait = silence_ms(given_evidence, turns)
    if given_evidence == Evidence():
        assert wait == turns.end_silence_ms
    else:
        assert turns.finished_silence_ms <= wait <= turns.unfinished_silence_ms
    probability = finished(given_evidence)
    assert probability is None or 0.0 < probability < 1.0


@given(evidence, probabilities, st.sampled_from(["words", "sound"]), settings())
def test_more_evidence_for_the_end_never_makes_the_wait_longer(
    given_evidence: Evidence, other: float, kind: str, turns: TurnSettings
) -> None:
    values = {"words": given_evidence.words, "sound": given_evidence.sound}
    less, more = sorted([values[kind] or 0.0, other])
    weaker, stronger = (Evidence(**{**values, kind: value}) for value in (less, more))
    assert silence_ms(stronger, turns) <= silence_ms(weaker, turns)
    assert (finished(stronger) or 0.0) >= (finished(weaker) or 0.0)


@given(evidence)
def test_a_wait_is_longer_than_the_pause_s_just_where_the_end_is_improbable(given_evidence: Evidence) -> None:
    probability = finished(given_evidence)
    wait = silence_ms(given_evidence, TURNS)
    if probability is not None and abs(probability - 0.5) > 1e-6:
        assert (wait > TURNS.end_silence_ms) == (probability < 0.5)


def test_the_waits_are_those_of_the_settings() -> None:
    turns = TurnSettings(finished_silence_ms=150, end_silence_ms=1000, unfinished_silence_ms=2000)
    assert [silence_ms(Evidence(words=p), turns) for p in (1.0, 0.5, 0.0)] == [150, 1000, 2000]


def test_in_between_the_wait_follows_the_log_odds() -> None:
    parameters = Parameters(finished_from=2.0, unfinished_from=2.0)
    probability = 1.0 / (1.0 + math.exp(-1.0))  # log odds 1: half way
    half_way = (TURNS.end_silence_ms + TURNS.finished_silence_ms) / 2
    assert silence_ms(Evidence(words=probability), TURNS, parameters) == pytest.approx(half_way)


def test_no_detector_is_surer_than_certain() -> None:
    assert log_odds_of(1.0) == log_odds_of(1.0 - CERTAIN)
    assert log_odds_of(0.0) == pytest.approx(-log_odds_of(1.0))


def test_no_weight_turns_evidence_round() -> None:
    assert PARAMETERS.sound_weight > 0
    assert PARAMETERS.finished_from > 0
    assert PARAMETERS.unfinished_from > 0
