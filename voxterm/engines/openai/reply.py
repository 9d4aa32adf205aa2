"""The chunks of a streamed chat completion → the words of the reply, without what the model thinks."""

from __future__ import annotations

from voxterm.engines.openai.errors import Server, ServerError
from voxterm.engines.thinking import PAIRS, ThinkingFilter

THOUGHT_FIELDS = ("reasoning_content", "reasoning")
"""Where servers that know a model's marks put its thoughts: vLLM before and after 0.10, llama.cpp, Ollama."""


class ReplyText:
    """One reply. `take` its chunks, then `finish`."""

    def __init__(self, opened: str = "") -> None:
        """`opened`: the mark by which a thought is open before the first word, in models that do so."""
        self.ending = ""  # why the server ended the reply; empty as long as it has not
        self.is_completion = False  # something came that belongs into a chat completion
        self._filter = ThinkingFilter(opened)
        self._opened = opened
        self._raw = ""
        self.said = False  # at least a word of it
        self._thought = False

    @property
    def opened(self) -> str:
        """The mark of a thought that was ended and never begun: the prompt must have begun it. The one that
        it was taken to begin with stays that, where its end came."""
        ended = [opener for opener, end in PAIRS.items() if end in self._raw]
        return next((opener for opener in ended if opener == self._opened or opener not in self._raw), "")

    def take(self, chunk: object) -> str:
        """What of a chunk is said. Chunks without choices tell of other things, such as the usage."""
        choices = getattr(chunk, "choices", None)
        if not isinstance(choices, list) or not choices:
            return ""
        delta = getattr(choices[0], "delta", None)
        ending = getattr(choices[0], "finish_reason", None)
        self.is_completion = self.is_completion or delta is not None
        self.ending = ending if isinstance(ending, str) else self.ending
        self._thought = self._thought or any(getattr(delta, name, None) for name in THOUGHT_FIELDS)
        content = getattr(delta, "content", None)
        if not isinstance(content, str):
            return ""
        self._raw += content
        said = self._spoken(self._filter.push(content))
        self._thought = self._thought or self._filter.thinking
        return said

    def finish(self) -> str:
        """What waited for more. A model that was taken to think first, and did not, is heard now."""
        if self._opened and PAIRS[self._opened] not in self._raw and self.ending == "stop":
            self._filter = ThinkingFilter()
            return self._spoken(self._filter.push(self._raw) + self._filter.finish())
        return self._spoken(self._filter.finish())

    def check_said(self, server: Server, most_tokens: int) -> None:
        """
        Raises:
            ServerError: there was not a word in it.
        """
        if self.said:
            return
        if self.ending == "tool_calls":
            what, remedy = "called a tool and said nothing", "choose a model that answers in words"
        elif self._thought:
            what = f"thought for {most_tokens} tokens and said nothing"
            remedy = "choose a model that does not think first, or set engines.openai.reply_tokens higher"
        else:
            what, remedy = "gave an empty reply", "ask again, or choose another model"
        raise ServerError("empty", f"the model at {server.url} {what}", remedy)

    def _spoken(self, text: str) -> str:
        """The text, without the space before the first word."""
        text = text if self.said else text.lstrip()
        self.said = self.said or bool(text)
        return text
