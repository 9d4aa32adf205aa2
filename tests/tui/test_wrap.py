from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from voxterm.tui.panes.wrap import cells_of, disputed_cells, wrap


def lines(text: str, width: int) -> list[str]:
    return [text[start:end] for start, end in wrap(text, width)]


def test_breaks_at_spaces_and_drops_them() -> None:
    assert lines("one two  three", 8) == ["one two", "three"]


def test_keeps_the_spaces_inside_a_line() -> None:
    assert lines("a  b", 8) == ["a  b"]


def test_breaks_a_word_only_where_it_is_longer_than_a_line() -> None:
    assert lines("ab abcdefghij cd", 4) == ["ab", "abcd", "efgh", "ij", "cd"]


def test_goes_on_after_the_last_part_of_a_broken_word() -> None:
    assert lines("abcdef gh ij", 4) == ["abcd", "ef", "gh", "ij"]
    assert lines("abcdef g", 4) == ["abcd", "ef g"]


def test_breaks_between_wide_characters() -> None:
    """Chinese has no spaces: it must fill the line, and not begin a new one as a single long word."""
    assert lines("abc 太阳系最高的山", 9) == ["abc 太阳", "系最高的", "山"]


def test_counts_vowel_signs_as_cells_since_some_terminals_do() -> None:
    assert disputed_cells("का की") == 2
    assert lines("का की", 4) == ["का", "की"]


def test_keeps_line_ends() -> None:
    assert lines("a\n\nb", 10) == ["a", "", "b"]


def test_an_empty_text_is_one_empty_line() -> None:
    assert lines("", 10) == [""]


@given(st.text(st.sampled_from("ab \n太é\u0301ा"), max_size=80), st.integers(2, 12))
def test_every_line_fits_and_no_letter_is_lost(text: str, width: int) -> None:
    wrapped = lines(text, width)
    assert all(sum(map(cells_of, line)) <= width for line in wrapped)
    assert "".join("".join(wrapped).split()) == "".join(text.split())
