"""Markdown as it is spoken: links by their text, tables by their cells, code by its words."""

from __future__ import annotations

import re

from voxterm.normalization.fences import blocks
from voxterm.normalization.forms import SpokenForm, rewritten
from voxterm.normalization.words import Words

LONGEST_CODE_CHARS = 80
"""Longer code in a line is not read aloud."""

_LINK_START = re.compile(r"!?\[(?=[^\[\]]{0,200}\w[^\[\]]{0,200}\]\([^()\s]{0,500}\))")
_LINK_END = re.compile(r"(?<=[^\[])\]\([^()\s]{0,500}\)")
_GAP = r"[ \t]{0,20}"
_TABLE_RULE = re.compile(rf"(?m)^{_GAP}\|?{_GAP}:?-{{2,99}}:?{_GAP}(?:\|{_GAP}:?-{{0,99}}:?{_GAP}){{0,20}}$")
_TABLE_EDGE = re.compile(rf"(?m)^{_GAP}\|{_GAP}|{_GAP}\|{_GAP}$")
_TABLE_CELL = re.compile(rf"{_GAP}\|{_GAP}")
_CODE = re.compile(r"(?<!`)(`{1,2})(?!`)([^`\n]{1,400})\1(?!`)")

_HUMP = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")
_OPERATOR = re.compile(r"(?P<equals>={1,3})|(?P<dot>(?<=\w)\.(?=\w))|(?P<plus>\+)|(?P<slash>/)|[\W_]")


def without_markup(form: SpokenForm, words: Words) -> SpokenForm:
    """The form with Markdown's structures read; marks such as * and # stay for later."""
    form = _without_blocks(form, words)
    if "](" in form.text:
        form = rewritten(form, _LINK_START, lambda link: "")
        form = rewritten(form, _LINK_END, lambda link: "")
    if "|" in form.text:
        form = rewritten(form, _TABLE_RULE, lambda rule: "")
        form = rewritten(form, _TABLE_EDGE, lambda edge: "")
        form = rewritten(form, _TABLE_CELL, lambda cell: ", ")
    return rewritten(form, _CODE, lambda code: _code_in_words(code[2], words))


def _without_blocks(form: SpokenForm, words: Words) -> SpokenForm:
    """A short phrase stands for each block of code."""
    text, came_from = "", list[int]()
    done = 0
    for start, end in blocks(form.text):
        said = f"{words.code}."
        text += form.text[done:start] + said
        came_from += form.came_from[done:start] + [form.came_from[end - 1]] * len(said)
        done = end
    return SpokenForm(text + form.text[done:], came_from + form.came_from[done:]) if done else form


def _code_in_words(code: str, words: Words) -> str:
    if len(code) > LONGEST_CODE_CHARS:
        return words.code
    said = _OPERATOR.sub(lambda sign: f" {words.terms.get(sign.lastgroup or '', '')} ", _HUMP.sub(" ", code))
    return " ".join(said.split())
