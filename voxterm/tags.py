"""Emotion tags in a reply, like "<laugh>": out of what is shown and counted, back into what is spoken.

Pure. `TagFilter` takes the tags out of a reply as it comes and remembers where they stood; `put_back` puts
them into the text that a synthesizer is given, and tells which character there is which of the words.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import NamedTuple

KNOWN_TAGS = frozenset(
    {"<laugh>", "<chuckle>", "<sigh>", "<cough>", "<sniffle>", "<groan>", "<yawn>", "<gasp>"}
)
"""Taken out whatever the voice: those that Orpheus is trained on, which models write of themselves too."""

_CLINGING = frozenset(".,;:!?…)]}»”’。！？，、；：।॥؟،؛")  # no space stands before them


class Tag(NamedTuple):
    """`text[at]` of what is shown is the first character behind the tag."""

    text: str
    at: int


class TagFilter:
    """Takes the tags out of one reply. However the reply is cut into deltas, the outcome is the same.

    Only what may yet become a tag is held back, and white space until it is known what follows: of the white
    space before and behind a tag one stays.
    """

    def __init__(self, known: Collection[str] = KNOWN_TAGS) -> None:
        """`known`: `<`, lower-case letters, `>` each."""
        self.tags: list[Tag] = []
        """Those that were found, in order."""
        self._known = frozenset(known)
        self._beginnings = frozenset(tag[:size] for tag in known for size in range(1, len(tag)))
        self._begun = ""  # may become a tag
        self._blanks = [""]  # white space since the last visible character, divided by tags
        self._given = 0  # characters of what is shown

    def push(self, delta: str) -> str:
        """What can be shown now that this follows."""
        return "".join(map(self._take, delta))

    def finish(self) -> str:
        """What is left: an unfinished tag was none."""
        left = self._as_text(self._begun)
        self._begun = ""
        return left + self._give(self._blanks[0] if len(self._blanks) == 1 else "")

    def _take(self, char: str) -> str:
        grown = self._begun + char
        if grown in self._beginnings:
            self._begun = grown
            return ""
        if grown in self._known:
            self.tags.append(Tag(grown, self._given))
            self._blanks.append("")
            self._begun = ""
            return ""
        if not self._begun:
            return self._as_text(char)
        begun, self._begun = self._begun, ""
        return self._as_text(begun) + self._take(char)

    def _as_text(self, chars: str) -> str:
        """Characters of which only the first can be white space, and then is alone."""
        if chars.isspace():
            self._blanks[-1] += chars
            return ""
        return self._give(self._blank_before(chars) + chars) if chars else ""

    def _blank_before(self, chars: str) -> str:
        """The white space that stays: the one with a line's end, else the first."""
        if len(self._blanks) == 1:
            return self._blanks[0]
        if not self._given or chars[0] in _CLINGING:
            return ""
        return next((b for b in self._blanks if "\n" in b), None) or next(filter(None, self._blanks), "")

    def _give(self, text: str) -> str:
        self._blanks = [""]
        self._given += len(text)
        return text


@dataclass(frozen=True, slots=True)
class TaggedText:
    """Words with their tags, as a synthesizer gets them."""

    text: str
    words_before: tuple[int, ...]  # for each place in `text`, its end too: how many characters of the words
    places: tuple[int, ...]  # of the tags in the words

    def in_words(self, index: int) -> int:
        """The place in the words for one in `text`."""
        return self.words_before[min(max(index, 0), len(self.text))]


def put_back(words: str, tags: Iterable[Tag]) -> TaggedText:
    """The words with tags at their places, which rise and count in the words."""
    text, before, places, done = "", list[int](), list[int](), 0
    for tag, at in tags:
        text += words[done:at]
        before += range(done, at)
        following = words[at : at + 1]
        gap = " " if text and not text[-1].isspace() else ""
        gap_behind = " " if following and not following.isspace() and following not in _CLINGING else ""
        text += gap + tag + gap_behind
        before += [at] * len(gap + tag + gap_behind)
        places.append(at)
        done = at
    before += range(done, len(words) + 1)
    return TaggedText(text + words[done:], tuple(before), tuple(places))
