"""Which turns a prompt begins with where its context does not hold the whole dialogue. Pure.

The oldest go several at a time: the prompt then begins the same for several turns, and what the KV cache
holds of it need not be computed again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TypeAlias

from voxterm.engines.protocols import Message

BLOCKS = (8, 4, 2)
"""So many turns go at once, the most of these that leave half of those that may go."""

Turn: TypeAlias = list[Message]
"""The person's line, and the answers to it where there are any."""


def turns_of(dialogue: Iterable[Message]) -> list[Turn]:
    """The dialogue in turns that each begin with the person. Left out are system messages, lines without
    words, and what comes before the person's first line."""
    turns: list[Turn] = []
    for message in dialogue:
        if not message.text.strip():
            continue
        if message.role == "user":
            turns.append([message])
        elif turns and message.role == "assistant":
            turns[-1].append(message)
    return turns


def beginnings(turns: Sequence[Turn], most: int, length: Callable[[str], int], room: int) -> Iterator[int]:
    """The turns that a prompt may begin with, the one that leaves out the least first; the last is `most`.

    `most` is how many turns may be left out. A beginning with which the texts alone, by `length`, take more
    than `room` is passed over: that costs less to find than a whole prompt.
    """
    first = _first_within(turns, most, length, room)
    while first < most:
        yield first
        first = _next(first, most)
    yield most


def _first_within(turns: Sequence[Turn], most: int, length: Callable[[str], int], room: int) -> int:
    for first in range(len(turns) - 1, -1, -1):
        room -= sum(length(message.text) for message in turns[first])
        if room < 0:
            return _next(first, most) if first < most else most
    return 0


def _next(first: int, most: int) -> int:
    """The turn to begin with when `first` is too early."""
    for size in BLOCKS:
        block = (first // size + 1) * size
        if block - first <= (most - first) // 2:
            return block
    return first + 1
