"""A client of one OpenAI-compatible server. Every wait of it can be broken off: `waiting`.

Connections stay open between replies for as long as the server leaves them; the system probes them, so that
one which a router has dropped is noticed before a reply needs it. A reply that is broken off takes its
connection with it, which is how the server learns to stop; `prepare` has another there in time. Proxies that
the environment names are not used.
"""

from __future__ import annotations

import socket
from collections.abc import Callable, Coroutine, Generator, Mapping
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar

from voxterm.engines.openai.errors import Server, failure_of
from voxterm.engines.openai.waiting import SlicedLoop
from voxterm.engines.protocols import Delta
from voxterm.errors import EngineLoadError

if TYPE_CHECKING:
    from openai import AsyncOpenAI, AsyncStream
    from openai.types.chat import ChatCompletionChunk

T = TypeVar("T")

Waiting: TypeAlias = Generator[Delta, None, T]
"""NOTHING_YET for as long as it takes; its value is what was waited for."""

NO_KEY = "none"  # the client insists on one, a server of one's own does not

IDLE_S = 30.0
"""A connection that was free for longer may have been closed: hosted servers wait for a minute and more."""

PROBES = {"TCP_KEEPIDLE": 20, "TCP_KEEPINTVL": 5, "TCP_KEEPCNT": 3}
"""Seconds until an idle connection is probed, and between probes; how many may be lost."""


class Connection:
    def __init__(self, server: Server, connect_timeout_s: float, now: Callable[[], float]) -> None:
        """
        Raises:
            EngineLoadError: the package is missing.
        """
        self._server = server
        self._client = _client(server, connect_timeout_s)
        self._now = now
        self._free_since_s: float | None = None  # a connection, as far as is known
        self._is_slow = False
        self._loop = SlicedLoop(now)

    def prepare(self) -> None:
        """See that a connection is free, not longer than `waiting.END_LIMIT_S`. Raises nothing.

        It asks for the models, which any server takes. Of one that was too slow for that it asks no more.
        """
        free_s = self._free_since_s
        if self._is_slow or (free_s is not None and self._now() - free_s < IDLE_S):
            return
        self._is_slow = not self._loop.run(_unread_page(self._client))
        self._free_since_s = self._now()

    def models(self, limit_s: float) -> Waiting[list[str]]:
        """The names of the models that the server has.

        Raises:
            ServerError: no answer that could be read.
        """
        page = yield from self._asked(_page(self._client), limit_s)
        self._free_since_s = self._now()
        names = [getattr(model, "id", None) for model in page]
        return [name for name in names if isinstance(name, str)]

    def chat(self, arguments: Mapping[str, Any], limit_s: float) -> Waiting[AsyncStream[ChatCompletionChunk]]:
        """Ask; the stream of the answer is there with its headers. `end` it.

        Raises:
            ServerError: the server is away, refuses, or took longer than the limit.
        """
        create: Callable[..., Coroutine[Any, Any, AsyncStream[ChatCompletionChunk]]]
        create = self._client.chat.completions.create
        self._free_since_s = None
        return self._asked(create(**arguments), limit_s)

    def next_chunk(self, stream: AsyncStream[ChatCompletionChunk], limit_s: float) -> Waiting[object]:
        """The next chunk of an answer; None: there is no more.

        Raises:
            ServerError: the connection broke off, nothing came within the limit, or it cannot be read.
        """
        chunk = yield from self._asked(_next(stream), limit_s)
        if chunk is None:
            self._free_since_s = self._now()
        return chunk

    def end(self, stream: AsyncStream[ChatCompletionChunk]) -> None:
        """Let go of an answer. One that is not through is broken off, and the server learns it at once."""
        self._loop.run(stream.close())

    def close(self) -> None:
        """Close all connections. May be called twice."""
        self._loop.run(self._client.close())
        self._loop.close()

    def _asked(self, work: Coroutine[Any, Any, T], limit_s: float) -> Waiting[T]:
        try:
            return (yield from self._loop.waiting(work, limit_s))
        except Exception as error:  # what a server sends can fail anywhere in the client
            raise failure_of(error, self._server, limit_s) from None  # its request holds the key


async def _page(client: AsyncOpenAI) -> list[object]:
    return list((await client.models.list()).data)


async def _unread_page(client: AsyncOpenAI) -> object:
    return await client.models.with_raw_response.list()


async def _next(stream: AsyncStream[ChatCompletionChunk]) -> object:
    return await anext(stream, None)


def _client(server: Server, connect_timeout_s: float) -> AsyncOpenAI:
    try:
        import httpx2
        from openai import AsyncOpenAI
    except ImportError as error:
        raise EngineLoadError(f"a server needs openai: {error}", "install openai") from error
    options = [(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)]
    names = [name for name in PROBES if hasattr(socket, name)]
    options += [(socket.IPPROTO_TCP, getattr(socket, name), PROBES[name]) for name in names]
    limits = httpx2.Limits(max_connections=4, keepalive_expiry=None)
    http = httpx2.AsyncClient(
        transport=httpx2.AsyncHTTPTransport(limits=limits, socket_options=options),
        follow_redirects=True,
        trust_env=False,
    )
    timeout = httpx2.Timeout(None, connect=connect_timeout_s)  # the other waits end with their slices
    try:
        return AsyncOpenAI(
            base_url=server.url,
            api_key=server.key or NO_KEY,
            max_retries=0,
            timeout=timeout,
            http_client=http,
        )
    except httpx2.InvalidURL as error:
        raise EngineLoadError(f"engines.openai.base_url: {error}", "set it to the server's URL") from None
