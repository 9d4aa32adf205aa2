"""The text of a reply on its way: what of it is shown, and the lines that the voice is given, one by one.

Pure. Tags like "<laugh>" are no words: they stand in what the voice is given, where it knows them, and
nowhere else.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import deque
from collections.abc import Collection
from typing import NamedTuple

from voxterm.sentences import Piece, SentenceSplitter, spoken_form
from voxterm.tags import KNOWN_TAGS, Tag, TagFilter, TaggedText, put_back


class Line(NamedTuple):
    """A piece of the words, and what the voice is given for it: "" where there is nothing to speak."""

    piece: Piece
    spoken: TaggedText


class Worded(NamedTuple):
    """What a delta has brought."""

    shown: str
    lines: list[Line]


class Wording:
    """Of one reply; `voice_tags` are those that its voice knows."""

    def __init__(self, voice_tags: Collection[str]) -> None:
        self._voice_tags = voice_tags
        self._filter = TagFilter(KNOWN_TAGS | set(voice_tags))
        self._splitter = SentenceSplitter()
        self._shown = ""
        self._seen_tags = 0
        self._tags: deque[Tag] = deque()  # that the voice knows and no line has yet

    def push(self, delta: str) -> Worded:
        """Take the next text of the reply."""
        shown = self._filter.push(delta)
        return Worded(shown, [self._line(piece, piece.end) for piece in self._split(shown)])

    def finish(self) -> Worded:
        """The reply is complete."""
        shown = self._filter.finish()
        pieces = self._split(shown) + self._splitter.finish()
        if not pieces and self._tags:
            pieces = [Piece("", 0, 0)]  # there are no words at all
        ends = [piece.end for piece in pieces[:-1]] + [len(self._shown) + 1]  # a tag may follow the last word
        return Worded(shown, [self._line(piece, end) for piece, end in zip(pieces, ends, strict=False)])

    def _split(self, shown: str) -> list[Piece]:
        self._shown += shown
        found = self._filter.tags[self._seen_tags :]
        self._seen_tags += len(found)
        self._tags += [tag for tag in found if tag.text in self._voice_tags]
        return self._splitter.push(shown)

    def _line(self, piece: Piece, end: int) -> Line:
        """The piece with the tags that stand before `end`."""
        _, came_from = spoken_form(self._shown[piece.start : piece.end])
        tags = []
        while self._tags and self._tags[0].at < end:
            tag = self._tags.popleft()
            tags.append(Tag(tag.text, bisect_left(came_from, tag.at - piece.start)))
        return Line(piece, put_back(piece.text, tags))
