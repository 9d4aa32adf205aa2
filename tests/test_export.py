from __future__ import annotations

import io
import json
import re
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import soundfile  # type: ignore[import-untyped]
from hypothesis import given
from hypothesis import strategies as st
from turn_scenes import hesitant, ordinary

from voxterm.errors import AudioFileError, OutputError, SessionError
from voxterm.export import (
    FORMATS,
    WAV_RATE_HZ,
    Drawn,
    Format,
    export_session,
    json_document,
    markdown,
    subtitles,
    time_line_picture,
)
from voxterm.store import SessionSummary, StoredTurn
from voxterm.timeline.packed import packed

START = datetime(2026, 11, 21, 14, 30, tzinfo=timezone.utc)
SUMMARY = SessionSummary(
    id="20261121-143000-ab12",
    started_at=START,
    title="",
    profile="embedded",
    engines={"speak": "espeak"},
    voice="en",
    turns=2,
    first_words="Hello",
    duration_s=10.0,
)


def turn(number: int, at_s: float, said: str, reply: str, heard: str | None = None) -> StoredTurn:
    return StoredTurn(
        number=number,
        started_at=START + timedelta(seconds=at_s),
        transcript=said,
        reply=reply,
        heard_reply=reply if heard is None else heard,
        interrupted=heard is not None,
        latency_ms={"voice_to_voice": 500.0, "codec": None},
    )


def with_audio(base: StoredTurn, folder: Path, person_s: float, reply_s: float) -> StoredTurn:
    """The turn with two recordings of a constant level: 0.25 for the person, 0.5 for the reply."""
    paths = {}
    for side, level, seconds, rate_hz in (
        ("person", 0.25, person_s, 16_000),
        ("reply", 0.5, reply_s, 24_000),
    ):
        path = folder / f"{base.number}-{side}.flac"
        soundfile.write(path, np.full(round(seconds * rate_hz), level, np.float32), rate_hz)
        paths[f"{side}_audio"] = path
    return StoredTurn(**{**vars(base), **paths})


TURNS = [
    turn(1, 1.0, "Hello", "Hi there."),
    turn(2, 9.0, "Tell me more", "I know a lot, but not all.", "I know a lot,"),
]


def times_s(document: str) -> list[tuple[float, float]]:
    """Start and end of each subtitle."""
    found = re.findall(
        r"^(\d\d):(\d\d):(\d\d),(\d{3}) --> (\d\d):(\d\d):(\d\d),(\d{3})$", document, re.MULTILINE
    )
    numbers = [[int(part) for part in parts] for parts in found]
    return [
        (n[0] * 3600 + n[1] * 60 + n[2] + n[3] / 1000, n[4] * 3600 + n[5] * 60 + n[6] + n[7] / 1000)
        for n in numbers
    ]


def test_markdown_strikes_out_what_was_not_heard() -> None:
    document = markdown(SUMMARY, TURNS)
    assert document.startswith("# 20261121-143000-ab12\n\n")
    at = (START + timedelta(seconds=1)).astimezone()
    assert f"**You** {at:%H:%M:%S}: Hello\n\n**voxterm**: Hi there.\n" in document
    assert "**voxterm**: I know a lot, ~~but not all.~~\n" in document
    assert document.count("~~") == 2


def test_a_persona_is_named() -> None:
    tutored = replace(SUMMARY, persona="my *tutor*")
    assert " · voice en · persona my \\*tutor\\*\n" in markdown(tutored, TURNS)
    assert "persona" not in markdown(SUMMARY, TURNS)
    assert json.loads(json_document(tutored, TURNS))["persona"] == "my *tutor*"


def test_markdown_of_a_reply_nobody_heard_and_of_one_that_failed() -> None:
    unheard = turn(1, 0, "Hello", "Hi there.", "")
    failed = StoredTurn(**{**vars(turn(2, 0, "And?", "")), "error": "the *voice* failed", "typed": True})
    document = markdown(SUMMARY, [unheard, failed])
    assert "**voxterm**: ~~Hi there.~~\n" in document
    assert " (typed): And?\n\n*the \\*voice\\* failed*\n" in document
    assert document.count("**voxterm**") == 1


