"""What a conversation tracks, and the time lines that are cut out of it."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from voxterm.audio.levels import SILENT_DBFS
from voxterm.audio.protocols import FRAME_S
from voxterm.conversation.track import LEAD_S, MOST_MARKS, MOST_TURNS, Track
from voxterm.events import Mark, TurnTimeline
from voxterm.latency import Stamps

WHATS = st.sampled_from(
    ["speech", "pause", "asked", "withdrawn", "resumed", "yielded", "went_on", "interrupted"]
)
TIMES = st.floats(0, 40)


def track_of(until_s: float, kept_s: float = 60.0) -> Track:
    """Frame k, which ends at 100 s + k frames, has k as its level."""
    track = Track(kept_s)
    for at in range(1, round(until_s / FRAME_S) + 1):
        track.frame(100 + at * FRAME_S, float(at), -float(at), at / 10_000)
    return track


def whats(timeline: TurnTimeline) -> list[str]:
    return [mark.what for mark in timeline.marks]


def at_of(timeline: TurnTimeline, what: str) -> float:
    (at_s,) = [mark.at_s for mark in timeline.marks if mark.what == what]
    return at_s


def test_a_time_line_runs_from_half_a_second_before_its_turn_until_it_is_finished() -> None:
    timeline = track_of(10.0).timeline(1, 103.2, 106.4)
    first, last = timeline.microphone_dbfs[0], timeline.microphone_dbfs[-1]
    assert (first - 1) * FRAME_S == pytest.approx(3.2 - LEAD_S, abs=FRAME_S)
    assert last * FRAME_S == pytest.approx(6.4, abs=1e-6)
    assert list(timeline.microphone_dbfs) == [first + at for at in range(len(timeline.microphone_dbfs))]
    assert timeline.loudspeaker_dbfs == tuple(-level for level in timeline.microphone_dbfs)
    assert timeline.speech_probability[0] == pytest.approx(first / 10_000, abs=0.001)


def test_marks_and_frames_have_one_axis() -> None:
    track = track_of(10.0)
    end_of_frame_150 = 100 + 150 * FRAME_S
    track.mark(1, "pause", end_of_frame_150)
    timeline = track.timeline(1, 103.0, 106.0)
    cell = round(at_of(timeline, "pause") / FRAME_S) - 1
    assert timeline.microphone_dbfs[cell] == 150


def test_stamps_become_marks_and_what_was_told_twice_is_one() -> None:
    track = track_of(10.0)
    for what, at_s in [("speech", 102.0), ("asked", 103.0), ("withdrawn", 103.4), ("asked", 105.0)]:
        track.mark(1, what, at_s)
    stamps = Stamps(last_speech_s=104.9, asked_s=105.001, judged_over_s=105.1, handed_s=105.1, left_s=105.125)
    timeline = track.timeline(1, 102.0, 108.0, stamps)
    assert whats(timeline) == [
        "speech", "asked", "withdrawn", "last_speech", "asked", "judged_over", "handed", "left", "finished",
    ]  # fmt: skip
    assert at_of(timeline, "left") - at_of(timeline, "last_speech") == pytest.approx(0.225, abs=2e-4)
    assert at_of(timeline, "finished") - at_of(timeline, "speech") == pytest.approx(6.0, abs=2e-4)


def test_a_typed_turn_has_no_speech() -> None:
    timeline = track_of(10.0).timeline(
        2, 104.0, 107.0, Stamps(judged_over_s=104.0, asked_s=104.0, handed_s=104.2)
    )
    assert whats(timeline) == ["judged_over", "asked", "handed", "finished"]
    assert at_of(timeline, "judged_over") == pytest.approx(LEAD_S, abs=FRAME_S)


def test_a_number_that_is_used_again_begins_with_no_marks() -> None:
    """A turn that was dropped leaves its number; its pre-roll may reach back before the drop."""
    track = track_of(10.0)
    for what, at_s in [("speech", 103.0), ("pause", 103.5), ("asked", 103.6)]:
        track.mark(4, what, at_s)
    track.mark(4, "speech", 103.4)
    track.mark(4, "pause", 105.0)
    assert whats(track.timeline(4, 103.4, 106.0)) == ["speech", "pause", "finished"]
    track.mark(4, "interrupted", 103.0)
    assert whats(track.timeline(4, 104.0, 106.0)) == ["finished"], "a typed turn tells no speech"


def test_late_turns_keep_their_own_marks() -> None:
    track = track_of(10.0)
    track.mark(1, "speech", 102.0)
    track.mark(2, "speech", 104.0)
    track.mark(1, "interrupted", 104.2)
    track.mark(2, "pause", 105.0)
    assert whats(track.timeline(1, 102.0, 105.5)) == ["speech", "interrupted", "finished"]
    assert whats(track.timeline(2, 104.0, 106.0)) == ["speech", "pause", "finished"]
    assert whats(track.timeline(2, 104.0, 106.0)) == ["finished"], "they are given out once"


def test_of_a_turn_longer_than_is_kept_the_beginning_is_lost() -> None:
    track = track_of(30.0, kept_s=10.0)
    track.mark(1, "speech", 102.0)
    track.mark(1, "pause", 125.0)
    timeline = track.timeline(1, 102.0, 130.0)
    assert whats(timeline) == ["pause", "finished"]
    assert len(timeline.microphone_dbfs) <= (10 + LEAD_S) / FRAME_S + 1
    assert timeline.microphone_dbfs[-1] == int(30 / FRAME_S)


def test_where_frames_were_lost_it_is_quiet() -> None:
    track = Track(60.0)
    for at in [*range(1, 100), *range(110, 200)]:
        track.frame(at * FRAME_S, -20.0, -30.0, 0.9)
    timeline = track.timeline(1, LEAD_S, 199 * FRAME_S)
    assert timeline.microphone_dbfs[99:109] == (-20.0, *[SILENT_DBFS] * 9), "the last one lasts once more"
    assert timeline.speech_probability[105] == 0.0
    assert timeline.microphone_dbfs[109] == -20.0


@given(st.lists(st.floats(-0.012, 0.012), min_size=60, max_size=60))
def test_frames_that_come_unevenly_leave_no_holes(late_s: list[float]) -> None:
    track = Track(60.0)
    for at, by_s in enumerate(late_s, start=1):
        track.frame(at * FRAME_S + by_s, -20.0, -20.0, 1.0)
    timeline = track.timeline(1, 0.7, 1.5)
    assert set(timeline.microphone_dbfs) == {-20.0}


def test_nothing_was_heard_yet() -> None:
    timeline = Track(60.0).timeline(1, 100.0, 101.0, Stamps(asked_s=100.5))
    assert timeline.microphone_dbfs == ()
    assert timeline.marks == (Mark("asked", 1.0), Mark("finished", 1.5))


def test_marks_are_bounded() -> None:
    track = track_of(1.0)
    for at in range(2 * MOST_MARKS):
        track.mark(1, "pause", 100.0 + at / 1000)
    assert len(track.timeline(1, 100.0, 101.0).marks) == MOST_MARKS + 1
    for turn in range(MOST_TURNS + 1):
        track.mark(turn, "speech", 100.5)
    assert whats(track.timeline(0, 100.0, 101.0)) == ["finished"], "the oldest is forgotten"
    assert whats(track.timeline(1, 100.0, 101.0)) == ["speech", "finished"]


@given(
    st.lists(TIMES, max_size=80).map(sorted),
    st.lists(st.tuples(st.integers(1, 3), WHATS, TIMES), max_size=60),
    TIMES,
    TIMES,
    st.builds(Stamps, last_speech_s=st.none() | TIMES, asked_s=st.none() | TIMES, left_s=st.none() | TIMES),
)
def test_whatever_happens_a_time_line_is_in_order_and_bounded(
    frames_s: list[float], marks: list[tuple[int, str, float]], from_s: float, until_s: float, stamps: Stamps
) -> None:
    track = Track(kept_s=20.0)
    for at_s in frames_s:
        track.frame(at_s, -30.0, -40.0, 0.5)
    for mark in marks:
        track.mark(*mark)
    timeline = track.timeline(1, from_s, until_s, stamps)
    assert len(timeline.microphone_dbfs) == len(timeline.loudspeaker_dbfs) == len(timeline.speech_probability)
    assert len(timeline.microphone_dbfs) * FRAME_S <= 20 + LEAD_S + FRAME_S
    assert all(before.at_s <= after.at_s for before, after in pairwise(timeline.marks))
    assert timeline.marks[0].at_s >= 0
    assert timeline.marks[-1].what == "finished"
    told = [what for turn, what, _ in marks if turn == 1]
    assert set(whats(timeline)) <= {*told, "last_speech", "asked", "left", "finished"}
