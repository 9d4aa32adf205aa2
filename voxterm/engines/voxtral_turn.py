"""The tokens of a turn's two rows, reply and transcript, as what was understood. Pure: no model in sight.

The reply is held back until the transcript has its first word, for where no words were heard there is nothing
to answer. From then on its pieces go out as they come, and the transcript when it is whole.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TypeAlias

from voxterm.engines.protocols import Delta, ReplyComplete, Transcript

REPLY_ROW = 0  # of the decode loop
TRANSCRIPT_ROW = 1

LOOP_REPEATS = 8
"""A transcript in which the same tokens come so often in a row is stuck, and cut after the first of them."""

LOOP_TOKENS = 16  # the longest loop that is looked for

Piece: TypeAlias = Callable[[int], bytes]
"""The bytes of a token."""

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
        period = _loop_period(self._ids)
        if period:
            self._ids = self._ids[: -period * (LOOP_REPEATS - 1)]
            stream = TextStream(self._piece)
            self._raw = "".join(stream.take(token_id) for token_id in self._ids)
        return period > 0


def understood(
    steps: Iterable[tuple[int | None, ...]], piece: Piece
) -> Iterator[Transcript | Delta | ReplyComplete]:
    """One Transcript, and the reply's Deltas, none of them before words were heard.

    A ReplyComplete says that the reply has ended before the transcript.

    Args:
        steps: the ids of the rows (reply, transcript) in each step, None once a row has ended; read only as
            far as they are needed.
        piece: the bytes of a token.
    """
    transcript, reply = TranscriptText(piece), TextStream(piece)
    heard_all = complete = False
    waiting = ""
    for step in steps:
        said, heard = step[REPLY_ROW], step[TRANSCRIPT_ROW]
        if said is not None:
            waiting += reply.take(said)
        if heard is not None and not heard_all:
            transcript.take(heard)
        if not heard_all and (heard is None or transcript.cut_loop()):
            heard_all = True
            yield _whole(transcript)
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
        yield _whole(transcript)
        if waiting and transcript.has_words:
            yield Delta(waiting)


def spoken(steps: Iterable[tuple[int | None, ...]], piece: Piece) -> Iterator[Delta]:
    """The Deltas of a reply that has no transcript beside it."""
    reply = TextStream(piece)
    for step in steps:
        said = step[REPLY_ROW]
        if said is not None and (text := reply.take(said)):
            yield Delta(text)


def _whole(transcript: TranscriptText) -> Transcript:
    return Transcript(transcript.text if transcript.has_words else "")


def _loop_period(ids: Sequence[int]) -> int:
    """How many tokens are repeated LOOP_REPEATS times at the end; 0: none are."""
    for period in range(1, min(LOOP_TOKENS, len(ids) // LOOP_REPEATS) + 1):
        last = ids[-period * LOOP_REPEATS :]
        if all(a == b for a, b in zip(last, last[period:], strict=False)):
            return period
    return 0
