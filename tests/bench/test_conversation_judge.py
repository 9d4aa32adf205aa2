"""The judge on time lines made by hand: for each figure one that is right and one that is wrong."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest

from voxterm.bench.conversation.judge import Judgement, judge
from voxterm.bench.conversation.lines import Line
from voxterm.bench.conversation.measurement import figures
from voxterm.bench.conversation.person import Said
from voxterm.bench.conversation.witness import Record, Speech, Told
from voxterm.bench.report import Count
from voxterm.engines.protocols import HEARING_RATE_HZ, Samples, WordMark
from voxterm.events import (
    Event,
    Interrupted,
    ReplyWentOn,
    ReplyWithdrawn,
    ReplyYielded,
    TurnAudio,
    TurnFinished,
)

PLAYED_HZ = 24_000
BEGINS_S = 1000.0  # the conversation's clock at the beginning of the time line
TEXT = "one two three four"
WORD_S = 0.5


def noise(seconds: float, rate_hz: int, seed: int = 0) -> Samples:
    return np.random.default_rng(seed).uniform(-0.3, 0.3, round(seconds * rate_hz)).astype(np.float32)


def speech(text: str = TEXT, seed: int = 9) -> Speech:
    """A voice whose words take half a second each; a little of silence follows."""
    words = text.split()
    starts = [text.index(word) for word in words]
    marks = tuple(
        WordMark(at, at + len(w), i * WORD_S) for i, (at, w) in enumerate(zip(starts, words, strict=True))
    )
    sound = np.concatenate([noise(len(words) * WORD_S, PLAYED_HZ, seed), np.zeros(4800, np.float32)])
    return Speech(0.0, text, sound, PLAYED_HZ, marks)


def said(
    begins_s: float, seconds: float = 2.0, *, words: int = 5, interrupts: bool = False, seed: int = 1
) -> Said:
    voice = noise(seconds, HEARING_RATE_HZ, seed)
    line = Line("line", voice, 0, len(voice), words, made=False)
    return Said(line, interrupts, begins_s, begins_s + seconds)


class Scene:
    """A time line of thirty seconds, in which nothing happens yet."""

    def __init__(self, *everything: Said) -> None:
        self.record = Record("scene", list(everything), loudspeaker_hz=PLAYED_HZ, begins_s=BEGINS_S)
        self.record.loudspeaker = np.zeros(30 * PLAYED_HZ, np.float32)

    def plays(self, at_s: float, sound: Samples) -> None:
        at = round(at_s * PLAYED_HZ)
        self.record.loudspeaker[at : at + len(sound)] = sound

    def tells(self, *events: Event) -> None:
        self.record.told += [Told(0.0, event) for event in events]

    def turn(
        self,
        number: int,
        span_s: tuple[float, float],
        finished_s: float,
        *,
        heard: str = TEXT,
        reply: str = TEXT,
        interrupted: bool = False,
    ) -> None:
        """A turn that was heard from and to these moments, with all that was said in them as its sound."""
        begins_s, over_s = span_s
        self.tells(
            TurnFinished(
                turn=number,
                transcript="words",
                reply=reply,
                heard_reply=heard,
                interrupted=interrupted,
                typed=False,
                started_at_s=BEGINS_S + begins_s,
                ended_at_s=BEGINS_S + over_s,
                finished_at_s=BEGINS_S + finished_s,
                latency_ms={"response": 7.0, "endpoint_wait": 250.0},
            ),
            TurnAudio(
                number, self.heard_between(begins_s, over_s).tobytes(), HEARING_RATE_HZ, b"", PLAYED_HZ
            ),
        )

    def heard_between(self, begins_s: float, ends_s: float) -> Samples:
        room = 0.01 * noise(30.0, HEARING_RATE_HZ, seed=3)
        for one in self.record.said:
            at = round(one.begins_s * HEARING_RATE_HZ)
            room[at : at + len(one.line.samples)] += one.line.samples
        return room[round(begins_s * HEARING_RATE_HZ) : round(ends_s * HEARING_RATE_HZ)]

    def judged(self) -> Judgement:
        return judge(self.record)


def counted(judgement: Judgement, name: str) -> tuple[int, int]:
    figure = figures(judgement)[name]
    assert isinstance(figure, Count)
    return figure.count, figure.chances


def answered() -> Scene:
    """Two seconds of speech from 3 s on, the answer 0.3 s after them, all as it should be."""
    scene = Scene(said(3.0))
    scene.record.speeches.append(replace(speech(), asked_s=5.2))
    scene.plays(5.3, speech().samples)
    scene.turn(1, (2.6, 5.25), 7.6)
    return scene


def test_an_answer_as_it_should_be() -> None:
    judgement = answered().judged()
    (verdict,) = judgement.verdicts
    assert verdict.voice_to_voice_ms == pytest.approx(300.0, abs=0.1)
    assert (judgement.response_ms, judgement.endpoint_wait_ms) == ([7.0], [250.0])
    assert judgement.speaking_s == pytest.approx(2.0, abs=0.01)
    counts = {
        name: counted(judgement, name) for name, f in figures(judgement).items() if isinstance(f, Count)
    }
    assert counts.pop("coughs_that_ended") == (0, 0)
    assert set(counts.values()) == {(0, 1)}, "nothing went wrong, of one chance each"


def test_figures_have_the_names_that_are_documented() -> None:
    assert set(figures(answered().judged())) >= {
        "voice_to_voice_ms",
        "response_ms",
        "endpoint_wait_ms",
        "cut_ins",
        "cut_ins_kept",
        "missed_ends",
        "self_interruptions",
        "barge_in_ms",
        "first_words_lost",
        "unheard_words_kept",
    }


class TestMissedEnds:
    def test_no_answer_at_all(self) -> None:
        scene = Scene(said(3.0))
        assert counted(scene.judged(), "missed_ends") == (1, 1)
        assert not figures(scene.judged())["voice_to_voice_ms"].chances

    def test_an_answer_that_comes_too_late_is_missing_and_measured(self) -> None:
        scene = Scene(said(3.0))
        scene.plays(7.5, speech().samples)
        (verdict,) = scene.judged().verdicts
        assert verdict.missed_end
        assert verdict.voice_to_voice_ms == pytest.approx(2500.0, abs=0.1)

    def test_an_answer_to_the_next_thing_is_none_to_this(self) -> None:
        scene = Scene(said(3.0), said(9.0, seed=2))
        scene.plays(11.2, speech().samples)
        assert [verdict.missed_end for verdict in scene.judged().verdicts] == [True, False]


class TestCutIns:
    def test_an_answer_within_an_utterance_that_is_taken_back(self) -> None:
        scene = answered()
        scene.plays(4.0, noise(0.1, PLAYED_HZ))
        (verdict,) = scene.judged().verdicts
        assert verdict.cut_in
        assert not verdict.cut_in_kept
        assert verdict.voice_to_voice_ms == pytest.approx(300.0, abs=0.1)

    def test_one_utterance_that_became_two_turns(self) -> None:
        scene = Scene(said(3.0))
        scene.plays(4.0, noise(0.3, PLAYED_HZ))
        scene.turn(1, (2.6, 3.9), 4.3, heard="one", interrupted=True)
        scene.turn(2, (4.0, 5.2), 8.0, heard="")
        assert counted(scene.judged(), "cut_ins_kept") == (1, 1)

    def test_a_reply_that_is_spoken_into_is_no_cut_in(self) -> None:
        scene = Scene(said(3.0, interrupts=True))
        scene.plays(1.0, noise(2.1, PLAYED_HZ))
        assert counted(scene.judged(), "cut_ins") == (0, 1)

    def test_a_reply_that_yields_and_then_talks_over_the_person_is_one(self) -> None:
        scene = Scene(said(3.0, interrupts=True))
        scene.plays(1.0, noise(2.1, PLAYED_HZ))
        scene.plays(4.0, noise(0.4, PLAYED_HZ))
        assert counted(scene.judged(), "cut_ins") == (1, 1)


class TestBargeIn:
    def test_until_the_last_sample_of_the_reply(self) -> None:
        scene = Scene(said(3.0, interrupts=True))
        scene.plays(1.0, noise(2.12, PLAYED_HZ))
        (verdict,) = scene.judged().verdicts
        assert verdict.barge_in_ms == pytest.approx(120.0, abs=0.1)

    def test_a_reply_that_only_pauses_for_a_breath_has_not_fallen_silent(self) -> None:
        scene = Scene(said(3.0, interrupts=True))
        scene.plays(1.0, noise(2.12, PLAYED_HZ))
        scene.plays(3.4, noise(0.5, PLAYED_HZ))
        (verdict,) = scene.judged().verdicts
        assert verdict.barge_in_ms == pytest.approx(900.0, abs=0.1)

    def test_speech_into_silence_interrupts_nothing(self) -> None:
        scene = Scene(said(3.0, interrupts=True))
        scene.plays(1.0, noise(1.0, PLAYED_HZ))
        assert scene.judged().verdicts[0].barge_in_ms is None


class TestFirstWords:
    @pytest.mark.parametrize(("from_s", "lost"), [(2.6, False), (3.0, False), (3.05, True), (3.6, True)])
    def test_a_turn_that_begins_late_has_lost_them(self, from_s: float, lost: bool) -> None:
        scene = Scene(said(3.0))
        scene.turn(1, (from_s, 5.2), 8.0)
        assert counted(scene.judged(), "first_words_lost") == (int(lost), 1)

    def test_a_turn_whose_first_words_were_made_silent_has_lost_them(self) -> None:
        """An echo canceller may take the person for echo, in place and all."""
        scene = Scene(said(3.0))
        scene.turn(1, (2.6, 5.2), 8.0)
        audio = scene.record.told[-1].event
        assert isinstance(audio, TurnAudio)
        sound = np.frombuffer(audio.person, np.float32).copy()
        sound[: round(0.7 * HEARING_RATE_HZ)] *= 0.1
        scene.record.told[-1] = Told(0.0, replace(audio, person=sound.tobytes()))
        assert counted(scene.judged(), "first_words_lost") == (1, 1)

    def test_speech_that_became_no_turn_says_nothing(self) -> None:
        assert counted(Scene(said(3.0)).judged(), "first_words_lost") == (0, 0)

    def test_a_turn_without_its_middle(self) -> None:
        """Of a cut-in that was taken back, 128 ms of the person were in no turn."""
        scene = answered()
        assert counted(scene.judged(), "speech_left_out") == (0, 1)
        audio = scene.record.told[-1].event
        assert isinstance(audio, TurnAudio)
        sound = np.frombuffer(audio.person, np.float32)
        middle = round(1.5 * HEARING_RATE_HZ)
        cut = np.concatenate([sound[:middle], sound[middle + 2048 :]])
        scene.record.told[-1] = Told(0.0, replace(audio, person=cut.tobytes()))
        assert counted(scene.judged(), "speech_left_out") == (1, 1)


class TestWordsInTheHistory:
    @pytest.mark.parametrize(
        ("kept", "unheard"), [("one", 0), ("one two", 0), ("one two three", 1), ("one two three four", 2)]
    )
    def test_those_that_had_not_left_the_loudspeaker(self, kept: str, unheard: int) -> None:
        """The reply is cut off in the middle of its third word."""
        scene = Scene(said(3.0), said(6.55, interrupts=True, seed=2))
        scene.record.speeches.append(replace(speech(), asked_s=5.2))
        scene.plays(5.3, speech().samples[: round(2.5 * WORD_S * PLAYED_HZ)])
        scene.turn(1, (2.6, 5.25), 6.6, heard=kept, interrupted=True)
        assert counted(scene.judged(), "unheard_words_kept") == (unheard, 1)

    def test_a_sentence_that_was_faded_out_as_it_began(self) -> None:
        """Only its first milliseconds left the loudspeaker, too few to tell by which words they are of."""
        scene = Scene(said(3.0), said(8.0, interrupts=True, seed=2))
        first, second = speech("one two", seed=4), speech("three four", seed=5)
        scene.record.speeches += [replace(first, asked_s=5.2), replace(second, asked_s=5.2)]
        scene.plays(5.3, first.samples)
        scene.plays(5.3 + len(first.samples) / PLAYED_HZ, second.samples[:240])
        scene.turn(1, (2.6, 5.25), 6.6, heard="one two", interrupted=True)
        assert counted(scene.judged(), "unheard_words_kept") == (0, 1)

    def test_words_of_a_reply_that_never_sounded(self) -> None:
        scene = Scene(said(3.0))
        scene.record.speeches.append(replace(speech(), asked_s=5.2))
        scene.turn(1, (2.6, 5.25), 6.6, heard="one", interrupted=True)
        assert counted(scene.judged(), "unheard_words_kept") == (1, 1)

    def test_the_reply_is_told_from_attempts_that_were_thrown_away(self) -> None:
        scene = Scene(said(3.0))
        attempts = ["other words", TEXT, "words of the next turn"]
        scene.record.speeches += [
            replace(speech(text, seed=n), asked_s=5.2) for n, text in enumerate(attempts)
        ]
        scene.plays(5.3, speech(TEXT, seed=1).samples)
        scene.turn(1, (2.6, 5.25), 7.6)
        assert counted(scene.judged(), "unheard_words_kept") == (0, 1)


class TestSelfInterruptions:
    def interruptions(self, *events: Event, everything: Sequence[Said] = ()) -> int:
        scene = Scene(*everything)
        scene.tells(*events)
        return scene.judged().self_interruptions

    def test_an_interruption_while_nobody_speaks(self) -> None:
        cut = Interrupted(1, BEGINS_S + 12.0, by_voice=True)
        assert self.interruptions(cut, everything=[said(3.0)]) == 1
        assert self.interruptions(cut, everything=[said(11.5, interrupts=True)]) == 0

    def test_a_key_is_no_voice(self) -> None:
        assert self.interruptions(Interrupted(1, BEGINS_S + 12.0, by_voice=False)) == 0

    def test_a_reply_that_yields_and_goes_on_is_a_stutter_only(self) -> None:
        yields, goes_on = ReplyYielded(1, BEGINS_S + 12.0), ReplyWentOn(1, BEGINS_S + 12.6)
        assert self.interruptions(yields, goes_on) == 0
        scene = Scene()
        scene.tells(yields, goes_on)
        assert scene.judged().yields_to_nobody == 1

    def test_a_reply_that_is_taken_back_for_its_own_echo(self) -> None:
        assert self.interruptions(ReplyYielded(1, BEGINS_S + 12.0), ReplyWithdrawn(1)) == 1

    def test_a_turn_in_which_nobody_spoke_counts_once_with_its_interruption(self) -> None:
        scene = Scene(said(3.0))
        scene.tells(Interrupted(1, BEGINS_S + 12.0, by_voice=True))
        scene.turn(2, (11.6, 13.0), 15.0)
        assert scene.judged().self_interruptions == 1
        scene.turn(3, (20.0, 22.0), 23.0)
        assert scene.judged().self_interruptions == 2


class TestCoughs:
    @pytest.mark.parametrize(("interrupted", "ended"), [(False, 0), (True, 1)])
    def test_one_that_ends_the_answer(self, interrupted: bool, ended: int) -> None:
        scene = Scene(said(3.0), said(6.0, 0.4, words=0, interrupts=True, seed=2))
        scene.turn(1, (2.6, 5.25), 7.6, interrupted=interrupted)
        assert counted(scene.judged(), "coughs_that_ended") == (ended, 1)

    def test_one_that_is_taken_for_a_turn(self) -> None:
        scene = Scene(said(3.0), said(6.0, 0.4, words=0, interrupts=True, seed=2))
        scene.turn(1, (2.6, 5.25), 7.6)
        scene.turn(2, (5.7, 6.8), 8.0)
        assert counted(scene.judged(), "coughs_that_ended") == (1, 1)
        assert counted(scene.judged(), "cut_ins") == (0, 1), "a cough is no utterance"
