"""No text of a person, a model or a device can steer the terminal."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from rich.cells import cell_len

from voxterm.tui.terminal.safe_text import MAX_MARKS, safe_line, safe_text

any_text = st.text(st.characters(), max_size=60)  # lone surrogates too: they cannot be encoded
marked_text = st.text(
    st.sampled_from("ab e\n\t\u0301\u0300\u200d\u200c\u202e\u093e\u0915\x1b\u2028😀"), max_size=40
)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain [b]text[/b]", "plain [b]text[/b]"),
        ("\x1b[31mred", "\\x1b[31mred"),
        ("\x1b]52;c;aGk=\x07", "\\x1b]52;c;aGk=\\x07"),
        ("\x1b]8;;http://x\x1b\\y", "\\x1b]8;;http://x\\x1b\\y"),
        ("\x9b2J", "\\x9b2J"),
        ("abc\u202edef", "abc\\u202edef"),
        ("a\u2066b\u2069", "a\\u2066b\\u2069"),
        ("one\ttwo\u00a0three", "one two three"),
        ("first\u2028second", "first\nsecond"),
        ("a\u200bb\u00adc", "abc"),
        ("\udcff", "\\udcff"),
        ("क्‍ष नमस्ते", "क्‍ष नमस्ते"),  # a joiner that spelling needs
        ("שלום عليكم 中文 한국", "שלום عليكم 中文 한국"),
        ("❤\ufe0f👍🏽", "❤👍"),
    ],
)
def test_shows_what_it_must_not_send(text: str, shown: str) -> None:
    assert safe_text(text) == shown


def test_a_flood_of_marks_is_cut() -> None:
    assert safe_text("a" + "\u0301" * 1000 + "b") == "a" + "\u0301" * MAX_MARKS + "b"


def test_marks_with_nothing_to_stand_on_are_left_out() -> None:
    """They would be drawn over whatever stands to the left of the pane."""
    assert safe_text("\u0301\u0301x") == "x"


@example("\u038b")  # no character, amid the Greek ones
@given(any_text)
def test_nothing_that_steers_a_terminal_is_left(text: str) -> None:
    for character in safe_text(text):
        assert character == "\n" or character in "\u200c\u200d" or character.isprintable()
        assert unicodedata.bidirectional(character) not in ("RLO", "LRO", "RLE", "LRE", "RLI", "LRI", "FSI")


@given(any_text | marked_text, any_text | marked_text)
def test_a_beginning_stays_as_it_is(first: str, second: str) -> None:
    """Offsets into a reply are carried over by the length of the safe beginning."""
    assert safe_text(first + second).startswith(safe_text(first))


@given(any_text | marked_text)
def test_what_is_safe_stays_as_it_is(text: str) -> None:
    assert safe_text(safe_text(text)) == safe_text(text)


def test_a_line_is_one_line() -> None:
    assert safe_line(" a\n\n b\tc ") == "a b c"
    assert cell_len(safe_line("x\u0301" * 10)) == 10