def test_markdown_keeps_what_was_heard_of_a_reply_that_changed() -> None:
    document = markdown(SUMMARY, [turn(1, 0, "Hello", "A new reply", "Old words")])
    assert "**voxterm**: Old words ~~A new reply~~" in document


@given(st.text(max_size=60))
def test_markdown_is_text_whatever_a_model_says(text: str) -> None:
    """A reply must not become a heading, a link, HTML, or a control sequence of the terminal."""
    document = markdown(SUMMARY, [turn(1, 0, text, text)])
    assert document.replace("\n", "").isprintable()
    assert len(document.splitlines()) <= 7
    said = [line for line in document.splitlines() if line.startswith("**")]
    for line in said:
        assert not re.search(
            r"(?<!\\)(?:\\\\)*[*_`<>\[\]#~|]", line.split(": ", 1)[1] if ": " in line else ""
        )


def test_json_has_stable_keys_and_exact_texts() -> None:
    document = json_document(SUMMARY, [turn(1, 0, "नमस्ते \x1b[31m", "a\u202eb", "a")])
    assert document.isascii()
    parsed = json.loads(document)
    assert list(parsed) == ["id", "started_at", "title", "profile", "engines", "voice", "persona", "turns"]
    assert parsed["turns"] == [
        {
            "number": 1,
            "transcript": "नमस्ते \x1b[31m",
            "reply": "a\u202eb",
            "heard_reply": "a",
            "interrupted": True,
            "typed": False,
            "started_at": "2026-11-21T14:30:00+00:00",
            "latency_ms": {"voice_to_voice": 500.0, "codec": None},
        }
    ]


def test_subtitles_follow_the_clock_of_the_session() -> None:
    assert subtitles(SUMMARY, TURNS) == (
        "1\n00:00:01,000 --> 00:00:01,500\nYou: Hello\n\n"
        "2\n00:00:02,000 --> 00:00:02,600\nvoxterm: Hi there.\n\n"
        "3\n00:00:09,000 --> 00:00:09,800\nYou: Tell me more\n\n"
        "4\n00:00:10,300 --> 00:00:11,167\nvoxterm: I know a lot,\n"
    )


def test_subtitles_take_their_lengths_from_recordings(tmp_path: Path) -> None:
    recorded = with_audio(TURNS[0], tmp_path, person_s=2.0, reply_s=3.0)
    assert times_s(subtitles(SUMMARY, [recorded])) == [(1.0, 3.0), (3.5, 6.5)]


def test_subtitles_survive_a_night_between_two_turns() -> None:
    later = turn(3, 100_000.0, "Good morning", "Good morning.")
    last = turn(4, 100_010.0, "Bye", "Bye.")
    spans = times_s(subtitles(SUMMARY, [*TURNS, later, last]))
    assert spans[4][0] == pytest.approx(spans[3][1] + 60, abs=0.002)
    assert spans[6][0] == pytest.approx(spans[4][0] + 10, abs=0.002)


def test_subtitles_never_hold_tags_or_empty_lines() -> None:
    document = subtitles(SUMMARY, [turn(1, 0, "one\n\ntwo --> <i>{\\an8}", " \n ")])
    assert document == "1\n00:00:00,000 --> 00:00:01,467\nYou: one two --＞ ＜i＞｛\\an8｝\n"


@given(st.lists(st.tuples(st.floats(-5, 300), st.text(max_size=40), st.text(max_size=40)), max_size=6))
def test_subtitles_never_overlap(lines: list[tuple[float, str, str]]) -> None:
    """Turns may start before the last reply has ended: that is what barge-in is."""
    spans = times_s(subtitles(SUMMARY, [turn(at, *line) for at, line in enumerate(lines, start=1)]))
    assert all(start < end for start, end in spans)
    assert all(before[1] <= after[0] for before, after in pairwise(spans))


