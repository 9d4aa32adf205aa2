"""A dialogue as the token ids of a prompt, by the chat template that lies with the checkpoint.

Prompts of one dialogue begin the same for as long as they can, so that what the KV cache holds of one serves
the next: the system text stands at the beginning whatever the template does with it, and where the context is
full the oldest turns go several at a time.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from datetime import date
from functools import lru_cache
from typing import Any, TypeAlias

from voxterm.engines.protocols import Message
from voxterm.engines.thinking import ALL_MARKS
from voxterm.engines.trimming import Turn, beginnings, turns_of
from voxterm.errors import CheckpointError, EngineError

LENGTHS = 1024
"""Texts whose tokens need not be counted again in the next turn."""

NO_THINKING = {"enable_thinking": False, "thinking": False}
"""What templates of models that think only when told to (Qwen3, SmolLM3, Granite) go by; others ignore it."""

MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
"""As templates have them; `strftime` would write them in the language of the machine."""

CHAT_REMEDY = "name a chat model, like Qwen/Qwen3-4B-Instruct-2507: its name often holds Instruct or Chat"

_Said: TypeAlias = dict[str, str]  # {"role": …, "content": …}


class ChatPrompts:
    """Encodes prompts for one checkpoint."""

    def __init__(self, tokenizer: Any, name: str, today: Callable[[], date]) -> None:
        """`tokenizer` is one of Transformers, `name` the checkpoint's, `today` what its templates tell.

        Raises:
            CheckpointError: it has no chat template, or one that fails.
        """
        if not tokenizer.chat_template:
            raise CheckpointError(f"{name} has no chat template, so it is no model to talk with", CHAT_REMEDY)
        self._tokenizer = tokenizer
        self._today = today
        self._date = _written(today())
        special = {id_: str(t.content) for id_, t in tokenizer.added_tokens_decoder.items() if t.special}
        self._special = re.compile("|".join(map(re.escape, special.values())) or r"(?!)")
        self._length = lru_cache(LENGTHS)(lambda text: len(self._ids(text)))
        self.hidden_ids = frozenset(id_ for id_, text in special.items() if text not in ALL_MARKS)
        """Special tokens, which are never shown, but for the marks of thoughts: `thinking` looks for them."""
        failures: tuple[type[Exception], ...] = (*_template_errors(), ImportError)
        try:
            self._takes_system = self._places_system_first()
            self.opening = self._reply_opening()
            self.end_ids = self._end_of_turn()
        except failures as error:
            what = f"the chat template of {name} fails: {error}"
            raise CheckpointError(what, "name another chat model, or repair its chat_template") from error

    def decode(self, ids: Sequence[int]) -> str:
        """The text of a run of ids, special tokens included."""
        text: str = self._tokenizer.decode(
            list(ids), skip_special_tokens=False, clean_up_tokenization_spaces=False
        )
        return text

    def chat(self, history: Sequence[Message], room: int) -> list[int]:
        """Asks for the answer to the last message, in at most `room` ids: for that the oldest turns go.

        No ids where that message has no words, or none but the template's own marks.

        Raises:
            EngineError: the last message alone takes more.
        """
        plain = [Message(message.role, self._plain(message.text)) for message in history]
        if not plain or not plain[-1].text.strip():
            return []
        if all(message.role != "assistant" for message in plain):
            self._date = _written(self._today())  # a dialogue keeps the day on which it began
        told = [message.text for message in plain if message.role == "system" and message.text.strip()]
        turns = turns_of(plain)
        ids: list[int] = []
        for first in beginnings(turns, len(turns) - 1, self._length, room):
            ids = self._encoded(told[-1] if told else "", turns[first:])
            if len(ids) <= room:
                return ids
        what = f"what was said takes {len(ids)} tokens, and the model has room for {room}"
        raise EngineError(what, "take shorter turns, or give it a longer context")

    def _plain(self, text: str) -> str:
        """The text with nothing in it that the model would take for a mark of the template's."""
        whole = text.encode("utf-8", "replace").decode()  # half a surrogate pair has no bytes
        return self._special.sub(" ", whole)

    def _encoded(self, system: str, turns: Sequence[Turn]) -> list[int]:
        return self._ids(self._rendered(self._with_system(system, _alternating(turns)), asks=True))

    def _ids(self, text: str) -> list[int]:
        ids: list[int] = self._tokenizer.encode(text, add_special_tokens=False, verbose=False)
        return ids

    def _with_system(self, system: str, said: list[_Said]) -> list[_Said]:
        if system and self._takes_system:
            return [_said("system", system), *said]
        if system:
            said[0]["content"] = f"{system}\n\n{said[0]['content']}"
        return said

    def _rendered(self, said: Sequence[_Said], asks: bool = False) -> str:
        text: str = self._tokenizer.apply_chat_template(
            list(said),
            tokenize=False,
            add_generation_prompt=asks,
            date_string=self._date,  # left out, Llama 3.1's tells a day of 2024
            **NO_THINKING,
        )
        return text

    def _places_system_first(self) -> bool:
        """Whether the template takes a system message and leaves it where it is when the dialogue goes on.

        Some refuse one, some leave it out, and Mistral's put it into the latest of the person's lines.
        """
        opening = [_said("system", "Sunflower."), _said("user", "Hello.")]
        try:
            before = self._rendered(opening)
            after = self._rendered([*opening, _said("assistant", "Yes."), _said("user", "Well.")])
        except _template_errors():
            return False
        return "Sunflower." in before and after.startswith(before)

    def _reply_opening(self) -> str:
        """What the template begins the reply with."""
        hello = [_said("user", "Hello.")]
        before, asked = self._rendered(hello), self._rendered(hello, asks=True)
        return asked[len(before) :] if asked.startswith(before) else ""

    def _end_of_turn(self) -> frozenset[int]:
        """The special token that the template puts behind a reply, where it does."""
        word = "Sunflower"
        _, _, after = self._rendered([_said("user", "Hello."), _said("assistant", word)]).rpartition(word)
        mark = self._special.match(after.lstrip())
        return frozenset([self._tokenizer.convert_tokens_to_ids(mark[0])] if mark else [])


def _written(day: date) -> str:
    return f"{day.day:02} {MONTHS[day.month - 1]} {day.year}"


def _alternating(turns: Sequence[Turn]) -> list[_Said]:
    """The lines, the person's and the model's by turns as most templates demand: those of one speaker in a
    row become one."""
    lines: list[_Said] = []
    for message in (message for turn in turns for message in turn):
        if lines and lines[-1]["role"] == message.role:
            lines[-1]["content"] += f"\n{message.text}"
        else:
            lines.append(_said(message.role, message.text))
    return lines


def _said(role: str, content: str) -> _Said:
    return {"role": role, "content": content}


def _template_errors() -> tuple[type[Exception], ...]:
    """What a template may raise: on purpose, or since it expects another kind of dialogue."""
    from jinja2 import TemplateError

    return TemplateError, TypeError, ValueError, LookupError, AttributeError
