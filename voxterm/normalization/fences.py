"""Which characters of a text stand in a fenced block of code: ``` or ~~~ at the beginning of a line."""

from __future__ import annotations

_LONGEST_LINE_CHARS = 80  # an opening or closing line is no longer

MARKS = ("```", "~~~")


class FenceWatch:
    """Takes a text character by character; a block that is not closed goes on to the end."""

    def __init__(self) -> None:
        self.inside = False
        """The characters from here on are code."""
        self._mark = ""  # what opened the block
        self._line = ""

    def see(self, char: str) -> bool:
        """Take the next character; True where a block ends with it or begins behind it."""
        if char != "\n":
            if len(self._line) <= _LONGEST_LINE_CHARS:
                self._line += char
            return False
        line, self._line = self._line.strip(), ""
        if len(line) > _LONGEST_LINE_CHARS or line[:3] not in MARKS:
            return False
        if self.inside:
            changed = line[:3] == self._mark and not line.strip(self._mark[0])
        else:
            self._mark = line[:3]
            changed = line[0] not in line.lstrip(line[0])
        self.inside ^= changed
        return changed


def blocks(text: str) -> list[tuple[int, int]]:
    """Where the blocks of a text are, their fences included."""
    if not any(mark in text for mark in MARKS):
        return []
    watch = FenceWatch()
    found: list[tuple[int, int]] = []
    line_start = 0
    for index, char in enumerate(text):
        if watch.see(char):
            if watch.inside:
                found.append((line_start, len(text)))
            else:
                found[-1] = (found[-1][0], index)
        if char == "\n":
            line_start = index + 1
    return found
