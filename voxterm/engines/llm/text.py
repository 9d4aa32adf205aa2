"""Tokens as text while they come: whole characters only, the right spaces, no special token. Pure."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence

UNFINISHED = "�"
"""What a decoder puts in the place of bytes that are no character, or not yet one."""


class TokenText:
    """The tokens of one reply, as its text.

    How a token reads may depend on the one before it: a leading space is part of it only where it is not the
    first. So each is decoded together with what came last.
    """

    def __init__(self, decode: Callable[[Sequence[int]], str], hidden: Collection[int] = ()) -> None:
        """`decode` gives the text of any run of ids. `hidden`: ids that are never shown."""
        self._decode = decode
        self._hidden = hidden
        self._ids: list[int] = []  # the last that were given, and all that wait
        self._given = 0  # how many of them were given

    def take(self, token_id: int) -> str:
        """The text that this token completes, often none."""
        if token_id in self._hidden:
            return ""
        self._ids.append(token_id)
        text = self._new()
        if not text or text.endswith(UNFINISHED):
            return ""
        del self._ids[: self._given]
        self._given = len(self._ids)
        return _shown(text)

    def finish(self) -> str:
        """The reply is over: what waited, without a character that was never completed."""
        text = self._new()
        self._ids, self._given = [], 0
        return _shown(text)

    def _new(self) -> str:
        """The text of the ids that wait."""
        before = self._decode(self._ids[: self._given])
        return self._decode(self._ids)[len(before) :]


def _shown(text: str) -> str:
    """The text without bytes that are no character: nobody could say them."""
    return text.replace(UNFINISHED, "")
