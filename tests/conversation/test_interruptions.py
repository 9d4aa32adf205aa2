"""Voices in a reply: a barge-in, a cough, an "mm-hm", and a person who had not finished.

A person's words are loud here and a cough is soft; the listener writes one word for each 200 ms of the loud.
The voice speaks every word as 100 ms of a level of its own: the recording tells which words were heard.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence

import numpy as np
import pytest
from fakes import Listener, ToneVoice, silence
from hypothesis import given, settings
from hypothesis import strategies as st
from scene import Scene

from voxterm.config import Settings
from voxterm.conversation import Conversation
from voxterm.engines.protocols import (
    AudioEncoded,
    Delta,
    Message,
    Samples,
    SpeechChunk,
    Spoken,
    Transcript,
    Understood,
    Voice,
    WordMark,
)
from voxterm.events import (
    Event,
    Interrupted,
    ReplyHeard,
    ReplyStarted,
    ReplyWentOn,
    ReplyWithdrawn,
    ReplyYielded,
    SpeechResumed,
    SpeechStarted,
    TurnAudio,
    TurnDropped,
    TurnEnded,
    TurnFinished,
)

RATE = 16_000
WORD_SAMPLES = 2400
COUGH_LEVEL = 0.1
WORDS_A_REPLY = 40


class Writer(Listener):
    """Writes "w1 w2 …" for what it heard: its loud part. Its answers are of the words of `word_of`."""

    def __init__(self, backchannel: bool = False, words: int = WORDS_A_REPLY) -> None:
        super().__init__()
        self.words = words
        self.backchannel = backchannel  # what is short is an "mm-hm"

    def answer(self, history: Sequence[Message]) -> Iterator[Understood]:
        self.turns.append(np.concatenate(self.heard))
        self.histories.append(tuple(history))
        yield AudioEncoded()
        words = round(np.count_nonzero(np.abs(self.turns[-1]) > 0.2) / RATE / 0.2)
        if self.backchannel and words <= 2:
            yield Transcript("Mm-hm.")
            return
        yield Transcript(" ".join(f"w{n}" for n in range(1, words + 1)))
        if words:
            yield from self._reply()

    def _reply(self) -> Iterator[Delta]:
        self.answered += 1
        for n in range(1, self.words + 1):
            yield Delta(word_of(self.answered, n) + " ")


class LevelVoice(ToneVoice):
    """Speaks the n-th word of the k-th reply as 100 ms at the level of `level_of`."""

    def speak(self, text: str, voice: Voice, speed: float = 1.0) -> Iterator[Spoken]:
        start = 0
        for index, word in enumerate(text.replace(",", "").split()):
            start = text.index(word, start)
            mark = WordMark(start, start + len(word), index * 0.1)
            start += len(word)
            yield SpeechChunk(np.full(WORD_SAMPLES, level_of(word), np.float32), (mark,))


def word_of(reply: int, n: int) -> str:
    """The n-th word of a reply; there is no other like it."""
    return "z" + "".join(chr(ord("a") + place) for place in (reply, n // 26, n % 26))


def level_of(word: str) -> float:
    """At which it sounds; 0 for the one that a voice is tried with."""
    if word == "a":
        return 0.0
    reply, high, low = (ord(letter) - ord("a") for letter in word.strip(",.")[1:])
    return (reply * 50 + high * 26 + low) / 20_000


def words_played(samples: Samples) -> list[tuple[str, int]]:
    """The words in the order they sounded, each with how many of its samples did; fades are left out."""
    codes = np.round(samples.astype(np.float64) * 20_000, 3)
    edges = np.flatnonzero(np.diff(codes)) + 1
    return [
        (word_of(*divmod(int(part[0]), 50)), len(part))
        for part in np.split(codes, edges)
        if part[0] >= 51 and part[0] == round(part[0]) and len(part) > 10
    ]


def person(rng: np.random.Generator, seconds: float, level: float = 0.3) -> Samples:
    """Somebody's voice, no two pieces of it the same. (N,)"""
    samples = rng.uniform(level, 1.2 * level, round(seconds * RATE)).astype(np.float32)
    signs: Samples = rng.choice(np.array([-1.0, 1.0], np.float32), len(samples))
    return samples * signs


def a_talk(*parts: tuple[float, float, float]) -> tuple[Samples, list[Samples]]:
    """Silence, then a voice of this length and level, and so on. The whole, and the words in it."""
    rng = np.random.default_rng(1)
    whole: list[Samples] = []
    words: list[Samples] = []
    for silent_s, voiced_s, level in parts:
        voice = person(rng, voiced_s, level)
        whole += [silence(silent_s), voice]
        if level > COUGH_LEVEL:
            words.append(voice)
    return np.concatenate(whole), words


@pytest.fixture
def scene() -> Scene:
    return Scene(Writer(), LevelVoice(), settings=keeping())


def keeping() -> Settings:
    """Settings with which the sound of the turns is told."""
    own = Settings()
    return own.model_copy(update={"sessions": own.sessions.model_copy(update={"keep_audio": True})})


