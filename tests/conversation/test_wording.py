"""The text of a reply: what is shown of it, and what the voice is given."""

from __future__ import annotations

import re
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from voxterm.conversation.wording import Line, Wording
from voxterm.engines.protocols import Voice
from voxterm.language import ReplyVoices
from voxterm.sentences import Piece, SentenceSplitter

LAUGH_AND_SIGH = ("<laugh>", "<sigh>")
OTHERS = (Voice("h", "espeak", "hi", "hi", tags=("<sigh>",)), Voice("r", "espeak", "ru", "ru"))
TEXTS = st.lists(
    st.one_of(
        st.sampled_from(
            ["<laugh>", "<sigh>", "<cough>", "<la", " ", "\n", ". ", "Hello there. ", "😀", "**", "word", "5"]
        ),
        st.text(max_size=3),
    ),
    max_size=40,
).map("".join)


def worded(*deltas: str, voice_tags: tuple[str, ...] = LAUGH_AND_SIGH) -> tuple[str, list[Line]]:
    wording = Wording(ReplyVoices(Voice("v", "espeak", "en", "en-us", tags=voice_tags), OTHERS))
    all_of_it = [*map(wording.push, deltas), wording.finish()]
    return "".join(part.shown for part in all_of_it), [line for part in all_of_it for line in part.lines]


def given_to_the_voice(text: str, voice_tags: tuple[str, ...] = LAUGH_AND_SIGH) -> list[str]:
    return [line.spoken.text for line in worded(text, voice_tags=voice_tags)[1]]


@given(TEXTS, st.lists(st.integers(0, 300)))
def test_the_lines_do_not_depend_on_the_deltas(text: str, cuts: list[int]) -> None:
    edges = [0, *sorted(cuts), len(text)]
    assert worded(*(text[start:end] for start, end in pairwise(edges))) == worded(text)


@given(TEXTS)
def test_the_voice_is_given_all_tags_that_it_knows_in_order(text: str) -> None:
    known = re.compile("<laugh>|<sigh>")
    assert known.findall(" ".join(given_to_the_voice(text))) == known.findall(text)


@given(TEXTS)
def test_the_pieces_are_those_of_what_is_shown(text: str) -> None:
    shown, lines = worded(text)
    splitter = SentenceSplitter()
    pieces = splitter.push(shown) + splitter.finish()
    assert [line.piece for line in lines if shown] == pieces
    assert [line.piece for line in lines if not shown] in ([], [Piece("", 0, 0)])


def test_a_tag_goes_with_its_sentence() -> None:
    text = "Ha ha, really? <laugh> I do not believe a word of it. So tired <sigh>. <sigh>"
    assert given_to_the_voice(text) == [
        "Ha ha, really?", "<laugh> I do not believe a word of it.", "So tired <sigh>. <sigh>"
    ]  # fmt: skip


def test_a_tag_that_the_voice_lacks_is_in_nothing() -> None:
    shown, lines = worded("Well <cough> now.")
    assert shown == "Well now."
    assert [line.spoken.text for line in lines] == ["Well now."]
    assert given_to_the_voice("<laugh>", voice_tags=()) == []


def test_tags_alone_are_spoken() -> None:
    shown, lines = worded("<laugh> <cough> <sigh>")
    assert shown == ""
    assert [line.spoken.text for line in lines] == ["<laugh> <sigh>"]
    assert given_to_the_voice("Hello there my friend. 😀 <laugh>") == ["Hello there my friend. <laugh>"]


def test_a_tag_of_the_voice_alone_is_no_word() -> None:
    shown, lines = worded("<whisper> Come here.", voice_tags=("<whisper>",))
    assert shown == "Come here."
    assert [line.spoken.text for line in lines] == ["<whisper> Come here."]


def test_a_tag_finds_its_place_through_markdown() -> None:
    assert given_to_the_voice("**Oh** *my* <laugh> 😀 `dear`") == ["Oh my <laugh> dear"]


def test_a_line_in_another_language_is_worded_for_the_voice_that_knows_it() -> None:
    """Tags that this voice lacks are left out of its lines, and are not in the lines of the next either."""
    text = "It is said like so: मैं <laugh> ठीक <sigh> हूँ। <laugh> 25 %। So it is 25 % then, <laugh> they say."
    shown, lines = worded(text)
    assert "<" not in shown
    assert [(line.spoken.text, line.other_voice) for line in lines] == [
        ("It is said like so:", None),
        ("मैं ठीक <sigh> हूँ। 25 %।", OTHERS[0]),
        ("So it is twenty-five percent then, <laugh> they say.", None),
    ]


def test_a_tag_stands_before_the_whole_of_a_number() -> None:
    assert given_to_the_voice("It is <laugh> 105 km, or 105 <laugh> km.") == [
        "It is <laugh> one hundred and five kilometers,",
        "or <laugh> one hundred and five kilometers.",
    ]


def test_the_dialogue_s_language_decides_where_the_first_piece_may_rest() -> None:
    german = ReplyVoices(Voice("v", "espeak", "en", "en-us"), [Voice("d", "espeak", "de", "de")], None, "de")
    wording = Wording(german)
    lines = wording.push("Du solltest jeden Tag üben weil das viel bringt").lines
    assert [line.piece.text for line in lines] == ["Du solltest jeden Tag üben"]
    assert lines[0].other_voice is not None
    assert lines[0].other_voice.language == "de"
