from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from turn_scenes import long

from voxterm.events import Mark, TurnTimeline
from voxterm.timeline.packed import marks_as_text, marks_of_text, packed

LEVELS = st.lists(st.floats(-120, 10), max_size=40)


@given(LEVELS, LEVELS, st.lists(st.floats(0, 1), max_size=40))
def test_series_come_back_to_a_quarter_of_a_decibel(
    microphone: list[float], loudspeaker: list[float], speech: list[float]
) -> None:
    timeline = TurnTimeline(7, 0.032, tuple(microphone), tuple(loudspeaker), tuple(speech), ())
    back = packed(timeline).unpacked(7)
    for before, after in ((microphone, back.microphone_dbfs), (loudspeaker, back.loudspeaker_dbfs)):
        assert after == pytest.approx([min(max(level, -100), 0) for level in before], abs=0.2501)
    assert back.speech_probability == pytest.approx(speech, abs=0.002)


@given(st.lists(st.builds(Mark, st.text(max_size=10), st.floats(0, 1e6))))
def test_marks_come_back_as_they_were(marks: list[Mark]) -> None:
    assert marks_of_text(marks_as_text(marks)) == tuple(marks)


def test_a_minute_takes_a_few_kilobytes() -> None:
    timeline = long()
    kept = packed(timeline)
    minutes = len(timeline.microphone_dbfs) * timeline.frame_s / 60
    taken_bytes = len(kept.microphone + kept.loudspeaker + kept.speech) + len(marks_as_text(kept.marks))
    assert taken_bytes / minutes < 7_000


def test_marks_that_are_none_are_said_to_be_so() -> None:
    with pytest.raises(ValueError, match="Expecting"):
        marks_of_text("not marks")
