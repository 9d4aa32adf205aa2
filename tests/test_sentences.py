from __future__ import annotations

import json
import time
from itertools import pairwise
from pathlib import Path
from statistics import median, quantiles

import pytest
from hypothesis import given
from hypothesis import strategies as st

from voxterm.sentences import (
    FIRST_SENTENCE_CHARS,
    LIMIT_CHARS,
    LIMITS_CHARS,
    Piece,
    SentenceSplitter,
    speakable,
)

REPLIES: list[tuple[str, str]] = [
    (language, text)
    for language, text in json.loads(
        (Path(__file__).parent / "data/replies.json").read_text(encoding="utf-8")
    )
]

TEXTS = st.text(
    st.one_of(
        st.sampled_from(" .,;:!?…–—\n\"'”)*_`#-19aBIé。！？，।؟中あनि\u0301\u200b\u202e\x1b😀👍🏽"),
        st.characters(),
    ),
    max_size=400,
)


def split(text: str, deltas: list[str] | None = None, language: str = "en") -> list[Piece]:
    splitter = SentenceSplitter(language)
    pieces = [piece for delta in deltas or [text] for piece in splitter.push(delta)]
    return pieces + splitter.finish()


def spoken(text: str, language: str = "en") -> list[str]:
    return [piece.text for piece in split(text, language=language)]


def written(text: str, language: str = "en") -> list[str]:
    """What stands in the reply where each piece is."""
    return [text[piece.start : piece.end].strip() for piece in split(text, language=language)]


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
    reply = text * 5
    for piece in split(reply):
        assert sum(char.isalnum() for char in reply[piece.start : piece.end]) <= LIMIT_CHARS + 3


@given(TEXTS)
def test_a_piece_knows_where_in_the_reply_it_came_from(text: str) -> None:
    for piece in split(text):
        assert len(piece.came_from) == len(piece.text)
        assert list(piece.came_from) == sorted(piece.came_from)
        assert all(piece.start <= index < piece.end for index in piece.came_from)


@pytest.mark.parametrize(
    ("text", "pieces"),
    [
        ("Hello there, how are you all today? I am.", ["Hello there,", "how are you all today?", "I am."]),
        ("Of course! The capital is Paris, in France.", ["Of course!", "The capital is Paris, in France."]),
        ("Yes. It is a blue bird.", ["Yes.", "It is a blue bird."]),
        ("Oh. It is a blue bird.", ["Oh. It is a blue bird."]),
        ("Here we are: water is wet – mostly; it is.", ["Here we are:", "water is wet – mostly; it is."]),
        ("Water is wet – mostly, I think.", ["Water is wet –", "mostly, I think."]),
        ("On May 5, 2024 it was, they say.", ["On May fifth, twenty twenty-four it was,", "they say."]),
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
        "das gilt z. B. Sonntags, d. h. Morgens, bzw. Abends im Jahr 12 v. Chr. Genauso",
        "los EE. UU. Ahora y p. ej. Francia",
        "they said “yes, no” and “maybe.” and went away",
    ],
)
def test_never_cuts_where_no_sentence_ends(kept: str) -> None:
    """A cut after "Dr." or inside 3.14 is heard as a full stop."""
    lead = "This is how it began."
    assert written(f"{lead} And {kept}. Then it was over.") == [lead, f"And {kept}.", "Then it was over."]


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
    assert spoken(text) == [
        "My list, I need these:",
        "apples, pears, one. Wash them.",
        "two. Eat them.",
    ]


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
        ("snake_case in C# is 20 °C", "snake case in C# is twenty degrees Celsius"),
        ("a\x1b[31mb\u202ec\u200bd\x00e", "a[31mbcde"),
        ("one\t\n  two", "one, two"),
        ("one.\n\ntwo", "one. two"),
        ("hi😀there ❤️ 1️⃣", "hi there one"),
        ("<laugh> that is funny", "<laugh> that is funny"),
        ("\ud800x", "x"),
        ("?! … 😀 **", ""),
        ("", ""),
    ],
)
def test_speakable(text: str, said: str) -> None:
    assert speakable(text) == said


