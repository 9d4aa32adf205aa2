"""Text deltas of a reply → pieces worth speaking, the first as early as it sounds right.

Pure. The text is read character by character and every decision depends on the characters so far alone, so
however a text is cut into deltas, the pieces are the same ones. A place is judged when the next visible
character is there: "3." may go on as "3.14", "U." as "U.S.". Work is linear in the length of the text.

The first piece ends at the first clause or sentence that is long enough to speak; later ones are whole
sentences, tiny ones joined, very long ones divided at a clause, else at a word, else anywhere.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from enum import IntEnum

FIRST_CLAUSE_CHARS = 12  # "Hello there,"; anything shorter sounds chopped off
FIRST_SENTENCE_CHARS = 8  # a sentence may stand alone sooner than a clause
FIRST_LIMIT_CHARS = 120  # about 30 tokens: no listener waits longer for a comma
SENTENCE_CHARS = 20  # shorter sentences are spoken together with the next
LIMIT_CHARS = 300  # about 20 s of speech

_SENTENCE_STOPS = frozenset(".!?…。！？｡।॥؟۔")
_CLAUSE_STOPS = frozenset(",;:–—，、；：،؛")
_STOPS = _SENTENCE_STOPS | _CLAUSE_STOPS
_GAPLESS = frozenset("。！？｡।॥؟۔，、；：—")  # no space need follow them
_CLOSERS = frozenset("\"'”’»›)]}*_`~」』）】》〉〕")
_JOINERS = frozenset("\u200c\u200d")  # they shape letters of Hindi and Persian
_NEWLINES = frozenset("\n\r\v\f\x85\u2028\u2029")

_TITLES_AND_SHORTS = """
    mr mrs ms mx dr prof st sr jr mt ft vs etc eg ie cf ca al approx dept est inc ltd corp co bros gen col lt
    sgt capt cmdr adm rev hon gov sen rep pres ave blvd rd ph.d mme mlle hr fr bzw usw z.b d.h sra srta ud uds
"""
_SHORT_BEFORE_NUMBERS = """
    no nos nr fig figs vol p pp ch sec art eq jan feb mar apr jun jul aug sep sept oct nov dec
"""
_ABBREVIATIONS = frozenset(_TITLES_AND_SHORTS.split())
_BEFORE_NUMBERS = frozenset(_SHORT_BEFORE_NUMBERS.split())
_DOTTED = re.compile(r"(?:[^\W\d_]\.)+[^\W\d_]")  # U.S, e.g, a.m
_BULLET = re.compile(r"(?m)^\s*([-+>•–])\s")


@dataclass(frozen=True, slots=True)
class Piece:
    """`text` is what is to be spoken of the reply's `[start:end]`.

    Pieces are adjacent and cover the reply in order. `text` is "" only in the last one of a reply, where
    nothing is left that could be spoken (a closing emoji): it needs no synthesizer, skip it.
    """

    text: str
    start: int
    end: int


def speakable(text: str) -> str:
    """What a synthesizer should say for a text; "" when there is nothing in it that can be spoken."""
    return spoken_form(text)[0]


def spoken_form(text: str) -> tuple[str, list[int]]:
    """What a synthesizer should say for a text, and for each of its characters the index it came from.

    Control, bidi and zero-width characters, emoji and Markdown marks are out, whitespace is folded. The end
    of a line that has no punctuation becomes a comma, so that a list is not read in one breath.
    """
    bullets = {match.start(1) for match in _BULLET.finditer(text)}
    chars: list[str] = []
    came_from: list[int] = []
    gap: int | None = None
    newline = False
    for index, char in enumerate(text):
        if _is_blank(char) or _joins_words(text, index):
            gap = index if gap is None else gap
            newline = newline or char in _NEWLINES
            continue
        if index in bullets or (_is_unspoken(char) and not _is_sharp(text, index)):
            continue
        if gap is not None and chars:
            space = ", " if newline and chars[-1].isalnum() else " "
            chars.extend(space)
            came_from.extend([gap] * len(space))
        gap, newline = None, False
        chars.append(char)
        came_from.append(index)
    if not any(char.isalnum() for char in chars):
        return "", []
    return "".join(chars), came_from


def _is_blank(char: str) -> bool:
    """Whitespace, or a pictograph, which stands between words just as a space does."""
    return char.isspace() or (char >= "\u2190" and unicodedata.category(char) == "So")


def _is_unspoken(char: str) -> bool:
    """A visible or invisible mark that no synthesizer is to see."""
    if char in "*_`#\ufe0e\ufe0f\u20e3" or "\U0001f3fb" <= char <= "\U0001f3ff":
        return True
    if char in _JOINERS:
        return False
    return unicodedata.category(char) in {"Cc", "Cf", "Cs", "Co", "Cn"}


def _joins_words(text: str, index: int) -> bool:
    """The underscore of snake_case, which is spoken as two words."""
    return text[index] == "_" and text[index - 1 : index].isalnum() and text[index + 1 : index + 2].isalnum()


def _is_sharp(text: str, index: int) -> bool:
    """The sign of C#, which is no Markdown mark."""
    return text[index] == "#" and text[index - 1 : index].isalpha()


def _is_wide(char: str) -> bool:
    """A character of Chinese, Japanese or Korean: a syllable or more, and no space need stand before it."""
    return "\u3040" <= char <= "\u30ff" or "\u3400" <= char <= "\u9fff" or "\uac00" <= char <= "\ud7af"


class _Level(IntEnum):
    """How good a place is to end a piece."""

    NONE = 0
    ANYWHERE = 1
    WORD = 2
    CLAUSE = 3
    SENTENCE = 4


