"""Two language models as one: the second answers where the first cannot, and that is said."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Sequence

from voxterm.engines.protocols import Delta, Engine, LanguageModel, LoadProgress, Message, Notice, Replied
from voxterm.errors import EngineError

FIRST_WAIT_S, LONGEST_WAIT_S = 1.0, 60.0
"""How long the first is left alone after a failure: doubled with each further one in a row."""


class SecondChoice:
    """A `LanguageModel` out of two, both of which it owns.

    A first that fails before its first word gives way for this reply, and is asked again in a later turn. One
    that could not be loaded is loaded then. What failed, and that it is back, is told with a reply, and again
    until a reply in which it was told has come to its end.
    """

    def __init__(
        self, first: LanguageModel, second: LanguageModel, now: Callable[[], float] = time.monotonic
    ) -> None:
        self.name = f"{first.name}, else {second.name}"
        self._first = first
        self._second = second
        self._now = now
        self._loaded = False  # the first
        self._wait_s = FIRST_WAIT_S  # after its next failure
        self._rests_until_s = 0.0  # as `now` counts
        self._failed = ""  # how, at last
        self._untold: Notice | None = None

    @property
    def parts(self) -> Sequence[Engine]:
        return (self._first, self._second)

    def load(self, progress: LoadProgress) -> None:
        """Load both. The first may fail.

        Raises:
            EngineLoadError: the second cannot be loaded.
        """
        self._loaded, self._failed, self._untold = False, "", None
        self._wait_s, self._rests_until_s = FIRST_WAIT_S, 0.0
        try:
            self._load_first(progress)
        except EngineError as error:
            self._give_way(error)
        self._second.load(progress)

    def warm_up(self) -> None:
        try:
            if self._loaded:
                self._first.warm_up()
        except EngineError as error:
            self._give_way(error)
        self._second.warm_up()

    def close(self) -> None:
        self._loaded = False
        try:
            self._first.close()
        finally:
            self._second.close()

    def reply(self, history: Sequence[Message]) -> Generator[Replied, None, None]:
        """The first's answer; the second's after a Notice, or while the first rests.

        Raises:
            EngineError: the first failed in mid-reply, or both failed.
        """
        if self._now() >= self._rests_until_s:
            error = yield from self._by_first(history)
            if error is None:
                return
            self._give_way(error)
        yield from self._news()
        yield from self._second.reply(history)
        self._untold = None

    def _by_first(self, history: Sequence[Message]) -> Generator[Replied, None, EngineError | None]:
        """The first's answer, or the error that left it without a word."""
        begun = False
        try:
            self._load_first(lambda done_bytes, total_bytes: None)
            answer = self._first.reply(history)
            try:
                for item in answer:
                    if not begun and isinstance(item, Delta) and item.text:
                        begun = True
                        self._take_back()
                        yield from self._news()
                    yield item
            finally:
                if isinstance(answer, Generator):
                    answer.close()
        except EngineError as error:
            if begun:
                raise
            return error
        self._untold = None
        return None

    def _load_first(self, progress: LoadProgress) -> None:
        if self._loaded:
            return
        try:
            self._first.load(progress)
        except EngineError:
            self._first.close()
            raise
        self._loaded = True

    def _give_way(self, error: EngineError) -> None:
        """Leave the first alone for a while."""
        self._rests_until_s = self._now() + self._wait_s
        self._wait_s = min(LONGEST_WAIT_S, 2 * self._wait_s)
        if str(error) != self._failed:
            self._failed = str(error)
            remedy = "; ".join(filter(None, (f"{self._second.name} answers meanwhile", error.remedy)))
            self._untold = Notice(error.what, remedy, error.category)

    def _take_back(self) -> None:
        """The first answers; that is news where it had failed."""
        if self._failed:
            self._untold = Notice(f"{self._first.name} answers again")
        self._failed, self._wait_s = "", FIRST_WAIT_S

    def _news(self) -> Generator[Notice, None, None]:
        if self._untold:
            yield self._untold
