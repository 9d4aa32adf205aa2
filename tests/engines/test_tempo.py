from __future__ import annotations

import pytest

from voxterm.engines.tempo import LEAST_TOKENS, Tempo


class Watchmaker:
    """A clock that is set by hand."""

    def __init__(self) -> None:
        self.now_s = 5.0

    def __call__(self) -> float:
        return self.now_s


def decode(tempo: Tempo, now: Watchmaker, tokens: int, step_s: float = 0.01) -> None:
    for _ in range(tokens):
        now.now_s += step_s
        tempo.token()


def tokens_per_s(tempo: Tempo) -> float:
    assert tempo.speed is not None
    return tempo.speed.tokens_per_s


def test_the_prefill_does_not_count() -> None:
    now = Watchmaker()
    tempo = Tempo(now)
    now.now_s += 3.0
    decode(tempo, now, 21)
    assert tokens_per_s(tempo) == pytest.approx(100.0)
    now.now_s += 3.0
    tempo.prefill()
    decode(tempo, now, 21, step_s=0.03)
    assert tokens_per_s(tempo) == pytest.approx(50.0), "20 steps of 10 ms, and 20 of 30"


def test_time_in_which_nobody_wanted_more_does_not_count() -> None:
    now = Watchmaker()
    tempo = Tempo(now, real_time_tokens_per_s=82.0)
    for _ in range(10):
        decode(tempo, now, 7)
        now.now_s += 4.0
        tempo.resume()
    assert tempo.speed is not None
    assert tempo.speed.times_real_time == pytest.approx(100 / 82)


def test_a_listener_who_waits_before_the_first_token_begins_nothing() -> None:
    now = Watchmaker()
    tempo = Tempo(now)
    tempo.resume()
    now.now_s += 9.0
    decode(tempo, now, 21)
    assert tokens_per_s(tempo) == pytest.approx(100.0)


def test_a_few_tokens_say_nothing() -> None:
    now = Watchmaker()
    tempo = Tempo(now)
    decode(tempo, now, LEAST_TOKENS)
    assert tempo.speed is None
    decode(tempo, now, 1)
    assert tempo.speed is not None


def test_a_clock_that_stands_still_gives_no_speed() -> None:
    tempo = Tempo(lambda: 0.0)
    for _ in range(100):
        tempo.token()
    assert tempo.speed is None
