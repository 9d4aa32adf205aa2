from __future__ import annotations

from dataclasses import dataclass

from hypothesis import given
from hypothesis import strategies as st

from voxterm.engines.protocols import Message, WordMark
from voxterm.history import CUT_OFF, TAG_CHARS, Heard, History, SpokenReply
from voxterm.sentences import Piece, SentenceSplitter

RATE_HZ = 1_000


def marks_of(text: str, begins_s: list[float]) -> list[WordMark]:
    """One mark for each word between spaces."""
    marks = []
    start = 0
    for word, at_s in zip(text.split(" "), begins_s, strict=True):
        marks.append(WordMark(start, start + len(word), at_s))
        start += len(word) + 1
    return marks


def reply_of(text: str, begins_s: list[float], samples: int, at_sample: int = 0) -> SpokenReply:
    """A reply of one piece, all of its samples written."""
    reply = SpokenReply(RATE_HZ, text)
    reply.begin_piece(Piece(text, 0, len(text)), at_sample)
    reply.add_marks(marks_of(text, begins_s), RATE_HZ)
    reply.piece_samples(samples)
    reply.end_piece()
    return reply


def test_a_word_is_heard_when_the_next_one_begins() -> None:
    reply = reply_of("one two three", [0.0, 0.5, 1.0], samples=2_000, at_sample=100)
    assert reply.heard(0) == Heard(0, 0)
    assert reply.heard(100) == Heard(0, 0)
    assert reply.heard(101) == Heard(0, 3)
    assert reply.heard(599) == Heard(0, 3)
    assert reply.heard(600) == Heard(3, 3)
    assert reply.heard(601) == Heard(3, 7)
    assert reply.heard(2_099) == Heard(7, 13)
    assert reply.heard(2_100) == Heard(13, 13)
    assert reply.heard_text(1_100) == "one two"


def test_the_last_word_is_heard_only_once_its_piece_is_complete() -> None:
    reply = SpokenReply(RATE_HZ, "one two")
    reply.begin_piece(Piece("one two", 0, 7), 0)
    reply.add_marks(marks_of("one two", [0.0, 0.5]), RATE_HZ)
    reply.piece_samples(1_000)
    assert reply.heard(1_000) == Heard(3, 7)
    reply.end_piece()
    assert reply.heard(1_000) == Heard(7, 7)


def test_punctuation_goes_with_its_word() -> None:
    text = 'Well, "yes!" he said (loud).'
    reply = SpokenReply(RATE_HZ, text)
    reply.begin_piece(Piece(text, 0, len(text)), 0)
    spans = [(0, 4), (7, 10), (13, 15), (16, 20), (22, 26)]
    reply.add_marks([WordMark(*span, at_s) for at_s, span in enumerate(spans)], RATE_HZ)
    reply.piece_samples(5_000)
    assert reply.heard_text(1_000) == "Well,"
    assert reply.heard_text(2_000) == 'Well, "yes!"'
    assert reply.heard_text(4_000) == 'Well, "yes!" he said'


def test_marks_find_their_words_through_markdown_and_emoji() -> None:
    """Marks count in the spoken text, what is heard in the reply, unspoken signs included."""
    text = "😀 **Hello** my `dear` 😀 friend. Bye 👍"
    splitter = SentenceSplitter()
    first, second = splitter.push(text) + splitter.finish()
    reply = SpokenReply(RATE_HZ, text)
    reply.begin_piece(first, 0)
    assert first.text == "Hello my dear friend."
    reply.add_marks(marks_of(first.text, [0, 1, 2, 3]), RATE_HZ)
    reply.piece_samples(4_000)
    heard = [reply.heard_text(at) for at in (1_000, 2_000, 3_000)]
    assert heard == ["😀 **Hello**", "😀 **Hello** my", "😀 **Hello** my `dear`"]
    reply.end_piece()
    reply.begin_piece(second, 4_000)
    reply.piece_samples(500)
    reply.end_piece()
    assert reply.heard_text(4_000) == "😀 **Hello** my `dear` 😀 friend."
    assert reply.heard_text(4_500) == text


def test_a_closing_emoji_is_heard_with_what_came_before() -> None:
    """It is a piece with nothing to speak, which the loudspeaker never sees."""
    reply = reply_of("Hello there.", [0.0, 0.5], samples=1_000)
    reply.append_text(" 😀")
    assert reply.heard_text(999) == "Hello"
    assert reply.heard_text(1_000) == "Hello there. 😀"
    reply.append_text(" More")
    assert reply.heard_text(1_000) == "Hello there."


