"""The commands. `parser` knows them all; each is a module with `run(arguments) -> int`, loaded when called.

This package is the one place that wires parts together (`wiring`).
"""

from __future__ import annotations

import contextlib
import os
import sys
from importlib import import_module

from voxterm.cli.parser import parse
from voxterm.errors import VoxtermError

INTERRUPTED_EXIT = 130
"""128 + SIGINT, what shells expect."""


def run_command(argv: list[str]) -> int:
    """Parse and run. Every error that a person can act on is one line on stderr and an exit code."""
    try:
        arguments = parse(argv)
        code: int = import_module(f"voxterm.cli.{arguments.module}").run(arguments)
        return code
    except VoxtermError as error:
        print(f"voxterm: {error}", file=sys.stderr)
        return error.exit_code
    except BrokenPipeError:
        with contextlib.suppress(OSError):
            os.dup2(
                os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno()
            )  # what is still buffered has no reader
        return 1
    except KeyboardInterrupt:
        return INTERRUPTED_EXIT
