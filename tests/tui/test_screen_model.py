"""What events become, with no screen at all."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scripted import (
    HEARING,
    INTERRUPTED,
    LOADING,
    NOON,
    PAST,
    QUESTION,
    READY,
    REPLY,
    SPEAKING,
    THINKING,
    finished,
    measured,
)

from voxterm.errors import EngineError, EngineLoadError
from voxterm.events import (
    DeviceChanged,
    DeviceStatus,
    EchoChosen,
    Event,
    Interrupted,
    Levels,
    Loading,
    PartialTranscript,
    Ready,
    ReplyDelta,
    ReplyHeard,
    ReplyWithdrawn,
    SpeechStarted,
    State,
    StateChanged,
    TranscriptReady,
    Trouble,
    TurnDropped,
    TurnEnded,
    TurnFinished,
)
from voxterm.tui.dialogue import Notice, Problem, Turn, heard_chars
from voxterm.tui.model import (
    LATENCY_TURNS,
    MAX_WARNINGS,
    ScreenModel,
    apply,
    failed,
    gone_on,
    refused,
    typed,
)


def played(events: Sequence[Event], model: ScreenModel | None = None) -> ScreenModel:
    model = model or ScreenModel()
    for event in events:
        model = apply(model, event, NOON)
    return model


def last_turn(events: Sequence[Event]) -> Turn:
    entry = played(events).dialogue[-1]
    assert isinstance(entry, Turn)
    return entry


def test_a_partial_transcript_is_not_final_until_it_is_ready() -> None:
    assert (last_turn(HEARING).said, last_turn(HEARING).said_is_final) == (
        "what's the tallest mountain in",
        False,
    )
    assert (last_turn(THINKING).said, last_turn(THINKING).said_is_final) == (QUESTION, True)


def test_a_late_partial_transcript_does_not_replace_the_final_one() -> None:
    assert last_turn([*THINKING, PartialTranscript(3, "what's the tall")]).said == QUESTION


def test_a_typed_turn_is_final_at_once() -> None:
    turn = last_turn([TurnEnded(1, 0.0, typed="hello")])
    assert (turn.said, turn.said_is_final, turn.typed) == ("hello", True, True)


def test_deltas_add_up_and_the_word_that_sounds_is_known() -> None:
    turn = last_turn([ReplyDelta(1, "One "), ReplyDelta(1, "two."), ReplyHeard(1, 4, 8)])
    assert (turn.reply, turn.heard_chars, turn.word_end) == ("One two.", 4, 8)


def test_a_withdrawn_reply_vanishes_and_the_words_are_open_again() -> None:
    turn = last_turn(
        [
            *THINKING,
            ReplyDelta(3, "Olympus"),
            ReplyWithdrawn(3),
            PartialTranscript(3, "what's the tallest tree"),
        ]
    )
    assert (turn.reply, turn.said, turn.said_is_final) == ("", "what's the tallest tree", False)


def test_a_dropped_turn_vanishes_and_gives_its_number_back() -> None:
    model = played([*HEARING, TurnDropped(3)])
    assert [entry.number for entry in model.dialogue if isinstance(entry, Turn)] == [1, 2]
    assert model.status.turn == 2


def test_an_interrupted_reply_is_lost_from_where_it_was_heard() -> None:
    turn = last_turn(INTERRUPTED[:-3])
    assert turn.reply[turn.lost_from :] == " two and a half times Everest."


def test_it_is_lost_as_soon_as_it_is_interrupted() -> None:
    turn = last_turn([*SPEAKING, Interrupted(3, 4.0, by_voice=False)])
    assert turn.lost_from == turn.heard_chars == REPLY.index("kilometres")


def test_a_reply_that_was_heard_whole_has_lost_nothing() -> None:
    turn = last_turn([*SPEAKING, finished(3, QUESTION, REPLY)])
    assert (turn.lost_from, turn.settled_to) == (len(REPLY), len(REPLY))


def test_a_reply_without_a_loudspeaker_is_settled_and_not_lost() -> None:
    """With no device nothing is ever heard; the reply must not be struck through for that."""
    silent = TurnFinished(1, "hi", "Hello.", "", False, True, 0.0, 1.0, 2.0, {})
    turn = last_turn([TurnEnded(1, 0.0, typed="hi"), ReplyDelta(1, "Hello."), silent])
    assert (turn.lost_from, turn.settled_to) == (6, 6)


def test_a_reply_that_is_repeated_is_marked_and_not_doubled() -> None:
    """The words of a repeated reply come under the number of the turn, which is complete."""
    done = [*SPEAKING, finished(3, QUESTION, REPLY, heard="Olympus Mons,")]
    turn = last_turn([*done, TranscriptReady(3, ""), ReplyDelta(3, REPLY), ReplyHeard(3, 0, 7)])
    assert (turn.said, turn.reply, turn.heard_chars, turn.word_end) == (QUESTION, REPLY, 13, 7)
    assert last_turn([*done, ReplyHeard(3, 0, 7), StateChanged(State.LISTENING, 0.0)]).word_end == 0
    assert last_turn([*done, ReplyHeard(3, 0, 7), Interrupted(3, 0.0, by_voice=False)]) == last_turn(done)


def test_an_older_turn_that_is_dropped_late_takes_no_number_back() -> None:
    assert played([*HEARING, SpeechStarted(4, 0.0), TurnDropped(3)]).status.turn == 4


def test_trouble_of_a_turn_stands_with_the_turn_and_other_trouble_by_itself() -> None:
    model = played([*HEARING, Trouble("a", "b", "engine", turn=3), Trouble("c", "d", "store")])
    turn, notice = model.dialogue[-2:]
    assert isinstance(turn, Turn)
    assert turn.problems == (Problem("a", "b"),)
    assert notice == Notice(NOON, "c", "d")
    assert [warned.category for warned in model.warnings] == ["engine", "store"]


def test_engines_that_load_keep_their_places() -> None:
    loading = played([*LOADING, Loading("silero", 1, 2), Loading("voxtral", 5, 9)]).status.loading
    assert [load.engine for load in loading] == ["silero", "voxtral", "orpheus", "snac"]
    assert loading[1].done_bytes == 5


def test_ready_ends_the_loading_and_says_why() -> None:
    model = played([*LOADING, Ready("embedded", {"speaks": "espeak"}, "english", "there is no GPU")])
    assert model.status.loading == ()
    assert model.dialogue == (Notice(NOON, "embedded: there is no GPU", is_problem=False),)


@pytest.mark.parametrize(
    ("chosen", "line"),
    [
        (
            EchoChosen("cancel", "the microphone hears the loudspeaker", -11.6, 84.2),
            "echo is cancelled: the microphone hears the loudspeaker (-12 dB after 84 ms)",
        ),
        (
            EchoChosen("half_duplex", "the settings say so"),
            "echo is kept out: nothing is heard while voxterm speaks: the settings say so",
        ),
        (EchoChosen("off", "none was heard"), "echo is left alone: none was heard"),
    ],
)
def test_what_is_done_about_the_echo_is_said(chosen: EchoChosen, line: str) -> None:
    assert played([chosen]).dialogue == (Notice(NOON, line, is_problem=False),)


def test_devices_are_told_apart_and_their_troubles_logged() -> None:
    missing = DeviceChanged("microphone", DeviceStatus.MISSING, "", "no microphone", "plug one in")
    model = played([*READY, missing])
    assert model.devices.microphone.status is DeviceStatus.MISSING
    assert model.devices.loudspeaker.status is DeviceStatus.OPEN
    assert model.warnings[-1].what == "no microphone"


def test_levels_change_nothing_else() -> None:
    before = played(SPEAKING)
    after = apply(before, Levels(-1.0, -2.0, 0.5, 3.0, 4, 5), NOON)
    assert after.levels == Levels(-1.0, -2.0, 0.5, 3.0, 4, 5)
    assert after.dialogue is before.dialogue
    assert after.status is before.status


def test_latencies_and_warnings_are_bounded() -> None:
    turns = [measured(number) for number in range(1, 100)]
    troubles = [Trouble(f"{number}", "", "engine") for number in range(MAX_WARNINGS + 9)]
    model = played([*turns, *troubles])
    assert len(model.latencies) == LATENCY_TURNS
    assert len(model.warnings) == MAX_WARNINGS
    assert model.warnings[-1].what == f"{MAX_WARNINGS + 8}"


def test_a_resumed_session_goes_on_after_its_last_turn() -> None:
    """A new turn must not change a past one that has the same number."""
    model = gone_on(ScreenModel(), PAST)
    assert model.status.turn == 42
    model = apply(model, SpeechStarted(42, 0.0), NOON)
    assert len(model.dialogue) == 3
    assert model.dialogue[:2] == gone_on(ScreenModel(), PAST).dialogue


def test_a_failure_stops_the_conversation_and_says_why_a_line_is_not_answered() -> None:
    error = EngineLoadError("voxtral: no such file", "run voxterm doctor")
    model = failed(played(LOADING), error, NOON)
    assert model.status.state is State.STOPPED
    assert model.status.loading == ()
    why, what_now = model.dialogue[-2:]
    assert why == Notice(NOON, "voxtral: no such file", "run voxterm doctor")
    assert what_now == Notice(NOON, "nothing was loaded", "quit with q, mend it, and start voxterm again")
    refusal = refused(model, NOON, "hello").dialogue[-1]
    assert refusal == Notice(NOON, "not answered, since nothing was loaded: hello", what_now.remedy)


def test_where_a_conversation_had_begun_a_line_is_not_answered_since_it_has_ended() -> None:
    model = failed(played(READY), EngineError("the GPU is gone", "start voxterm --resume"), NOON)
    assert model.dialogue[-1] == Notice(NOON, "the GPU is gone", "start voxterm --resume")
    refusal = refused(model, NOON, "hello").dialogue[-1]
    remedy = "quit with q, and start voxterm again"
    assert refusal == Notice(NOON, "not answered, since the conversation has ended: hello", remedy)


def test_what_a_key_is_answered_is_said_once_in_a_row() -> None:
    model = failed(played(LOADING), EngineLoadError("voxtral: no such file", ""), NOON)
    assert refused(model, NOON) == model, "it is the last line already"
    after_a_line = refused(model, NOON, "hello")
    assert refused(after_a_line, NOON).dialogue[-1] == model.dialogue[-1]


def test_lines_that_were_typed_too_early_do_not_vanish() -> None:
    model = typed(typed(played(LOADING), "one"), "two")
    assert model.waiting == ("one", "two")
    begun = apply(model, TurnEnded(1, 0.0, typed="one"), NOON)
    assert begun.waiting == ("two",)
    assert apply(begun, TurnEnded(2, 0.0), NOON).waiting == ("two",), "that one was spoken"
    ended = failed(begun, EngineLoadError("voxtral: no such file", ""), NOON)
    last = ended.dialogue[-1]
    assert isinstance(last, Notice)
    assert last.what == "not answered, since nothing was loaded: two"
    assert ended.waiting == ()


@pytest.mark.parametrize(
    ("reply", "heard", "chars"),
    [
        ("One two.", "One two.", 8),
        ("One two. ", "One two.", 9),  # white space at the end is nothing to strike through
        ("One two.", "One", 3),
        ("One two.", "", 0),
        ("One two.", "One  two", 4),  # not quite the beginning of the reply
        ("One", "One two", 3),
    ],
)
def test_how_much_was_heard(reply: str, heard: str, chars: int) -> None:
    assert heard_chars(reply, heard) == chars


turn_events: st.SearchStrategy[Event] = st.one_of(
    *(
        st.builds(kind, st.integers(1, 3), *rest)
        for kind, rest in (
            (SpeechStarted, [st.just(0.0)]),
            (PartialTranscript, [st.text(max_size=5)]),
            (TurnDropped, []),
            (TurnEnded, [st.just(0.0), st.none() | st.text(max_size=5)]),
            (TranscriptReady, [st.text(max_size=5)]),
            (ReplyDelta, [st.text(max_size=5)]),
            (ReplyWithdrawn, []),
            (ReplyHeard, [st.integers(0, 9), st.integers(0, 9)]),
            (Interrupted, [st.just(0.0), st.booleans()]),
        )
    ),
    st.builds(StateChanged, st.sampled_from(State), st.just(0.0)),
    st.builds(Trouble, st.just("w"), st.just("r"), st.just("c"), st.none() | st.integers(1, 3)),
)


@given(st.lists(turn_events, max_size=30))
def test_no_order_of_events_breaks_it_or_shows_a_turn_twice(events: list[Event]) -> None:
    numbers = [entry.number for entry in played(events).dialogue if isinstance(entry, Turn)]
    assert len(numbers) == len(set(numbers))
