"""An entry of the dialogue → lines of styled pieces that fit a width. Pure; the styles are names."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import chain
from typing import Literal, TypeAlias

from voxterm.tui.dialogue import Entry, Notice, Problem, Turn
from voxterm.tui.panes.wrap import wrap
from voxterm.tui.terminal.safe_text import safe_text

StyleName: TypeAlias = Literal[
    "time",
    "you",
    "voxterm",
    "said",
    "partial",
    "heard",
    "word",
    "unheard",
    "lost",
    "past",
    "problem",
    "remedy",
    "note",
]
Piece: TypeAlias = tuple[str, StyleName]
Line: TypeAlias = tuple[Piece, ...]
Run: TypeAlias = tuple[int, int, StyleName]
"""`text[start:end]` in one style."""

WIDE_GUTTER = 20
NARROW_GUTTER = 9
WIDE_FROM = 56
"""From this width on, the time stands beside the text."""

LONGEST_LINE = 110

MOST_CHARS = 20_000
"""More of one text is not shown: half an hour of speech. The session keeps it all."""

WORD_MARK = "▌"

_LOST: StyleName = "lost"
_UNHEARD: StyleName = "unheard"


@dataclass(frozen=True, slots=True)
class _Sheet:
    """Where text goes: a gutter with time and name, and the text's own width."""

    width: int

    @property
    def gutter(self) -> int:
        return WIDE_GUTTER if self.width >= WIDE_FROM else NARROW_GUTTER

    @property
    def text_width(self) -> int:
        """A column is kept for the word mark; longer lines than that are hard to read."""
        return min(self.width - self.gutter - 1, LONGEST_LINE)


def lines_of(entry: Entry, width: int) -> list[Line]:
    """The lines of an entry, none wider than `width` cells, an empty one at the end."""
    sheet, entry = _Sheet(width), _bounded(entry)
    if isinstance(entry, Notice):
        body = [("", line) for line in _notice(entry, sheet.text_width)]
        margin = [entry.at.strftime("%H:%M:%S")]
    else:
        body = list(_turn(entry, sheet.text_width))
        margin = [entry.at.strftime("%H:%M:%S"), f"turn {entry.number}"]
    is_past = isinstance(entry, Turn) and entry.past
    margins = chain(margin, iter(lambda: "", None))
    lines = [(*_gutter(sheet, text, name), *line) for text, (name, line) in zip(margins, body, strict=False)]
    return [_greyed(line) if is_past else line for line in lines] + [()]


def gutter_of(width: int) -> int:
    """How many characters of each line stand before its text."""
    return _Sheet(width).gutter


def sounding_row(entry: Entry, width: int) -> int | None:
    """The line of an entry that sounds now, or will sound next; None where all of it has been said."""
    entry = _bounded(entry)
    if not isinstance(entry, Turn) or not entry.reply:
        return None
    if not entry.word_end and (entry.finished or entry.interrupted):
        return None
    text_width = _Sheet(width).text_width
    text = safe_text(entry.reply)
    sounding = len(safe_text(entry.reply[: entry.word_end or entry.heard_chars]))
    rows = sum(start < sounding for start, _ in wrap(text, text_width))
    return len(_said(entry, text_width)) + max(0, rows - 1)


def _bounded(entry: Entry) -> Entry:
    """The entry with no more of its texts than is shown."""
    if isinstance(entry, Notice):
        longest = max(len(entry.what), len(entry.remedy))
        return (
            replace(entry, what=_part(entry.what), remedy=_part(entry.remedy))
            if longest > MOST_CHARS
            else entry
        )
    if max(len(entry.said), len(entry.reply)) <= MOST_CHARS:
        return entry
    return replace(
        entry,
        said=_part(entry.said),
        reply=_part(entry.reply),
        heard_chars=min(entry.heard_chars, MOST_CHARS),
        word_from=min(entry.word_from, MOST_CHARS),
        word_end=min(entry.word_end, MOST_CHARS),
    )


def _part(text: str) -> str:
    more = len(text) - MOST_CHARS
    return f"{text[:MOST_CHARS]} … {more} characters more" if more > 0 else text


def _gutter(sheet: _Sheet, margin: str, name: str) -> Line:
    style: StyleName = "voxterm" if name == "voxterm" else "you"
    if sheet.gutter == NARROW_GUTTER:
        return ((f"{name:>7}  ", style),)
    return ((f"{margin:<9}", "time"), (f"{name:>9}  ", style))


