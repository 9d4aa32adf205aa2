"""How fast a model decodes, while it does: from token to token, without the prefill before the first."""

from __future__ import annotations

from collections.abc import Callable

from voxterm.engines.protocols import Speed

LEAST_TOKENS = 8
"""An answer that is shorter says more about its one slow step than about the model."""


class Tempo:
    """Counts the tokens of one answer, and the time in which they came."""

    def __init__(self, now: Callable[[], float], real_time_tokens_per_s: float | None = None) -> None:
        """`now` gives seconds. `real_time_tokens_per_s`: as many make a second of speech, if it is speech."""
        self._now = now
        self._real_time = real_time_tokens_per_s
        self._since_s: float | None = None  # None: the next token comes out of a prefill
        self._tokens = 0
        self._passed_s = 0.0

    def prefill(self) -> None:
        """A prompt is read: the time until its first token does not count."""
        self._since_s = None

    def token(self) -> None:
        """The next token is there."""
        now_s = self._now()
        if self._since_s is not None:
            self._tokens += 1
            self._passed_s += now_s - self._since_s
        self._since_s = now_s

    def resume(self) -> None:
        """The time since the last token was not the model's: whoever listens held it up."""
        if self._since_s is not None:
            self._since_s = self._now()

    @property
    def speed(self) -> Speed | None:
        """Of all tokens so far; None while they are too few."""
        if self._tokens < LEAST_TOKENS or self._passed_s <= 0:
            return None
        tokens_per_s = self._tokens / self._passed_s
        return Speed(tokens_per_s, tokens_per_s / self._real_time if self._real_time else None)
