"""What the checks look at, each part of it replaceable: the environment, the file system, other programs."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeAlias

OLDEST_ANCESTORS = 40


@dataclass(frozen=True, slots=True)
class Ran:
    """What became of a program. Without a `code` it did not start or took too long, as `error` says."""

    code: int | None
    output: str
    error: str

    @property
    def ok(self) -> bool:
        return self.code == 0


Run: TypeAlias = Callable[[Sequence[str], float], Ran]
"""A command and how many seconds it may take."""


def run_program(command: Sequence[str], limit_s: float) -> Ran:
    """Run a command without input, and end it when its time is over."""
    try:
        done = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            encoding="utf-8",
            errors="replace",
            timeout=limit_s,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return Ran(None, "", f"no answer within {limit_s:.0f} s")
    except OSError as error:
        return Ran(None, "", error.strerror or type(error).__name__)
    return Ran(done.returncode, done.stdout, done.stderr)


@dataclass(frozen=True, slots=True)
class Facts:
    """The machine as the checks see it."""

    environ: Mapping[str, str]
    root: Path = Path("/")  # where /proc, /dev, /sys and /usr lie
    run: Run = run_program
    may: Callable[[Path, int], bool] = os.access
    """Whether this user may do that (os.R_OK, os.W_OK) with a file."""
    user_id: int = field(default_factory=os.getuid)
    process_id: int = field(default_factory=os.getpid)
    host: str = field(default_factory=platform.node)
    system: str = sys.platform

    @property
    def is_linux(self) -> bool:
        return self.system.startswith("linux")

    @property
    def in_container(self) -> bool:
        return (self.root / ".dockerenv").exists() or (self.root / "run/.containerenv").exists()

    def ancestors(self) -> Iterator[str]:
        """The names of the processes that this one descends from, the nearest first."""
        process_id = self.process_id
        for _ in range(OLDEST_ANCESTORS):
            try:
                text = (self.root / f"proc/{process_id}/stat").read_text("utf-8", "replace")
                name = text[text.index("(") + 1 : text.rindex(")")]  # may itself hold spaces and brackets
                process_id = int(text[text.rindex(")") + 1 :].split()[1])
            except (OSError, ValueError, IndexError):
                return
            yield name
