"""The turn machine: examples by name, then any order of frames and keys."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from voxterm.config import TurnSettings
from voxterm.turns import (
    VERDICT_LIMIT_MS,
    Dropped,
    Ended,
    Opened,
    Paused,
    Phase,
    Resumed,
    TakenBack,
    TurnMachine,
    TurnSignal,
    WentOn,
    Yielded,
)

FRAME = 512
RATE = 16_000
TURNS = TurnSettings()


@dataclass
class Person:
    """Feeds a machine frame by frame and keeps what it says."""

    machine: TurnMachine = field(default_factory=lambda: TurnMachine(TURNS))
    sample: int = 0
    signals: list[TurnSignal] = field(default_factory=list)

    def frames(
        self, count: int, probability: float, audible: bool = False, new: bool = False
    ) -> list[TurnSignal]:
        """So many frames of one probability; what they brought."""
        brought: list[TurnSignal] = []
        for _ in range(count):
            self.sample += FRAME
            brought += self.machine.frame(
                self.sample, FRAME, probability, reply_audible=audible, reply_is_new=new
            )
        self.signals += brought
        return brought

    def speak(self, seconds: float, audible: bool = False, new: bool = False) -> list[TurnSignal]:
        return self.frames(round(seconds * RATE / FRAME), 0.9, audible, new)

    def be_silent(self, seconds: float, audible: bool = False) -> list[TurnSignal]:
        return self.frames(round(seconds * RATE / FRAME), 0.05, audible)


def person(**changes: object) -> Person:
    return Person(TurnMachine(TURNS.model_copy(update=changes)))


def answered(**changes: object) -> Person:
    """Somebody who has said something, and is being answered for a while."""
    someone = person(**changes)
    someone.speak(1)
    someone.be_silent(1)
    someone.machine.answered()
    someone.be_silent(1.5, audible=True)
    someone.signals.clear()
    return someone


def kinds(signals: list[TurnSignal]) -> list[str]:
    return [type(signal).__name__ for signal in signals]


def test_a_sentence_opens_pauses_and_ends() -> None:
    someone = Person()
    someone.be_silent(1)
    assert kinds(someone.speak(1)) == ["Opened"]
    assert kinds(someone.be_silent(1)) == ["Paused", "Ended"]
    assert someone.machine.phase is Phase.OVER


def test_the_turn_begins_with_its_pre_roll() -> None:
    someone = Person()
    someone.be_silent(2)
    onset = someone.sample
    (opened,) = someone.speak(0.5)
    assert isinstance(opened, Opened)
    assert opened.from_sample == onset - TURNS.pre_roll_ms * 16
    assert TURNS.pre_roll_ms >= 300


def test_a_turn_at_the_very_beginning_starts_at_sample_0() -> None:
    someone = Person()
    (opened,) = someone.speak(0.5)
    assert opened == Opened(0, barge_in=False)


def test_pause_and_end_come_after_the_silences_of_the_settings() -> None:
    someone = Person()
    someone.speak(1)
    last_speech = someone.sample
    paused, ended = someone.be_silent(1)
    assert paused == Paused(last_speech)
    assert isinstance(ended, Ended)
    assert ended.last_speech_sample == last_speech
    assert 0 <= ended.at_sample - last_speech - TURNS.end_silence_ms * 16 < FRAME


def test_speech_in_a_pause_resumes_the_turn() -> None:
    someone = Person()
    someone.speak(1)
    assert kinds(someone.be_silent(0.4)) == ["Paused"]
    assert kinds(someone.speak(0.5)) == ["Resumed"]
    assert kinds(someone.be_silent(1)) == ["Paused", "Ended"]


def test_a_click_opens_nothing() -> None:
    someone = Person()
    someone.frames(1, 0.99)
    someone.be_silent(0.5)
    someone.frames(2, 0.99)
    assert someone.be_silent(1) == []
    assert someone.signals == []


def test_a_plosive_does_not_break_the_beginning_of_a_word() -> None:
    """Two voiced frames, the closure of a t, two voiced frames: that is a word."""
    someone = Person()
    someone.be_silent(1)
    onset = someone.sample
    someone.frames(2, 0.9)
    someone.frames(2, 0.1)
    someone.frames(2, 0.9)
    (opened,) = someone.signals
    assert isinstance(opened, Opened)
    assert opened.from_sample == onset - TURNS.pre_roll_ms * 16, "counted from the first of them"


def test_quiet_speech_goes_on_under_the_higher_threshold() -> None:
    """Hysteresis: between the two thresholds speech goes on but does not begin."""
    someone = Person()
    someone.frames(20, 0.4)
    assert someone.signals == []
    someone.speak(0.3)
    assert kinds(someone.frames(30, 0.4)) == []
    assert someone.machine.phase is Phase.SPEECH


def test_speech_before_the_reply_sounds_belongs_to_the_same_turn() -> None:
    someone = Person()
    someone.speak(1)
    someone.be_silent(1)
    onset = someone.sample
    (resumed,) = someone.speak(0.5)
    assert isinstance(resumed, Resumed)
    assert resumed.from_sample <= onset
    assert kinds(someone.be_silent(1)) == ["Paused", "Ended"]


def test_speech_into_an_audible_reply_is_a_barge_in_and_a_turn_of_its_own() -> None:
    someone = answered()
    before = someone.sample
    yielded, opened = someone.speak(1, audible=True)
    assert isinstance(yielded, Yielded)
    assert not yielded.goes_on
    assert yielded.from_sample == before - TURNS.pre_roll_ms * 16
    assert opened == Opened(yielded.from_sample, barge_in=True)
    assert kinds(someone.be_silent(1)) == ["Paused", "Ended"]


def test_a_reply_that_has_just_begun_to_sound_is_interrupted_too() -> None:
    """Audible, but nobody has called `answered` yet."""
    someone = Person()
    someone.speak(1)
    someone.be_silent(1)
    assert someone.machine.phase is Phase.OVER
    assert [type(s) for s in someone.speak(1, audible=True)] == [Yielded, Opened]


def test_the_reply_yields_at_once_and_a_barge_in_needs_its_own_length_of_speech() -> None:
    someone = answered(yield_ms=64, barge_in_ms=320)
    assert someone.frames(1, 0.9, audible=True) == []
    assert kinds(someone.frames(1, 0.9, audible=True)) == ["Yielded"]
    assert someone.frames(7, 0.9) == []
    assert someone.machine.tentative
    assert kinds(someone.frames(1, 0.9)) == ["Opened"]
    assert not someone.machine.tentative


def test_what_was_nothing_is_dismissed_and_leaves_nothing_behind() -> None:
    someone = answered()
    someone.speak(0.2, audible=True)
    assert kinds(someone.be_silent(0.3)) == ["Paused"]
    assert someone.machine.dismiss() == [WentOn()]
    assert someone.machine.phase is Phase.IDLE
    assert someone.be_silent(1, audible=True) == []
    assert kinds(someone.speak(0.2, audible=True)) == ["Yielded"], "and the next voice is heard"


def test_nothing_is_dismissed_while_the_voice_sounds() -> None:
    """A verdict on the first half of what somebody says must not throw the second away."""
    someone = answered()
    someone.speak(0.2, audible=True)
    someone.be_silent(0.15)
    assert kinds(someone.frames(1, 0.9)) == ["Resumed"]
    assert someone.machine.dismiss() == []
    assert someone.machine.tentative


def test_words_make_a_short_voice_a_turn_which_ends_like_any_other() -> None:
    someone = answered()
    someone.speak(0.2, audible=True)
    someone.be_silent(0.15)
    assert kinds(someone.machine.claim()) == ["Opened"]
    assert kinds(someone.be_silent(1)) == ["Ended"]
    assert someone.machine.claim() == [], "once"


def test_a_voice_that_nobody_judges_is_a_turn_in_the_end() -> None:
    someone = answered()
    someone.speak(0.2, audible=True)
    (paused, *rest) = someone.be_silent(VERDICT_LIMIT_MS / 1000 + 0.1)
    assert isinstance(paused, Paused)
    assert kinds(rest) == ["Opened", "Ended"]


def test_who_goes_on_as_the_reply_begins_has_the_same_turn() -> None:
    someone = Person()
    someone.speak(1)
    someone.be_silent(1)
    someone.machine.answered()
    yielded, taken_back = someone.speak(1, audible=True, new=True)
    assert isinstance(yielded, Yielded)
    assert yielded.goes_on
    assert taken_back == TakenBack(yielded.from_sample)
    assert kinds(someone.be_silent(1)) == ["Paused", "Ended"]


def test_a_turn_that_was_cut_at_its_limit_does_not_go_on() -> None:
    someone = person(max_turn_s=5)
    someone.speak(4.9)
    (cut,) = someone.frames(5, 0.9)
    assert isinstance(cut, Ended)
    assert cut.cut
    someone.machine.answered()
    assert kinds(someone.speak(1, audible=True, new=True)) == ["Yielded", "Opened"]


def test_the_silence_that_is_expected_ends_the_turn() -> None:
    someone = Person()
    someone.speak(1)
    someone.be_silent(0.1)
    assert someone.machine.phase is Phase.PAUSE
    assert someone.machine.expect(200) == []
    assert kinds(someone.be_silent(0.13)) == ["Ended"]


def test_an_expectation_that_comes_late_ends_the_turn_at_once() -> None:
    someone = Person()
    someone.speak(1)
    someone.be_silent(0.4)
    assert kinds(someone.machine.expect(200)) == ["Ended"]
    assert someone.machine.expect(100) == [], "it is over"


def test_silence_counts_from_where_speech_really_ended() -> None:
    """A VAD goes on for some frames after the last sound."""
    someone = Person()
    someone.speak(1)
    last_voiced = someone.sample
    someone.be_silent(0.1)
    assert kinds(someone.machine.expect(192, last_voiced - 96 * 16)) == ["Ended"]


@pytest.mark.parametrize("since_s", [-1.0, 1.0])
def test_nobody_moves_the_end_of_speech_far(since_s: float) -> None:
    someone = Person()
    someone.speak(1)
    since = someone.sample + round(since_s * RATE)
    someone.be_silent(0.1)
    assert someone.machine.expect(300, since) == []
    assert kinds(someone.be_silent(0.25)) == ["Ended"]


def test_an_expectation_holds_for_one_pause() -> None:
    someone = Person()
    someone.speak(1)
    someone.be_silent(0.1)
    someone.machine.expect(200)
    someone.speak(0.2)
    assert kinds(someone.be_silent(0.5)) == ["Paused"]
    someone.machine.expect(900)
    assert someone.be_silent(0.3) == [], "longer than the pause alone would allow"
    assert kinds(someone.be_silent(0.2)) == ["Ended"]


def test_nobody_may_speak_while_someone_seems_to_begin() -> None:
    """A reply that is ready must not start in the first 96 ms of a person's word."""
    someone = Person()
    someone.speak(1)
    someone.be_silent(1)
    assert someone.machine.may_speak
    someone.frames(1, 0.9)
    assert not someone.machine.may_speak
    someone.be_silent(0.3)
    assert someone.machine.may_speak, "it was a click"


