"""What a model thinks aloud, kept out of its reply. Pure: text in, text out, however it is cut into pieces.

Models write their thoughts between two marks, each family its own, or into a channel of their own (Harmony,
the format of gpt-oss). Thoughts and marks are dropped; where a mark may have begun, the text waits for more.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping

PAIRS: Mapping[str, str] = {
    "<think>": "</think>",  # Qwen3, DeepSeek-R1, SmolLM3, GLM and most others
    "<thinking>": "</thinking>",
    "<thought>": "</thought>",  # EXAONE Deep
    "<seed:think>": "</seed:think>",  # Seed-OSS
    "[THINK]": "[/THINK]",  # Magistral
    "<|channel>": "<channel|>",  # Gemma 4
    "◁think▷": "◁/think▷",  # Kimi
}
"""The marks between which models think."""

START, CHANNEL, MESSAGE = "<|start|>", "<|channel|>", "<|message|>"
ENDS = ("<|end|>", "<|return|>", "<|call|>")
HARMONY = (START, CHANNEL, MESSAGE, *ENDS)
"""<|start|>WHO<|channel|>NAME<|message|>TEXT<|end|>, where what stands before <|message|> is a header."""

SPOKEN_CHANNELS = ("", "assistant", "final")
"""Of Harmony; a message without a channel goes by who wrote it. Tools are called in "commentary"."""

ALL_MARKS = (*PAIRS, *PAIRS.values(), *HARMONY)


class ThinkingFilter:
    """The pieces of one reply, without the thoughts in it."""

    def __init__(self, prompt: str = "") -> None:
        """`prompt` is what the chat template begins the reply with: it may have opened a thought already."""
        self._waiting = ""  # what may be the beginning of a mark
        self._closer = ""  # the mark that ends the thought under way
        self._header: str | None = None  # of a Harmony message, as far as it is known
        self._channel = ""
        self._last = ""  # the last character that was given
        self._trims = False  # whether the space between a thought and the reply is still to come
        self.push(prompt)
        self._waiting = self._last = ""

    @property
    def thinking(self) -> bool:
        """Whether what comes next is not for anybody's ears. Still so at the end: the reply never came."""
        return bool(self._closer) or self._header is not None or self._channel not in SPOKEN_CHANNELS

    def push(self, text: str) -> str:
        """Take the next piece of what the model writes; what of it can be said by now."""
        self._waiting += text
        said = ""
        while mark := _first(self._waiting, self._marks()):
            before, _, self._waiting = self._waiting.partition(mark)
            said += self._said(before)
            self._pass(mark)
        kept = len(self._waiting) - _open_mark(self._waiting, self._marks())
        said += self._said(self._waiting[:kept])
        self._waiting = self._waiting[kept:]
        return said

    def finish(self) -> str:
        """The reply is over: what waited for a mark that did not come."""
        said, self._waiting = self._said(self._waiting), ""
        return said

    def _marks(self) -> Collection[str]:
        """Those that mean something where we are: inside a thought only the one that ends it."""
        if self._closer:
            return (self._closer,)
        return HARMONY if self.thinking else ALL_MARKS

    def _said(self, text: str) -> str:
        """What of a text without marks is said."""
        if self._header is not None:
            self._header += text
        if self.thinking:
            return ""
        if self._trims:
            text = text.lstrip()
        if text:
            self._trims, self._last = False, text[-1]
        return text

    def _pass(self, mark: str) -> None:
        if mark == self._closer:
            self._closer = ""
        elif mark in PAIRS:
            self._closer = PAIRS[mark]
        elif mark in (START, CHANNEL):
            self._header = ""
        elif mark == MESSAGE:
            self._channel = (self._header or "").strip().partition(" ")[0]
            self._header = None
        elif mark in ENDS:
            self._channel, self._header = "", None
        if self.thinking and (not self._last or self._last.isspace()):
            self._trims = True


def _first(text: str, marks: Collection[str]) -> str:
    """The mark that stands first in the text; empty: none does."""
    places = [(place, mark) for mark in marks if (place := text.find(mark)) >= 0]
    return min(places)[1] if places else ""


def _open_mark(text: str, marks: Collection[str]) -> int:
    """How many characters at the end of the text may be the beginning of a mark."""
    longest = min(len(text), max(map(len, marks)) - 1)
    ends = (size for size in range(longest, 0, -1) if any(mark.startswith(text[-size:]) for mark in marks))
    return next(ends, 0)
