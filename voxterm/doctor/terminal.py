"""What the terminal can do, as far as it tells without being asked."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping

from voxterm.doctor.facts import Facts
from voxterm.doctor.finding import Finding

SMALLEST = (50, 14)
"""Columns and lines that the screen needs."""

LONGEST_ESCAPE_MS = 50
"""A terminal multiplexer that waits longer after `esc` makes interrupting a reply slow."""

TMUX_S = 2.0

Size = Callable[[], tuple[int, int] | None]


def terminal_size() -> tuple[int, int] | None:
    """Columns and lines of the terminal, whichever of the three streams is one; None where none is."""
    for stream in (1, 2, 0):
        try:
            size = os.get_terminal_size(stream)
        except OSError:
            continue
        return size.columns, size.lines
    return None


def terminal_findings(facts: Facts, size: tuple[int, int] | None) -> Iterator[Finding]:
    if size is None:
        yield Finding("terminal", "terminal", "info", "this is none; the screen needs one")
    yield _kind(facts.environ)
    if size is not None:
        yield _size(size)
    yield _letters(facts.environ)
    yield from _multiplexer(facts)
    yield Finding("terminal", "keys", "info", "kitty's key protocol: asked for when the screen starts")


def _kind(environ: Mapping[str, str]) -> Finding:
    term, colorterm = environ.get("TERM", ""), environ.get("COLORTERM", "")
    if term in ("", "dumb", "unknown"):
        what = f"TERM is {term or 'not set'}, which says that no screen can be drawn"
        return Finding("terminal", "TERM", "warn", what, "export TERM=xterm-256color")
    told = f"{term}, COLORTERM {colorterm or 'not set'}"
    if environ.get("NO_COLOR"):
        return Finding("terminal", "TERM", "info", f"{told}: no colours, by NO_COLOR")
    if colorterm in ("truecolor", "24bit") or "direct" in term:
        return Finding("terminal", "TERM", "ok", f"{told}: 16 million colours")
    if "256" in term or term in ("xterm-kitty", "xterm-ghostty", "alacritty", "foot", "wezterm"):
        return Finding("terminal", "TERM", "ok", f"{told}: 256 colours")
    what = f"{told}: 16 colours, or more that it does not tell of"
    return Finding("terminal", "TERM", "info", what)


def _size(size: tuple[int, int]) -> Finding:
    columns, lines = size
    what = f"{columns}×{lines}"
    if columns < SMALLEST[0] or lines < SMALLEST[1]:
        what += f", where the screen needs {SMALLEST[0]}×{SMALLEST[1]}"
        return Finding("terminal", "size", "warn", what, "make the window larger, or its letters smaller")
    return Finding("terminal", "size", "ok", what)


def _letters(environ: Mapping[str, str]) -> Finding:
    """The first of these that is set decides."""
    name, locale = next(
        ((name, environ[name]) for name in ("LC_ALL", "LC_CTYPE", "LANG") if environ.get(name)), ("", "")
    )
    if locale.lower().replace("-", "").endswith("utf8") or "utf8" in locale.lower().replace("-", ""):
        return Finding("terminal", "letters", "ok", f"UTF-8 ({name}={locale})")
    what = f"{name}={locale}" if name else "LC_ALL, LC_CTYPE and LANG are not set"
    what += ": not UTF-8, so ✓, ▲ and all but English may be drawn wrong"
    return Finding("terminal", "letters", "warn", what, "export LANG=C.UTF-8")


def _multiplexer(facts: Facts) -> Iterator[Finding]:
    if facts.environ.get("TMUX"):
        yield _tmux(facts)
    elif facts.environ.get("STY"):
        what = "GNU screen: it waits after `esc` and knows few colours; tmux does better"
        yield Finding("terminal", "screen", "info", what)


def _tmux(facts: Facts) -> Finding:
    ran = facts.run(["tmux", "show-options", "-sv", "escape-time"], TMUX_S)
    waits = ran.output.strip()
    if not ran.ok or not waits.isdecimal():
        return Finding("terminal", "tmux", "info", "does not tell its escape-time")
    what = f"waits {waits} ms after `esc` (escape-time)"
    if int(waits) > LONGEST_ESCAPE_MS:
        remedy = "tmux set -s escape-time 10, and the same without tmux in ~/.tmux.conf"
        return Finding("terminal", "tmux", "warn", f"{what}: interrupting is that much slower", remedy)
    return Finding("terminal", "tmux", "ok", what)
