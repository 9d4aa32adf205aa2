"""`voxterm run --tmux`: the screen in a tmux session of its own, which goes on when the ssh line breaks.

The session runs in the user's own tmux server, not in one of voxterm's: there `tmux ls` and `tmux attach -t
voxterm` find it, it has the user's prefix and keys, and from another session one can switch to it. A server
has the environment that it was started with, and `new-session -e` would show keys and tokens to everybody in
the list of processes, so that the environment goes through a file that only its owner can read.
"""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NoReturn

from voxterm.errors import VoxtermError, one_line
from voxterm.tui.terminal.plain_characters import needs_plain_characters

SESSION = "voxterm"

PROGRAM = (sys.executable, "-m", "voxterm")

ESCAPE_MS = 20
"""How long tmux may wait whether Esc begins a sequence. Its own 500 ms, before 3.5, would be heard as a reply
that goes on."""

_TERMINALS_OWN = re.compile(
    r"TERM(_PROGRAM.*|INFO.*|CAP)?|COLORTERM|COLUMNS|LINES|WINDOWID|TMUX.*|STY|WINDOW|SHLVL|PWD|OLDPWD|_"
    r"|(KITTY|WEZTERM|GHOSTTY|ALACRITTY|KONSOLE|VTE|ITERM|VSCODE|WT)_.*"
    r"|E?UID|PPID|SHELLOPTS|BASHOPTS|BASH_VERSINFO"  # a shell would refuse to set these
)
"""Variables that describe the terminal around, which tmux stands between."""

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")

_RUN = """exec 3<"$1"; rm -f "$1"; . /dev/fd/3; exec 3<&-; shift
"$@"; code=$?
case $code in
    0|130) ;;
    *) printf '\\n[voxterm has ended with %s; Enter closes this window] ' $code; read -r _ ;;
esac
exit $code"""
"""What the session runs, for a shell: what went wrong stays to be read, also by who attaches later."""


def start_in_tmux(
    arguments: Sequence[str], environ: Mapping[str, str], program: Sequence[str] = PROGRAM
) -> NoReturn:
    """Become a tmux client on the session voxterm, which runs `program` with `arguments` if it is new.

    One that is there already goes on as it is, and the arguments are not used.

    Raises:
        VoxtermError: there is no tmux, or it cannot start a session.
    """
    tmux = shutil.which("tmux", path=environ.get("PATH"))
    if tmux is None:
        raise VoxtermError("tmux is not installed", "install it, or run voxterm without --tmux")
    if not _is_there(tmux, environ):
        _begin(tmux, [*program, *arguments], environ)
    _fit(tmux, environ)
    show = "switch-client" if environ.get("TMUX") else "attach-session"
    unicode = () if needs_plain_characters(environ) else ("-u",)  # else it goes by the locale's name alone
    os.execve(tmux, [tmux, *unicode, show, "-t", f"={SESSION}"], dict(environ))


def session_environment(environ: Mapping[str, str]) -> dict[str, str]:
    """What the program in the session shall find: all that was set, but what describes the terminal around.

    tmux takes any colour from it, and shows the nearest that the terminal around has.
    """
    kept = {
        name: value
        for name, value in environ.items()
        if _NAME.fullmatch(name) and not _TERMINALS_OWN.fullmatch(name)
    }
    return {**kept, "COLORTERM": "truecolor"}


def _begin(tmux: str, command: Sequence[str], environ: Mapping[str, str]) -> None:
    descriptor, name = tempfile.mkstemp(prefix="voxterm-")  # readable by its owner alone
    with os.fdopen(descriptor, "w", encoding="utf-8", errors="surrogateescape") as file:
        for variable, value in session_environment(environ).items():
            file.write(f"export {variable}={shlex.quote(value)}\n")
    done = _tmux(
        [tmux, "new-session", "-d", "-s", SESSION, "-n", SESSION, "-c", str(Path.cwd())]
        + [_literal(word) for word in ("/bin/sh", "-c", _RUN, SESSION, name, *command)],
        environ,
    )
    if done.returncode != 0:
        Path(name).unlink()
        if not _is_there(tmux, environ):  # else another voxterm was faster
            raise VoxtermError(
                f"tmux cannot start a session: {one_line(done.stderr)}", "run voxterm without --tmux"
            )


def _fit(tmux: str, environ: Mapping[str, str]) -> None:
    """Give the session what it needs. Its status line is off: voxterm has the whole terminal.

    Esc is to interrupt at once, and a lost focus to end a held key. tmux has both only for all sessions:
    the wait for Esc is shortened, never lengthened, and focus is told only to programs that ask for it.
    """
    _tmux([tmux, "set-option", "-t", f"={SESSION}:", "status", "off"], environ)
    waits = _tmux([tmux, "show-options", "-sv", "escape-time"], environ).stdout.strip()
    if not waits.isdecimal() or int(waits) > ESCAPE_MS:
        _tmux([tmux, "set-option", "-s", "escape-time", str(ESCAPE_MS)], environ)
    _tmux([tmux, "set-option", "-s", "focus-events", "on"], environ)


def _is_there(tmux: str, environ: Mapping[str, str]) -> bool:
    return _tmux([tmux, "has-session", "-t", f"={SESSION}"], environ).returncode == 0


def _tmux(command: Sequence[str], environ: Mapping[str, str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command, env=dict(environ), stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
    )


def _literal(word: str) -> str:
    """A `;` at the end of a word would end tmux's command."""
    return f"{word[:-1]}\\;" if word.endswith(";") else word
