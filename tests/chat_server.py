"""An OpenAI-compatible server on loopback: real HTTP and real sockets, answers as a test scripts them.

    with ChatServer() as server:
        server.play(status(500), says("Good ", "day."))  # for the next two chat requests
        … OpenAiSettings(base_url=server.url) …
        assert server.chats[0].body["stream"] is True

A chat request that nothing was scripted for is answered by `answer`, word by word. A script is a function of
an `Exchange`, in which it writes what it likes to the socket. Nothing sleeps: a script that waits does so
for an event, and ends at once when the client goes away, which `Exchange.gone` tells the test.
"""

from __future__ import annotations

import json
import select
import socket
import ssl
import sys
import threading
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, TypeAlias

LIMIT_S = 20.0
"""How long a script waits for its event: longer than any test, so that none hangs for ever."""

LOOK_S = 0.005
"""How often a script that waits looks whether its client is still there."""

NOT_FOUND = 404


class ClientGoneError(Exception):
    """The client closed the connection while a script was waiting."""


@dataclass(frozen=True)
class Request:
    """One request as it came."""

    method: str
    path: str
    headers: Mapping[str, str]  # names in lower case
    body: Any  # decoded JSON; None where there was none
    connection: int  # the number of the TCP connection, from 1

    @property
    def messages(self) -> list[tuple[str, str]]:
        """(role, text) of each message of a chat request."""
        return [(message["role"], message["content"]) for message in self.body["messages"]]


@dataclass
class Exchange:
    """One chat request and the socket that its answer goes to."""

    request: Request
    handler: BaseHTTPRequestHandler
    gone: threading.Event
    _chunked: bool = field(default=True)

    def stream(self, *, chunked: bool = True) -> None:
        """Status 200 and the headers of an event stream. Not chunked: it ends with the connection."""
        self._chunked = chunked
        headers = {"Transfer-Encoding": "chunked"} if chunked else {"Connection": "close"}
        self.handler.close_connection = not chunked
        self._head(200, {"Content-Type": "text/event-stream", **headers})

    def event(self, data: object) -> None:
        """One server-sent event: a text as it is, anything else as JSON."""
        text = data if isinstance(data, str) else json.dumps(data, ensure_ascii=False)
        self.raw(f"data: {text}\n\n".encode())

    def chunk(self, **delta: object) -> None:
        """One chunk of a chat completion: `content="Hello"`."""
        self.event(completion_chunk(delta))

    def raw(self, data: bytes) -> None:
        """Bytes of the stream as they are."""
        self._write(b"%x\r\n%s\r\n" % (len(data), data) if self._chunked else data)

    def end(self, reason: str = "stop") -> None:
        """The reason, [DONE], and the end of the body."""
        self.event(completion_chunk({}, reason))
        self.event("[DONE]")
        self.close_body()

    def close_body(self) -> None:
        if self._chunked:
            self._write(b"0\r\n\r\n")

    def whole(self, status: int, body: str | bytes, content_type: str, **headers: str) -> None:
        """An answer that is no stream. Names of headers are written with "_" for "-"."""
        data = body.encode() if isinstance(body, str) else body
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        self._head(status, {"Content-Type": content_type, "Content-Length": str(len(data)), **named})
        self._write(data)

    def wait(self, event: threading.Event) -> None:
        """Until the event is set.

        Raises:
            ClientGoneError: the client closed the connection first.
            TimeoutError: neither happened.
        """
        for _ in range(int(LIMIT_S / LOOK_S)):
            if event.wait(LOOK_S):
                return
            if _has_gone(self.handler.connection):
                self.gone.set()
                raise ClientGoneError
        raise TimeoutError("a script waited in vain")

    def drop(self) -> None:
        """Close the socket with whatever was not said."""
        self.handler.close_connection = True
        self.handler.connection.shutdown(socket.SHUT_RDWR)

    def _head(self, status: int, headers: Mapping[str, str]) -> None:
        self.handler.send_response(status)
        for name, value in headers.items():
            self.handler.send_header(name, value)
        self.handler.end_headers()

    def _write(self, data: bytes) -> None:
        try:
            self.handler.wfile.write(data)
        except OSError as error:
            self.gone.set()
            raise ClientGoneError from error


