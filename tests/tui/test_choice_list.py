"""The pure parts of choosing: what fits a search, how wide the columns are, where a text is cut."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from voxterm.tui.dialogs.choice_list import GAP, Cell, Column, column_widths, cut
from voxterm.tui.dialogs.row_filter import best_first, folded
from voxterm.tui.panes.wrap import cells_of


def found(query: str, *rows: tuple[str, ...]) -> list[int]:
    return best_first(query, [tuple(map(folded, row)) for row in rows])


@pytest.mark.parametrize(
    ("query", "text"),
    [
        ("AMELIE", "Amélie"),
        ("amélie", "Amelie"),
        ("bjorn", "Bjørn's headphones"),
        ("strasse", "Straße"),
        ("lodz", "Łódź"),
        ("abc", "ABC"),
        ("女声", "普通话女声"),
        ("火", "火星"),
        ("cafe\u0301", "café"),
    ],
)
def test_case_and_accents_do_not_matter(query: str, text: str) -> None:
    assert found(query, (text,)) == [0]


def test_words_fit_in_any_order_and_column() -> None:
    rows = [("tara", "en", "warm and quick"), ("leo", "en", "warm"), ("pierre", "fr", "quick")]
    assert found("quick en", *rows) == [0]
    assert found("en warm", *rows) == [0, 1]
    assert found("warm fr", *rows) == []


def test_the_best_match_is_first() -> None:
    rows = [("x", "a mars b"), ("camarsa",), ("to mars",), ("mars",), ("marsh",)]
    assert found("mars", *rows) == [3, 4, 2, 1, 0]


@pytest.mark.parametrize("query", ["", "  "])
def test_without_a_word_all_fit_in_their_order(query: str) -> None:
    assert found(query, ("b",), ("a",), ("c",)) == [0, 1, 2]


def test_a_thousand_rows_are_searched_in_a_moment() -> None:
    rows = [(folded(f"voice {i}"), "en", folded("überall warm und schön " * 10)) for i in range(1000)]
    began = time.process_time()
    assert len(best_first("schon voice 99", rows)) == 19
    assert time.process_time() - began < 0.05


FLEXIBLE, FIXED = Column(is_flexible=True), Column()
SPARE = Column(is_spare=True)


@pytest.mark.parametrize(
    ("columns", "natural", "width", "widths"),
    [
        ((FIXED, FLEXIBLE), (5, 10), 40, (5, 10)),
        ((FIXED, FLEXIBLE), (5, 100), 40, (5, 33)),
        ((FLEXIBLE, FIXED, FLEXIBLE), (10, 2, 100), 40, (10, 2, 24)),
        ((FLEXIBLE, FLEXIBLE), (100, 100), 42, (20, 20)),
        ((FIXED, FLEXIBLE, SPARE), (16, 50, 8), 40, (16, 12, 8)),
        ((FIXED, FLEXIBLE, SPARE), (16, 50, 8), 39, (16, 21, 0)),
        ((FIXED, FLEXIBLE, SPARE, SPARE), (16, 50, 8, 7), 45, (16, 17, 8, 0)),
        ((FIXED, FLEXIBLE), (100_000, 9), 60, (20, 9)),
        ((FIXED, FLEXIBLE), (5, 0), 40, (5, 0)),
        ((), (), 40, ()),
    ],
)
def test_columns_share_the_width(
    columns: tuple[Column, ...], natural: tuple[int, ...], width: int, widths: tuple[int, ...]
) -> None:
    assert column_widths(columns, natural, width) == widths


@given(
    st.lists(st.tuples(st.booleans(), st.booleans(), st.integers(0, 500)), max_size=5), st.integers(60, 200)
)
def test_columns_never_take_more_than_there_is(drawn: list[tuple[bool, bool, int]], width: int) -> None:
    columns = [Column(is_flexible=flexible, is_spare=spare) for flexible, spare, _ in drawn]
    columns = columns[:2] + [Column(is_flexible=True, is_spare=True)] * len(columns[2:])
    widths = column_widths(columns, [cells for _, _, cells in drawn], width)
    taken = [cells for cells in widths if cells]
    assert sum(taken) + len(GAP) * max(0, len(taken) - 1) <= width


@pytest.mark.parametrize(
    ("text", "cells", "result"),
    [
        ("hello", 5, "hello"),
        ("hello", 4, "hel…"),
        ("hello", 1, "…"),
        ("hello", 0, ""),
        ("one two", 5, "one…"),
        ("太阳系", 6, "太阳系"),
        ("太阳系", 5, "太阳…"),
        ("太阳系", 4, "太…"),
        ("", 3, ""),
    ],
)
def test_a_text_is_cut_with_an_ellipsis(text: str, cells: int, result: str) -> None:
    assert cut(text, cells) == result


@given(st.text(), st.integers(0, 30))
def test_a_cut_text_fits(text: str, cells: int) -> None:
    safe = Cell.of(text).text
    assert sum(map(cells_of, cut(safe, cells))) <= cells


def test_what_a_search_looks_at_is_bounded() -> None:
    cell = Cell.of("x" * 100_000)
    assert len(cell.searched) < 400
    assert cell.text.endswith("…")
