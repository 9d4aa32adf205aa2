"""The text of a reply: what is shown of it, and what the voice is given."""

from __future__ import annotations

import re
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from voxterm.conversation.wording import Line, Wording
from voxterm.sentences import Piece, SentenceSplitter

LAUGH_AND_SIGH = ("<laugh>", "<sigh>")
TEXTS = st.lists(
    st.one_of(
        st.sampled_from(
            ["<laugh>", "<sigh>", "<cough>", "<la", " ", "\n", ". ", "Hello there. ", "😀", "**", "word"]
        ),
        st.text(max_size=3),
    ),
    max_size=40,
).map("".join)


def worded(*deltas: str, voice_tags: tuple[str, ...] = LAUGH_AND_SIGH) -> tuple[str, list[Line]]:
    wording = Wording(voice_tags)
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