Script: TypeAlias = Callable[[Exchange], None]


def says(*pieces: str, reason: str = "stop") -> Script:
    """A reply in these pieces."""

    def script(exchange: Exchange) -> None:
        exchange.stream()
        exchange.chunk(role="assistant", content="")
        for piece in pieces:
            exchange.chunk(content=piece)
        exchange.end(reason)

    return script


def stalls(until: threading.Event, *pieces: str) -> Script:
    """A reply that comes to a halt after these pieces, and ends when the event is set."""

    def script(exchange: Exchange) -> None:
        exchange.stream()
        for piece in pieces:
            exchange.chunk(content=piece)
        exchange.wait(until)
        exchange.end()

    return script


def says_nothing(until: threading.Event) -> Script:
    """Not even headers, until the event is set; then a reply."""

    def script(exchange: Exchange) -> None:
        exchange.wait(until)
        says("At last.")(exchange)

    return script


def drops(*pieces: str, rest: bytes = b"", chunked: bool = True) -> Script:
    """A reply whose connection is dropped after these pieces and the bytes of `rest`."""

    def script(exchange: Exchange) -> None:
        exchange.stream(chunked=chunked)
        for piece in pieces:
            exchange.chunk(content=piece)
        if rest:
            exchange.raw(rest)
        exchange.drop()

    return script


def hangs_up(exchange: Exchange) -> None:
    """The connection is dropped with no answer at all."""
    exchange.drop()


def status(code: int, error: object = None, **headers: str) -> Script:
    """A refusal in OpenAI's form: `error` is its message, or the whole object."""
    told = error if isinstance(error, dict) else {"message": error or "no luck", "type": "error"}

    def script(exchange: Exchange) -> None:
        exchange.whole(code, json.dumps({"error": told}), "application/json", **headers)

    return script


def page(body: str | bytes, code: int = 200, content_type: str = "text/html") -> Script:
    """Something else altogether."""
    return lambda exchange: exchange.whole(code, body, content_type)


def events(*data: object) -> Script:
    """A stream of these events and nothing more."""

    def script(exchange: Exchange) -> None:
        exchange.stream()
        for one in data:
            exchange.event(one)
        exchange.close_body()

    return script


def completion_chunk(delta: Mapping[str, object], reason: str | None = None) -> dict[str, object]:
    choice = {"index": 0, "delta": dict(delta), "finish_reason": reason}
    return {"id": "1", "object": "chat.completion.chunk", "created": 0, "model": "tiny", "choices": [choice]}