def of_these(events: Sequence[Event], *kinds: type[Event]) -> list[str]:
    return [type(event).__name__ for event in events if isinstance(event, kinds)]


async def test_a_cough_makes_the_answer_wait_and_go_on_from_its_word(scene: Scene) -> None:
    clip, _ = a_talk((0.3, 1.0, 0.3), (2.53, 0.3, COUGH_LEVEL))
    talked = await scene.play(clip, talks_over=True)
    (turn,) = talked.turns
    assert not turn.interrupted
    assert turn.heard_reply == turn.reply
    assert of_these(scene.events, ReplyYielded, ReplyWentOn, Interrupted) == ["ReplyYielded", "ReplyWentOn"]
    (yielded,), (went_on,) = scene.of(ReplyYielded), scene.of(ReplyWentOn)
    assert 0.3 < went_on.at_s - yielded.at_s < 0.6, (
        "as long as the cough, and the pause that shows it was one"
    )
    heard = words_played(scene.played.samples)
    order = [word for word, _ in heard]
    said_twice = [word for word in set(order) if order.count(word) == 2]
    assert len(said_twice) == 1, "the word that was broken off, and no other"
    complete = [word for word, count in heard if count > WORD_SAMPLES - 200]
    assert complete == [word_of(1, n) for n in range(1, WORDS_A_REPLY + 1)]


async def test_a_cough_leaves_nothing_in_the_dialogue(scene: Scene) -> None:
    clip, _ = a_talk((0.3, 1.0, 0.3), (2.5, 0.3, COUGH_LEVEL), (5.5, 1.0, 0.3))
    talked = await scene.play(clip, talks_over=True)
    assert [turn.turn for turn in talked.turns] == [1, 2]
    assert scene.listener.histories[-1] == (
        Message("user", "w1 w2 w3 w4 w5"),
        Message("assistant", talked.turns[0].reply.strip()),
    )
    assert scene.of(TurnDropped) == []


async def test_an_mm_hm_lets_the_answer_go_on() -> None:
    scene = Scene(Writer(backchannel=True), LevelVoice())
    clip, _ = a_talk((0.3, 1.0, 0.3), (2.5, 0.35, 0.3))
    (turn,) = (await scene.play(clip, talks_over=True)).turns
    assert turn.heard_reply == turn.reply
    assert of_these(scene.events, ReplyWentOn, Interrupted) == ["ReplyWentOn"]


async def test_a_short_word_is_a_barge_in(scene: Scene) -> None:
    """ "Stop" is shorter than an "mm-hm": the word decides, not its length."""
    clip, (_, stop) = a_talk((0.3, 1.0, 0.3), (2.5, 0.2, 0.3))
    talked = await scene.play(clip, talks_over=True)
    first, second = talked.turns
    assert first.interrupted
    assert second.transcript == "w1"
    person_s = [event.person for event in scene.of(TurnAudio)]
    assert stop.tobytes() in person_s[1], "its first sample is not lost"
    assert scene.listener.histories[-1][-1] == Message("assistant", f"{first.heard_reply.strip()} —")


async def test_the_answer_falls_silent_before_it_is_known_what_the_voice_is(scene: Scene) -> None:
    clip, _ = a_talk((0.3, 1.0, 0.3), (2.5, 2.0, 0.3))
    await scene.play(clip, talks_over=True)
    (yielded,), (cut,) = scene.of(ReplyYielded), scene.of(Interrupted)
    assert cut.at_s == yielded.at_s, "what was silenced then is what is told"
    started = scene.of(SpeechStarted)[1]
    onset_s = started.at_s + scene.settings.turns.pre_roll_ms / 1000
    assert yielded.at_s - onset_s < 0.1


async def test_who_goes_on_as_the_answer_begins_takes_it_back(scene: Scene) -> None:
    clip, words = a_talk((0.3, 1.0, 0.3), (1.2, 1.0, 0.3))
    talked = await scene.play(clip, talks_over=True)
    (turn,) = talked.turns
    assert turn.transcript == "w1 w2 w3 w4 w5 w6 w7 w8 w9 w10"
    assert scene.listener.histories == [()] * len(scene.listener.histories), "no half answer"
    assert turn.heard_reply == turn.reply
    kinds = (
        SpeechStarted,
        TurnEnded,
        ReplyStarted,
        ReplyYielded,
        ReplyWithdrawn,
        SpeechResumed,
        TurnFinished,
    )
    assert of_these(scene.events, *kinds) == [
        "SpeechStarted", "TurnEnded", "ReplyStarted", "ReplyYielded", "ReplyWithdrawn", "SpeechResumed",
        "TurnEnded", "ReplyStarted", "TurnFinished",
    ]  # fmt: skip
    (audio,) = scene.of(TurnAudio)
    assert all(word.tobytes() in audio.person for word in words)


