"""Many requests → few runs: the first of them sets a timer, the others wait with it."""

from __future__ import annotations

from collections.abc import Callable

from textual.message_pump import MessagePump


class Pace:
    """Runs `work` at most once in `interval_s`, and always after the last request."""

    def __init__(self, pump: MessagePump, interval_s: float, work: Callable[[], None]) -> None:
        self._pump = pump
        self._interval_s = interval_s
        self._work = work
        self._waits = False

    def request(self) -> None:
        """May be called in any context of the event loop: the timer is set in the pump's own."""
        if not self._waits:
            self._waits = True
            self._pump.call_later(self._start)

    def _start(self) -> None:
        self._pump.set_timer(self._interval_s, self._run)

    def _run(self) -> None:
        self._waits = False
        self._work()
