"""The terminal kept for the screen alone: what libraries print from C goes to a log.

Textual draws through `sys.__stderr__`, file descriptor 2. PortAudio and ALSA print there when a device dies,
which would spoil the picture, and sounddevice points it at nothing while it starts, which would swallow parts
of it.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def screen_alone(log: Path) -> Iterator[None]:
    """While inside, the screen draws through a descriptor of its own, and descriptor 2 is the log.

    Where no log can be written, what is printed is lost.
    """
    kept = sys.__stderr__
    screen = os.fdopen(os.dup(2), "w", encoding="utf-8", errors="replace")
    try:
        printed = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    except OSError:
        printed = os.open(os.devnull, os.O_WRONLY)
    os.dup2(printed, 2)
    os.close(printed)
    sys.__stderr__ = screen  # type: ignore[misc]
    try:
        yield
    finally:
        sys.__stderr__ = kept  # type: ignore[misc]
        screen.flush()
        os.dup2(screen.fileno(), 2)
        screen.close()