def _turn(turn: Turn, width: int) -> Iterator[tuple[str, Line]]:
    """(name in the gutter, text) of every line."""
    yield from _named("you ›" if turn.typed else "you", _said(turn, width))
    if turn.reply:
        yield from _named("voxterm", _reply(turn, width))
    if turn.interrupted:
        yield "", (("■ interrupted", "note"),)
    for problem in turn.problems:
        yield from (("", line) for line in _problem(problem, width))


def _named(name: str, lines: list[Line]) -> Iterator[tuple[str, Line]]:
    return zip(chain([name], iter(lambda: "", None)), lines, strict=False)


def _said(turn: Turn, width: int) -> list[Line]:
    text = safe_text(turn.said.strip())
    if not text:
        return [(("(no words)" if turn.said_is_final else "…", "partial"),)]
    return _cut(text, width, [(0, len(text), "said" if turn.said_is_final else "partial")])


def _reply(turn: Turn, width: int) -> list[Line]:
    text = safe_text(turn.reply)
    lines = _cut(text, width, _reply_runs(turn, text))
    if turn.word_end:
        _mark_word(lines, wrap(text, width), len(safe_text(turn.reply[: turn.word_end])))
    return lines


def _reply_runs(turn: Turn, text: str) -> list[Run]:
    ends = (turn.settled_to, turn.lost_from, turn.word_from, turn.word_end)
    settled, lost, word_from, word_end = (len(safe_text(turn.reply[:at])) for at in ends)
    is_lost = lost < len(text)
    said, rest = lost if is_lost else settled, _LOST if is_lost else _UNHEARD
    if not word_end:
        return [(0, said, "heard"), (said, len(text), rest)]
    word = _word_start(text, word_from, word_end)
    return [
        (0, min(said, word), "heard"),
        (said, word, rest),
        (word, word_end, "word"),
        (word_end, said, "heard"),
        (max(said, word_end), len(text), rest),
    ]


def _word_start(text: str, begins: int, ends: int) -> int:
    """Where the word that sounds begins: after what was heard, or else after the last space."""
    if begins < ends:
        return begins + len(text[begins:ends]) - len(text[begins:ends].lstrip())
    return max(text.rfind(" ", 0, ends), text.rfind("\n", 0, ends)) + 1


def _mark_word(lines: list[Line], slices: Sequence[tuple[int, int]], word_end: int) -> None:
    """Put the mark after the word that sounds, into the space that is there: no letter moves."""
    for row, (start, end) in enumerate(slices):
        if start < word_end <= end:
            lines[row] = _marked(lines[row], word_end - start)
            return


def _marked(line: Line, at: int) -> Line:
    before, after = _split(line, at)
    if after and not after[0][0].startswith(" "):
        return line  # a script without spaces: the word's own style has to do
    return (*before, (WORD_MARK, "word"), *_split(after, 1)[1])


def _split(line: Line, at: int) -> tuple[Line, Line]:
    before: list[Piece] = []
    after: list[Piece] = []
    for text, style in line:
        head, tail = text[: max(0, at)], text[max(0, at) :]
        before.extend([(head, style)] if head else [])
        after.extend([(tail, style)] if tail else [])
        at -= len(text)
    return tuple(before), tuple(after)


def _notice(notice: Notice, width: int) -> list[Line]:
    if notice.is_problem:
        return _problem(Problem(notice.what, notice.remedy), width)
    return _hanging("· ", notice.what, "note", width)


def _problem(problem: Problem, width: int) -> list[Line]:
    """What, and the remedy under it."""
    what = _hanging("✗ ", problem.what, "problem", width)
    return what + _hanging("→ ", problem.remedy, "remedy", width) if problem.remedy else what


def _hanging(sign: str, text: str, style: StyleName, width: int) -> list[Line]:
    text = safe_text(text)
    lines = _cut(text, width - len(sign), [(0, len(text), style)])
    return [((sign if row == 0 else "  ", style), *line) for row, line in enumerate(lines)]


def _cut(text: str, width: int, runs: Sequence[Run]) -> list[Line]:
    """The wrapped lines of a text whose runs have styles."""
    return [
        tuple(
            (text[max(start, begins) : min(end, ends)], style)
            for begins, ends, style in runs
            if max(start, begins) < min(end, ends)
        )
        for start, end in wrap(text, width)
    ]


def _greyed(line: Line) -> Line:
    return tuple((text, style if style == "lost" else "past") for text, style in line)
