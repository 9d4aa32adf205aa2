"""The screen in ASCII, for terminals and locales that have nothing else.

Every character becomes as many ASCII characters as it takes cells, so that nothing moves. What `placed_strip`
does against terminals that disagree on widths is then not needed, and goes: ASCII has one width everywhere.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from functools import lru_cache

from rich.cells import cell_len, get_character_cell_size
from rich.segment import Segment
from textual.color import Color
from textual.filter import LineFilter

_SAME = {
    # states and signs: each its own letter
    "●": "*", "◉": "@", "◐": "~", "►": ">", "⊘": "x", "■": "#", "◌": "o", "○": "0", "↻": "&",
    "▲": "!", "✓": "v", "✗": "x", "→": ">", "←": "<", "↑": "^", "↓": "v", "↔": "=", "›": ">", "‹": "<",
    "•": "*", "·": ".", "…": ".", "▸": ">", "▾": "v", "▼": "v", "▶": ">", "◀": "<", "◄": "<", "◆": "*",
    # meters, from empty to full, and sparklines, from low to high
    "░": ".", "▒": "-", "▓": "=", "▏": ".", "▎": ".", "▍": "-", "▌": "-", "▋": "=", "▊": "=", "▉": "=",
    "▁": ".", "▂": ":", "▃": "-", "▄": "=", "▅": "+", "▆": "*", "▇": "%", "█": "#",
    # figures and prose
    "×": "x", "÷": "/", "±": "+", "−": "-", "≈": "~", "≠": "#", "≤": "<", "≥": ">", "∞": "~", "°": "'",
    "–": "-", "—": "-", "‐": "-", "‒": "-", "―": "-", "‘": "'", "’": "'", "‚": ",", "′": "'", "″": '"',
    "“": '"', "”": '"', "„": '"', "«": '"', "»": '"', "µ": "u", "μ": "u", "∙": ".", "¡": "!", "¿": "?",
    "€": "E", "£": "L", "¥": "Y", "§": "S",
    # letters that no other letter is the base of
    "ß": "s", "ẞ": "S", "æ": "a", "Æ": "A", "œ": "o", "Œ": "O", "ø": "o", "Ø": "O", "ł": "l", "Ł": "L",
    "đ": "d", "Đ": "D", "ð": "d", "Ð": "D", "þ": "t", "Þ": "T", "ı": "i", "ħ": "h", "Ħ": "H",
}  # fmt: skip

_HORIZONTAL = "─━┄┅┈┉╌╍═╴╶╸╺╼╾▔▀"
_VERTICAL = "│┃┆┇┊┋╎╏║╵╷╹╻╽╿▐▕"

_OTHER = re.compile(r"[^\x20-\x7e]")

_POSIX = ("C", "POSIX")
_COERCED = ("C.UTF-8", "C.utf8", "UTF-8")

_PLAIN_TERMINALS = re.compile(r"linux|dumb|unknown|ansi|cons25|sun|vt\d+.*")


class PlainCharacters(LineFilter):
    """For `App.get_line_filters`: all that goes to the terminal becomes ASCII."""

    def apply(self, segments: list[Segment], background: Color) -> list[Segment]:
        return [
            segment if segment.control else Segment(plain(segment.text), segment.style)
            for segment in segments
        ]


def plain(text: str) -> str:
    """The text in printable ASCII, in exactly as many cells."""
    if text.isascii() and text.isprintable():
        return "".join(text)
    shown = _OTHER.sub(lambda found: _plain_character(found.group()), text)
    cells = cell_len(text)  # characters that are joined into one take fewer cells than each by itself
    return shown[:cells].ljust(cells)


@lru_cache(maxsize=4096)
def _plain_character(character: str) -> str:
    cells = get_character_cell_size(character)
    if cells == 0:
        return ""
    if character in _HORIZONTAL:
        return "-"
    if character in _VERTICAL:
        return "|"
    if same := _SAME.get(character):
        return same
    if "\u2500" <= character <= "\u259f":  # the corners of boxes, then quarters of blocks
        return "+" if character <= "\u257f" else "#"
    base, *marks = list(unicodedata.normalize("NFKD", character))
    if any(map(unicodedata.combining, marks)) == bool(marks):
        character = _SAME.get(base, base)
    return character.ljust(cells) if " " <= character <= "~" else "?" * cells


def needs_plain_characters(environ: Mapping[str, str]) -> bool:
    """Whether the terminal or the locale knows nothing but ASCII.

    The first of LC_ALL, LC_CTYPE and LANG that is not empty counts, as POSIX has it. Where none is set, as in
    a container or over ssh, the terminal is one of today and shows UTF-8. Python itself sets LC_CTYPE to
    C.UTF-8 where it finds the locale C (PEP 538), so that an explicit LANG=C counts before that value.
    The console of Linux has a font of 256 or 512 signs, and those of the states are not in it.
    """
    if _PLAIN_TERMINALS.fullmatch(environ.get("TERM", "")):
        return True
    lc_all, lc_ctype, lang = (environ.get(name, "") for name in ("LC_ALL", "LC_CTYPE", "LANG"))
    if not lc_all and lc_ctype in _COERCED and lang in _POSIX:
        return True
    locale = lc_all or lc_ctype or lang
    codeset = locale.partition("@")[0].rpartition(".")[2].lower().replace("-", "")
    return bool(locale) and codeset != "utf8"
