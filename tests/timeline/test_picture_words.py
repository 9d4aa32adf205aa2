"""Texts of a picture: what of them is shown, and how they wrap."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from voxterm.timeline.words import Run, shown, width_px, wrapped


@pytest.mark.parametrize(
    ("text", "seen"),
    [
        ("one\n two\tthree", "one two three"),
        ("\x1b[31mred\x00", "\\x1b[31mred\\x00"),
        ("a\u202egnp.exe", "a\\x202egnp.exe"),
        ("क्\u200dष", "क्\u200dष"),
        ("می\u200cروم", "می\u200cروم"),
        ("a\ud83d", "a\\xd83d"),
        ("a \u200d b", "a \u200d b"),
    ],
)
def test_control_characters_are_shown_and_spelling_is_kept(text: str, seen: str) -> None:
    assert shown(text) == seen


@given(st.text())
def test_what_is_shown_can_be_printed(text: str) -> None:
    assert shown(text).replace("\u200c", "").replace("\u200d", "").isprintable()


@given(
    st.lists(st.tuples(st.text(max_size=60), st.sampled_from(["", "dim"])), max_size=4),
    st.floats(60, 400),
    st.integers(1, 5),
)
def test_lines_fit_and_lose_nothing_but_what_is_beyond_the_last(
    runs: list[tuple[str, str]], room_px: float, most: int
) -> None:
    texts = [Run(shown(text), style) for text, style in runs]
    lines = wrapped(texts, 13.0, room_px, most)
    assert len(lines) <= most
    for line in lines:
        assert width_px("".join(run.text for run in line).rstrip(), 13.0) <= room_px + 1e-6
    whole = "".join(run.text for run in texts)
    drawn = "".join(run.text for line in lines for run in line)
    assert drawn == whole or whole.startswith(drawn.removesuffix("…"))
    if drawn != whole:
        assert drawn.endswith("…")
        assert len(lines) == most


def test_styles_keep_to_their_words() -> None:
    lines = wrapped([Run("heard words "), Run("and others", "dim")], 13.0, 1000, 3)
    assert lines == [[Run("heard words "), Run("and others", "dim")]]


def test_words_are_broken_only_where_they_must_be() -> None:
    lines = wrapped([Run("first second third")], 10.0, width_px("first second…", 10.0) + 1, 5)
    assert ["".join(run.text for run in line) for line in lines] == ["first second ", "third"]
    (broken, *_) = wrapped([Run("x" * 400)], 10.0, 200, 9)
    assert broken[0].text.startswith("xxxxx")


def test_no_mark_is_parted_from_its_letter() -> None:
    for line in wrapped([Run("e\u0301" * 200)], 13.0, 90, 99):
        assert line[0].text[0] == "e"
