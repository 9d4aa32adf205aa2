"""Words compared: what was heard beside what was said, and how often a text that grows was changed. Pure."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from itertools import pairwise

_WORD = re.compile(r"[^\W_]+(?:['’][^\W_]+)*")


def words_of(text: str) -> list[str]:
    """Its words without case and marks."""
    return [word.replace("’", "'") for word in _WORD.findall(text.casefold())]


def word_errors(said: str, heard: str) -> int:
    """How many words have to be put in, left out or replaced to make what was said of what was heard."""
    wanted, row = words_of(said), list(range(len(words_of(said)) + 1))
    for number, word in enumerate(words_of(heard), 1):
        above, row = row, [number]
        for column, other in enumerate(wanted, 1):
            row.append(min(above[column] + 1, row[-1] + 1, above[column - 1] + (word != other)))
    return row[-1]


@dataclass(frozen=True, slots=True)
class Steadiness:
    """Of the texts that were shown while a person spoke. A word that is shown anew counts once more."""

    shown: int
    changed: int  # shown, and then not there any more, or another


def steadiness(partials: Sequence[str], transcript: str) -> Steadiness:
    """How many words of the partial texts did not stay, to the last one and the transcript."""
    texts = [[], *map(words_of, partials), words_of(transcript)]
    kept = [_kept(before, after) for before, after in pairwise(texts)]
    return Steadiness(
        shown=sum(len(after) - same for after, same in zip(texts[1:-1], kept, strict=False)),
        changed=sum(len(before) - same for before, same in zip(texts, kept, strict=False)),
    )


def _kept(before: Sequence[str], after: Sequence[str]) -> int:
    """How many words stayed, in their order."""
    blocks = SequenceMatcher(None, before, after, autojunk=False).get_matching_blocks()
    return sum(block.size for block in blocks)
