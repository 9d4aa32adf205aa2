"""Weizenbaum's ELIZA with the rules that come with NLTK: always an answer, from no model at all.

The rules are NLTK's, the matching is done here: NLTK picks by the process's global `random`, and leaves
loose punctuation that a synthesizer would stumble over.
"""

from __future__ import annotations

import random
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from voxterm.engines.declared.embedded import ElizaSettings
from voxterm.engines.protocols import Delta, LoadProgress, Message
from voxterm.errors import EngineError, EngineLoadError

MAX_HEARD_CHARS = 300
"""No more of a line is read: some rules take time that grows with its square."""

FALLBACK = "Please tell me more."


@dataclass(frozen=True, slots=True)
class _Rules:
    pairs: tuple[tuple[re.Pattern[str], Sequence[str]], ...]
    reflections: Mapping[str, str]
    person: re.Pattern[str]  # whatever `reflections` knows


class Eliza:
    """A `LanguageModel`. With a `seed` it gives the same answers to the same dialogue."""

    heeds_instructions = False

    def __init__(self, seed: int | None = None) -> None:
        self.name = "eliza"
        self._random = random.Random(seed)
        self._rules: _Rules | None = None

    def load(self, progress: LoadProgress) -> None:
        """Read the rules; importing NLTK takes half a second.

        Raises:
            EngineLoadError: NLTK is missing.
        """
        try:
            from nltk.chat.eliza import pairs  # type: ignore[import-untyped]
            from nltk.chat.util import reflections  # type: ignore[import-untyped]
        except ImportError as error:
            raise EngineLoadError(f"ELIZA needs nltk: {error}", "install nltk") from error
        compiled = tuple((re.compile(pattern, re.IGNORECASE), answers) for pattern, answers in pairs)
        longest_first = sorted(map(re.escape, reflections), key=len, reverse=True)
        self._rules = _Rules(compiled, reflections, re.compile(rf"\b({'|'.join(longest_first)})\b"))
        progress(0, 0)

    def warm_up(self) -> None:
        """Nothing is slow the first time."""

    def close(self) -> None:
        self._rules = None

    def reply(self, history: Sequence[Message]) -> Iterator[Delta]:
        """Answer the last message of the history, word by word.

        Raises:
            EngineError: it is not loaded.
        """
        if self._rules is None:
            raise EngineError("ELIZA is not loaded", "call load() first")
        answer = self._answer(self._rules, _plain(history[-1].text))
        yield from (Delta(word) for word in re.findall(r"\S+\s*", answer))

    def _answer(self, rules: _Rules, heard: str) -> str:
        for pattern, answers in rules.pairs:
            if match := pattern.match(heard):
                return _tidy(_filled(self._random.choice(answers), match, rules))
        return FALLBACK


def _plain(text: str) -> str:
    """The beginning of a line, lower case, without control characters and the full stop at its end."""
    printable = "".join(c if c.isprintable() else " " for c in text[:MAX_HEARD_CHARS])
    return " ".join(printable.lower().split()).rstrip(" .!")


def _filled(answer: str, match: re.Match[str], rules: _Rules) -> str:
    """The answer with what was said, seen from the other side, in the place of %1, %2 …"""

    def reflected(place: re.Match[str]) -> str:
        said = match.group(int(place.group(1)))
        return rules.person.sub(lambda word: rules.reflections[word.group()], said).strip(" .,;:!?…")

    return re.sub(r"%(\d)", reflected, answer)


def _tidy(answer: str) -> str:
    """One space between words, none before a mark, a capital to begin with, and something to say."""
    spaced = re.sub(r"\s+([.,;:!?])", r"\1", " ".join(answer.split()))
    if not any(c.isalnum() for c in spaced):
        return FALLBACK
    return spaced[:1].upper() + spaced[1:]


def built(section: ElizaSettings) -> Eliza:
    """As its section of the settings says."""
    return Eliza(section.seed)
