"""Text deltas of a reply → pieces worth speaking, the first as early as it sounds right.

Pure. The text is read character by character and every decision depends on the characters so far alone, so
however a text is cut into deltas, the pieces are the same ones. A place is judged when the next visible
character is there: "3." may go on as "3.14", "U." as "U.S.". Work is linear in the length of the text.

The first piece ends at the first clause or sentence that is long enough to speak, or before a word where a
speaker may rest; later ones are whole sentences, tiny ones joined, very long ones divided at a clause, else
at a word, else anywhere. A block of code is never divided.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass, field
from enum import IntEnum
from typing import NamedTuple

from voxterm.normalization import speakable, spoken_form
from voxterm.normalization.characters import NEWLINES, is_blank, is_unspoken, is_wide
from voxterm.normalization.fences import FenceWatch
from voxterm.phrases import Rests, rests_for

__all__ = ["Cut", "Cutter", "Piece", "SentenceSplitter", "speakable", "spoken_form"]

FIRST_SENTENCE_CHARS = 4  # "Yes."
FIRST_CLAUSE_CHARS = 8  # "Of course,"; anything shorter sounds chopped off
FIRST_PHRASE_CHARS = 16  # about a second of speech, before "and" or "which"
FIRST_PHRASE_BEFORE_PREPOSITION_CHARS = 24
SENTENCE_CHARS = 20  # shorter sentences are spoken together with the next
LIMITS_CHARS = (100, 160, 300)  # of the first piece, the second, and all that follow: 20 s of speech
LIMIT_CHARS = LIMITS_CHARS[-1]
DIGIT_CHARS = 4  # a digit is a word
WIDE_CHARS = 3  # a syllable or more

_SENTENCE_STOPS = frozenset(".!?…。！？｡।॥؟۔")
_CLAUSE_STOPS = frozenset(",;:–—，、；：،؛")
_STOPS = _SENTENCE_STOPS | _CLAUSE_STOPS
_GAPLESS = frozenset("。！？｡।॥؟۔，、；：—")  # no space need follow them
_CLOSERS = frozenset("\"'”’»›)]}*_`~」』）】》〉〕")

_TITLES_AND_SHORTS = """
    mr mrs ms mx dr prof st sr jr mt ft vs etc eg ie cf ca al approx dept est inc ltd corp co bros gen col lt
    sgt capt cmdr adm rev hon gov sen rep pres ave blvd rd ph.d mme mlle hr fr bzw usw z.b d.h sra srta ud uds
    evtl ggf inkl bspw vgl str mio mrd std av j.-c env ee aprox ej sig sig.ra dott dott.ssa ing avv
    ecc prof.ssa chr
"""
_SHORT_BEFORE_NUMBERS = """
    no nos nr fig figs vol p pp ch sec art eq jan feb mar apr jun jul aug sep sept oct nov dec
    abb kap bd chap núm pág págs pag cap
"""
_ABBREVIATIONS = frozenset(_TITLES_AND_SHORTS.split())
_BEFORE_NUMBERS = frozenset(_SHORT_BEFORE_NUMBERS.split())
_DOTTED = re.compile(r"(?:[^\W\d_]\.)+[^\W\d_]")  # U.S, e.g, a.m


_QUOTES = {"“": "”", "«": "»", "„": "“", "(": ")", "[": "]"}


class Cut(NamedTuple):
    """What is written in the reply's `[start:end]`. Cuts are adjacent and cover the reply in order."""

    written: str
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Piece:
    """`text` is what is to be spoken of the reply's `[start:end]`.

    Pieces are adjacent and cover the reply in order. `text` is "" only in the last one of a reply, where
    nothing is left that could be spoken (a closing emoji): it needs no synthesizer, skip it.
    """

    text: str
    start: int
    end: int
    came_from: tuple[int, ...] = field(default=(), compare=False, repr=False)
    """For each character of `text` the reply's index it came from; () where that is not known."""

    @classmethod
    def of(cls, cut: Cut, language: str) -> Piece:
        """As a voice of a BCP 47 language should speak it."""
        text, came_from = spoken_form(cut.written, language)
        return cls(text, cut.start, cut.end, tuple(cut.start + index for index in came_from))


class _Level(IntEnum):
    """How good a place is to end a piece."""

    NONE = 0
    ANYWHERE = 1
    WORD = 2
    CLAUSE = 3
    SENTENCE = 4


