"""A token that is spoken as several words is one word of the reply: heard whole or not at all."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from voxterm.engines.protocols import WordMark
from voxterm.history import Heard, SpokenReply
from voxterm.sentences import Piece, SentenceSplitter

RATE_HZ = 1_000


def spoken_reply(text: str) -> tuple[SpokenReply, list[Piece]]:
    """Every word of what is spoken takes a second."""
    splitter = SentenceSplitter()
    pieces = splitter.push(text) + splitter.finish()
    reply = SpokenReply(RATE_HZ, text)
    at_sample = 0
    for piece in pieces:
        reply.begin_piece(piece, at_sample)
        start, marks = 0, []
        for number, word in enumerate(piece.text.split(" ")):
            marks.append(WordMark(start, start + len(word), float(number)))
            start += len(word) + 1
        reply.add_marks(marks, RATE_HZ)
        reply.piece_samples(len(marks) * RATE_HZ)
        at_sample += len(marks) * RATE_HZ
        reply.end_piece()
    return reply, pieces


def test_half_a_number_is_not_heard() -> None:
    reply, pieces = spoken_reply("It is 105 km away.")
    assert [piece.text for piece in pieces] == ["It is one hundred and five kilometers away."]
    two_words = Heard(5, 12)
    assert [reply.heard(at) for at in (2_001, 3_500, 5_999, 6_999)] == [two_words] * 4, (
        "the whole of it sounds"
    )
    assert reply.heard(7_000) == Heard(12, 12)
    assert reply.heard_text(7_500) == "It is 105 km"
    assert reply.heard_text(8_000) == "It is 105 km away."


def test_a_link_is_heard_with_its_address() -> None:
    reply, _ = spoken_reply("See [my page](https://x.y) for it")
    assert reply.heard_text(2_500) == "See [my"
    assert reply.heard_text(3_500) == "See [my page](https://x.y)"


@given(
    st.lists(
        st.sampled_from(["It", "105", "$5.50.", "is", "e.g.", "10:30", "`a_b`", "Dr.", "x.org"]), min_size=1
    )
)
def test_what_is_heard_ends_with_a_token(tokens: list[str]) -> None:
    text = " ".join(tokens)
    reply, pieces = spoken_reply(text)
    ends = {0}
    for token in tokens:
        ends.add(max(ends) + len(token) + (max(ends) > 0))
    starts = {piece.start for piece in pieces}  # a piece begins with the space before it
    total = sum(len(piece.text.split(" ")) for piece in pieces) * RATE_HZ
    for at in range(0, total + 1, 250):
        assert reply.heard(at).chars in ends | starts
    assert reply.heard(total).chars == len(text)