def test_audio_is_never_in_two_turns() -> None:
    someone = person(end_silence_ms=220)
    someone.speak(1)
    someone.be_silent(0.25)
    (ended,) = [s for s in someone.signals if isinstance(s, Ended)]
    someone.machine.answered()
    (opened,) = someone.speak(0.5)
    assert isinstance(opened, Opened)
    assert opened.from_sample == ended.at_sample


def test_a_turn_that_is_too_long_is_cut_and_the_next_begins_where_it_was_cut() -> None:
    someone = person(max_turn_s=5)
    _, ended, again = someone.speak(5.5)
    assert isinstance(ended, Ended)
    assert ended.cut
    assert isinstance(again, Opened)
    assert again.from_sample == ended.at_sample


def test_push_to_talk_lasts_from_press_to_release() -> None:
    someone = person(mode="push_to_talk")
    someone.speak(1)
    assert someone.signals == [], "nothing is heard until the key is down"
    (opened,) = someone.machine.press()
    assert opened == Opened(someone.sample - TURNS.pre_roll_ms * 16, barge_in=False)
    someone.speak(1)
    assert kinds(someone.be_silent(3)) == ["Paused"], "silence ends nothing while the key is down"
    assert kinds(someone.machine.release()) == ["Ended"]


def test_a_key_that_is_held_in_silence_is_no_turn() -> None:
    someone = Person()
    someone.machine.press()
    someone.be_silent(1)
    assert kinds(someone.machine.release()) == ["Dropped"]
    assert someone.machine.phase is Phase.IDLE


