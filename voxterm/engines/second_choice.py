"""Two language models as one: the second answers where the first cannot, and that is said."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Iterator, Sequence
from typing import Protocol, runtime_checkable

from voxterm.engines.protocols import (
    Delta,
    Engine,
    ExpectantEngine,
    LanguageModel,
    LoadProgress,
    Message,
    Notice,
    Replied,
)
from voxterm.errors import EngineError

FIRST_WAIT_S, LONGEST_WAIT_S = 1.0, 60.0
"""How long the first is left alone after a failure: doubled with each further one in a row."""


@runtime_checkable
class Reloads(Protocol):
    """A `LanguageModel` that can be loaded while somebody waits for a reply."""

    def reload(self) -> Iterator[Delta]:
        """As `load`, but soon given up, and with empty Deltas, so that it can be closed between two."""


class SecondChoice:
    """A `LanguageModel` out of two, both of which it owns.

    A first that fails before its first word gives way for this reply, and is asked again in a later turn. One
    that could not be loaded is loaded then. What failed, or that it is back, is given with every reply.
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
        self._news: Notice | None = None

    @property
    def parts(self) -> Sequence[Engine]:
        return (self._first, self._second)

    def load(self, progress: LoadProgress) -> None:
        """Load both. The first may fail.

        Raises:
            EngineLoadError: the second cannot be loaded.
        """
        self._loaded, self._failed, self._news = False, "", None
        self._wait_s, self._rests_until_s = FIRST_WAIT_S, 0.0
        try:
            self._first.load(progress)
            self._loaded = True
        except EngineError as error:
            self._first.close()
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

    def expect(self) -> None:
        """Have those that will be asked make ready."""
        rests = not self._loaded or self._now() < self._rests_until_s
        for model in (self._second,) if rests else (self._first, self._second):
            if isinstance(model, ExpectantEngine):
                model.expect()

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
        if self._news:
            yield self._news
        yield from self._second.reply(history)

    def _by_first(self, history: Sequence[Message]) -> Generator[Replied, None, EngineError | None]:
        """The first's answer, or the error that left it without a word."""
        begun = False
        try:
            if not self._loaded:
                yield from self._reloading()
            answer = self._first.reply(history)
            try:
                for item in answer:
                    if not begun and isinstance(item, Delta) and item.text:
                        begun = True
                        self._take_back()
                        if self._news:
                            yield self._news
                    yield item
            finally:
                if isinstance(answer, Generator):
                    answer.close()
        except EngineError as error:
            if begun:
                raise
            return error
        return None

    def _reloading(self) -> Generator[Delta, None, None]:
        """Load the first, or leave it closed."""
        try:
            if isinstance(self._first, Reloads):
                yield from self._first.reload()
            else:
                self._first.load(lambda done_bytes, total_bytes: None)
            self._loaded = True
        finally:
            if not self._loaded:
                self._first.close()

    def _give_way(self, error: EngineError) -> None:
        """Leave the first alone for a while."""
        self._rests_until_s = self._now() + self._wait_s
        self._wait_s = min(LONGEST_WAIT_S, 2 * self._wait_s)
        self._failed = str(error)
        remedy = "; ".join(filter(None, (f"{self._second.name} answers meanwhile", error.remedy)))
        self._news = Notice(error.what, remedy, error.category)

    def _take_back(self) -> None:
        """The first answers; that is news where it had failed."""
        if self._failed:
            self._news = Notice(f"{self._first.name} answers again", is_trouble=False)
        self._failed, self._wait_s = "", FIRST_WAIT_S
