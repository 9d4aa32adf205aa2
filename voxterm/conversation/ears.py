"""The person's samples on their way to the engine that understands: in order, on its thread, none lost.

An engine that fails while it listens does not lose the turn: its audio is kept until the turn is answered,
and given to it once more, from the beginning, when the answer is asked for.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np

from voxterm.conversation.bridge import EngineThread, Stream
from voxterm.engines.protocols import Delta, Message, Samples, SpeechLanguageModel, Transcript, Understood
from voxterm.errors import EngineError
from voxterm.history import append_turn


@dataclass(slots=True)
class HeardTurn:
    """The audio of one turn on its way. `given`, `failed` and `transcript` are the engine's thread's."""

    heard: list[Samples] = field(default_factory=list)
    waiting: deque[Samples] = field(default_factory=deque)  # not yet with the engine; bounded by max_turn_s
    given: list[Samples] = field(default_factory=list)
    failed: bool = False
    transcript: str = ""  # once it was understood
    heard_reply: str = ""  # of a reply that was cut off before that

    def audio(self) -> Samples:
        """All that was heard in this turn. (N,) at 16 kHz"""
        return _joined(self.heard)


class Ears:
    """Feeds one turn after the other to a SpeechLanguageModel and asks it for answers."""

    def __init__(
        self,
        engine: SpeechLanguageModel,
        thread: EngineThread,
        on_partial: Callable[[str], None],
        told: Callable[[], str] = lambda: "",
    ) -> None:
        """`told`: what the engine is told before the dialogue, when it is asked; "" for nothing."""
        self._engine = engine
        self._thread = thread
        self._on_partial = on_partial
        self._told = told
        self._turn = HeardTurn()

    @property
    def turn(self) -> HeardTurn:
        """The newest turn."""
        return self._turn

    def begin(self) -> None:
        """A new turn. What is still on its way belongs to the old one and is told no more."""
        turn = self._turn = HeardTurn()
        self._thread.post(lambda: self._guarded(turn, self._engine.begin))

    def hear(self, samples: Samples) -> None:
        """The next samples of the turn. Never waits: an engine that is busy gets them in one go later."""
        turn = self._turn
        turn.heard.append(samples)
        turn.waiting.append(samples)
        if len(turn.waiting) == 1:
            self._thread.post(
                lambda: self._guarded(turn, lambda: self._drain(turn)),
                then=lambda text: self._drained(turn, text),
            )

    def answer(self, history: Sequence[Message], unanswered: Sequence[HeardTurn]) -> Stream[Understood]:
        """Have the turn so far understood and answered.

        `unanswered`: turns that were cut off before they were understood. They are by the time this one is
        asked for, since the engine does one thing after the other, and belong at the end of the history.
        """
        turn, system = self._turn, self._system()
        return self._thread.stream(
            lambda: self._answered(turn, [*system, *with_unanswered(history, unanswered)])
        )

    def answer_text(
        self, history: Sequence[Message], unanswered: Sequence[HeardTurn], text: str
    ) -> Stream[Understood]:
        """Have a typed line answered."""
        system = self._system()
        return self._thread.stream(
            lambda: iter(self._engine.answer_text([*system, *with_unanswered(history, unanswered)], text))
        )

    def said_again(self, text: str) -> Stream[Understood]:
        """The text as if it were an answer."""
        return self._thread.stream(lambda: iter([Delta(text)]))

    def _system(self) -> list[Message]:
        told = self._told()
        return [Message("system", told)] if told else []

    def _drained(self, turn: HeardTurn, text: str | None) -> None:
        if text is not None and turn is self._turn:
            self._on_partial(text)

    def _drain(self, turn: HeardTurn) -> str | None:
        """On the engine's thread."""
        samples = []
        while turn.waiting:
            samples.append(turn.waiting.popleft())
        turn.given += samples
        return self._engine.hear(_joined(samples)) if samples else None

    def _guarded(self, turn: HeardTurn, work: Callable[[], str | None]) -> str | None:
        """On the engine's thread: a failure is kept for `_answered`, which mends it or tells it."""
        try:
            return work()
        except Exception:
            turn.failed = True
            return None

    def _answered(self, turn: HeardTurn, history: Sequence[Message]) -> Iterator[Understood]:
        for item in self._tried_twice(turn, history):
            if isinstance(item, Transcript):
                turn.transcript = item.text
            yield item

    def _tried_twice(self, turn: HeardTurn, history: Sequence[Message]) -> Iterator[Understood]:
        """On the engine's thread: one more try, with all it was given, if it failed before any answer."""
        if not turn.failed:
            answer = self._engine.answer(history)
            try:
                first = next(answer, None)
            except EngineError:
                turn.failed = True
            else:
                if first is not None:
                    yield first
                    yield from answer
                return
        self._engine.begin()
        self._engine.hear(_joined(turn.given))
        turn.failed = False
        yield from self._engine.answer(history)


def with_unanswered(history: Sequence[Message], unanswered: Sequence[HeardTurn]) -> list[Message]:
    """The history and, as the history will have them, the turns that were cut off too early to be in it."""
    messages = list(history)
    for turn in unanswered:
        append_turn(messages, turn.transcript, turn.heard_reply, interrupted=True)
    return messages


def _joined(samples: Sequence[Samples]) -> Samples:
    return np.concatenate(samples) if samples else np.zeros(0, np.float32)
