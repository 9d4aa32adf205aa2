from __future__ import annotations

import time
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from voxterm.sentences import LIMIT_CHARS, Piece, SentenceSplitter, speakable, spoken_form

TEXTS = st.text(
    st.one_of(
        st.sampled_from(" .,;:!?…–—\n\"'”)*_`#-19aBIé。！？，।؟中あनि\u0301\u200b\u202e\x1b😀👍🏽"),
        st.characters(),
    ),
    max_size=400,
)


def split(text: str, deltas: list[str] | None = None) -> list[Piece]:
    splitter = SentenceSplitter()
    pieces = [piece for delta in deltas or [text] for piece in splitter.push(delta)]
    return pieces + splitter.finish()


def spoken(text: str) -> list[str]:
    return [piece.text for piece in split(text)]


@given(TEXTS)
def test_pieces_cover_the_reply_in_order(text: str) -> None:
    at = 0
    for piece in split(text):
        assert piece.start == at
        assert piece.end > piece.start
        assert piece.text == speakable(text[piece.start : piece.end])
        at = piece.end
    assert at == len(text)


@given(TEXTS)
def test_only_the_last_piece_may_have_nothing_to_say(text: str) -> None:
    assert all(piece.text for piece in split(text)[:-1])


@given(TEXTS, st.lists(st.integers(0, 400)))
def test_the_pieces_do_not_depend_on_the_deltas(text: str, cuts: list[int]) -> None:
    edges = [0, *sorted(cuts), len(text)]
    deltas = [text[start:end] for start, end in pairwise(edges)]
    assert split(text, deltas) == split(text)
    assert split(text, list(text)) == split(text)


@given(TEXTS)
def test_a_piece_is_never_much_longer_than_the_limit(text: str) -> None:
    for piece in split(text * 5):
        assert sum(char.isalnum() for char in piece.text) <= LIMIT_CHARS + 3


@given(TEXTS)
def test_spoken_text_is_clean_and_knows_where_it_came_from(text: str) -> None:
    form, came_from = spoken_form(text)
    assert form == form.strip()
    assert "  " not in form
    assert form.isprintable()
    assert not set(form) & set("*`\u200b\u202e\x1b😀")
    assert len(came_from) == len(form)
    assert came_from == sorted(came_from)
    assert all(char in (text[index], " ", ",") for char, index in zip(form, came_from, strict=True))


@pytest.mark.parametrize(
    ("text", "pieces"),
    [
        ("Hello there, how are you all today? I am.", ["Hello there,", "how are you all today?", "I am."]),
        ("Of course! The capital is Paris, in France.", ["Of course!", "The capital is Paris, in France."]),
        ("Yes. It is a blue bird.", ["Yes. It is a blue bird."]),
        ("Here we are: water is wet – mostly; it is.", ["Here we are:", "water is wet – mostly; it is."]),
        ("Water is wet – mostly, I think.", ["Water is wet –", "mostly, I think."]),
        ("“That is all.” She left the house then.", ["“That is all.”", "She left the house then."]),
        ("(That is so!) And then he left.", ["(That is so!)", "And then he left."]),
        ("It is **so good.** And then he left.", ["It is so good.", "And then he left."]),
        (
            "你好，我是语音助手。今天天气很好，对吗？对。",
            ["你好，我是语音助手。", "今天天气很好，对吗？", "对。"],
        ),
        (
            "मैं ठीक हूँ। आप कैसे हैं, मेरे प्यारे दोस्त? अच्छा।",
            ["मैं ठीक हूँ।", "आप कैसे हैं, मेरे प्यारे दोस्त?", "अच्छा।"],
        ),
        ("كيف حالك اليوم؟ أنا بخير والحمد لله.", ["كيف حالك اليوم؟", "أنا بخير والحمد لله."]),
        ("I have thought—believe me—of it.", ["I have thought—", "believe me—of it."]),
    ],
)
def test_clauses_first_then_sentences(text: str, pieces: list[str]) -> None:
    assert spoken(text) == pieces


@pytest.mark.parametrize(
    "kept",
    [
        "Mr. Smith and Dr. Jones met Mrs. Brown, Ph.D. Miller and St. Peter",
        "we took fruit, e.g. Apples, i.e. Food, etc. And it was eaten",
        "the U.S. Army and the U.K. Navy left at 9 a.m. Monday or 5 p.m. Sunday",
        "J. R. R. Tolkien and George W. Bush were there",
        "see No. 5, Fig. 3 and the 4th of Jan. 2024 for this",
        "it costs 3.14 or 1,000 or 1.000.000,50 at 10:30:15 today",
        "look at https://example.com/a.b?c=d!e,f;g:h#i for this and mail me@x.org",
        "the file Node.js is there and main.py too",
        "he waited... and waited… and then he went away",
        "they said “yes, no” and “maybe.” and went away",
    ],
)
def test_never_cuts_where_no_sentence_ends(kept: str) -> None:
    """A cut after "Dr." or inside 3.14 is heard as a full stop."""
    lead = "This is how it began."
    assert spoken(f"{lead} And {kept}. Then it was over.") == [lead, f"And {kept}.", "Then it was over."]


