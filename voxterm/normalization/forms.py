"""A text on its way to the voice: what it has become, and where in the original each character came from.

What is spoken in place of a token came from the token's last character, all of it: the token is one word of
the original, and heard when all that is spoken for it was heard.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import NamedTuple


class SpokenForm(NamedTuple):
    """`came_from` has an index into the original for each character of `text`; they never fall."""

    text: str
    came_from: list[int]


def as_written(text: str) -> SpokenForm:
    return SpokenForm(text, list(range(len(text))))


def rewritten(
    form: SpokenForm, tokens: re.Pattern[str], spoken: Callable[[re.Match[str]], str | None]
) -> SpokenForm:
    """The form with each token said as `spoken` has it; None leaves it, "" takes it out."""
    if tokens.search(form.text) is None:
        return form
    text: list[str] = []
    came_from: list[int] = []
    done = 0
    for match in tokens.finditer(form.text):
        said = spoken(match)
        if said is None:
            continue
        start, end = match.span()
        text += form.text[done:start], said
        came_from += form.came_from[done:start]
        if said:
            came_from += [form.came_from[end - 1]] * len(said)
        elif came_from:
            came_from[-1] = form.came_from[end - 1]  # what is not spoken goes with what stands before it
        done = end
    text.append(form.text[done:])
    came_from += form.came_from[done:]
    return SpokenForm("".join(text), came_from)
