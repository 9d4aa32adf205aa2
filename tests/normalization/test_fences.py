from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from voxterm.normalization.fences import FenceWatch, blocks


def test_blocks_with_their_fences() -> None:
    text = "a\n```py\nb\n``` \nc\n  ~~~\nd ```\n~~~\n```e"
    assert [text[start:end] for start, end in blocks(text)] == ["```py\nb\n``` ", "  ~~~\nd ```\n~~~"]


def test_a_block_that_is_not_closed_goes_on_to_the_end() -> None:
    assert blocks("a\n```\nb\n~~~\nc") == [(2, 13)]
    assert blocks("``` a `b` ```\nc") == [], "that is code in a line"


@given(st.lists(st.sampled_from(["```", "~~~", "\n", "a", "`", " ", "~"])).map("".join))
def test_a_watch_sees_the_same_blocks(text: str) -> None:
    """The pieces of a reply are cut by the one and read by the other."""
    watch = FenceWatch()
    inside = []
    for index, char in enumerate(text):
        if watch.inside:
            inside.append(index)
        watch.see(char)
    found = blocks(text)
    assert found == sorted(found)
    assert all(any(start <= index <= end for start, end in found) for index in inside)