def test_long_sentences_are_divided_at_clauses_then_words() -> None:
    words = "word " * 200
    pieces = spoken(words)
    assert all(0.9 * limit < len(piece) <= limit for piece, limit in zip(pieces, LIMITS_CHARS, strict=False))
    assert all(270 < len(piece) <= LIMIT_CHARS for piece in pieces[2:-1])
    assert " ".join(pieces) == words.strip()
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


@pytest.mark.parametrize(
    ("language", "text", "first"),
    [
        ("en", "I think you should start with a short walk each morning", "I think you should start"),
        ("en", "He told me a story that nobody in the room believed", "He told me a story"),
        ("en-GB", "You need to practise because it takes time to learn", "You need to practise"),
        ("de", "Du solltest jeden Tag üben weil das viel mehr bringt", "Du solltest jeden Tag üben"),
        (
            "fr",
            "Je vous conseille de commencer parce que cela prend du temps",
            "Je vous conseille de commencer",
        ),
        ("es", "Te recomiendo empezar poco a poco porque es difícil", "Te recomiendo empezar poco a poco"),
        ("it", "Ti consiglio di iniziare piano perché ci vuole tempo", "Ti consiglio di iniziare piano"),
        ("hi", "ऑस्ट्रेलिया की राजधानी कैनबरा है लेकिन बहुत से लोग", "ऑस्ट्रेलिया की राजधानी कैनबरा है"),
    ],
)
def test_the_first_piece_rests_where_a_speaker_would(language: str, text: str, first: str) -> None:
    assert written(text, language)[0] == first


@pytest.mark.parametrize(
    "text",
    [
        "The play by Shakespeare is called Romeo and Juliet in all languages",
        "The difference between a virus and a cell is simple",
        "My older brother lived at 12 in that street",
        "People often say (or so I have heard and read) it",
        'People often say "you have to wait and see" to me',
        "You should run the `make install and test` command",
        "He is not very but quite strong",
        "We can talk and sing",
    ],
)
def test_the_first_piece_does_not_rest_in_the_middle_of_a_thing(text: str) -> None:
    """Never in a name, a pair, a bracket, a quotation or code, behind a number, an article or an adverb."""
    assert written(text) == [text]


def test_a_rest_is_seen_as_soon_as_its_word_is_complete() -> None:
    splitter = SentenceSplitter()
    assert splitter.push("He told me a story that") == []
    assert [piece.text for piece in splitter.push(" ")] == ["He told me a story"]


def test_only_the_first_piece_is_so_short() -> None:
    text = "He told me a story that nobody in the room believed and that was that. And he went home."
    assert written(text)[1:] == ["that nobody in the room believed and that was that.", "And he went home."]


def first_chars() -> list[int]:
    return [split(text, language=language)[0].end for language, text in REPLIES]


def test_first_pieces_of_usual_replies_are_short() -> None:
    """Before there were rests inside clauses the median was 68 characters and the 95th percentile 103."""
    chars = first_chars()
    assert len(chars) == 60
    assert median(chars) <= 35
    assert quantiles(chars, n=20)[-1] <= 80
    assert min(chars) >= FIRST_SENTENCE_CHARS


def test_a_block_of_code_is_one_piece_however_long_it_is() -> None:
    code = "\n".join(f"print({number})  # Oh. That is so, I think." for number in range(100))
    text = f"Here is how you do it:\n\n```python\n{code}\n```\n\nThat prints all of them. Try it, please."
    assert spoken(text) == [
        "Here is how you do it:",
        "some code.",
        "That prints all of them.",
        "Try it, please.",
    ]
    assert spoken(f"So do it:\n```\n{code}") == ["So do it:", "some code."], "and one that never ends"


def test_code_in_a_line_is_not_divided() -> None:
    assert (
        written("You should call `f(a, b); g(c, d)` now, I think.")[0]
        == "You should call `f(a, b); g(c, d)` now,"
    )


def test_letters_of_hindi_keep_the_joiners_that_shape_them() -> None:
    assert speakable("क्\u200dष और नमस्\u200cते") == "क्\u200dष और नमस्\u200cते"
