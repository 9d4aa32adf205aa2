"""Where a text stands in lines that were wrapped. Pure; case is ignored, and so are breaks between lines."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate


@dataclass(frozen=True, slots=True)
class Match:
    """A match from its first line to its last: for each (row, first character, end)."""

    spans: tuple[tuple[int, int, int], ...]

    @property
    def row(self) -> int:
        return self.spans[0][0]

    def moved(self, rows: int) -> Match:
        """The same so many rows further down."""
        return Match(tuple((row + rows, start, end) for row, start, end in self.spans))


def matches_in(lines: Sequence[str], sought: str) -> list[Match]:
    """All matches in the lines of one paragraph, from the top; the first line is row 0.

    A break between two lines counts as a space, or as nothing.
    """
    words = _lowered(" ".join(sought.split()))
    if not words:
        return []
    return _matches(lines, words, " ") or _matches(lines, words, "")


MOST = 1000
"""More places than this nobody looks through."""


def _matches(lines: Sequence[str], words: str, joint: str) -> list[Match]:
    joined = _lowered(joint.join(lines))
    starts = [0, *accumulate(len(line) + len(joint) for line in lines)]
    found: list[Match] = []
    at = joined.find(words)
    while at >= 0 and len(found) < MOST:
        end = at + len(words)
        rows = range(bisect_right(starts, at) - 1, bisect_right(starts, end - 1))
        found.append(
            Match(
                tuple(
                    (row, max(0, at - starts[row]), min(len(lines[row]), end - starts[row])) for row in rows
                )
            )
        )
        at = joined.find(words, end)
    return found


def _lowered(text: str) -> str:
    """In lower case, letter by letter: no position moves."""
    return "".join(letter.lower() if len(letter.lower()) == 1 else letter for letter in text)
