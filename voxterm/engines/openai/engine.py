"""A language model behind an OpenAI-compatible server: vLLM, llama.cpp, Ollama, LM Studio, or a hosted one.

Behind one URL may stand one process beside voxterm or a whole cluster. The reply is streamed; its request is
closed with the generator, and the server then stops. Until the first word a failure that may pass is tried
again, with growing waits; after it what was said stays said. While it waits it gives empty Deltas: each is a
moment at which it can be closed.
"""

from __future__ import annotations

import os
import random
import re
import time
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import closing
from itertools import count
from typing import TypeVar

from voxterm.engines.declared.openai import OpenAiSettings
from voxterm.engines.openai.connection import Connection, Waiting
from voxterm.engines.openai.errors import Server, ServerError, broken_off, garbage, no_such_model
from voxterm.engines.openai.question import Question
from voxterm.engines.openai.reply import ReplyText
from voxterm.engines.openai.waiting import NOTHING_YET, SLICE_S
from voxterm.engines.protocols import Delta, LoadProgress, Message
from voxterm.errors import ConfigError, EngineError, EngineLoadError

T = TypeVar("T")

FIRST_WAIT_S = 0.25
"""Before the second try; doubled before each further one, and shortened by chance to as little as half, so
that many who were sent away do not come back at one moment."""

TAIL_LIMIT_S = 0.25
"""What a server may take to end its answer once the reply in it is whole."""

WARM_UP_LIMIT_S = 60.0
"""Ollama and LM Studio take a model up when it is first asked for."""


class OpenAiLanguageModel:
    """A `LanguageModel`."""

    def __init__(
        self,
        settings: OpenAiSettings,
        key: str = "",
        now: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
        chance: Callable[[], float] = random.random,
    ) -> None:
        """`key` is what `settings.key_variable` holds; empty for a server that asks for none."""
        self.name = "openai"
        self._settings = settings
        self._server = Server(settings.base_url, settings.key_variable, key)
        self._now = now
        self._sleep = sleep
        self._chance = chance
        self._connection: Connection | None = None
        self._model = ""
        self._question = Question(settings)
        self._opened = ""  # the mark of a thought that the model's prompt begins each reply with
        self._away = False  # when it was last asked: one try is then enough to find that it still is

    @property
    def model(self) -> str:
        """The one that is asked: `protocols.RemoteEngine`."""
        return self._model

    def load(self, progress: LoadProgress) -> None:
        """Connect, and see which models the server has.

        Raises:
            EngineLoadError: it is away, refuses the key, or has no such model.
        """
        _value_of(self._connecting(self._patiently(lambda: self._choose(self._settings.timeout_s))))
        progress(0, 0)

    def reload(self) -> Iterator[Delta]:
        """`load` for when somebody waits: one try, no longer than connect_timeout_s, and an empty Delta at
        least every SLICE_S, so that it can be closed.

        Raises:
            EngineLoadError: as `load`.
        """
        yield from self._connecting(self._choose(self._settings.connect_timeout_s))

    def warm_up(self) -> None:
        """Have the server take up the model, and leave it a connection on which it has answered.

        The whole answer is waited for: where the prompt begins with a thought, only its end tells of that.

        Raises:
            EngineError: it does not answer.
        """
        self._ready()
        until_s = self._now() + WARM_UP_LIMIT_S
        hello, most_tokens = [Message("user", "Hello.")], self._settings.reply_tokens
        try:
            with closing(self._adapting(hello, most_tokens, WARM_UP_LIMIT_S)) as answer:
                for item in answer:
                    if item is not NOTHING_YET and self._now() >= until_s:  # it answers, and that is enough
                        return
        except ServerError as failure:
            if failure.kind == "stalled":
                what = f"{self._server.url} gave no first answer within {WARM_UP_LIMIT_S:g} s"
                remedy = "see whether it is still taking up its model, and start again when it answers"
                raise EngineError(what, remedy) from None
            if failure.kind not in ("empty", "refused"):  # it is there all the same
                raise

    def expect(self) -> None:
        """Have a connection there when the question comes. Of a server that is away nothing is expected."""
        if self._connection is not None and not self._away:
            self._connection.prepare()

    def close(self) -> None:
        """Close the connections. A reply under way breaks off."""
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()

    def reply(self, history: Sequence[Message]) -> Generator[Delta, None, None]:
        """Answer the last message of the history; nothing where that has no words.

        Deltas may be empty, and are at least every SLICE_S: it can be closed while nothing comes.

        Raises:
            EngineError: no answer, or it broke off; a `ServerError` where not a word of it was given.
        """
        self._ready()
        if not history[-1].text.strip():
            return
        most_tokens, limit_s = self._settings.reply_tokens, self._settings.timeout_s
        yield from self._patiently(lambda: self._adapting(history, most_tokens, limit_s))

    def _connecting(self, choose: Waiting[str]) -> Waiting[None]:
        self.close()
        self._opened = ""
        self._connection = Connection(self._server, self._settings.connect_timeout_s, self._now)
        try:
            self._model = yield from choose
        except GeneratorExit:
            self.close()
            raise
        except EngineError as error:
            self.close()
            raise EngineLoadError(error.what, error.remedy) from None

    def _patiently(self, ask: Callable[[], Waiting[T]]) -> Waiting[T]:
        """Ask, and again after failures that may pass, as long as the person's patience may last."""
        begun_s = self._now()
        tries = 1 if self._away else self._settings.tries
        for tried in count(1):
            try:
                value = yield from ask()
            except ServerError as failure:
                self._away = failure.kind == "away"
                wait_s = self._wait_s(failure, tried)
                is_late = self._now() + wait_s - begun_s > self._settings.timeout_s
                if not failure.passing or tried == tries or is_late:
                    raise
            else:
                self._away = False
                return value
            yield from self._pause(wait_s)
        raise AssertionError("the tries are counted")

    def _wait_s(self, failure: ServerError, tried: int) -> float:
        """How long until the next try: what the server asks for, else longer each time."""
        if failure.after_s is not None:
            return failure.after_s
        return FIRST_WAIT_S * 2.0 ** (tried - 1) * (1.0 - self._chance() / 2)

    def _pause(self, seconds: float) -> Waiting[None]:
        until_s = self._now() + seconds
        while (left_s := until_s - self._now()) > 0:
            yield NOTHING_YET
            self._sleep(min(left_s, SLICE_S))

    def _adapting(self, history: Sequence[Message], most_tokens: int, limit_s: float) -> Waiting[None]:
        """Ask; where the server says what it does not take, ask for less, once for each kind of thing."""
        adapted: set[str] = set()
        while failure := (yield from self._failing(history, most_tokens, limit_s)):
            about = failure.argument or failure.kind
            if about in adapted or not (yield from self._adapts(failure, history)):
                raise failure
            adapted.add(about)

    def _failing(
        self, history: Sequence[Message], most_tokens: int, limit_s: float
    ) -> Waiting[ServerError | None]:
        try:
            yield from self._answer(history, most_tokens, limit_s)
        except ServerError as failure:
            return failure
        return None

    def _adapts(self, failure: ServerError, history: Sequence[Message]) -> Waiting[bool]:
        if failure.kind != "model":
            return self._question.learn(failure, history)
        before, self._model = self._model, (yield from self._choose(self._settings.timeout_s))
        if self._model == before:
            return False
        self._opened = ""
        return True  # it was started anew, with another model

    def _answer(self, history: Sequence[Message], most_tokens: int, limit_s: float) -> Waiting[None]:
        """One request and its answer."""
        connection, text = self._ready(), ReplyText(self._opened)
        try:
            arguments = self._question.arguments(history, self._model, most_tokens)
            yield from _read(connection, arguments, text, limit_s)
            if not text.ending:
                raise broken_off(self._server) if text.is_completion else garbage(self._server)
        except ServerError as failure:
            if text.said and not text.ending:
                raise EngineError(f"the reply broke off: {failure.what}", failure.remedy) from None
            if not text.ending:
                raise
        self._opened = text.opened
        if rest := text.finish():
            yield Delta(rest)
        text.check_said(self._server, most_tokens)

    def _choose(self, limit_s: float) -> Waiting[str]:
        """The model to ask: the one of the settings, else the first that the server has."""
        wanted = self._settings.model
        try:
            known = yield from self._ready().models(limit_s)
        except ServerError as failure:
            if wanted and failure.kind == "model":  # it does not tell which it has
                return wanted
            raise
        if not known and not wanted:
            raise ServerError("model", f"{self._server.url} has no model", "have it load one")
        if not wanted:
            return known[0]
        if wanted not in known and f"{wanted}:latest" not in known:  # as Ollama names it
            raise no_such_model(self._server, wanted, known)
        return wanted

    def _ready(self) -> Connection:
        if self._connection is None:
            raise EngineError("the OpenAI-compatible server is not connected", "call load() first")
        return self._connection


