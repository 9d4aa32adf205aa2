"""What can go wrong between voxterm and an OpenAI-compatible server, as errors that a person can act on.

What a server says of its failure is data: it is shown shortened, and without the key should it repeat it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import Any, Literal, TypeAlias

from voxterm.errors import EngineError

Kind: TypeAlias = Literal[
    "away",  # no connection, or it broke off
    "busy",  # asked to come again
    "broken",  # the server's own failure
    "stalled",
    "key",
    "model",
    "too long",  # for the model's context
    "argument",  # it does not take one that was sent: `ServerError.argument`
    "garbage",
    "empty",  # a reply without a word
    "refused",  # anything else
]

PASSING: frozenset[Kind] = frozenset({"away", "busy", "broken"})
"""Kinds that another try a moment later may find over."""

BUSY = (408, 409, 429)
SAID_CHARS = 200  # of a server's own message that are shown
TOO_LONG_CODES = ("context_length_exceeded", "exceed_context_size_error")
TOO_LONG_WORDS = ("context length", "context size", "context window", "maximum context", "too many tokens")
MAY_BE_LEFT_OUT = ("max_tokens", "temperature", "top_p")
NOT_TAKEN_CODES = ("unsupported_parameter", "unsupported_value")
FIRST_ADVICE = "is this an OpenAI-compatible server? engines.openai.base_url usually ends in /v1"
CERTIFICATE_ADVICE = "name the server as its certificate does, and its authority's file in SSL_CERT_FILE"
WITHOUT_TLS = ("WRONG_VERSION_NUMBER", "HTTP_REQUEST", "RECORD_LAYER_FAILURE")
"""As OpenSSL calls an answer that is no TLS at all."""
START_ADVICE = 'start it, such as with "vllm serve MODEL", or set engines.openai.base_url'


class ServerError(EngineError):
    """A request that came to nothing, before anything of its answer was given on."""

    def __init__(
        self, kind: Kind, what: str, remedy: str, after_s: float | None = None, argument: str = ""
    ) -> None:
        """`after_s`: when the server wants to be asked again."""
        super().__init__(what, remedy)
        self.kind = kind
        self.after_s = after_s
        self.argument = argument

    @property
    def passing(self) -> bool:
        return self.kind in PASSING


@dataclass(frozen=True, slots=True)
class Server:
    """Whom an error speaks of."""

    url: str
    key_variable: str
    key: str = field(repr=False)  # "" where the variable is not set

    def without_key(self, text: str) -> str:
        return text.replace(self.key, "…") if self.key else text


def failure_of(error: Exception, server: Server, limit_s: float) -> ServerError:
    """What a failed request says to a person. `limit_s`: how long it was waited for."""
    import httpx2
    import openai

    if isinstance(error, openai.APIStatusError):
        return _refusal(error, server)
    cause = error.__cause__
    if isinstance(cause, httpx2.ConnectError | httpx2.ConnectTimeout):
        return _no_connection(cause, server)
    if isinstance(error, TimeoutError | openai.APITimeoutError):
        what = f"nothing came from {server.url} for {limit_s:g} s"
        return ServerError("stalled", what, "see how busy it is, or set engines.openai.timeout_s higher")
    if isinstance(error, openai.APIConnectionError):
        return broken_off(server)
    if isinstance(error, openai.APIError):
        return _told_in_stream(error, server)
    return garbage(server)


def garbage(server: Server) -> ServerError:
    return ServerError("garbage", f"{server.url} answers with what is no chat completion", FIRST_ADVICE)


def broken_off(server: Server) -> ServerError:
    return ServerError("away", f"the connection to {server.url} broke off", "see the server's log")


def no_such_model(server: Server, model: str, known: Sequence[str]) -> ServerError:
    """The nearest of those that the server has; what to do where it has none."""
    near = get_close_matches(model, known, n=1)
    if near:
        advice = f'did you mean engines.openai.model = "{near[0]}"?'
    elif known:
        advice = f"set engines.openai.model to one that it has: {', '.join(known[:5])}"
    else:
        advice = "set engines.openai.model to one that it has"
    return ServerError("model", f'{server.url} has no model "{model}"', advice)


def _no_connection(cause: Exception, server: Server) -> ServerError:
    url = server.without_key(server.url)
    why = server.without_key(f": {cause}" if str(cause) else "")
    if "CERTIFICATE_VERIFY_FAILED" in why:
        return ServerError("refused", f"the certificate of {url} cannot be trusted{why}", CERTIFICATE_ADVICE)
    if any(reason in why for reason in WITHOUT_TLS):
        advice = "see whether engines.openai.base_url should begin with http://"
        return ServerError("refused", f"{url} does not speak TLS{why}", advice)
    if "[SSL" in why:
        return ServerError("away", f"TLS with {url} fails{why}", "see which TLS and clients it accepts")
    return ServerError("away", f"no server answers at {url}{why}", START_ADVICE)


def _refusal(error: Any, server: Server) -> ServerError:
    """What an answer with a status of 400 or more means."""
    status = error.status_code
    said = _said(error.body, server)
    why = f" ({status}: {said})" if said else f" ({status})"
    url = server.url
    if status in (401, 403):
        return _about_key(server, why)
    if status in BUSY:
        after_s = _retry_after_s(error)
        wait = f"ask again in {after_s:g} s" if after_s else "wait a moment, or see what the account allows"
        return ServerError("busy", f"{url} takes no more requests{why}", wait, after_s)
    if status >= 500:
        return ServerError("broken", f"{url} failed{why}", "see the server's log", _retry_after_s(error))
    return _complaint(error, url, why)


def _complaint(error: Any, url: str, why: str) -> ServerError:
    """What a status of 400 to 499 means that is about the request."""
    if _is_too_long(error.code, why):
        return _too_long(url, why)
    if error.status_code == 404:
        return ServerError("model", f"{url} does not know what was asked for{why}", FIRST_ADVICE)
    if error.param in MAY_BE_LEFT_OUT and error.code in NOT_TAKEN_CODES:
        what = f"{url} does not take {error.param}{why}"
        return ServerError("argument", what, "see engines.openai in config.toml", argument=error.param)
    return ServerError("refused", f"{url} refuses to answer{why}", "see engines.openai in config.toml")


def _about_key(server: Server, why: str) -> ServerError:
    variable = server.key_variable
    if not server.key:
        return ServerError(
            "key", f"{server.url} asks for a key{why}", f"put it into the environment variable {variable}"
        )
    what = f"{server.url} refuses the key of the environment variable {variable}{why}"
    return ServerError("key", what, f"put a valid key into {variable}")


def _told_in_stream(error: Any, server: Server) -> ServerError:
    """An error that came as an event, once the answer had begun with status 200."""
    said = _said(error.body, server)
    if _is_too_long(error.code, said):
        return _too_long(server.url, f": {said}")
    return ServerError("broken", f"{server.url} failed: {said or 'no reason given'}", "see the server's log")


def _too_long(url: str, why: str) -> ServerError:
    shorter = "clear the dialogue, say less at once, or give the model a longer context"
    return ServerError("too long", f"the dialogue is too long for the model at {url}{why}", shorter)


def _said(body: object, server: Server) -> str:
    """The server's own words, of which there may be none that a person could read."""
    text = body
    if isinstance(body, dict):
        text = body.get("message") or body.get("detail") or body.get("error")
    if not isinstance(text, str) or text.lstrip().startswith("<"):
        return ""
    words = server.without_key(" ".join(text.split()))
    return words if len(words) <= SAID_CHARS else f"{words[: SAID_CHARS - 1]}…"


def _is_too_long(code: object, said: str) -> bool:
    return code in TOO_LONG_CODES or any(words in said.lower() for words in TOO_LONG_WORDS)


def _retry_after_s(error: Any) -> float | None:
    """What the header asks for in seconds. One with a date counts as none."""
    try:
        return max(0.0, float(error.response.headers["retry-after"]))
    except (KeyError, ValueError):
        return None
