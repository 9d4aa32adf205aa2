"""The dialogue as the models must see it: what was said, and of the replies what was heard.

Pure. `SpokenReply` follows one reply from its text to the samples that have left the loudspeaker; `History`
holds the turns. A reply that was cut off ends in " —" there, so that a model sees it was not let finish.
"""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Literal, NamedTuple, Protocol

from voxterm.engines.protocols import Message, WordMark
from voxterm.sentences import Piece, speakable

CUT_OFF = " —"
"""What follows the heard part of an interrupted reply in the history."""

ESTIMATED_CHARS_PER_S = 15.0
"""How fast a voice reads where nothing better is known yet: LJ Speech has 15 characters a second."""

TAG_CHARS = 15
"""How many characters take as long as a tag: a laugh lasts about a second."""

_WORD = re.compile(r"[\u3040-\u30ff\u3400-\u9fff][^\w\s]*|[^\s\u3040-\u30ff\u3400-\u9fff]+")


class Heard(NamedTuple):
    """How much of a reply has been heard: `text[:chars]`; the word that sounds now ends at `word_end`."""

    chars: int
    word_end: int


@dataclass(slots=True)
class _SpokenPiece:
    """A piece on its way through the loudspeaker: `samples` of them, from the reply's `at_sample` on."""

    piece: Piece
    source: Sequence[int]  # where in the reply each character of the spoken text came from
    at_sample: int
    tag_places: Sequence[int] = ()  # in the piece's text
    samples: int = 0
    complete: bool = False
    marks: list[WordMark] = field(default_factory=list)

    def is_heard(self, played_samples: int) -> bool:
        return self.complete and 0 < self.samples <= played_samples - self.at_sample

    def words(self, rate_hz: int) -> tuple[list[int], list[int]]:
        """The sample at which each word begins, and where in the reply it ends; neither ever falls back."""
        begins: list[int] = []
        ends: list[int] = []
        for mark in self.marks or self._estimated_marks(rate_hz):
            end = self._end_of(mark)
            if ends and mark.end > mark.start and end == ends[-1]:
                continue  # one word of the reply that is spoken as several: "105"
            begins.append(max(self.at_sample + round(mark.at_s * rate_hz), *begins[-1:], self.at_sample))
            ends.append(max(end, *ends[-1:], self.piece.start))
        return begins, ends

    def _end_of(self, mark: WordMark) -> int:
        """Where in the reply it ends; the piece's start for what stands before all words."""
        return self.source[min(mark.end, len(self.source)) - 1] + 1 if mark.end > 0 else self.piece.start

    def _estimated_marks(self, rate_hz: int) -> list[WordMark]:
        """Words as if every character took as long: over the whole sound, until then at a usual rate."""
        text = self.piece.text
        size = len(text) + TAG_CHARS * len(self.tag_places)
        char_s = self.samples / rate_hz / size if self.complete else 1 / ESTIMATED_CHARS_PER_S
        return [
            WordMark(start, end, char_s * (start + TAG_CHARS * bisect_right(self.tag_places, start)))
            for start, end in (match.span() for match in _WORD.finditer(text))
        ]


