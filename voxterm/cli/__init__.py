"""The commands. `parser` knows them all; each is a module with `run(arguments) -> int`, loaded when called.

This package is the one place that wires parts together (`wiring`).
"""

from __future__ import annotations

import contextlib
import os
import sys
from importlib import import_module
from io import TextIOWrapper
from typing import TextIO

from voxterm.cli.parser import parse
from voxterm.errors import VoxtermError, one_line

INTERRUPTED_EXIT = 130
"""128 + SIGINT, what shells expect."""


def run_command(argv: list[str]) -> int:
    """Parse and run. Every error that a person can act on is one line on stderr and an exit code."""
    _print_what_it_can(sys.stdout, sys.stderr)
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # torch's threads spin otherwise, and take the cores
    try:
        arguments = parse(argv)
        code: int = import_module(f"voxterm.cli.{arguments.module}").run(arguments)
        sys.stdout.flush()
        return code
    except VoxtermError as error:
        print(f"voxterm: {error}", file=sys.stderr)
        return error.exit_code
    except OSError as error:
        _forget_output()
        if not isinstance(error, BrokenPipeError):
            print(f"voxterm: the system refuses: {one_line(str(error))}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return INTERRUPTED_EXIT


def _print_what_it_can(*streams: TextIO) -> None:
    """A character that the terminal's encoding lacks becomes a question mark."""
    for stream in streams:
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="replace")


def _forget_output() -> None:
    """What is still buffered has no reader: let the interpreter's own last flush succeed."""
    with contextlib.suppress(OSError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