def test_short_words_that_may_be_abbreviations_still_end_sentences() -> None:
    assert spoken("That is what I said no. No. That would be wrong. So do I. It was so.") == [
        "That is what I said no.",
        "No. That would be wrong.",
        "So do I. It was so.",
    ]


def test_a_sentence_waits_only_for_the_next_visible_character() -> None:
    splitter = SentenceSplitter()
    assert splitter.push("It costs three.") == []
    assert splitter.push(" ") == []
    assert [piece.text for piece in splitter.push("Y")] == ["It costs three."]
    assert [piece.text for piece in splitter.finish()] == ["Y"]
    assert splitter.finish() == []


def test_a_list_is_read_line_by_line() -> None:
    text = "# My list\n\nI need these:\n- apples\n* pears\n\n1. Wash them.\n2. Eat them."
    assert spoken(text) == ["My list, I need these:", "apples, pears, 1. Wash them.", "2. Eat them."]


def test_what_cannot_be_spoken_joins_its_neighbour() -> None:
    assert split("😀 Hello there. 😀 How are you, then? 👍🏽") == [
        Piece("Hello there.", 0, 14),
        Piece("How are you, then?", 14, 38),
    ]
    assert split("Hello there. 😀\n\u200b") == [Piece("Hello there.", 0, 16)]
    assert split("Hello there. -") == [Piece("Hello there.", 0, 12), Piece("", 12, 14)]
    assert split("👍 …") == [Piece("", 0, 3)]
    assert split("") == []


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("**bold** _soft_ `code` # x", "bold soft code x"),
        ("snake_case in C# is 20 °C", "snake case in C# is 20 °C"),
        ("a\x1b[31mb\u202ec\u200bd\x00e", "a[31mbcde"),
        ("one\t\n  two", "one, two"),
        ("one.\n\ntwo", "one. two"),
        ("hi😀there ❤️ 1️⃣", "hi there 1"),
        ("<laugh> that is funny", "<laugh> that is funny"),
        ("\ud800x", "x"),
        ("?! … 😀 **", ""),
        ("", ""),
    ],
)
def test_speakable(text: str, said: str) -> None:
    assert speakable(text) == said


def test_long_sentences_are_divided_at_clauses_then_words() -> None:
    words = "word " * 100
    first, *rest = spoken(words)
    assert 100 <= len(first) <= 120
    assert all(200 <= len(piece) <= LIMIT_CHARS for piece in rest[:-1])
    assert " ".join([first, *rest]) == words.strip()
    clauses = "Now it begins. " + "and so it goes on for ever and ever, " * 12
    assert all(piece.endswith(",") for piece in spoken(clauses)[1:])


@pytest.mark.parametrize(
    "text",
    [
        "a" * 100_000,
        "a\u0301" + "\u0301" * 100_000,
        "中" * 100_000,
        "!" * 100_000,
        "1," * 50_000,
        ")" * 100_000 + "a",
        "😀" * 100_000 + "a",
        "a" + " " * 100_000 + "b",
        "a\u200b" * 50_000,
        ("a" * 90 + "\u200b" * 9_000) * 10,
        "Hi. " * 25_000,
    ],
    ids=lambda text: text[:3].encode("unicode_escape").decode(),
)
def test_monstrous_texts_take_linear_time(text: str) -> None:
    """A splitter that looks back over the whole text would need minutes."""
    began_s = time.process_time()
    pieces = split(text)
    assert time.process_time() - began_s < 5
    assert pieces[-1].end == len(text)


def test_a_text_without_spaces_is_divided() -> None:
    lengths = [len(piece.text) for piece in split("a" * 100_000)]
    assert len(lengths) > 300
    assert max(lengths) <= LIMIT_CHARS


def test_no_letter_is_parted_from_its_accents() -> None:
    pieces = spoken("e\u0301" * 400)
    assert len(pieces) > 2
    assert all(piece.startswith("e") for piece in pieces)


def test_letters_of_hindi_keep_the_joiners_that_shape_them() -> None:
    assert speakable("क्\u200dष और नमस्\u200cते") == "क्\u200dष और नमस्\u200cते"
