"""Text normalization: what is written in a reply → what a synthesizer should say for it.

Pure, apart from the tables of a language, which are read with its first text. Numbers, dates, currencies,
units, abbreviations, addresses, Markdown and signs become words where the language is known (`languages`);
in other languages, and wherever a rule is not certain, they stay as they are written.
"""

from __future__ import annotations

import re

from voxterm.normalization.addresses import with_addresses
from voxterm.normalization.amounts import with_amounts
from voxterm.normalization.characters import NEWLINES, is_blank, is_sharp, is_unspoken, joins_words
from voxterm.normalization.dates import with_dates
from voxterm.normalization.forms import SpokenForm, as_written
from voxterm.normalization.markup import without_markup
from voxterm.normalization.short_forms import with_short_forms, with_signs
from voxterm.normalization.words import words_for

__all__ = ["SpokenForm", "speakable", "spoken_form"]

_BULLET = re.compile(r"(?m)^[^\S\n]*([-+>•–])\s")


def speakable(text: str, language: str = "en") -> str:
    """What a synthesizer should say for a text; "" when there is nothing in it that can be spoken."""
    return spoken_form(text, language).text


def spoken_form(text: str, language: str = "en") -> SpokenForm:
    """What a voice of a BCP 47 language should say for a text, and for each character where it came from.

    `came_from` counts in `text` and never falls. All that is said for a token such as "105" came from its
    last character.
    """
    words = words_for(language)
    form = with_addresses(without_markup(as_written(text), words), words)
    if words.has_tables:
        form = with_dates(with_short_forms(form, words), words)
    return _cleaned(with_signs(with_amounts(form, words), words))


def _cleaned(form: SpokenForm) -> SpokenForm:
    """Control, bidi and zero-width characters, emoji and Markdown marks are out, whitespace is folded.

    The end of a line that has no punctuation becomes a comma, so that a list is not read in one breath.
    """
    text = form.text
    bullets = {match.start(1) for match in _BULLET.finditer(text)}
    chars: list[str] = []
    came_from: list[int] = []
    gap: int | None = None
    newline = False
    for index, char in enumerate(text):
        if is_blank(char) or joins_words(text, index):
            gap = index if gap is None else gap
            newline = newline or char in NEWLINES
            continue
        if index in bullets or (is_unspoken(char) and not is_sharp(text, index)):
            continue
        if gap is not None and chars:
            space = ", " if newline and chars[-1].isalnum() else " "
            chars.extend(space)
            came_from.extend([form.came_from[gap]] * len(space))
        gap, newline = None, False
        chars.append(char)
        came_from.append(form.came_from[index])
    if not any(char.isalnum() for char in chars):
        return SpokenForm("", [])
    return SpokenForm("".join(chars), came_from)
