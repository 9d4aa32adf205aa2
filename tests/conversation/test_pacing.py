"""Speech that is made more slowly than it is played pauses between words."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
from fakes import HurriedClock, Listener, ToneVoice, said
from hypothesis import given
from hypothesis import strategies as st
from scene import Scene

from voxterm.conversation.pacing import HELD_LIMIT_S, Pacing, QuietPlaces
from voxterm.engines.protocols import Samples, SpeechChunk, Spoken, Voice
from voxterm.events import Levels, TurnFinished

RATE_HZ = 24_000
WORD_S, PAUSE_S = 0.3, 0.1
WORD_SAMPLES = round(WORD_S * RATE_HZ)
NOTHING = np.zeros(0, np.float32)


def words(count: int, pause_s: float = PAUSE_S) -> Samples:
    """Tones with pauses behind them. (N,)"""
    time_s = np.arange(round(WORD_S * RATE_HZ)) / RATE_HZ
    tone = np.where(np.sin(2 * np.pi * 200 * time_s) >= 0, 0.3, -0.3)
    return np.tile(np.concatenate([tone, np.zeros(round(pause_s * RATE_HZ))]), count).astype(np.float32)


def chunks(samples: Samples, chunk_s: float) -> list[Samples]:
    size = round(chunk_s * RATE_HZ)
    return [samples[at : at + size] for at in range(0, len(samples), size)]


class Player:
    """A loudspeaker that plays what passes, on a clock of its own."""

    def __init__(self) -> None:
        self.pacing = Pacing(RATE_HZ)
        self.now_s = 0.0
        self.ends_s = 0.0
        self.passed: list[Samples] = []
        self.dry_at: list[int] = []  # how many samples had passed when it ran dry

    def take(self, chunk: Samples, took_s: float) -> Samples:
        self.now_s += took_s
        return self._play(self.pacing.push(chunk, self.now_s, max(0.0, self.ends_s - self.now_s)))

    def finish(self) -> Samples:
        return self._play(self.pacing.finish(NOTHING))

    @property
    def samples(self) -> Samples:
        return np.concatenate([NOTHING, *self.passed])

    def _play(self, passes: Samples) -> Samples:
        if len(passes):
            if self.passed and self.ends_s < self.now_s:
                self.dry_at.append(len(self.samples))
            self.ends_s = max(self.ends_s, self.now_s) + len(passes) / RATE_HZ
            self.passed.append(passes)
        return passes


@given(
    st.lists(st.tuples(st.integers(0, 30_000), st.floats(0, 3), st.booleans(), st.booleans()), max_size=30),
    st.sampled_from([0.0, 0.01, 0.03, 0.1]),
)
def test_no_sample_is_lost_doubled_or_moved(
    pushes: list[tuple[int, float, bool, bool]], pause_s: float
) -> None:
    player = Player()
    speech = words(3, pause_s)
    given_in: list[Samples] = []
    for number, (size, took_s, is_quiet, ends) in enumerate(pushes):
        chunk = (
            np.zeros(size, np.float32) if is_quiet else np.resize(speech, size) + np.float32(number) / 1_000
        )
        given_in.append(chunk)
        player.take(chunk, took_s)
        left = sum(map(len, given_in)) - len(player.samples)
        assert left <= HELD_LIMIT_S * RATE_HZ
        if ends:
            player.finish()
            assert len(player.samples) == sum(map(len, given_in))
    player.finish()
    assert np.array_equal(player.samples, np.concatenate([NOTHING, *given_in]))


@given(st.lists(st.integers(1, 20_000), min_size=1, max_size=20), st.floats(1.05, 50))
def test_a_voice_that_keeps_up_is_not_held_back(sizes: list[int], speed: float) -> None:
    player = Player()
    for size in sizes:
        chunk = np.full(size, 0.3, np.float32)
        assert player.take(chunk, size / RATE_HZ / speed) is not NOTHING
        assert len(player.samples) == sum(sizes[: len(player.passed)])
        assert not player.pacing.behind


def test_the_first_sound_is_never_held_back() -> None:
    """However long it took to come: that is the time to begin, not the speed."""
    player = Player()
    assert len(player.take(words(1)[:2_400], 5.0)) == 2_400
    assert not player.pacing.behind
    player.finish()
    assert len(player.take(words(1)[:2_400], 5.0)) == 2_400, "and so for the next text"
    assert not player.pacing.behind


@pytest.mark.parametrize(("chunk_s", "speed"), [(0.5, 0.625), (0.085, 0.625), (0.085, 0.9), (1.3, 0.5)])
def test_a_slow_voice_pauses_between_words(chunk_s: float, speed: float) -> None:
    player = Player()
    speech = words(30)
    for chunk in chunks(speech, chunk_s):
        player.take(chunk, len(chunk) / RATE_HZ / speed)
    player.finish()
    known = round((chunk_s + 1.0) * RATE_HZ)  # in the first second of making nothing is known of the speed
    pauses = [at for at in player.dry_at if at > known]
    assert pauses, "it cannot but run dry"
    for at in pauses:
        assert not speech[at - 240 : at + 240].any(), f"it paused in a word, at {at / RATE_HZ:.2f} s"


def test_a_voice_that_is_a_little_slow_plays_on_while_the_buffer_lasts() -> None:
    player = Player()
    player.take(words(10), 0.0)
    for chunk in chunks(words(3), 0.1):
        assert len(player.take(chunk, 0.105)) == len(chunk)
    assert player.pacing.behind, "the screen must know before the person hears it"
    assert not player.dry_at


def test_with_much_in_the_buffer_nothing_is_measured() -> None:
    """Speech then comes slowly because the loudspeaker takes it slowly."""
    pacing = Pacing(RATE_HZ)
    for second in range(5):
        pacing.push(words(1), float(second), 29.0)
    assert not pacing.behind
    pacing.push(words(1), 5.0, 1.0)
    pacing.push(words(1), 6.0, 1.0)
    assert pacing.behind


def test_a_voice_that_catches_up_is_no_longer_behind() -> None:
    player = Player()
    for _ in range(10):
        player.take(words(1)[:6_000], 0.5)
    assert player.pacing.behind
    for _ in range(7):
        player.take(words(1), 0.3)
    assert not player.pacing.behind
    assert len(player.samples) == 10 * 6_000 + 7 * len(words(1))


def test_one_slow_chunk_of_many_says_nothing_yet() -> None:
    player = Player()
    for number, chunk in enumerate(chunks(words(1), 0.085)[:4]):
        player.take(chunk, 0.1)
        assert player.pacing.behind == (number == 3)


def test_a_voice_without_pauses_passes_in_the_end() -> None:
    player = Player()
    player.take(words(1), 0.0)
    held_s = []
    for number in range(12):
        player.take(np.full(7_200, 0.3, np.float32), 0.6)
        held_s.append(len(words(1)) / RATE_HZ + 0.3 * (number + 1) - len(player.samples) / RATE_HZ)
    assert max(held_s) == pytest.approx(HELD_LIMIT_S, abs=0.3), "as long as it may be one long word"
    assert held_s[-6:] == pytest.approx([0.0] * 6), "it goes on: a word that has begun is not held back"


def test_a_word_that_has_begun_is_not_held_back() -> None:
    player = Player()
    word, pause = words(1)[:WORD_SAMPLES], words(1)[WORD_SAMPLES:]
    player.take(word[:2_400], 0.1)
    player.take(word[2_400:4_800], 0.5)
    assert player.pacing.behind
    assert len(player.samples) == 4_800
    player.take(np.concatenate([word[4_800:], pause, word[:1_200]]), 0.5)
    assert len(player.samples) == pytest.approx(WORD_SAMPLES + len(pause) / 2, abs=240)


def test_a_short_stop_within_a_word_is_no_quiet_place() -> None:
    places = QuietPlaces(RATE_HZ)
    places.listen(words(2, pause_s=0.02))
    assert places.newest == 0
    places.listen(words(1, pause_s=0.06))
    assert places.newest == pytest.approx((2 * 0.32 + 0.3 + 0.03) * RATE_HZ, abs=240)


def test_faint_noise_between_words_is_quiet() -> None:
    noise = np.random.default_rng(0).normal(0, 0.002, len(words(2))).astype(np.float32)
    places = QuietPlaces(RATE_HZ)
    places.listen(noise[:4_800])
    places.listen(words(2) + noise)
    assert places.newest == pytest.approx(4_800 + (0.7 + 0.05) * RATE_HZ, abs=480)


def test_after_a_soft_end_of_a_word_it_is_still_quiet() -> None:
    """Quiet is measured by how loud the speech was before, not by its last, softest sound."""
    word = words(1)[:WORD_SAMPLES]
    places = QuietPlaces(RATE_HZ)
    places.listen(np.concatenate([word, word[:2_400] * 0.1, word[:2_400] * 0.005]))
    assert places.newest == pytest.approx((0.4 + 0.05) * RATE_HZ, abs=240)


class SlowVoice(ToneVoice):
    """Speaks each word as 0.3 s of tone and 0.1 s of silence, half a second of it in 0.8 s."""

    def __init__(self, clock: HurriedClock) -> None:
        super().__init__()
        self._clock = clock

    def speak(self, text: str, voice: Voice, speed: float = 1.0) -> Iterator[Spoken]:
        for chunk in chunks(words(len(text.split())), 0.5):
            self._clock.take(0.8)
            yield SpeechChunk(chunk)


async def test_the_loudspeaker_of_a_slow_voice_runs_dry_between_words() -> None:
    clock = HurriedClock()
    scene = Scene(Listener(" ".join(["word"] * 12)), SlowVoice(clock), clock=clock)
    await scene.play(said(0.3, 1.0))
    assert scene.talked.turns[0].heard_reply.split() == ["word"] * 12
    loud = np.flatnonzero(np.abs(scene.played.samples) > 0.01)
    assert len(loud) == 12 * WORD_SAMPLES, "all of it was played"
    silences = np.flatnonzero(np.diff(loud) > 1) + 1  # where in `loud` one lies before
    in_words = [at for at in silences.tolist() if at % WORD_SAMPLES]
    assert len(in_words) <= 1, "only behind the first chunk, when nothing is known of the speed"
    assert all(at == WORD_SAMPLES + round(0.1 * RATE_HZ) for at in in_words)
    assert max(np.diff(loud)[silences[2:] - 1]) > 2 * PAUSE_S * RATE_HZ, "it did run dry"
    behind = [event.speech_behind for event in scene.of(Levels)]
    assert any(behind)
    assert not behind[0]
    played_out = [event for event in scene.events if isinstance(event, Levels | TurnFinished)]
    end = next(n for n, event in enumerate(played_out) if isinstance(event, TurnFinished))
    last = played_out[end - 1]
    assert isinstance(last, Levels)
    assert not last.speech_behind, "all is made by now, and the rest is played"


async def test_a_quick_voice_is_never_called_slow() -> None:
    scene = Scene(Listener(" ".join(["word"] * 12)))
    await scene.play(said(0.3, 1.0))
    assert not any(event.speech_behind for event in scene.of(Levels))


async def test_what_was_made_before_a_slow_voice_failed_is_played() -> None:
    clock = HurriedClock()

    class Fails(SlowVoice):
        def speak(self, text: str, voice: Voice, speed: float = 1.0) -> Iterator[Spoken]:
            for number, chunk in enumerate(super().speak(text, voice, speed)):
                if text != "a" and number == 3:
                    raise ValueError("boom")
                yield chunk

    scene = Scene(Listener(" ".join(["word"] * 12)), Fails(clock), clock=clock)
    await scene.play(said(0.3, 1.0))
    assert [trouble.what for trouble in scene.talked.troubles] == ["ValueError: boom"]
    loud = np.count_nonzero(np.abs(scene.played.samples) > 0.01)
    assert loud == np.count_nonzero(words(12)[: 3 * 12_000])
