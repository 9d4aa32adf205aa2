from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from voxterm.engines.kokoro.text import (
    FIRST_PHONEMES,
    GROWTH,
    PIECE_PHONEMES,
    SHORTEST_PHONEMES,
    Part,
    parts,
    pieces,
    readable,
)


def spelled(run: str) -> str:
    """A reader that says each word as it is written, numbers as two words, and "of the" as one."""
    words = " ".join(f"{word[:2]} {word[2:]}" if word.isdigit() else word for word in run.split())
    return words.replace("of the", "ofthe")


def words_of(text: str) -> list[tuple[str, str]]:
    return [(text[part.start : part.end], part.phonemes) for part in parts(text, spelled) if part.end]


def joined(piece: list[Part]) -> str:
    return "".join(part.phonemes for part in piece)


def cut(text: str, before_phonemes: int = 0) -> list[str]:
    return [joined(piece).strip() for piece in pieces(parts(text, spelled), before_phonemes)]


def test_tags_are_blanked_and_nothing_moves() -> None:
    text = "<laugh> Oh no <|eot_id|></b> 2 < 3"
    assert readable(text).split() == ["Oh", "no", "2", "<", "3"]
    assert all(readable(text).index(word) == text.index(word) for word in ("Oh", "no", "2", "3"))
    assert len(readable(text)) == len(text)


def test_marks_are_kept_between_the_words_that_a_reader_is_given() -> None:
    given: list[str] = []

    def reader(run: str) -> str:
        given.append(run)
        return spelled(run)

    text = "¿Well, then?  (Yes — “now”.)"
    assert "".join(part.phonemes for part in parts(text, reader)) == "¿Well, then? (Yes — “now”.)"
    assert given == ["Well", "then", "Yes", "now"]


def test_every_word_has_its_own_phonemes_also_where_the_reader_joins_or_divides_them() -> None:
    assert words_of("One of the 1999 cats, sat.") == [
        ("One", "One "),
        ("of", "of"),
        ("the", "the "),
        ("1999", "19 99 "),
        ("cats", "cats"),
        ("sat", "sat"),
    ]


@pytest.mark.parametrize(
    ("text", "runs"),
    [
        ("at 3.14 or 10:30, 5, 6.", ["at 3.14 or 10:30", "5", "6"]),
        ("1,000.", ["1,000"]),
        ("v.2 and 2.b", ["v", "2 and 2", "b"]),
    ],
)
def test_a_mark_between_two_digits_belongs_to_the_number(text: str, runs: list[str]) -> None:
    """phonemizer takes 3.14 apart, and it is read as "three. fourteen"."""
    given: list[str] = []

    def reader(run: str) -> str:
        given.append(run)
        return run

    list(parts(text, reader))
    assert [run for run in given if run in runs] == runs
    assert all(any(run in whole for whole in runs) for run in given)


def test_wide_marks_become_those_that_the_model_knows() -> None:
    assert (
        "".join(part.phonemes for part in parts("你，我。「他」 हूँ।", lambda run: run)) == "你, 我. “他” हूँ. "
    )


def test_a_reader_without_an_answer_leaves_the_marks() -> None:
    assert [part.phonemes for part in parts("a, b", lambda run: "")] == [", "]


def test_a_piece_ends_with_a_sentence_else_a_clause_and_the_first_is_short() -> None:
    text = (
        "Hello there, my friend. It is good to see you, and all of us were waiting. " + "So it goes on. " * 9
    )
    spoken = cut(text)
    assert spoken[:2] == ["Hello there, my friend.", "It is good to see you,"]
    assert all(piece[-1] in ".," for piece in spoken)
    assert max(map(len, spoken)) > 2 * FIRST_PHONEMES
    assert " ".join(spoken) == " ".join(text.split()).replace("of the", "ofthe")


def test_the_sound_of_one_piece_lasts_until_the_next_is_made() -> None:
    sizes = list(map(len, cut("Yes, no, maybe so. " * 40)))
    assert sizes[0] <= FIRST_PHONEMES
    for before, after in pairwise(sizes):
        assert after <= max(before * GROWTH + GROWTH, FIRST_PHONEMES)
    assert max(sizes) > PIECE_PHONEMES - 20


def test_a_clause_that_is_too_short_alone_is_spoken_with_the_next() -> None:
    assert (
        cut("Oh, well then we go to the town, and buy some bread.")[0] == "Oh, well then we go to the town,"
    )
    assert len("Oh,") < SHORTEST_PHONEMES


def test_without_any_mark_words_stay_whole() -> None:
    text = "word " * 100
    spoken = cut(text)
    assert all(set(piece.split()) == {"word"} for piece in spoken)
    assert sum(len(piece.split()) for piece in spoken) == 100
    assert max(map(len, spoken)) <= PIECE_PHONEMES


def test_a_word_without_end_is_cut_and_begins_once() -> None:
    found = [part for piece in pieces(parts("a" * 1000, spelled)) for part in piece]
    assert sum(len(part.phonemes) for part in found) == 1000
    assert [part.end for part in found if part.end] == [1000]


@pytest.mark.parametrize("text", ["", "  \n", "…", "?! —", "()"])
def test_where_nothing_is_said_there_is_no_piece(text: str) -> None:
    assert cut(text) == []


@given(st.text(alphabet="ab19 .,;:!?—…()«»。，\n", max_size=400), st.integers(0, 200))
def test_whatever_the_text_all_is_said_once_in_order_within_limits(text: str, before_phonemes: int) -> None:
    found = list(parts(text, spelled))
    cuts = list(pieces(found, before_phonemes))
    said = "".join(c for piece in cuts for c in joined(piece) if c.isalpha())
    assert said == "".join(c for part in found for c in part.phonemes if c.isalpha())
    assert all(len(joined(piece)) <= PIECE_PHONEMES for piece in cuts)
    words = [(part.start, part.end) for part in found if part.end]
    assert words == sorted(words)
    for start, end in words:
        assert text[start:end].strip() == text[start:end] != ""