def test_wav_has_the_person_left_and_the_reply_right(tmp_path: Path) -> None:
    turns = [
        with_audio(TURNS[0], tmp_path, person_s=2.0, reply_s=3.0),
        TURNS[1],
        with_audio(turn(3, 30, "Bye", "Bye."), tmp_path, person_s=1.0, reply_s=1.0),
    ]
    out = tmp_path / "session.wav"
    export_session(SUMMARY, turns, "wav", out)
    sound, rate_hz = soundfile.read(out, dtype="float32")
    assert rate_hz == WAV_RATE_HZ
    assert sound.shape == (round(32.5 * rate_hz), 2)
    for at_s, left, right in [
        (0.5, 0, 0),
        (2, 0.25, 0),
        (3.2, 0, 0),
        (5, 0, 0.5),
        (10, 0, 0),
        (30.5, 0.25, 0),
        (32, 0, 0.5),
    ]:
        np.testing.assert_allclose(sound[round(at_s * rate_hz)], [left, right], atol=0.01)


def test_wav_needs_recordings(tmp_path: Path) -> None:
    with pytest.raises(
        SessionError, match=r"no recordings; recordings are kept with \[sessions\] keep_audio"
    ):
        export_session(SUMMARY, TURNS, "wav", tmp_path / "x.wav")
    assert list(tmp_path.iterdir()) == []
    recorded = with_audio(TURNS[0], tmp_path, 1.0, 1.0)
    assert recorded.reply_audio is not None
    recorded.reply_audio.unlink()
    with pytest.raises(AudioFileError):
        export_session(SUMMARY, [recorded], "wav", tmp_path / "x.wav")


@pytest.mark.parametrize("form", [form for form in FORMATS if form != "wav"])
def test_text_goes_to_a_file_or_a_stream(form: Format, tmp_path: Path) -> None:
    stream = io.StringIO()
    turns = [replace(turn, timeline=packed(ordinary())) for turn in TURNS]
    export_session(SUMMARY, turns, form, stream)
    export_session(SUMMARY, turns, form, tmp_path / "out")
    assert (tmp_path / "out").read_text(encoding="utf-8") == stream.getvalue() != ""


@pytest.mark.parametrize("form", FORMATS)
def test_a_place_that_cannot_be_written(form: Format, tmp_path: Path) -> None:
    recorded = replace(with_audio(TURNS[0], tmp_path, 1.0, 1.0), timeline=packed(ordinary()))
    with pytest.raises(OutputError) as caught:
        export_session(SUMMARY, [recorded], form, tmp_path / "missing" / "out")
    assert caught.value.remedy


def test_sound_is_not_sent_to_a_terminal() -> None:
    with pytest.raises(OutputError, match="name a file"):
        export_session(SUMMARY, TURNS, "wav", io.StringIO())


def test_a_picture_shows_the_last_turn_that_has_a_time_line_or_the_one_that_is_named() -> None:
    first, second = (
        replace(turn, timeline=packed(timeline))
        for turn, timeline in zip(TURNS, (hesitant(), ordinary()), strict=True)
    )
    turns = [first, second, turn(3, 20.0, "older", "older")]
    last = time_line_picture(SUMMARY, turns, Drawn())
    assert ">Turn 2</text>" in last
    assert "session 20261121-143000-ab12, 2026-11-21" in last
    assert "I know a lot," in last
    assert '<tspan class="dim unheard">but not all.</tspan>' in last
    assert time_line_picture(SUMMARY, turns, Drawn(turn=2)) == last
    named = time_line_picture(SUMMARY, turns, Drawn(turn=1, speech_threshold=0.7))
    assert ">Turn 1</text>" in named
    assert ">0.7</text>" in named


@pytest.mark.parametrize(
    ("number", "said"),
    [
        (7, r"has no turn 7; it has turns 1 to 2$"),
        (1, r"turn 1 of session 20261121-143000-ab12 has no time line; turns that have one: 2$"),
    ],
)
def test_a_turn_that_cannot_be_drawn(number: int, said: str) -> None:
    turns = [TURNS[0], replace(TURNS[1], timeline=packed(ordinary()))]
    with pytest.raises(SessionError, match=said):
        time_line_picture(SUMMARY, turns, Drawn(number))


def test_a_session_without_time_lines_cannot_be_drawn(tmp_path: Path) -> None:
    with pytest.raises(SessionError, match=r"turn 2 .* has no time line; it was kept by an older voxterm"):
        export_session(SUMMARY, TURNS, "svg", tmp_path / "out")
    with pytest.raises(SessionError, match="has no turns; talk in it first"):
        export_session(SUMMARY, [], "svg", tmp_path / "out")
    assert not list(tmp_path.iterdir())