def test_a_text_that_was_rewritten_for_speech_is_mapped_in_proportion() -> None:
    reply = SpokenReply(RATE_HZ, "It is 10 km.")
    reply.begin_piece(Piece("It is ten kilometres.", 0, 12), 0)
    reply.add_marks(marks_of("It is ten kilometres.", [0, 1, 2, 3]), RATE_HZ)
    reply.piece_samples(4_000)
    reply.end_piece()
    chars = [reply.heard(at).chars for at in (0, 1_000, 2_000, 3_000, 4_000)]
    assert chars == sorted(chars)
    assert chars[0] == 0
    assert chars[-1] == 12
    assert 0 < chars[1] < chars[2] < 12


def test_without_marks_words_are_taken_by_their_length() -> None:
    reply = reply_of("aaa bbbbb cc", [0.0, 0.0, 0.0], samples=1_200)
    estimated = SpokenReply(RATE_HZ, "aaa bbbbb cc")
    estimated.begin_piece(Piece("aaa bbbbb cc", 0, 12), 0)
    estimated.piece_samples(1_200)
    assert estimated.heard(400) == Heard(3, 9), "15 characters a second while its length is not known"
    estimated.end_piece()
    assert estimated.heard(399) == Heard(0, 3)
    assert estimated.heard(400) == Heard(3, 3)
    assert estimated.heard(1_000) == Heard(9, 9)
    assert estimated.heard(1_200) == reply.heard(1_200) == Heard(12, 12)


def test_a_tag_takes_its_time_where_words_are_estimated() -> None:
    """Else what follows a laugh would count as heard while the laugh sounds."""
    reply = SpokenReply(RATE_HZ, "aaa bbbbb cc")
    reply.begin_piece(Piece("aaa bbbbb cc", 0, 12), 0, (0, 3))
    reply.piece_samples(12 + 2 * TAG_CHARS)
    assert reply.heard(1_000) == Heard(0, 0), "at 15 characters a second the first laugh lasts so long"
    reply.end_piece()
    assert reply.heard(TAG_CHARS) == Heard(0, 0)
    assert reply.heard(TAG_CHARS + 1) == Heard(0, 3)
    assert reply.heard(2 * TAG_CHARS + 3) == Heard(0, 3)
    assert reply.heard(2 * TAG_CHARS + 4) == Heard(3, 3)
    assert reply.heard(2 * TAG_CHARS + 12) == Heard(12, 12)


def test_an_empty_mark_ends_the_word_before_it() -> None:
    reply = SpokenReply(RATE_HZ, "aaa bbb")
    reply.begin_piece(Piece("aaa bbb", 0, 7), 0, (0, 3))
    marks = [WordMark(0, 0, 0.0), WordMark(0, 3, 1.0), WordMark(3, 3, 2.0), WordMark(4, 7, 3.0)]
    reply.add_marks(marks, RATE_HZ)
    reply.piece_samples(4_000)
    assert reply.heard(500) == Heard(0, 0), "no word sounds yet"
    assert reply.heard(1_500) == Heard(0, 3)
    assert reply.heard(2_500) == Heard(3, 3), "nor in the middle"
    assert reply.heard(3_500) == Heard(3, 7)


def test_a_piece_of_tags_alone_has_no_words() -> None:
    reply = SpokenReply(RATE_HZ)
    reply.begin_piece(Piece("", 0, 0), 0, (0,))
    reply.piece_samples(1_000)
    assert reply.heard(500) == Heard(0, 0)
    reply.end_piece()
    assert reply.heard(1_000) == Heard(0, 0)


def test_words_are_estimated_in_chinese_too() -> None:
    reply = SpokenReply(RATE_HZ, "今天很好。")
    reply.begin_piece(Piece("今天很好。", 0, 5), 0)
    reply.piece_samples(1_000)
    reply.end_piece()
    assert reply.heard(500) == Heard(2, 3)
    assert reply.heard(900) == Heard(3, 5)


def test_nothing_is_heard_of_a_reply_without_sound() -> None:
    reply = SpokenReply()
    reply.append_text("Hello")
    assert reply.heard(10_000) == Heard(0, 0)
    reply.begin_piece(Piece("Hello", 0, 5), 10_000)
    assert reply.heard(10_000) == Heard(0, 0)
    assert reply.heard_text(10_001) == ""