def test_keys_pressed_twice_do_nothing_twice() -> None:
    someone = Person()
    assert kinds(someone.machine.press()) == ["Opened"]
    assert someone.machine.press() == []
    someone.speak(0.5)
    assert kinds(someone.machine.release()) == ["Ended"]
    assert someone.machine.release() == []


def test_the_key_keeps_an_open_turn_open() -> None:
    someone = Person()
    someone.speak(0.5)
    assert someone.machine.press() == []
    assert kinds(someone.be_silent(2)) == ["Paused"]
    assert kinds(someone.machine.release()) == ["Ended"]


def test_the_key_makes_a_voice_in_the_reply_a_turn() -> None:
    someone = answered()
    someone.speak(0.2, audible=True)
    assert kinds(someone.machine.press()) == ["Opened"]
    assert kinds(someone.be_silent(3)) == ["Paused"], "until the key is up"
    assert kinds(someone.machine.release()) == ["Ended"]


@pytest.mark.parametrize("audible", [True, False])
def test_the_key_interrupts_an_audible_reply_at_once(audible: bool) -> None:
    someone = Person()
    (opened,) = someone.machine.press(reply_audible=audible)
    assert opened == Opened(0, barge_in=audible)


class Watched(Person):
    """A person whose turns are checked with every signal."""

    def __init__(self, machine: TurnMachine, max_turn_s: int) -> None:
        super().__init__(machine)
        self.max_samples = (max_turn_s + 400) * RATE
        self.turns: list[list[int]] = []  # [from, until] of each turn's audio
        self.voiced: list[int] = []  # the end of every frame of clear speech in a turn
        self.undecided: list[int] = []  # the same of a voice that may become one
        self.is_open = False
        self.yields_at: int | None = None

    def follow(self, signals: list[TurnSignal]) -> None:
        for signal in signals:
            if isinstance(signal, Yielded):
                assert not self.is_open
                self.yields_at = self.sample
            elif isinstance(signal, WentOn):
                assert self.yields_at is not None
                self.undecided.clear()
                self.yields_at = None
            elif isinstance(signal, TakenBack):
                assert self.yields_at is not None
                assert self.turns, "there is a turn to go on with"
                self.turns[-1][1] = self.sample
                self.claimed()
            elif isinstance(signal, Opened):
                assert not self.is_open or self.yields_at is not None
                assert not self.turns or signal.from_sample >= self.turns[-1][1], "two turns share audio"
                assert 0 <= signal.from_sample <= self.sample
                self.turns.append([signal.from_sample, self.sample])
                self.claimed()
            elif isinstance(signal, Paused):
                assert self.is_open
                assert signal.last_speech_sample <= self.sample
            elif isinstance(signal, Ended | Dropped):
                assert self.is_open
                assert self.yields_at is None, "nothing ends before it is known what it is"
                self.turns[-1][1] = self.sample
            self.is_open = not isinstance(signal, Ended | Dropped | WentOn)
        assert self.machine.tentative == (self.yields_at is not None)
        assert self.machine.turn_open == self.is_open

    def claimed(self) -> None:
        self.voiced += self.undecided
        self.undecided.clear()
        self.yields_at = None

    def hear(self, probability: float, audible: bool, new: bool) -> None:
        self.follow(self.frames(1, probability, audible, new))
        assert not (self.machine.may_speak and self.is_open), "a reply would talk over the person"
        if self.yields_at is not None:
            assert self.sample - self.yields_at <= self.max_samples, "nobody waits for ever"
            if probability == 1.0:
                self.undecided.append(self.sample)
        elif self.is_open:
            self.turns[-1][1] = self.sample
            assert self.sample - self.turns[-1][0] < self.max_samples
            if probability == 1.0:
                self.voiced.append(self.sample)