def built(settings: OpenAiSettings) -> OpenAiLanguageModel:
    """As its section of the settings says, with the key from the environment.

    Raises:
        ConfigError: the settings hold a key, which belongs into the environment, or its variable holds none.
    """
    variable = settings.key_variable
    if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", variable):  # it may be the key: it is not shown
        what = "engines.openai.key_variable is not the name of an environment variable"
        raise ConfigError(what, "put the key into a variable, and the name of that variable here")
    if "@" in settings.base_url:
        what = "engines.openai.base_url holds a name or a password"
        raise ConfigError(what, f"put the key into the environment variable {variable}")
    key = os.environ.get(variable, "").strip()
    if not re.fullmatch(r"[!-~]*", key):
        what = f"the environment variable {variable} holds no key"
        raise ConfigError(what, "a key has plain ASCII characters and no spaces")
    return OpenAiLanguageModel(settings, key)


def _read(
    connection: Connection, arguments: dict[str, object], text: ReplyText, limit_s: float
) -> Waiting[None]:
    """Ask, and give what is said as it comes; the request is over with the generator."""
    stream = yield from connection.chat(arguments, limit_s)
    try:
        while True:
            left_s = TAIL_LIMIT_S if text.ending else limit_s
            chunk = yield from connection.next_chunk(stream, left_s)
            if chunk is None:
                return
            yield Delta(text.take(chunk))  # empty while it thinks: chunks may come faster than slices end
    finally:
        connection.end(stream)


def _value_of(work: Waiting[T]) -> T:
    """What is waited for, with nobody there who would break it off."""
    try:
        while True:
            next(work)
    except StopIteration as end:
        value: T = end.value
        return value