@dataclass(slots=True)
class SpokenReply:
    """Which words of a reply have been heard. `rate_hz` is the loudspeaker's; `add_marks` sets it too.

    A word is heard when all its samples have left the loudspeaker: it ends where the next word of its piece
    begins, the last one with the piece. Samples are the reply's own, counted from its first.
    """

    rate_hz: int = 24_000
    text: str = ""  # the whole reply so far
    _pieces: list[_SpokenPiece] = field(default_factory=list)

    def append_text(self, delta: str) -> None:
        self.text += delta

    @property
    def pieces(self) -> int:
        """How many were begun."""
        return len(self._pieces)

    def begin_piece(self, piece: Piece, at_sample: int, tag_places: Sequence[int] = ()) -> None:
        """The next samples speak this piece; its first is the reply's `at_sample`.

        `tag_places`: where in `piece.text` tags are spoken beside the words, like "<laugh>".
        """
        source: Sequence[int] = piece.came_from
        if not source:
            stretch = (piece.end - piece.start) / max(1, len(piece.text))
            source = [piece.start + int(index * stretch) for index in range(len(piece.text))]
        self._pieces.append(_SpokenPiece(piece, source, at_sample, tag_places))

    def drop_piece(self) -> None:
        """The current piece broke off, and will be said anew from its beginning."""
        self._pieces.pop()

    def add_marks(self, marks: Sequence[WordMark], rate_hz: int) -> None:
        """Words of the current piece, in order: positions in `piece.text`, seconds after its first sample.

        An empty one ends the word before it: what sounds then is no word.
        """
        self.rate_hz = rate_hz
        self._pieces[-1].marks.extend(marks)

    def piece_samples(self, total: int) -> None:
        """The current piece is this long by now, in samples at the loudspeaker's rate."""
        self._pieces[-1].samples = total

    def end_piece(self) -> None:
        """All samples of the current piece are counted."""
        self._pieces[-1].complete = True

    def heard(self, played_samples: int) -> Heard:
        """How much has been heard when that many samples have left the loudspeaker. Rises with them."""
        done = 0
        for piece in self._pieces:
            if not piece.is_heard(played_samples):
                return self._heard_of(piece, played_samples)
            done = piece.piece.end
        if self._pieces and not speakable(self.text[done:]):
            done = len(self.text)  # a closing emoji has no sound to wait for
        return Heard(done, done)

    def word_start(self, played_samples: int) -> int:
        """The sample at which the word begins that sounds, or sounded last, after that many samples."""
        start = 0
        for piece in self._pieces:
            if piece.at_sample > played_samples:
                break
            begins, _ = piece.words(self.rate_hz)
            begun = bisect_right(begins, played_samples)
            start = begins[begun - 1] if begun else piece.at_sample
        return start

    def heard_text(self, played_samples: int) -> str:
        return self.text[: self.heard(played_samples).chars]

    def _heard_of(self, piece: _SpokenPiece, played_samples: int) -> Heard:
        start = piece.piece.start
        if not piece.source or played_samples <= piece.at_sample:
            return Heard(start, start)
        begins, ends = piece.words(self.rate_hz)
        heard = bisect_right(begins, played_samples) - 1  # words whose next word has begun
        begun = bisect_left(begins, played_samples)
        chars = self._with_punctuation(ends[heard - 1], piece.piece.end) if heard > 0 else start
        word_end = self._with_punctuation(ends[begun - 1], piece.piece.end) if begun > 0 else start
        return Heard(chars, max(chars, word_end))

    def _with_punctuation(self, end: int, limit: int) -> int:
        """The end of a word, the marks that cling to it included."""
        while end < min(limit, len(self.text)) and not (self.text[end].isspace() or self.text[end].isalnum()):
            end += 1
        return end


class PastTurn(Protocol):
    """What a resumed dialogue needs of a stored turn."""

    @property
    def transcript(self) -> str: ...
    @property
    def heard_reply(self) -> str: ...
    @property
    def interrupted(self) -> bool: ...


class History:
    """The turns of a dialogue, the newest of them: what a model can take in is bounded."""

    def __init__(self, limit_turns: int = 200, limit_chars: int = 24_000) -> None:
        self._turns: deque[tuple[str, str]] = deque()  # what was said, what of the reply was heard
        self._limit_turns = limit_turns
        self._limit_chars = limit_chars
        self._chars = 0

    @classmethod
    def resumed(cls, turns: Iterable[PastTurn], limit_turns: int = 200, limit_chars: int = 24_000) -> History:
        """The history of a session that goes on."""
        history = cls(limit_turns, limit_chars)
        for turn in turns:
            history.add_turn(turn.transcript, turn.heard_reply, turn.interrupted)
        return history

    def add_turn(self, user_text: str, heard_reply: str, interrupted: bool = False) -> None:
        """A finished turn. One in which no words were said adds nothing."""
        said, heard = _as_seen(user_text, heard_reply, interrupted)
        if not said:
            return
        self._turns.append((said, heard))
        self._chars += len(said) + len(heard)
        self._drop_oldest()

    def messages(self) -> tuple[Message, ...]:
        """User and assistant in turn, from the user on; what stayed without a reply is joined to the next.

        It ends with a user's message where nothing was heard of the last reply.
        """
        messages: list[Message] = []
        for said, heard in self._turns:
            append_turn(messages, said, heard)
        return tuple(messages)

    def _drop_oldest(self) -> None:
        """Keep within the limits; the newest turn stays whatever its length."""
        while len(self._turns) > 1 and self._is_over():
            said, heard = self._turns.popleft()
            self._chars -= len(said) + len(heard)

    def _is_over(self) -> bool:
        return len(self._turns) > self._limit_turns or self._chars > self._limit_chars


def append_turn(messages: list[Message], user_text: str, heard_reply: str, interrupted: bool = False) -> None:
    """Add a turn to a dialogue; one in which no words were said adds nothing."""
    said, heard = _as_seen(user_text, heard_reply, interrupted)
    if said:
        _append(messages, "user", said)
        if heard:
            _append(messages, "assistant", heard)


def _as_seen(user_text: str, heard_reply: str, interrupted: bool) -> tuple[str, str]:
    """Both sides of a turn as the models must see them."""
    said, heard = user_text.strip(), heard_reply.strip()
    return said, heard + CUT_OFF if heard and interrupted else heard


def _append(messages: list[Message], role: Literal["user", "assistant"], text: str) -> None:
    if messages and messages[-1].role == role:
        text = f"{messages.pop().text}\n{text}"
    messages.append(Message(role, text))
