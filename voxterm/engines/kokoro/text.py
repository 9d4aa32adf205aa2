"""What Kokoro is given to read: a text's phonemes word by word, and pieces of them that are quickly made.

Pure. Every part knows which characters of the text it speaks, so that a word's place in the sound is known.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher

FIRST_PHONEMES = 30  # about 2 s of speech, which a slow CPU makes in less than one
PIECE_PHONEMES = 100  # about 6 s: nothing can be cancelled while a piece is made
SHORTEST_PHONEMES = 10  # a piece of its own below this sounds chopped off
GROWTH = 2
"""How many times longer than the one before a piece may be, and always as long as FIRST_PHONEMES. It is made
while that one is heard, on a CPU that is not busy otherwise at less than half of real time."""

NEAR_PHONEMES = 2
"""A word that is found to begin this near to a space begins behind it."""

_TAG = re.compile(r"<(?:/?[^\W\d]|\|)[^<>]{0,60}>")
_SENTENCE_ENDS = frozenset(".!?…")
_CLAUSE_ENDS = _SENTENCE_ENDS | frozenset(",;:—")

_MARKS = ';:,.!?¡¿—…"«»“”(){}[]'
"""What the phonemes keep of a text's punctuation: phonemizer's marks, as in Kokoro's training."""

_WIDE_MARKS = {
    **dict.fromkeys("。．।॥", ". "),
    **dict.fromkeys("，、", ", "),
    **{"！": "! ", "？": "? ", "：": ": ", "；": "; ", "（": " (", "）": ") "},
    **dict.fromkeys("«《「『【", "“"),
    **dict.fromkeys("»》」』】", "”"),
}
_IN_NUMBERS = ".,:"
_ELSEWHERE = re.escape("".join((set(_MARKS) | set(_WIDE_MARKS)) - set(_IN_NUMBERS)))
_RUN = re.compile(rf"(?:\s*(?:[{_ELSEWHERE}]|(?<!\d)[{_IN_NUMBERS}]|[{_IN_NUMBERS}](?!\d))+\s*)+")
"""Marks with the spaces around them. Those between two digits belong to the number."""


@dataclass(frozen=True, slots=True)
class Part:
    """Phonemes as they follow each other, the spaces between them included."""

    phonemes: str
    start: int = 0  # `text[start:end]` is the word that they begin to speak; nothing where they begin none
    end: int = 0

    @property
    def is_spoken(self) -> bool:
        """There is more in it than marks and spaces."""
        return any(map(str.isalpha, self.phonemes))


def readable(text: str) -> str:
    """The text with spaces in place of tags like "<laugh>"; every index stays the same."""
    return _TAG.sub(lambda match: " " * len(match[0]), text)


def parts(text: str, phonemes: Callable[[str], str]) -> Iterator[Part]:
    """The text's phonemes: those of its marks as they are, all others from `phonemes`, run by run.

    `phonemes` is given words without a mark between them, and answers with words apart by spaces.
    """
    at = 0
    for match in _RUN.finditer(text):
        yield from _words(text, at, match.start(), phonemes)
        at = match.end()
        marks = "".join(_WIDE_MARKS.get(mark, mark) for mark in match[0])
        yield Part(re.sub(r"\s+", " ", marks))
    yield from _words(text, at, len(text), phonemes)


def pieces(found: Iterable[Part], before_phonemes: int = 0) -> Iterator[list[Part]]:
    """Cut parts into pieces at sentences, else clauses, else words; each has something to say.

    `before_phonemes`: how long the piece before them is; 0 before the first of all.
    """
    rest = [short for part in found for short in _divided(part)]
    while rest:
        grown = before_phonemes * GROWTH if before_phonemes else FIRST_PHONEMES
        end = _end(rest, min(max(grown, FIRST_PHONEMES), PIECE_PHONEMES))
        piece, rest = rest[:end], rest[end:]
        if any(part.is_spoken for part in piece):
            yield piece
            before_phonemes = _size(piece)


def _words(text: str, start: int, end: int, phonemes: Callable[[str], str]) -> Iterator[Part]:
    """The words of `text[start:end]`, each with what it has of the phonemes of all."""
    places = [(start + found.start(), start + found.end()) for found in re.finditer(r"\S+", text[start:end])]
    if not places:
        return
    together = phonemes(text[start:end])
    alone = [phonemes(text[first:last]) for first, last in places] if len(places) > 1 else [together]
    begins = _begins(alone, together)
    for (first, last), here, there in zip(places, begins, [*begins[1:], len(together)], strict=True):
        if here < there:
            yield Part(together[here:there], first, last)


def _begins(alone: Sequence[str], together: str) -> list[int]:
    """Where in `together` each word begins: there a number is several words, and "of the" is one.

    `alone`: each word's phonemes by itself, which differ a little from those among others.
    """
    blocks = SequenceMatcher(None, " ".join(alone), together, autojunk=False).get_matching_blocks()
    starts = [match.start() for match in re.finditer(r"\S+", together)]
    begins, at = [0], 0
    for word in alone[:-1]:
        at += len(word) + 1
        block = next(block for block in blocks if block.a + block.size > at or not block.size)
        found = max(begins[-1], block.b + max(0, at - block.a))
        near = [start for start in starts if start > begins[-1] and abs(start - found) <= NEAR_PHONEMES]
        begins.append(min(near, key=lambda start: abs(start - found)) if near else found)
    return begins


def _divided(part: Part) -> Iterator[Part]:
    """A part in lengths that fit into a piece; only the first is the word's beginning."""
    yield Part(part.phonemes[:PIECE_PHONEMES], part.start, part.end)
    for at in range(PIECE_PHONEMES, len(part.phonemes), PIECE_PHONEMES):
        yield Part(part.phonemes[at : at + PIECE_PHONEMES])


def _size(piece: Iterable[Part]) -> int:
    return sum(len(part.phonemes) for part in piece)


def _end(rest: Sequence[Part], limit: int) -> int:
    """How many of the parts are the next piece, which wants to be within the limit."""
    sizes = [0]
    for part in rest:
        sizes.append(sizes[-1] + len(part.phonemes))
    if sizes[-1] <= limit:
        return len(rest)
    fitting = [end for end in range(1, len(sizes)) if sizes[end] <= PIECE_PHONEMES]
    long = [end for end in fitting if sizes[end] >= SHORTEST_PHONEMES]
    sentences, clauses = (
        [end for end in long if ends & set(rest[end - 1].phonemes)] for ends in (_SENTENCE_ENDS, _CLAUSE_ENDS)
    )
    for ends in (sentences, clauses):
        if within := [end for end in ends if sizes[end] <= limit]:
            return within[-1]
    return clauses[0] if clauses else fitting[-1]