@dataclass(slots=True)
class _Scan:
    """What has been seen of the piece that is being collected. Indices count from its beginning."""

    size: int = 0  # characters to be spoken from the first letter on; a wide one counts for three
    voiced: bool = False  # there is a letter or digit
    end: int = 0  # behind the last visible character
    gap: bool = False  # whitespace follows it
    newline: bool = False
    word_at: int = 0
    first_word: bool = True  # of its line
    stop: _Level = _Level.NONE  # the punctuation that the text ends with, closing quotes aside
    stop_at: int = 0
    stop_is_dot: bool = False  # it is a single full stop, maybe an abbreviation's
    stop_is_gapless: bool = False
    anywhere: int = 0  # the last places to end a piece, by level; 0: none
    word: int = 0
    clause: int = 0

    def see(self, char: str, index: int) -> None:
        """Take a visible character in."""
        if self.gap:
            self.size += self.voiced
            self.first_word = self.newline or not self.voiced
            self.word_at = index
            self.gap = self.newline = False
            self.stop = _Level.NONE
        self._see_stop(char, index)
        self.end = index + 1
        self.voiced = self.voiced or char.isalnum()
        if self.voiced and not _is_unspoken(char):
            self.size += 3 if _is_wide(char) else 1

    def _see_stop(self, char: str, index: int) -> None:
        if char in _STOPS:
            self.stop_is_dot = char == "." and not self.stop
            self.stop_is_gapless = char in _GAPLESS
            self.stop_at = self.stop_at if self.stop else index
            self.stop = max(self.stop, _Level.SENTENCE if char in _SENTENCE_STOPS else _Level.CLAUSE)
        elif char not in _CLOSERS:
            self.stop = _Level.NONE

    def note(self, level: _Level, least: int) -> None:
        """Remember where a long piece may be divided."""
        if self.size < least:
            return
        if level is _Level.ANYWHERE:
            self.anywhere = self.end
        elif level is _Level.WORD:
            self.word = self.end
        elif level >= _Level.CLAUSE:
            self.clause = self.end


class SentenceSplitter:
    """Cuts one reply into pieces as it comes; a new reply takes a new one."""

    def __init__(self) -> None:
        self._start = 0  # of the piece that is being collected, in the reply
        self._chars: list[str] = []
        self._scan = _Scan()

    def push(self, delta: str) -> list[Piece]:
        """The pieces that are complete now that this follows."""
        return [piece for char in delta for piece in self._take(char)]

    def finish(self) -> list[Piece]:
        """What is left: at most one piece, the only one that may have nothing to speak."""
        return [self._end_piece(len(self._chars))] if self._chars else []

    def _take(self, char: str) -> list[Piece]:
        cut = 0
        if _is_blank(char):
            self._scan.gap = True
            self._scan.newline = self._scan.newline or char in _NEWLINES
        elif char in _CLOSERS or not _is_unspoken(char):
            cut = self._cut_before(char)
            if not cut:
                self._scan.see(char, len(self._chars))
        self._chars.append(char)
        if not cut:
            return []
        rest = self._chars[cut:]
        return [self._end_piece(cut), *(piece for left in rest for piece in self._take(left))]

    def _cut_before(self, char: str) -> int:
        """Where to end the piece now that this visible character follows; 0 to go on."""
        scan = self._scan
        if not scan.voiced:
            return 0
        first = self._start == 0
        level = self._level_before(char)
        if level is _Level.SENTENCE and scan.size >= (FIRST_SENTENCE_CHARS if first else SENTENCE_CHARS):
            return scan.end
        if level >= _Level.CLAUSE and first and scan.size >= FIRST_CLAUSE_CHARS:
            return scan.end
        limit = FIRST_LIMIT_CHARS if first else LIMIT_CHARS
        scan.note(level, limit // 3)
        if scan.size < limit:
            return 0
        return scan.clause or scan.word or scan.anywhere or scan.end

    def _level_before(self, char: str) -> _Level:
        """How good it would be to end the piece behind the last visible character."""
        scan = self._scan
        if not scan.gap:
            return self._level_inside(char)
        if scan.newline:
            return _Level.SENTENCE
        if not scan.stop:
            return _Level.NONE if char in _STOPS else _Level.WORD
        if scan.stop is _Level.CLAUSE:
            return _Level.CLAUSE
        if scan.stop_is_dot and self._is_abbreviation(char):
            return _Level.NONE
        return _Level.CLAUSE if char.islower() else _Level.SENTENCE

    def _level_inside(self, char: str) -> _Level:
        """The same where no whitespace stands between: as inside a word, or in Chinese."""
        if char in _STOPS or char in _CLOSERS or unicodedata.category(char).startswith("M"):
            return _Level.NONE
        scan = self._scan
        if scan.stop and (scan.stop_is_gapless or _is_wide(char)) and not char.isdigit():
            return scan.stop
        return _Level.ANYWHERE

    def _is_abbreviation(self, char: str) -> bool:
        """Whether the single full stop before this character ends no sentence."""
        scan = self._scan
        word = "".join(self._chars[max(scan.word_at, scan.stop_at - 12) : scan.stop_at]).lstrip("\"'“‘«([{*_")
        if word.isdigit():
            return scan.first_word  # the number of a list's item
        if len(word) == 1:
            return word.isupper() and word != "I"  # an initial
        folded = word.lower()
        if folded in _BEFORE_NUMBERS:
            return char.isdigit()
        return folded in _ABBREVIATIONS or _DOTTED.fullmatch(word) is not None

    def _end_piece(self, length: int) -> Piece:
        start, self._start = self._start, self._start + length
        piece = Piece(speakable("".join(self._chars[:length])), start, self._start)
        self._chars = []
        self._scan = _Scan()
        return piece
