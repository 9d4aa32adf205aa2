"""The text of a reply on its way: what of it is shown, and the lines that the voices are given, one by one.

Pure. Each line is worded for the voice that speaks it. Tags like "<laugh>" are no words: they stand in what
a voice is given, where it knows them, and nowhere else.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import deque
from typing import NamedTuple

from voxterm.engines.protocols import Voice
from voxterm.language import ReplyVoices
from voxterm.sentences import Cut, Cutter, Piece
from voxterm.tags import KNOWN_TAGS, Tag, TagFilter, TaggedText, put_back


class Line(NamedTuple):
    """A piece of the words, and what the voice is given for it: "" where there is nothing to speak."""

    piece: Piece
    spoken: TaggedText
    other_voice: Voice | None = None  # who speaks it in place of the voice that was chosen


class Worded(NamedTuple):
    """What a delta has brought."""

    shown: str
    lines: list[Line]


class Wording:
    """Of one reply, whose voices know some tags."""

    def __init__(self, voices: ReplyVoices) -> None:
        self._voices = voices
        self._known_tags = voices.tags
        self._filter = TagFilter(KNOWN_TAGS | self._known_tags)
        self._cutter = Cutter(voices.language)
        self._shown_chars = 0
        self._seen_tags = 0
        self._tags: deque[Tag] = deque()  # that a voice knows and no line has yet

    def push(self, delta: str) -> Worded:
        """Take the next text of the reply."""
        shown = self._filter.push(delta)
        return Worded(shown, [self._line(cut, cut.end) for cut in self._cut(shown)])

    def finish(self) -> Worded:
        """The reply is complete."""
        shown = self._filter.finish()
        cuts = self._cut(shown) + self._cutter.finish()
        if not cuts and self._tags:
            cuts = [Cut("", 0, 0)]  # there are no words at all
        ends = [cut.end for cut in cuts[:-1]] + [self._shown_chars + 1]  # a tag may follow the last word
        return Worded(shown, [self._line(cut, end) for cut, end in zip(cuts, ends, strict=False)])

    def _cut(self, shown: str) -> list[Cut]:
        self._shown_chars += len(shown)
        found = self._filter.tags[self._seen_tags :]
        self._seen_tags += len(found)
        self._tags += [tag for tag in found if tag.text in self._known_tags]
        return self._cutter.push(shown)

    def _line(self, cut: Cut, end: int) -> Line:
        """What is said for a cut, with the tags that stand before `end`."""
        voice = self._voices.voice_for(cut.written)
        piece = Piece.of(cut, voice.language)
        tags = []
        while self._tags and self._tags[0].at < end:
            tag = self._tags.popleft()
            if tag.text in voice.tags:
                tags.append(Tag(tag.text, bisect_left(piece.came_from, tag.at)))
        return Line(piece, put_back(piece.text, tags), None if voice is self._voices.chosen else voice)
