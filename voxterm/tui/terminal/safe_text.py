"""Text of a person, a model or a device → text that a terminal can be given.

Every such text passes through `safe_text` on its way to the screen. It never sends a control character,
never turns the reading order round, and never stacks marks over the lines above and below.
"""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache

from rich.cells import get_character_cell_size

MAX_MARKS = 4
"""Marks in a row that one letter may carry. Vietnamese needs two, Hebrew with its cantillation four."""

_ZERO_WIDTH_JOINERS = "\u200c\u200d"  # Devanagari, Persian and others cannot be spelled without them

_SUSPECT = re.compile(
    r"[^ -~\n\u00a1-\u00ac\u00ae-\u02ff\u0391-\u03a1\u03a3-\u0482"
    r"\u2010-\u2027\u3041-\u3096\u30a1-\u30fa\u4e00-\u9ffc]+"
)
"""Runs that have to be looked at; all else is plain letters of one or two cells."""


@lru_cache(maxsize=64)
def safe_text(text: str) -> str:
    """The text with control characters shown as escapes, and what is invisible or endless removed.

    Line ends are kept, tabs and odd spaces become spaces. What becomes of a beginning does not depend on what
    follows it: `safe_text(a + b)` begins with `safe_text(a)`, so that an offset into a text can be carried
    over to its safe form.
    """
    return _SUSPECT.sub(lambda run: _safe_run(run.group(), text[max(0, run.start() - 1) : run.start()]), text)


def shortened(text: str, most_chars: int) -> str:
    """The text, with an ellipsis in place of what is beyond so many characters."""
    return text if len(text) <= most_chars else f"{text[:most_chars]}…"


def safe_line(text: str) -> str:
    """The safe text on one line."""
    return " ".join(safe_text(text).split())


def _safe_run(run: str, before: str) -> str:
    """A run of suspect characters; `before` is the character in front of it."""
    shown: list[str] = []
    marks = 0
    for character in run:
        if _is_zero_width(character):
            marks += 1
            if marks <= MAX_MARKS and _may_carry(before, character):
                shown.append(character)
            continue
        marks = 0
        shown.append(_safe_character(character))
        before = character
    return "".join(shown)


def _is_zero_width(character: str) -> bool:
    return character in _ZERO_WIDTH_JOINERS or (
        character.isprintable() and get_character_cell_size(character) == 0
    )


def _may_carry(base: str, mark: str) -> bool:
    """Marks stand on letters. Emoji are shown one by one: terminals disagree on the width of joined ones."""
    is_selector = "\ufe00" <= mark <= "\ufe0f" or "\U000e0100" <= mark <= "\U000e01ef"
    return not is_selector and base != "" and unicodedata.category(base)[0] in "LMN"


def _safe_character(character: str) -> str:
    if character in "\u2028\u2029":
        return "\n"
    if character == "\t" or unicodedata.category(character) == "Zs":
        return " "
    if (
        "\U0001f3fb" <= character <= "\U0001f3ff"
    ):  # skin tones: two cells more in some terminals, none in others
        return ""
    if character.isprintable():
        return character
    if unicodedata.category(character) == "Cf" and not _turns_order(character):
        return ""  # soft hyphens, tags, zero-width spaces
    code = ord(character)
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}"


def _turns_order(character: str) -> bool:
    """Whether the character changes the reading order of what follows it."""
    return unicodedata.bidirectional(character) in (
        "LRE",
        "RLE",
        "LRO",
        "RLO",
        "PDF",
        "LRI",
        "RLI",
        "FSI",
        "PDI",
    )
