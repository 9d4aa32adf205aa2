"""Two rows of tokens become a transcript and a reply: their order, their text, and where they stop."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import zip_longest

import pytest
from hypothesis import given
from hypothesis import strategies as st

from voxterm.engines.protocols import Delta, ReplyComplete, Transcript
from voxterm.engines.voxtral_turn import LOOP_REPEATS, TextStream, spoken, understood

SPOKEN = "Good day! Ça va? नमस्ते 👋🏽 — "


def piece(token_id: int) -> bytes:
    """Token ids of these tests are bytes; those above are control tokens."""
    return bytes([token_id]) if token_id < 256 else b""


def rows(reply: Sequence[int] | str, transcript: Sequence[int] | str) -> Iterator[tuple[int | None, ...]]:
    """The steps of a decode loop that says these."""
    ids = (row.encode() if isinstance(row, str) else row for row in (reply, transcript))
    return zip_longest(*ids)


def said(items: Sequence[Transcript | Delta | ReplyComplete]) -> str:
    return "".join(item.text for item in items if isinstance(item, Delta))


def heard(items: Sequence[Transcript | Delta | ReplyComplete]) -> str:
    transcripts = [item.text for item in items if isinstance(item, Transcript)]
    assert len(transcripts) == 1
    return transcripts[0]


def test_the_reply_goes_out_before_the_transcript_is_whole() -> None:
    items = list(understood(rows("Hello there", "Hi, it is me again"), piece))
    assert items[0] == Delta("H")
    assert items[-3:] == [Delta("e"), ReplyComplete(), Transcript("Hi, it is me again")]
    assert said(items) == "Hello there"


def test_a_longer_reply_goes_on_after_the_transcript() -> None:
    items = list(understood(rows("It is a long reply", "Hi"), piece))
    assert items[2:4] == [Transcript("Hi"), Delta(" ")]
    assert ReplyComplete() not in items, "its end says it"
    assert said(items) == "It is a long reply"


@pytest.mark.parametrize("transcript", ["", "   ", ".", " … ?!", "lang:en", "lang:en .", [1000, 1001]])
def test_where_no_words_were_heard_nothing_is_answered(transcript: Sequence[int] | str) -> None:
    steps = rows("I am glad that you say this.", transcript)
    assert list(understood(steps, piece)) == [Transcript("")]
    if transcript == "":
        assert next(steps) == (ord(" "), None), "it must not decode a reply that nobody will hear"


def test_the_name_of_the_language_is_no_word() -> None:
    """With language "auto" Voxtral says "lang:en", then [TRANSCRIBE], then the words."""
    transcript = [*b"lang:fr", 1034, *b" Bonjour."]
    items = list(understood(rows("R" * 20, transcript), piece))
    assert heard(items) == "Bonjour."
    assert items[0] == Delta("R" * 10), "held until the first letter that is none of the language's name"


@pytest.mark.parametrize(
    "transcript", ["Lang may your lum reek", "l", "lang", "lang:", "langoustine", "lang: x"]
)
def test_words_that_begin_like_the_name_of_a_language_are_words(transcript: str) -> None:
    items = list(understood(rows("Yes.", transcript), piece))
    assert heard(items) == transcript
    assert said(items) == "Yes."


def test_a_reply_that_waits_for_the_last_letter_comes_after_the_transcript() -> None:
    assert list(understood(rows("Yes", "la"), piece)) == [Transcript("la"), Delta("Yes")]
    assert list(understood(rows("Ye", "la"), piece)) == [Transcript("la"), Delta("Ye")]


def test_a_stuck_transcript_is_cut_and_the_reply_goes_on() -> None:
    steps = rows("x" * 200, "Well, " + "you know " * 50)
    items = list(understood(steps, piece))
    assert heard(items) == "Well, you know"
    assert said(items) == "x" * 200


def test_a_stuck_transcript_is_not_read_on_when_the_reply_is_done() -> None:
    steps = rows("Yes.", "no " * 1000)
    items = list(understood(steps, piece))
    assert heard(items) == "no"
    assert len(list(steps)) > 2000


def test_who_repeats_a_word_a_few_times_is_heard_out() -> None:
    items = list(understood(rows("Yes.", "no " * (LOOP_REPEATS - 1)), piece))
    assert heard(items) == " ".join(["no"] * (LOOP_REPEATS - 1))


@given(reply=st.text(max_size=30), transcript=st.text(max_size=30))
def test_whatever_the_rows_say(reply: str, transcript: str) -> None:
    """One transcript; no reply where there are no words; else the reply whole, no character broken."""
    items = list(understood(rows(reply, transcript), piece))
    text = heard(items)
    assert bool(text) == bool(items[0] != Transcript(""))
    assert said(items) == (reply if text else "")
    assert all(item.text for item in items if isinstance(item, Delta))


def test_characters_come_whole() -> None:
    deltas = list(spoken(((byte,) for byte in SPOKEN.encode()), piece))
    assert "".join(delta.text for delta in deltas) == SPOKEN
    assert len(deltas) == len(SPOKEN)


@given(st.binary(max_size=40))
def test_broken_bytes_never_show(data: bytes) -> None:
    stream = TextStream(piece)
    text = "".join(stream.take(byte) for byte in data)
    assert data.decode("utf-8", "ignore").startswith(text)
    assert "\N{REPLACEMENT CHARACTER}" not in text or "\N{REPLACEMENT CHARACTER}".encode() in data
