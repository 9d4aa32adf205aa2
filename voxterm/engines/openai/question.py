"""What is asked of a server: the dialogue, and how to answer it, as far as this server takes it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from voxterm.engines.declared.openai import OpenAiSettings
from voxterm.engines.openai.errors import ServerError
from voxterm.engines.protocols import Message


class Question:
    """The arguments of a chat completion. What a server does not take is learnt from its refusals."""

    def __init__(self, settings: OpenAiSettings) -> None:
        self._settings = settings
        self._most_chars: int | None = None  # of a dialogue; None: no server has said that one was too long
        self._not_taken: set[str] = set()

    def dialogue(self, history: Sequence[Message]) -> list[Message]:
        """What of the history is sent."""
        return list(history) if self._most_chars is None else trimmed(history, self._most_chars)

    def arguments(self, history: Sequence[Message], model: str, most_tokens: int) -> dict[str, Any]:
        messages = [{"role": message.role, "content": message.text} for message in self.dialogue(history)]
        asked: dict[str, Any] = {"model": model, "messages": messages, "stream": True}
        options = {
            "max_tokens": most_tokens,
            "temperature": self._settings.temperature,
            "top_p": self._settings.top_p,
        }
        if "max_tokens" in self._not_taken:  # newer hosted models know it by this name alone
            asked["max_completion_tokens"] = most_tokens
        taken = {name: value for name, value in options.items() if name not in self._not_taken}
        return asked | {name: value for name, value in taken.items() if value is not None}

    def learn(self, failure: ServerError, history: Sequence[Message]) -> bool:
        """Whether asking again, with what this failure says, is another question than before."""
        if failure.kind == "argument":
            is_new = failure.argument not in self._not_taken
            self._not_taken.add(failure.argument)
            return is_new
        if failure.kind == "too long":
            before = self.dialogue(history)
            self._most_chars = _chars(before) // 2
            return len(self.dialogue(history)) < len(before)
        return False


def trimmed(history: Sequence[Message], most_chars: int) -> list[Message]:
    """The history without its oldest turns, so that it fits: a system message and the last turn stay."""
    first = 1 if history and history[0].role == "system" else 0
    opening, rest = list(history[:first]), list(history[first:])
    begins = [at for at, message in enumerate(rest) if message.role == "user"]
    for at in begins:
        if _chars(opening) + _chars(rest[at:]) <= most_chars:
            return opening + rest[at:]
    return opening + (rest[begins[-1] :] if begins else rest)


def _chars(messages: Sequence[Message]) -> int:
    return sum(len(message.text) for message in messages)