class _Rest(NamedTuple):
    """The text before a gap: its size, where its last word begins, and its end."""

    size: int
    word_at: int
    end: int


@dataclass(slots=True)
class _Scan:
    """What has been seen of the piece that is being collected. Indices count from its beginning."""

    size: int = 0  # characters to be spoken from the first letter on; DIGIT_CHARS, WIDE_CHARS
    voiced: bool = False  # there is a letter or digit
    end: int = 0  # behind the last visible character
    gap: bool = False  # whitespace follows it
    newline: bool = False
    word_at: int = 0
    before_word: _Rest | None = None  # what is left of it, cut before the last word
    in_code: bool = False  # inside `…`
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
            self.before_word = None if self.stop else _Rest(self.size, self.word_at, self.end)
            self.size += self.voiced
            self.first_word = self.newline or not self.voiced
            self.word_at = index
            self.gap = self.newline = False
            self.stop = _Level.NONE
        self._see_stop(char, index)
        self.in_code ^= char == "`"
        self.end = index + 1
        self.voiced = self.voiced or char.isalnum()
        if self.voiced and not is_unspoken(char):
            self.size += DIGIT_CHARS if char.isdigit() else WIDE_CHARS if is_wide(char) else 1

    def see_block(self, end: int) -> None:
        """Take in a block of code, for which a word or two are said."""
        self.voiced = self.gap = self.newline = True
        self.size += SENTENCE_CHARS
        self.end = end
        self.stop = _Level.NONE

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


