"""The tokens of a turn's two rows, reply and transcript, as what was understood. Pure: no model in sight.

The reply is held back until the transcript has its first word, for where no words were heard there is nothing
to answer. From then on its pieces go out as they come, and the transcript when it is whole.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Callable, Iterable, Iterator
from typing import TypeAlias

from voxterm.engines.protocols import Delta, Ending, ReplyComplete, Transcript
from voxterm.engines.repeats import LOOP_REPEATS, loop_period

REPLY_ROW = 0  # of the decode loop
TRANSCRIPT_ROW = 1

ENDING_DIGITS = 4
"""The same turn asked twice gives the same: what the cache holds may change the bits beyond."""

Piece: TypeAlias = Callable[[int], bytes]
"""The bytes of a token."""

_SENTENCE_END = re.compile(r"\s*[.?!。？！।]{1,2}[\"”’»)\]]*\s*")
"""A token that ends a sentence. Three points do not: they rather say that it goes on."""

_LANGUAGE = re.compile(r"\A\s*lang:[a-z]{2}")
_UNFINISHED_LANGUAGE = re.compile(r"\s*(l|la|lan|lang|lang:[a-z]?)?")


class TextStream:
    """Tokens → text. Characters come whole: the bytes of one wait until it is complete."""

    def __init__(self, piece: Piece) -> None:
        self._piece = piece
        self._decoder = codecs.getincrementaldecoder("utf-8")("ignore")

    def take(self, token_id: int) -> str:
        """The text that this token completes, often none."""
        return self._decoder.decode(self._piece(token_id))


class TranscriptText:
    """The transcript as it grows."""

    def __init__(self, piece: Piece) -> None:
        self._piece = piece
        self._ids: list[int] = []
        self._stream = TextStream(piece)
        self._raw = ""

    @property
    def text(self) -> str:
        """What was said so far, without the "lang:en" by which the model tells the language it hears."""
        return _LANGUAGE.sub("", self._raw).strip()

    @property
    def has_words(self) -> bool:
        """Whether there is a letter or a digit."""
        return any(character.isalnum() for character in self.text)

    @property
    def is_open(self) -> bool:
        """Whether all there is may yet become the name of a language."""
        return _UNFINISHED_LANGUAGE.fullmatch(self._raw) is not None

    def take(self, token_id: int) -> None:
        self._ids.append(token_id)
        self._raw += self._stream.take(token_id)

    def cut_loop(self) -> bool:
        """Whether the last tokens do nothing but repeat; all but the first of the repeats are then gone."""
        period = loop_period(self._ids)
        if period:
            self._ids = self._ids[: -period * (LOOP_REPEATS - 1)]
            stream = TextStream(self._piece)
            self._raw = "".join(stream.take(token_id) for token_id in self._ids)
        return period > 0


def ends_sentence(piece: bytes) -> bool:
    """Whether a token with these bytes ends a sentence, as a full stop does."""
    return _SENTENCE_END.fullmatch(piece.decode("utf-8", "replace")) is not None


class SentenceEnd:
    """How probable it was, after the last word of a transcript, that its sentence ends there.

    A full stop may come before the end, be left out, or give way to a comma: what counts is the step after
    the last word in which a full stop was most probable.
    """

    def __init__(self, piece: Piece) -> None:
        self._piece = piece
        self.probability = 0.0

    def take(self, token_id: int | None, full_stop: float) -> None:
        """The next token, None for the end, and how probable a full stop was in its place."""
        text = self._piece(token_id).decode("utf-8", "ignore") if token_id is not None else ""
        is_word = any(character.isalnum() for character in text)
        self.probability = 0.0 if is_word else max(self.probability, full_stop)


def understood(
    steps: Iterable[tuple[int | None, ...]], piece: Piece, full_stop: Callable[[], float]
) -> Iterator[Ending | Transcript | Delta | ReplyComplete]:
    """One Transcript, with an Ending before it if there are words in it, and the reply's Deltas, none of them
    before words were heard.

    A ReplyComplete says that the reply has ended before the transcript.

    Args:
        steps: the ids of the rows (reply, transcript) in each step, None once a row has ended; read only as
            far as they are needed.
        piece: the bytes of a token.
        full_stop: how probable a token that ends a sentence was in the transcript's row, in the latest step.
    """
    transcript, reply, end = TranscriptText(piece), TextStream(piece), SentenceEnd(piece)
    heard_all = complete = False
    waiting = ""
    for step in steps:
        said, heard = step[REPLY_ROW], step[TRANSCRIPT_ROW]
        if said is not None:
            waiting += reply.take(said)
        if not heard_all:
            end.take(heard, full_stop())
        if heard is not None and not heard_all:
            transcript.take(heard)
        if not heard_all and (heard is None or transcript.cut_loop()):
            heard_all = True
            yield from _whole(transcript, end)
            if not transcript.has_words:
                return
        may_go_out = transcript.has_words and (heard_all or not transcript.is_open)
        if waiting and may_go_out:
            yield Delta(waiting)
            waiting = ""
        if said is None and heard_all:
            return
        if said is None and may_go_out and not complete:
            complete = True
            yield ReplyComplete()
    if not heard_all:
        end.take(None, full_stop())  # the rows ended together, in a step of which no more is told
        yield from _whole(transcript, end)
        if waiting and transcript.has_words:
            yield Delta(waiting)


def spoken(steps: Iterable[tuple[int | None, ...]], piece: Piece) -> Iterator[Delta]:
    """The Deltas of a reply that has no transcript beside it."""
    reply = TextStream(piece)
    for step in steps:
        said = step[REPLY_ROW]
        if said is not None and (text := reply.take(said)):
            yield Delta(text)


def _whole(transcript: TranscriptText, end: SentenceEnd) -> Iterator[Ending | Transcript]:
    if transcript.has_words:
        yield Ending(round(end.probability, ENDING_DIGITS))
    yield Transcript(transcript.text if transcript.has_words else "")
