from __future__ import annotations

import re
from itertools import pairwise

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from voxterm.tags import KNOWN_TAGS, Tag, TagFilter, put_back

TAG = re.compile("|".join(sorted(KNOWN_TAGS)))
TEXTS = st.lists(
    st.one_of(
        st.sampled_from(
            [*sorted(KNOWN_TAGS), "<whisper>", "<", ">", "<la", "ugh>", " ", "\n", ".", "a", "中"]
        ),
        st.text(max_size=3),
    ),
    max_size=30,
).map("".join)


def filtered(*deltas: str) -> tuple[str, list[Tag]]:
    tags = TagFilter()
    shown = "".join(map(tags.push, deltas)) + tags.finish()
    return shown, tags.tags


@given(TEXTS, st.lists(st.integers(0, 200)))
@example("<laugh>", [3])
@example("Ha <laugh> so", [6, 10])
def test_the_outcome_does_not_depend_on_the_deltas(text: str, cuts: list[int]) -> None:
    edges = [0, *sorted(cuts), len(text)]
    assert filtered(*(text[start:end] for start, end in pairwise(edges))) == filtered(text)
    assert filtered(*text) == filtered(text)


@given(TEXTS)
def test_tags_are_out_and_nothing_else_is(text: str) -> None:
    shown, tags = filtered(text)
    assert "".join(shown.split()) == "".join(TAG.sub("", text).split())
    assert [tag.text for tag in tags] == TAG.findall(text)
    if not tags:
        assert shown == text


@given(TEXTS)
def test_a_tag_knows_where_it_stood(text: str) -> None:
    shown, tags = filtered(text)
    stood = [len("".join(TAG.sub("", text[: match.start()]).split())) for match in TAG.finditer(text)]
    assert [len("".join(shown[: tag.at].split())) for tag in tags] == stood
    assert all(0 <= tag.at <= len(shown) for tag in tags)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("Ha <laugh> so", "Ha so"),
        ("Ha <laugh> <sigh> so", "Ha so"),
        ("<laugh> Well", "Well"),
        ("Funny <laugh>.", "Funny."),
        ("Good night! <yawn>", "Good night!"),
        ("One\n<sigh> Two", "One\nTwo"),
        ("One <sigh>\n\nTwo", "One\n\nTwo"),
        ("One<sigh> two", "One two"),
        (" as  it is ", " as  it is "),
        ("<laugh>", ""),
    ],
)
def test_white_space_around_a_tag_is_not_doubled(text: str, shown: str) -> None:
    assert filtered(text)[0] == shown


@pytest.mark.parametrize(
    "text", ["a < b", "<html>", "x <", "<laugh", "<<", "<Laugh>", "</laugh>", "<whisper>"]
)
def test_what_is_no_tag_comes_through(text: str) -> None:
    assert filtered(text) == (text, [])


def test_a_tag_may_begin_in_what_looked_like_one() -> None:
    assert filtered("<la<laugh>") == ("<la", [Tag("<laugh>", 3)])


def test_only_what_may_become_a_tag_is_held_back() -> None:
    tags = TagFilter()
    assert tags.push("one") == "one"
    assert tags.push(" <l") == ""
    assert tags.push("o") == " <lo", "no tag begins like this"
    assert tags.push("<") == ""
    assert tags.push(" b") == "< b"


def test_a_voice_may_know_more_tags() -> None:
    tags = TagFilter({"<whisper>"})
    assert tags.push("<whisper>so <laugh>!") == "so <laugh>!"
    assert tags.tags == [Tag("<whisper>", 0)]


@given(
    st.text("ab ,.", max_size=20),
    st.lists(st.tuples(st.sampled_from(sorted(KNOWN_TAGS)), st.integers(0, 20))),
)
def test_tags_stand_at_their_places_among_whole_words(words: str, wanted: list[tuple[str, int]]) -> None:
    tags = [Tag(tag, min(at, len(words))) for tag, at in sorted(wanted, key=lambda tag: tag[1])]
    tagged = put_back(words, tags)
    assert TAG.findall(tagged.text) == [tag.text for tag in tags]
    assert "".join(TAG.sub("", tagged.text).split()) == "".join(words.split())
    for found, tag in zip(TAG.finditer(tagged.text), tags, strict=True):
        assert tagged.in_words(found.start()) == tagged.in_words(found.end()) == tag.at
    places = [tagged.in_words(index) for index in range(len(tagged.text) + 1)]
    assert places == sorted(places)
    assert places[-1] == len(words) if not tags or words else places[-1] == 0
    assert not re.search(r"\w<|>\w", tagged.text), "a tag does not cling to a word"


def test_put_back_as_it_was() -> None:
    tagged = put_back("Ha so.", [Tag("<laugh>", 2), Tag("<sigh>", 5)])
    assert tagged.text == "Ha <laugh> so <sigh>."
    assert tagged.places == (2, 5)
    assert [tagged.in_words(tagged.text.index(word)) for word in ("Ha", "so", ".")] == [0, 3, 5]
    assert tagged.in_words(99) == 6
    assert put_back("", [Tag("<laugh>", 0), Tag("<sigh>", 0)]).text == "<laugh> <sigh>"
    assert put_back("Well", [Tag("<laugh>", 0)]).text == "<laugh> Well"
