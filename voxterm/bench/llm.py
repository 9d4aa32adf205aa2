"""How soon a language model answers in a dialogue that grows turn by turn, how fast, and how soon it stops.

What comes before the first word of a turn is mostly the reading of the history: with a KV cache that is kept
only what is new is read, and a late turn begins as soon as an early one. How long the whole history takes to
read is measured at the end, after another dialogue.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

from voxterm.bench.models import Subject, loaded, memory_held, pace
from voxterm.bench.report import Figure
from voxterm.engines.protocols import Delta, LanguageModel, Message, Notice, Replied
from voxterm.errors import EngineError
from voxterm.personality import check_persona, personalities

ROLES = ("language model", "speech language model")

LINES = (
    "Good evening. I have been thinking of learning to bake bread, and I do not know where to begin.",
    "I have flour and salt at home, but no yeast. What could I do with that?",
    "How long does it take until it is ready for the oven?",
    "My kitchen is rather cold in winter. Does that matter?",
    "And if it does not rise at all, what did I do wrong?",
    "My sister says that one should knead it for a long time. Is she right?",
    "What is the best way to see whether it is done?",
    "I would like a dark crust, as from a real bakery.",
    "How would I keep it fresh for a few days?",
    "Thank you. What should I try after the first loaf has worked?",
)
REPLY = (
    "That is a good plan. Begin with something small and see how it feels. If it does not work at once, try"
    " it again the next day with a little less water."
)
"""Stands in the history where random weights said nothing that could."""

ELSEWHERE = "Tell me of the sea, of the ships on it, and of those who wait for them."
"""Another dialogue, so that what a KV cache holds is of no use for the one that is measured."""

LONGEST_RANDOM_REPLY = 48
"""Deltas: random weights never come to an end."""

AT_ONCE_S = 0.001

REPEATS = 3
"""How often a reply is broken off, and the whole history read anew; no more than there are turns."""

NONSENSE_NOTE = (
    f"random weights never end: each reply is broken off after {LONGEST_RANDOM_REPLY} pieces, and a fixed "
    "one stands in the history"
)


@dataclass(frozen=True, slots=True)
class Answer:
    """One reply. Times in seconds since it was asked for."""

    history_characters: int
    first_s: float
    last_s: float
    text: str
    first_piece: str

    @property
    def characters_per_s(self) -> float | None:
        """From the first piece to the last; None where they came all at once."""
        took_s = self.last_s - self.first_s
        return (len(self.text) - len(self.first_piece)) / took_s if took_s > AT_ONCE_S else None

    def document(self) -> dict[str, object]:
        return {
            "history_characters": self.history_characters,
            "first_delta_ms": round(1000 * self.first_s, 3),
            "last_delta_ms": round(1000 * self.last_s, 3),
            "characters": len(self.text),
        }


@dataclass(slots=True)
class Dialogue:
    """What was measured."""

    answers: list[Answer] = field(default_factory=list)
    anew_s: list[float] = field(default_factory=list)  # to the first word, with the whole history to be read
    closing_s: list[float] = field(default_factory=list)
    tokens_per_s: list[float] = field(default_factory=list)
    memory: dict[str, Figure] = field(default_factory=dict)
    told: dict[str, None] = field(default_factory=dict)  # what the engine wanted a person to know


def measure(given: Subject, name: str, turns: int, text: str) -> Dialogue:
    """Talk with the engine of this name. `text`: what is said in every turn; "": `LINES`, over and over.

    Raises:
        ConfigError: there is no such persona.
        EngineError: it failed, or never said a word.
    """
    found = Dialogue()
    is_random = given.is_random(name)
    longest = LONGEST_RANDOM_REPLY if is_random else None
    dialogue = given.settings.dialogue
    check_persona(dialogue)
    prompt = personalities(dialogue)[dialogue.persona].prompt
    history = [Message("system", prompt)] if prompt else []
    with loaded(given, [name]) as engines:
        engine = engines[name]
        for turn in range(turns):
            given.tell(f"turn {turn + 1} of {turns}")
            history.append(Message("user", text or LINES[turn % len(LINES)]))
            answer = ask(engine, history, found, longest, is_random=is_random)
            found.tokens_per_s += pace(engine)
            found.answers.append(answer)
            history.append(Message("assistant", REPLY if is_random else answer.text))
        given.tell("breaking off, and beginning anew")
        for _ in range(min(REPEATS, turns)):
            found.closing_s.append(break_off(engine, history[:-1]))
            break_off(engine, [Message("user", ELSEWHERE)])
            found.anew_s.append(ask(engine, history[:-1], found, 1, is_random=is_random).first_s)
        found.memory = memory_held(engine)
    return found


def figures(found: Dialogue) -> dict[str, Figure]:
    """The figures of a dialogue. The early turns are the first third, the late ones the last."""
    firsts = [answer.first_s for answer in found.answers]
    third = max(1, len(firsts) // 3)
    rates = [] if found.tokens_per_s else [answer.characters_per_s for answer in found.answers]

    def ms(values: Sequence[float]) -> Figure:
        return Figure([1000 * value for value in values], "ms")

    return {
        "first_delta_ms": ms(firsts),
        "first_delta_early_ms": ms(firsts[:third]),
        "first_delta_late_ms": ms(firsts[-third:]),
        "first_delta_anew_ms": ms(found.anew_s),
        "reply_ms": ms([answer.last_s for answer in found.answers]),
        "tokens_per_s": Figure(found.tokens_per_s, "tokens/s"),
        "characters_per_s": Figure([rate for rate in rates if rate is not None], "characters/s"),
        "closing_ms": ms(found.closing_s),
        "history_characters": Figure([float(a.history_characters) for a in found.answers], "characters"),
        **found.memory,
    }


def notes(given: Subject, name: str, found: Dialogue) -> list[str]:
    """What a reader of the figures has to know."""
    nonsense = [NONSENSE_NOTE] if given.is_random(name) else []
    anew = "anew: the first word when the whole history has to be read, after another dialogue"
    return [*given.notes([name]), *nonsense, anew, *found.told]


def ask(
    engine: Any, history: Sequence[Message], found: Dialogue, longest: int | None, *, is_random: bool = False
) -> Answer:
    """Have the last message answered, in no more than so many pieces. Random weights may say no word at all:
    their end is then their first.

    Raises:
        EngineError: it failed, or said nothing.
    """
    asked_s = time.monotonic()
    times: list[float] = []
    pieces: list[str] = []
    with closing(_reply(engine, history)) as reply:
        for piece in islice(_pieces(reply, found), longest):
            times.append(time.monotonic() - asked_s)
            pieces.append(piece)
    if is_random and not pieces:
        times, pieces = [time.monotonic() - asked_s], [""]
    if not pieces:
        raise EngineError(f"{engine.name} said nothing to “{history[-1].text[:60]}”", "give another --text")
    characters = sum(len(message.text) for message in history)
    return Answer(characters, times[0], times[-1], "".join(pieces), pieces[0])


def break_off(engine: Any, history: Sequence[Message]) -> float:
    """Close a reply after its first word; the seconds until it was closed."""
    reply = _reply(engine, history)
    next(_pieces(reply, Dialogue()), None)
    asked_s = time.monotonic()
    reply.close()
    return time.monotonic() - asked_s


def _reply(engine: Any, history: Sequence[Message]) -> Any:
    """The generator of what a LanguageModel, or a SpeechLanguageModel that is typed to, replies."""
    if isinstance(engine, LanguageModel):
        return engine.reply(history)
    return engine.answer_text(history[:-1], history[-1].text)


def _pieces(reply: Iterator[Replied], found: Dialogue) -> Iterator[str]:
    """The words; one that has none yet only says that it is still there."""
    for item in reply:
        if isinstance(item, Notice):
            found.told[f"{item.what}; {item.remedy}" if item.remedy else item.what] = None
        elif isinstance(item, Delta) and item.text:
            yield item.text
