"""Whether the event loop was held up: asyncio's own log of slow callbacks, counted.

Only where it is asked for, since asyncio's debug mode costs a little with every callback.
"""

from __future__ import annotations

import asyncio
import logging
import re
from asyncio import constants
from collections.abc import Callable

LIMIT_S = 0.05
"""How long the loop may be blocked: longer, and a key or a word comes late enough to be noticed."""

_TOOK = re.compile(r"took ([\d.]+) seconds")


class LoopWatch(logging.Handler):
    """Follows the log of the loop that runs. `longest_s` is the longest block beyond the limit; 0: none."""

    def __init__(self, tell: Callable[[str], None] = lambda line: None) -> None:
        """`tell` is given a line about each block, on the event loop."""
        super().__init__(logging.WARNING)
        self.blocks = 0
        self.longest_s = 0.0
        self._tell = tell

    def start(self, limit_s: float = LIMIT_S) -> None:
        """On the event loop."""
        loop = asyncio.get_running_loop()
        loop.set_debug(True)
        loop.slow_callback_duration = limit_s
        # To note where each callback comes from would take longer than most of them do.
        constants.DEBUG_STACK_DEPTH = 1  # type: ignore[misc]
        logging.getLogger("asyncio").addHandler(self)

    def stop(self) -> None:
        logging.getLogger("asyncio").removeHandler(self)

    def emit(self, record: logging.LogRecord) -> None:
        line = record.getMessage()
        took = _TOOK.search(line)
        if took:
            self.blocks += 1
            self.longest_s = max(self.longest_s, float(took.group(1)))
            self._tell(line)