FRAMES = st.tuples(
    st.integers(1, 40), st.sampled_from([0.0, 0.3, 0.4, 0.6, 1.0]), st.booleans(), st.booleans()
)
KEYS = st.sampled_from(
    ["press", "press while audible", "release", "answered", "claim", "dismiss", "expect 200", "expect 900"]
)


@settings(max_examples=300, deadline=None)
@given(
    st.lists(st.one_of(FRAMES, KEYS), max_size=60),
    st.sampled_from(["open", "push_to_talk"]),
    st.sampled_from([5, 120]),
)
def test_no_order_of_events_loses_speech_or_gets_stuck(
    events: list[tuple[int, float, bool, bool] | str], mode: str, max_turn_s: int
) -> None:
    machine = person(mode=mode, max_turn_s=max_turn_s).machine
    someone = Watched(machine, max_turn_s)
    for event in events:
        if isinstance(event, tuple):
            count, probability, audible, new = event
            has_turn = bool(someone.turns)
            for _ in range(count):
                someone.hear(probability, audible, new and has_turn)
        elif event.startswith("press"):
            someone.follow(machine.press(reply_audible="audible" in event))
        elif event.startswith("expect"):
            someone.follow(machine.expect(float(event.split()[1])))
        elif event == "answered":
            machine.answered()
        else:
            someone.follow(getattr(machine, event)())
    for end in someone.voiced:
        assert any(begin < end <= until for begin, until in someone.turns)
    someone.follow(machine.release())
    someone.follow(someone.be_silent(VERDICT_LIMIT_MS / 1000 + 1))
    machine.answered()
    assert machine.phase is Phase.IDLE, "silence and an answer always bring it to rest"
    if mode == "open":
        assert kinds(someone.speak(0.5)) == ["Opened"], "and it hears the next word"


@settings(max_examples=200, deadline=None)
@given(
    st.lists(st.tuples(st.sampled_from([0.0, 1.0]), st.integers(1, 30)), min_size=1, max_size=30),
    st.booleans(),
)
def test_speech_long_enough_is_always_in_a_turn(runs: list[tuple[float, int]], answers: bool) -> None:
    """Every run of clear speech of at least `min_speech_ms` lies in some turn, from its first sample on."""
    someone = Person()
    spans: list[list[int]] = []
    spoken: list[tuple[int, int]] = []
    needed = -(-TURNS.min_speech_ms * 16 // FRAME)
    for probability, count in runs:
        begin = someone.sample
        for _ in range(count):
            begun = [
                signal for signal in someone.frames(1, probability) if isinstance(signal, Opened | Resumed)
            ]
            spans += [[signal.from_sample, someone.sample] for signal in begun]
            if someone.machine.turn_open:
                spans[-1][1] = someone.sample
            elif answers:
                someone.machine.answered()
        if probability == 1.0 and count >= needed:
            spoken.append((begin, someone.sample))
    for begin, end in spoken:
        for frame in range(begin, end, FRAME):
            assert any(start <= frame and frame + FRAME <= until for start, until in spans)