@given(
    texts=st.lists(st.text("ab ,.😀*中\n", max_size=30), min_size=1, max_size=4),
    begins_s=st.lists(st.floats(-1, 3), max_size=8),
    spans=st.lists(st.integers(-3, 40), min_size=16, max_size=16),
    samples=st.lists(st.integers(0, 3_000), min_size=12, max_size=12),
    complete=st.booleans(),
)
def test_what_is_heard_never_falls(
    texts: list[str], begins_s: list[float], spans: list[int], samples: list[int], complete: bool
) -> None:
    """Whatever marks an engine gives, in whatever order, the screen never takes a word back."""
    reply = SpokenReply(RATE_HZ)
    splitter = SentenceSplitter()
    text = "".join(texts)
    reply.append_text(text)
    pieces = splitter.push(text) + splitter.finish()
    at = samples[0]
    for number, piece in enumerate(pieces):
        reply.begin_piece(piece, at)
        if number % 2 == 0:
            marks = [WordMark(spans[2 * k], spans[2 * k + 1], at_s) for k, at_s in enumerate(begins_s)]
            reply.add_marks(marks, RATE_HZ)
        total = samples[number % len(samples)]
        reply.piece_samples(total)
        at += total
        if complete or piece is not pieces[-1]:
            reply.end_piece()
    heard = [reply.heard(played) for played in range(0, at + 200, 37)]
    assert [h.chars for h in heard] == sorted(h.chars for h in heard)
    assert [h.word_end for h in heard] == sorted(h.word_end for h in heard)
    assert all(0 <= h.chars <= h.word_end <= len(text) for h in heard)
    if complete and pieces and all(samples):  # a piece without sound is never heard
        assert reply.heard(at) == Heard(len(text), len(text))


def test_the_models_see_what_was_heard() -> None:
    history = History()
    history.add_turn("Hello", "Hi there.")
    history.add_turn(" Tell me more ", "I think that", interrupted=True)
    assert history.messages() == (
        Message("user", "Hello"),
        Message("assistant", "Hi there."),
        Message("user", "Tell me more"),
        Message("assistant", "I think that" + CUT_OFF),
    )


def test_what_was_said_to_no_reply_is_joined() -> None:
    """Chat templates refuse two messages of one role in a row."""
    history = History()
    history.add_turn("One", "", interrupted=True)
    history.add_turn("", "A reply to nothing")
    history.add_turn("two", "")
    assert history.messages() == (Message("user", "One\ntwo"),)
    history.add_turn("three", "Yes.")
    assert history.messages() == (Message("user", "One\ntwo\nthree"), Message("assistant", "Yes."))


def test_the_oldest_turns_are_dropped_whole() -> None:
    history = History(limit_turns=3)
    for number in range(10):
        history.add_turn(f"q{number}", f"a{number}")
    assert [message.text for message in history.messages()] == ["q7", "a7", "q8", "a8", "q9", "a9"]


def test_long_turns_are_dropped_by_their_characters() -> None:
    history = History(limit_chars=100)
    history.add_turn("a" * 30, "b" * 30)
    history.add_turn("c" * 30, "d" * 30)
    assert [message.text[0] for message in history.messages()] == ["c", "d"]
    history.add_turn("e" * 500, "")
    assert [message.text for message in history.messages()] == ["e" * 500], "the newest turn always stays"


@given(st.lists(st.tuples(st.text(max_size=5), st.text(max_size=5), st.booleans()), max_size=20))
def test_roles_alternate_from_the_user_on(turns: list[tuple[str, str, bool]]) -> None:
    history = History(limit_turns=6, limit_chars=40)
    for said, heard, interrupted in turns:
        history.add_turn(said, heard, interrupted)
    messages = history.messages()
    assert all(message.role == ("assistant" if at % 2 else "user") for at, message in enumerate(messages))
    assert all(message.text.strip() for message in messages)


@dataclass(frozen=True)
class _Turn:
    transcript: str
    heard_reply: str
    interrupted: bool


def test_a_resumed_dialogue_is_the_one_that_was_left() -> None:
    live = History(limit_turns=2)
    turns = [_Turn("a", "b", False), _Turn("c", "d", True), _Turn("e", "", False)]
    for turn in turns:
        live.add_turn(turn.transcript, turn.heard_reply, turn.interrupted)
    assert History.resumed(turns, limit_turns=2).messages() == live.messages() != ()


def test_a_piece_that_broke_off_is_heard_when_it_is_said_anew() -> None:
    reply = SpokenReply(text="one two three four")
    reply.begin_piece(Piece("one two", 0, 7), 0)
    reply.piece_samples(1000)
    reply.drop_piece()
    assert reply.heard_text(1000) == ""
    reply.begin_piece(Piece("one two", 0, 7), 1000)
    reply.piece_samples(2000)
    reply.end_piece()
    reply.begin_piece(Piece("three four", 8, 18), 3000)
    reply.piece_samples(3000)
    reply.end_piece()
    assert reply.heard_text(3000).startswith("one two")
    assert reply.heard_text(6000) == "one two three four"