class ChatServer:
    """Listens from the beginning; use it as a context manager, or `close` it."""

    def __init__(
        self,
        models: Sequence[str] = ("tiny",),
        answer: Callable[[str], str] = lambda said: f"You said: {said}",
        tls: ssl.SSLContext | None = None,
    ) -> None:
        """`answer`: what the user's last message is replied with where nothing was scripted.

        `tls`: what it speaks HTTPS with.
        """
        self.models: Sequence[str] = models
        self.list_with: Script | None = None  # instead of the list of models
        self.gone = threading.Event()  # a client went away while it was being answered
        self._answer = answer
        self._scripts: deque[Script] = deque()
        self._requests: list[Request] = []
        self._server = _Listener(("127.0.0.1", 0), self._handler())
        self._scheme = "http"
        if tls:
            self._scheme = "https"
            self._server.socket = tls.wrap_socket(self._server.socket, server_side=True)
        self._thread = threading.Thread(
            target=self._server.serve_forever, kwargs={"poll_interval": 0.01}, name="chat server"
        )
        self._thread.start()

    @property
    def url(self) -> str:
        return f"{self._scheme}://127.0.0.1:{self._server.server_address[1]}/v1"

    @property
    def connections(self) -> int:
        """How many TCP connections were made so far."""
        return len(self._server.sockets)

    @property
    def requests(self) -> list[Request]:
        """All requests so far, in order."""
        return list(self._requests)

    @property
    def chats(self) -> list[Request]:
        """Those that asked for a chat completion."""
        return [request for request in self.requests if request.path.endswith("/chat/completions")]

    def play(self, *scripts: Script) -> None:
        """Answer the next chat requests in these ways, after those scripted before."""
        self._scripts.extend(scripts)

    def hang_up(self) -> None:
        """Close every connection that is open, as a server does with idle ones."""
        for connection in self._server.sockets:
            _shut(connection)

    def close(self) -> None:
        """Stop listening and close every connection; returns when all threads have ended.

        Raises:
            Exception: whatever went wrong in a script.
        """
        self._server.shutdown()
        self.hang_up()
        self._server.server_close()
        self._thread.join(LIMIT_S)
        if self._server.errors:
            raise self._server.errors.pop()

    def __enter__(self) -> ChatServer:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def respond(self, request: Request, handler: BaseHTTPRequestHandler) -> None:
        """Answer one request, on the thread of its connection."""
        self._requests.append(request)
        exchange = Exchange(request, handler, self.gone)
        if request.path == "/v1/models":
            (self.list_with or self._list)(exchange)
        elif request.path == "/v1/chat/completions":
            script = self._scripts.popleft() if self._scripts else self._reply
            script(exchange)
        else:
            status(NOT_FOUND, "no such page")(exchange)

    def _list(self, exchange: Exchange) -> None:
        listed = [{"id": name, "object": "model", "created": 0, "owned_by": "me"} for name in self.models]
        exchange.whole(200, json.dumps({"object": "list", "data": listed}), "application/json")

    def _reply(self, exchange: Exchange) -> None:
        words = self._answer(exchange.request.messages[-1][1]).split()
        says(*(f"{word} " for word in words))(exchange)

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        server = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            wbufsize = 0
            disable_nagle_algorithm = True

            def do_GET(self) -> None:
                self._respond()

            def do_POST(self) -> None:
                self._respond()

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - its own name
                """Nothing is printed."""

            def _respond(self) -> None:
                size = int(self.headers.get("Content-Length", 0))
                body = json.loads(self.rfile.read(size)) if size else None
                headers = {name.lower(): value for name, value in self.headers.items()}
                number = server._server.number_of(self.connection)
                try:
                    server.respond(Request(self.command, self.path, headers, body, number), self)
                except ClientGoneError:
                    self.close_connection = True

        return Handler


class _Listener(ThreadingHTTPServer):
    """Remembers its connections, so that they can be counted and closed."""

    daemon_threads = False  # `server_close` waits for them

    def __init__(self, address: tuple[str, int], handler: type[BaseHTTPRequestHandler]) -> None:
        self.sockets: list[socket.socket] = []
        self.errors: list[Exception] = []
        super().__init__(address, handler)

    def get_request(self) -> tuple[socket.socket, Any]:
        connection, address = super().get_request()
        self.sockets.append(connection)
        return connection, address

    def number_of(self, connection: socket.socket) -> int:
        return self.sockets.index(connection) + 1

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A connection that broke is what the tests are about; any other error is told by `close`."""
        error = sys.exc_info()[1]
        if isinstance(error, Exception) and not isinstance(error, ConnectionError):
            self.errors.append(error)


def _has_gone(connection: socket.socket) -> bool:
    """Whether the other side has closed it."""
    readable, _, _ = select.select([connection], [], [], 0)
    flags = 0 if isinstance(connection, ssl.SSLSocket) else socket.MSG_PEEK  # which TLS does not know
    try:
        return bool(readable) and connection.recv(1, flags) == b""
    except OSError:
        return True


def _shut(connection: socket.socket) -> None:
    with suppress(OSError):  # it was closed already
        connection.shutdown(socket.SHUT_RDWR)
