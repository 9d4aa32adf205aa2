"""Two rows of tokens become a transcript and a reply: their order, their text, and where they stop."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import zip_longest
from typing import TypeAlias

import pytest
from hypothesis import given
from hypothesis import strategies as st

from voxterm.engines.protocols import Delta, Ending, ReplyComplete, Transcript
from voxterm.engines.repeats import LOOP_REPEATS
from voxterm.engines.voxtral import turn as voxtral_turn
from voxterm.engines.voxtral.turn import SentenceEnd, TextStream, ends_sentence, spoken

SPOKEN = "Good day! Ça va? नमस्ते 👋🏽 — "


def piece(token_id: int) -> bytes:
    """Token ids of these tests are bytes; those above are control tokens."""
    return bytes([token_id]) if token_id < 256 else b""


def rows(reply: Sequence[int] | str, transcript: Sequence[int] | str) -> Iterator[tuple[int | None, ...]]:
    """The steps of a decode loop that says these."""
    ids = (row.encode() if isinstance(row, str) else row for row in (reply, transcript))
    return zip_longest(*ids)


Item: TypeAlias = Transcript | Delta | ReplyComplete


def understood(steps: Iterator[tuple[int | None, ...]], piece: Callable[[int], bytes]) -> list[Item]:
    """All but the Ending, which comes just before a Transcript with words in it, and else not at all."""
    items = list(voxtral_turn.understood(steps, piece, lambda: 0.25))
    transcript = next(item for item in items if isinstance(item, Transcript))
    endings = [number for number, item in enumerate(items) if isinstance(item, Ending)]
    assert endings == ([items.index(transcript) - 1] if transcript.text else [])
    return [item for item in items if not isinstance(item, Ending)]


def said(items: Sequence[Item]) -> str:
    return "".join(item.text for item in items if isinstance(item, Delta))


def heard(items: Sequence[Item]) -> str:
    transcripts = [item.text for item in items if isinstance(item, Transcript)]
    assert len(transcripts) == 1
    return transcripts[0]


def test_the_reply_goes_out_before_the_transcript_is_whole() -> None:
    items = understood(rows("Hello there", "Hi, it is me again"), piece)
    assert items[0] == Delta("H")
    assert items[-3:] == [Delta("e"), ReplyComplete(), Transcript("Hi, it is me again")]
    assert said(items) == "Hello there"


def test_a_longer_reply_goes_on_after_the_transcript() -> None:
    items = understood(rows("It is a long reply", "Hi"), piece)
    assert items[2:4] == [Transcript("Hi"), Delta(" ")]
    assert ReplyComplete() not in items, "its end says it"
    assert said(items) == "It is a long reply"


@pytest.mark.parametrize("transcript", ["", "   ", ".", " … ?!", "lang:en", "lang:en .", [1000, 1001]])
def test_where_no_words_were_heard_nothing_is_answered(transcript: Sequence[int] | str) -> None:
    steps = rows("I am glad that you say this.", transcript)
    assert understood(steps, piece) == [Transcript("")]
    if transcript == "":
        assert next(steps) == (ord(" "), None), "it must not decode a reply that nobody will hear"


def test_the_name_of_the_language_is_no_word() -> None:
    """With language "auto" Voxtral says "lang:en", then [TRANSCRIBE], then the words."""
    transcript = [*b"lang:fr", 1034, *b" Bonjour."]
    items = understood(rows("R" * 20, transcript), piece)
    assert heard(items) == "Bonjour."
    assert items[0] == Delta("R" * 10), "held until the first letter that is none of the language's name"


@pytest.mark.parametrize(
    "transcript", ["Lang may your lum reek", "l", "lang", "lang:", "langoustine", "lang: x"]
)
def test_words_that_begin_like_the_name_of_a_language_are_words(transcript: str) -> None:
    items = understood(rows("Yes.", transcript), piece)
    assert heard(items) == transcript
    assert said(items) == "Yes."


def test_a_reply_that_waits_for_the_last_letter_comes_after_the_transcript() -> None:
    assert understood(rows("Yes", "la"), piece) == [Transcript("la"), Delta("Yes")]
    assert understood(rows("Ye", "la"), piece) == [Transcript("la"), Delta("Ye")]


def test_a_stuck_transcript_is_cut_and_the_reply_goes_on() -> None:
    steps = rows("x" * 200, "Well, " + "you know " * 50)
    items = understood(steps, piece)
    assert heard(items) == "Well, you know"
    assert said(items) == "x" * 200


def test_a_stuck_transcript_is_not_read_on_when_the_reply_is_done() -> None:
    steps = rows("Yes.", "no " * 1000)
    items = understood(steps, piece)
    assert heard(items) == "no"
    assert len(list(steps)) > 2000


def test_who_repeats_a_word_a_few_times_is_heard_out() -> None:
    items = understood(rows("Yes.", "no " * (LOOP_REPEATS - 1)), piece)
    assert heard(items) == " ".join(["no"] * (LOOP_REPEATS - 1))


@given(reply=st.text(max_size=30), transcript=st.text(max_size=30))
def test_whatever_the_rows_say(reply: str, transcript: str) -> None:
    """One transcript; no reply where there are no words; else the reply whole, no character broken."""
    items = understood(rows(reply, transcript), piece)
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


def probability_of(transcript: str, full_stops: Sequence[float]) -> float:
    """Of the end, where a full stop had these probabilities at each byte and at the end."""
    end = SentenceEnd(piece)
    for token_id, full_stop in zip([*transcript.encode(), None], full_stops, strict=True):
        end.take(token_id, full_stop)
    return end.probability


@pytest.mark.parametrize(
    ("transcript", "full_stops", "wanted"),
    [
        ("ok.", (0.1, 0.2, 0.9, 0.0), 0.9),
        ("ok", (0.1, 0.2, 0.7), 0.7),
        ("ok,", (0.1, 0.2, 0.3, 0.0), 0.3),
        ("ok.)", (0.1, 0.2, 0.9, 0.0, 0.1), 0.9),
        ("a. b", (0.1, 0.9, 0.0, 0.0, 0.05), 0.05),
    ],
)
def test_what_counts_is_where_a_full_stop_could_have_been(
    transcript: str, full_stops: Sequence[float], wanted: float
) -> None:
    assert probability_of(transcript, full_stops) == wanted


def test_the_ending_is_told_before_the_transcript_even_where_both_rows_end_at_once() -> None:
    """No step is given out for the last tokens' end, but how probable a full stop was there is known."""
    probabilities = iter((0.0, 0.1, 0.8))
    items = list(voxtral_turn.understood(rows("Yo", "ok"), piece, lambda: next(probabilities)))
    assert items == [Delta("Y"), Delta("o"), Ending(0.8), Transcript("ok")]


def test_after_the_transcript_s_end_nothing_is_asked_any_more() -> None:
    probabilities = iter((0.0, 0.1, 0.8))
    items = list(voxtral_turn.understood(rows("A long reply", "ok"), piece, lambda: next(probabilities)))
    assert items.index(Ending(0.8)) + 1 == items.index(Transcript("ok"))


def test_which_tokens_end_a_sentence() -> None:
    assert all(ends_sentence(text.encode()) for text in (".", "?", "!", " .", '."', "?!", "।", "。", ".\n"))
    assert not any(ends_sentence(text.encode()) for text in ("", ",", "...", "…", " ", ".5", "a.", ":", "-"))
    assert not ends_sentence("।".encode()[:2])