async def test_a_cough_as_the_answer_begins_takes_nothing_back(scene: Scene) -> None:
    clip, _ = a_talk((0.3, 1.0, 0.3), (1.2, 0.3, COUGH_LEVEL))
    (turn,) = (await scene.play(clip, talks_over=True)).turns
    assert turn.transcript == "w1 w2 w3 w4 w5"
    assert turn.heard_reply == turn.reply
    assert of_these(scene.events, ReplyWithdrawn, ReplyWentOn) == ["ReplyWentOn"]


async def test_a_short_answer_is_taken_back_too_though_it_was_said_whole() -> None:
    """ "I see." is over before a person who paused for a second goes on."""
    scene = Scene(Writer(words=3), LevelVoice(), settings=keeping())
    clip, words = a_talk((0.3, 1.0, 0.3), (1.4, 1.0, 0.3))
    (turn,) = (await scene.play(clip, talks_over=True)).turns
    assert turn.transcript == "w1 w2 w3 w4 w5 w6 w7 w8 w9 w10"
    assert set(scene.listener.histories) == {()}
    (audio,) = scene.of(TurnAudio)
    assert all(word.tobytes() in audio.person for word in words)


async def test_a_cough_after_a_short_answer_does_not_have_it_said_again() -> None:
    scene = Scene(Writer(words=3), LevelVoice())
    clip, _ = a_talk((0.3, 1.0, 0.3), (1.4, 0.3, COUGH_LEVEL))
    (turn,) = (await scene.play(clip, talks_over=True)).turns
    assert turn.heard_reply == turn.reply
    assert [word for word, _ in words_played(scene.played.samples)] == [word_of(1, n) for n in (1, 2, 3)]


async def test_what_is_said_a_second_after_a_short_answer_is_a_turn_of_its_own() -> None:
    scene = Scene(Writer(words=3), LevelVoice())
    clip, _ = a_talk((0.3, 1.0, 0.3), (2.2, 1.0, 0.3))
    assert len((await scene.play(clip, talks_over=True)).turns) == 2


async def test_esc_while_somebody_coughs_ends_the_answer(scene: Scene) -> None:
    def meanwhile(conversation: Conversation, event: Event) -> None:
        if isinstance(event, ReplyYielded):
            asyncio.get_running_loop().call_soon(conversation.interrupt)

    clip, _ = a_talk((0.3, 1.0, 0.3), (2.5, 0.3, COUGH_LEVEL))
    talked = await scene.play(clip, talks_over=True, meanwhile=meanwhile)
    assert talked.turns[0].interrupted
    assert len(talked.turns[0].heard_reply.split()) < WORDS_A_REPLY
    assert scene.of(ReplyWentOn) == []


async def test_stopping_while_the_answer_waits_keeps_what_was_heard(scene: Scene) -> None:
    def meanwhile(conversation: Conversation, event: Event) -> None:
        if isinstance(event, ReplyYielded):
            asyncio.get_running_loop().call_soon(conversation.stop)

    clip, _ = a_talk((0.3, 1.0, 0.3), (2.5, 1.0, 0.3))
    talked = await scene.play(clip, talks_over=True, meanwhile=meanwhile)
    assert talked.turns[0].interrupted
    assert 5 < len(talked.turns[0].heard_reply.split()) < 30


async def test_what_is_heard_never_falls_back_on_the_screen(scene: Scene) -> None:
    clip, _ = a_talk((0.3, 1.0, 0.3), (2.56, 0.3, COUGH_LEVEL), (1.03, 0.3, COUGH_LEVEL))
    await scene.play(clip, talks_over=True)
    assert len(scene.of(ReplyWentOn)) == 2
    heard = [event.heard_chars for event in scene.of(ReplyHeard)]
    assert heard == sorted(heard)


GAPS = st.floats(0.12, 4.0)
VOICES = st.tuples(GAPS, st.floats(0.21, 2.0), st.sampled_from([0.3, 0.3, COUGH_LEVEL]))


@settings(max_examples=40, deadline=None)
@given(st.lists(VOICES, min_size=1, max_size=8))
def test_no_pauses_resumes_coughs_and_barge_ins_break_the_talk(
    voices: list[tuple[float, float, float]],
) -> None:
    """Never stuck; no word of the person outside a turn; no unheard word kept; never two replies at once."""
    scene = Scene(Writer(), LevelVoice(), settings=keeping())
    clip, words = a_talk((0.3, 0.6, 0.3), *voices)
    talked = asyncio.run(asyncio.wait_for(scene.play(clip, talks_over=True), 60))
    audio = [event.person for event in scene.of(TurnAudio)]
    for voice in words:
        assert any(voice.tobytes() in turn for turn in audio), "a person's words are whole, and in a turn"
    played = words_played(scene.played.samples)
    replies = [word[1] for word, _ in played]
    assert replies == sorted(replies), "one reply at a time"
    sounded: dict[str, int] = {}
    for word, count in played:
        sounded[word] = max(sounded.get(word, 0), count)
    for turn in talked.turns:
        for word in turn.heard_reply.split():
            assert sounded.get(word, 0) > WORD_SAMPLES - 200, f"{word} is in the history and was not heard"
    numbers = [turn.turn for turn in talked.turns]
    assert numbers == list(range(1, len(numbers) + 1))