class Cutter:
    """Finds where one reply is divided, as it comes; a new reply takes a new one.

    Of each Cut but the last something can be spoken.
    """

    def __init__(self, language: str = "en") -> None:
        """`language`: in which the reply is expected; it decides where the first piece may rest."""
        self._rests = rests_for(language)
        self._start = 0  # of the piece that is being collected, in the reply
        self._cuts = 0
        self._chars: list[str] = []
        self._scan = _Scan()
        self._fence = FenceWatch()

    def push(self, delta: str) -> list[Cut]:
        """The pieces that are complete now that this follows."""
        return [cut for char in delta for cut in self._take(char)]

    def finish(self) -> list[Cut]:
        """What is left: at most one piece, the only one that may have nothing to speak."""
        return [self._end_piece(len(self._chars))] if self._chars else []

    def _take(self, char: str) -> list[Cut]:
        was_inside = self._fence.inside
        cut = 0
        if not was_inside:
            cut = self._see(char)
        self._chars.append(char)
        if not cut:
            self._watch_fence(char, was_inside)
            return []
        rest = self._chars[cut:]
        return [self._end_piece(cut), *(piece for left in rest for piece in self._take(left))]

    def _see(self, char: str) -> int:
        """Take in a character outside blocks of code; where to end the piece before it, 0 to go on."""
        if is_blank(char):
            cut = self._cut_before_word()
            self._scan.gap = True
            self._scan.newline = self._scan.newline or char in NEWLINES
            return cut
        if char not in _CLOSERS and is_unspoken(char):
            return 0
        cut = self._cut_before(char)
        if not cut:
            self._scan.see(char, len(self._chars))
        return cut

    def _watch_fence(self, char: str, was_inside: bool) -> None:
        if self._fence.see(char):
            self._scan.see_block(len(self._chars) - was_inside)
            self._scan.in_code = False

    def _cut_before(self, char: str) -> int:
        """Where to end the piece now that this visible character follows; 0 to go on."""
        scan = self._scan
        if not scan.voiced:
            return 0
        first = self._cuts == 0
        level = self._level_before(char)
        if level is _Level.SENTENCE and scan.size >= self._least_of_sentence():
            return scan.end
        if level >= _Level.CLAUSE and first and scan.size >= FIRST_CLAUSE_CHARS:
            return scan.end
        limit = LIMITS_CHARS[min(self._cuts, len(LIMITS_CHARS) - 1)]
        scan.note(level, limit // 3)
        if scan.size < limit:
            return 0
        return scan.clause or scan.word or scan.anywhere or scan.end

    def _least_of_sentence(self) -> int:
        """How long a sentence, or a line, must be to be a piece of its own."""
        if self._cuts:
            return SENTENCE_CHARS
        return FIRST_SENTENCE_CHARS if self._scan.stop is _Level.SENTENCE else FIRST_CLAUSE_CHARS

    def _cut_before_word(self) -> int:
        """Where to end the first piece now that a word is complete; 0 to go on."""
        scan = self._scan
        rest = scan.before_word
        if self._cuts or self._rests is None or rest is None or scan.gap or scan.stop:
            return 0
        word = "".join(self._chars[scan.word_at : scan.end])
        least = _least_before(word, self._rests)
        if not least or rest.size < least or scan.in_code:
            return 0
        head = "".join(self._chars[: rest.end])
        return rest.end if _may_rest_between(head, rest.word_at, word, self._rests) else 0

    def _level_before(self, char: str) -> _Level:
        """How good it would be to end the piece behind the last visible character."""
        scan = self._scan
        if scan.in_code or not scan.gap:
            return _Level.ANYWHERE if scan.in_code else self._level_inside(char)
        if scan.newline:
            return _Level.SENTENCE
        if not scan.stop:
            return _Level.NONE if char in _STOPS else _Level.WORD
        if scan.stop is _Level.CLAUSE:
            return _Level.WORD if char.isdigit() else _Level.CLAUSE  # "March 5, 2024"
        if scan.stop_is_dot and self._is_abbreviation(char):
            return _Level.NONE
        return _Level.CLAUSE if char.islower() else _Level.SENTENCE

    def _level_inside(self, char: str) -> _Level:
        """The same where no whitespace stands between: as inside a word, or in Chinese."""
        if char in _STOPS or char in _CLOSERS or unicodedata.category(char).startswith("M"):
            return _Level.NONE
        scan = self._scan
        if scan.stop and (scan.stop_is_gapless or is_wide(char)) and not char.isdigit():
            return scan.stop
        return _Level.ANYWHERE

    def _is_abbreviation(self, char: str) -> bool:
        """Whether the single full stop before this character ends no sentence."""
        scan = self._scan
        word = "".join(self._chars[max(scan.word_at, scan.stop_at - 12) : scan.stop_at]).lstrip("\"'“‘«([{*_")
        if word.isdigit():
            return scan.first_word  # the number of a list's item
        if len(word) == 1:
            return word.isalpha() and word != "I"  # an initial, or "z. B."
        folded = word.lower()
        if folded in _BEFORE_NUMBERS:
            return char.isdigit()
        return folded in _ABBREVIATIONS or _DOTTED.fullmatch(word) is not None

    def _end_piece(self, length: int) -> Cut:
        start, self._start = self._start, self._start + length
        cut = Cut("".join(self._chars[:length]), start, self._start)
        self._cuts += 1
        self._chars = []
        self._scan = _Scan()
        self._fence = FenceWatch()
        return cut


class SentenceSplitter:
    """A reply's pieces for a voice of one language, as the reply comes; a new reply takes a new one."""

    def __init__(self, language: str = "en") -> None:
        self._cutter = Cutter(language)
        self._language = language

    def push(self, delta: str) -> list[Piece]:
        """The pieces that are complete now that this follows."""
        return [Piece.of(cut, self._language) for cut in self._cutter.push(delta)]

    def finish(self) -> list[Piece]:
        """What is left: at most one piece, the only one that may have nothing to speak."""
        return [Piece.of(cut, self._language) for cut in self._cutter.finish()]


def _least_before(word: str, rests: Rests) -> int:
    """How long a piece must be to end before this word; 0: it goes with what stands before it."""
    if word in rests.conjunctions:
        return FIRST_PHRASE_CHARS
    return FIRST_PHRASE_BEFORE_PREPOSITION_CHARS if word in rests.prepositions else 0


def _may_rest_between(head: str, word_at: int, following: str, rests: Rests) -> bool:
    """Whether a reply may rest behind its first words, of which the last is at `word_at`."""
    word = head[word_at:].rstrip("*_")
    if not all(char.isalpha() or unicodedata.category(char)[0] == "M" for char in word):
        return False
    joins = following in rests.joining
    is_name = rests.names_are_capital and word[:1].isupper()
    if word.lower() in rests.clinging or (is_name and (joins or following in rests.prepositions)):
        return False
    if joins and rests.pairing & set(head.lower().split()):
        return False
    is_open = any(head.count(opener) > head.count(closer) for opener, closer in _QUOTES.items())
    return not is_open and head.count('"') % 2 == 0 and head.count("**") % 2 == 0
