"""A server that stalls, drops, refuses and talks nonsense: what is tried again, and what a person is told.

The engine's clock is moved by hand, so no time limit is waited for.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from chat_server import (
    ChatServer,
    Exchange,
    Script,
    completion_chunk,
    drops,
    events,
    hangs_up,
    page,
    says,
    says_nothing,
    stalls,
    status,
)

from voxterm.engines.declared.openai import OpenAiSettings
from voxterm.engines.openai.engine import OpenAiLanguageModel
from voxterm.engines.openai.errors import ServerError
from voxterm.engines.protocols import Message
from voxterm.errors import EngineError, EngineLoadError, Severity

HELLO = [Message("user", "Hello.")]
ECHO = "You said: Hello. "
TIMEOUT_S = 10.0
SOON_S = 5.0


class HandTime:
    """Seconds that pass only when somebody sleeps, or says so."""

    def __init__(self) -> None:
        self.now_s = 50.0
        self.slept: list[float] = []

    def now(self) -> float:
        return self.now_s

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now_s += seconds


@pytest.fixture
def time() -> HandTime:
    return HandTime()


@pytest.fixture
def server() -> Iterator[ChatServer]:
    with ChatServer() as server:
        yield server


@pytest.fixture
def loaded(server: ChatServer, time: HandTime) -> Iterator[Callable[..., OpenAiLanguageModel]]:
    engines: list[OpenAiLanguageModel] = []

    def make(key: str = "", chance: float = 0.0, **settings: Any) -> OpenAiLanguageModel:
        all_settings = OpenAiSettings(base_url=server.url, timeout_s=TIMEOUT_S, **settings)
        engine = OpenAiLanguageModel(all_settings, key, time.now, time.sleep, lambda: chance)
        engines.append(engine)
        engine.load(lambda done, total: None)
        return engine

    yield make
    for engine in engines:
        engine.close()


@pytest.fixture
def engine(loaded: Callable[..., OpenAiLanguageModel]) -> OpenAiLanguageModel:
    return loaded()


def said(engine: OpenAiLanguageModel) -> str:
    return "".join(item.text for item in engine.reply(HELLO))


def said_until_error(
    engine: OpenAiLanguageModel, waited: Callable[[], None] = lambda: None
) -> tuple[str, EngineError]:
    """What was said before it failed, and how; `waited` is called whenever nothing has come."""
    text = ""
    try:
        for item in engine.reply(HELLO):
            text += item.text
            if not item.text:
                waited()
    except EngineError as error:
        return text, error
    pytest.fail("it did not fail")


# Stalls


def stalled(engine: OpenAiLanguageModel, time: HandTime) -> tuple[str, EngineError]:
    """The same, with time going on by a quarter of the limit in each slice of the wait."""

    def waited() -> None:
        time.now_s += TIMEOUT_S / 4

    return said_until_error(engine, waited)


@pytest.mark.parametrize("script", [says_nothing, stalls], ids=["without headers", "without a word"])
def test_a_server_that_says_nothing_is_given_up(
    engine: OpenAiLanguageModel, server: ChatServer, time: HandTime, script: Callable[..., Script]
) -> None:
    server.play(script(threading.Event()))
    text, error = stalled(engine, time)
    assert text == ""
    assert str(error).startswith(f"nothing came from {server.url} for 10 s; ")
    assert "engines.openai.timeout_s" in error.remedy
    assert server.gone.wait(SOON_S)
    assert len(server.chats) == 1, "a person has waited long enough"
    assert said(engine) == ECHO


def test_a_reply_that_comes_to_a_halt_is_given_up(
    engine: OpenAiLanguageModel, server: ChatServer, time: HandTime
) -> None:
    server.play(stalls(threading.Event(), "One ", "two "))
    text, error = stalled(engine, time)
    assert text == "One two "
    assert error.what == f"the reply broke off: nothing came from {server.url} for 10 s"
    assert server.gone.wait(SOON_S)
    assert said(engine) == ECHO


def test_comments_do_not_keep_a_stall_alive(
    engine: OpenAiLanguageModel, server: ChatServer, time: HandTime
) -> None:
    """Routers write them so that nobody's time limit between bytes ends the request."""
    more = threading.Event()

    def script(exchange: Exchange) -> None:
        exchange.stream()
        for _ in range(3):
            exchange.raw(b": still there\n\n")
        exchange.wait(more)

    server.play(script)
    assert "nothing came" in str(stalled(engine, time)[1])


def test_a_slow_reply_is_no_stall(engine: OpenAiLanguageModel, server: ChatServer, time: HandTime) -> None:
    """The limit is for each piece: a long reply takes longer in all."""
    server.play(says(*(f"{number} " for number in range(6))))
    text = ""
    for item in engine.reply(HELLO):
        text += item.text
        time.now_s += TIMEOUT_S * 0.9
    assert text == "0 1 2 3 4 5 "


def test_a_reply_that_is_whole_hardly_waits_for_the_server_to_end_it(
    engine: OpenAiLanguageModel, server: ChatServer, time: HandTime
) -> None:
    def script(exchange: Exchange) -> None:
        exchange.stream()
        exchange.event(completion_chunk({"content": "Yes."}, "stop"))
        exchange.wait(threading.Event())

    server.play(script)
    text, begun_s = "", time.now_s
    for item in engine.reply(HELLO):
        text += item.text
        time.now_s += 0.1
    assert text == "Yes."
    assert time.now_s - begun_s < 1.0
    assert server.gone.wait(SOON_S)


# Drops


@pytest.mark.parametrize("chunked", [True, False])
@pytest.mark.parametrize(
    "rest",
    [
        b"",
        b'data: {"choices": [{"index": 0, "del',
        'data: {"choices": [{"delta": {"content": "caf\u00e9'.encode()[:-1],  # half a character
        b"dat",
    ],
    ids=["between events", "half a line", "half a character", "half a name"],
)
def test_a_reply_that_breaks_off_stays_as_far_as_it_came(
    engine: OpenAiLanguageModel, server: ChatServer, rest: bytes, chunked: bool
) -> None:
    server.play(drops("One ", "two ", rest=rest, chunked=chunked))
    text, error = said_until_error(engine)
    assert text == "One two "
    assert error.what.startswith("the reply broke off: ")
    assert error.remedy
    assert not isinstance(error, ServerError), "it must not be taken for a reply without a word"
    assert error.severity is Severity.TURN
    assert len(server.chats) == 1, "what was said cannot be taken back"
    assert said(engine) == ECHO


def test_a_stream_that_ends_without_a_reason_broke_off(
    engine: OpenAiLanguageModel, server: ChatServer
) -> None:
    server.play(events(completion_chunk({"content": "One "})))
    text, error = said_until_error(engine)
    assert (text, error.what) == ("One ", f"the reply broke off: the connection to {server.url} broke off")


@pytest.mark.parametrize(
    "script",
    [
        hangs_up,
        drops(),
        drops(rest=b"data: {"),
        status(500),
        status(503),
        status(429),
        status(408),
        status(409),
    ],
)
def test_what_may_pass_is_asked_again(
    engine: OpenAiLanguageModel, server: ChatServer, time: HandTime, script: Script
) -> None:
    server.play(script, script)
    assert said(engine) == ECHO
    assert len(server.chats) == 3
    assert sum(time.slept) == pytest.approx(0.25 + 0.5)


def test_it_is_asked_as_often_as_was_set_and_not_more(
    loaded: Callable[..., OpenAiLanguageModel], server: ChatServer, time: HandTime
) -> None:
    engine = loaded(tries=4)
    server.play(*[status(500, "CUDA error")] * 9)
    text, error = said_until_error(engine)
    assert (text, len(server.chats)) == ("", 4)
    assert str(error) == f"{server.url} failed (500: CUDA error); see the server's log"
    assert sum(time.slept) == pytest.approx(0.25 + 0.5 + 1.0)


def test_chance_makes_a_wait_shorter_by_up_to_half(
    loaded: Callable[..., OpenAiLanguageModel], server: ChatServer, time: HandTime
) -> None:
    server.play(status(500))
    said(loaded(chance=1.0))
    assert sum(time.slept) == pytest.approx(0.125)


def test_a_wait_is_slept_in_slices(engine: OpenAiLanguageModel, server: ChatServer, time: HandTime) -> None:
    """Between two of them it can be closed."""
    server.play(status(500))
    said(engine)
    assert max(time.slept) <= 0.05


def test_the_server_says_when_to_come_again(
    engine: OpenAiLanguageModel, server: ChatServer, time: HandTime
) -> None:
    server.play(status(429, Retry_After="3"), status(503, Retry_After="0"))
    assert said(engine) == ECHO
    assert sum(time.slept) == pytest.approx(3)


def test_a_longer_wait_than_a_persons_patience_is_not_waited(
    engine: OpenAiLanguageModel, server: ChatServer, time: HandTime
) -> None:
    server.play(status(429, "Rate limit reached", Retry_After="60"))
    _, error = said_until_error(engine)
    assert "takes no more requests (429: Rate limit reached); ask again in 60 s" in str(error)
    assert (time.slept, len(server.chats)) == ([], 1)


def test_a_date_to_come_again_at_counts_as_none(
    engine: OpenAiLanguageModel, server: ChatServer, time: HandTime
) -> None:
    server.play(status(429, Retry_After="Wed, 21 Oct 2065 07:28:00 GMT"))
    assert said(engine) == ECHO
    assert sum(time.slept) == pytest.approx(0.25)


def test_all_tries_together_take_no_longer_than_the_limit(
    loaded: Callable[..., OpenAiLanguageModel], server: ChatServer, time: HandTime
) -> None:
    engine = loaded(tries=10)
    server.play(*[status(500)] * 10)
    said_until_error(engine)
    assert sum(time.slept) <= TIMEOUT_S
    assert len(server.chats) == 6  # after 0.25, 0.5, 1, 2, 4 s; the next wait is 8


def test_a_server_that_was_away_is_asked_once_until_it_is_back(
    engine: OpenAiLanguageModel, server: ChatServer
) -> None:
    """Each turn would otherwise wait for all the tries before another model may answer."""
    server.play(*[hangs_up] * 4)
    for chats in (3, 4):
        assert f"the connection to {server.url} broke off" in str(said_until_error(engine)[1])
        assert len(server.chats) == chats
    assert said(engine) == ECHO
    server.play(hangs_up)
    assert said(engine) == ECHO


# Refusals


@pytest.mark.parametrize("code", [401, 403])
def test_a_refused_key_names_its_variable(
    loaded: Callable[..., OpenAiLanguageModel], server: ChatServer, code: int
) -> None:
    engine = loaded("sk-secret", key_variable="MY_KEY")
    server.play(status(code, "bad key"))
    _, error = said_until_error(engine)
    assert f"refuses the key of the environment variable MY_KEY ({code}: bad key)" in error.what
    assert error.remedy == "put a valid key into MY_KEY"
    assert len(server.chats) == 1


def test_a_server_that_wants_a_key_names_the_variable_to_set(
    engine: OpenAiLanguageModel, server: ChatServer
) -> None:
    server.play(status(401))
    _, error = said_until_error(engine)
    assert "asks for a key" in error.what
    assert error.remedy == "put it into the environment variable OPENAI_API_KEY"


def test_a_key_that_is_refused_while_loading_is_an_error_of_loading(
    loaded: Callable[..., OpenAiLanguageModel], server: ChatServer
) -> None:
    server.list_with = status(401, "bad key")
    with pytest.raises(EngineLoadError, match="OPENAI_API_KEY"):
        loaded("sk-secret")


@pytest.mark.parametrize(
    ("body", "shown"),
    [
        ({"detail": "unknown field"}, "(422: unknown field)"),  # FastAPI's form
        ({"object": "error", "message": "unknown field"}, "(422: unknown field)"),  # vLLM's older one
        ({"error": "unknown field"}, "(422: unknown field)"),  # Ollama's
        ({"error": {"message": ["odd"]}}, "(422)"),
        ([1], "(422)"),
        ("<html>unknown", "(422)"),
        ("a\x1b[31m\nb", "(422: a\\x1b[31m b)"),
        ("y" * 999, f"(422: {'y' * 199}…)"),
    ],
)
def test_what_the_server_says_is_shown_as_far_as_it_can_be_read(
    engine: OpenAiLanguageModel, server: ChatServer, body: object, shown: str
) -> None:
    text = body if isinstance(body, str) else json.dumps(body)
    server.play(page(text, 422, "application/json"))
    _, error = said_until_error(engine)
    assert error.what == f"{server.url} refuses to answer {shown}"
    assert len(server.chats) == 1


def test_an_error_within_the_stream_is_told(engine: OpenAiLanguageModel, server: ChatServer) -> None:
    server.play(events(completion_chunk({"content": "One "}), {"error": {"message": "engine died"}}))
    text, error = said_until_error(engine)
    assert text == "One "
    assert error.what == f"the reply broke off: {server.url} failed: engine died"


def test_a_dialogue_refused_as_too_long_within_the_stream_is_made_shorter(
    engine: OpenAiLanguageModel, server: ChatServer
) -> None:
    history = [Message("user", "Once"), Message("assistant", "upon a time " * 9), *HELLO]
    server.play(events({"error": {"message": "the request exceeds the available context size"}}))
    assert "".join(item.text for item in engine.reply(history)) == ECHO
    assert [len(request.messages) for request in server.chats] == [3, 1]


# Garbage

GARBAGE: dict[str, Script] = {
    "html": page("<html><body>Welcome to nginx!</body></html>"),
    "a whole completion": page('{"choices": [{"message": {"content": "Hi"}}]}', 200, "application/json"),
    "nothing": page(b""),
    "no text": page(bytes(range(256)) * 40, 200, "text/event-stream"),
    "invalid JSON": events("{oops"),
    "a number": events(5),
    "null": events("null"),
    "a list": events([1, 2]),
    "another object": events({"hello": "world"}),
    "choices of texts": events({"choices": ["a", "b"]}),
    "choices as a text": events({"choices": "abc"}),
    "only the end": events("[DONE]"),
}


@pytest.mark.parametrize("script", GARBAGE.values(), ids=GARBAGE)
def test_garbage_is_told_as_such(engine: OpenAiLanguageModel, server: ChatServer, script: Script) -> None:
    server.play(script)
    text, error = said_until_error(engine)
    assert text == ""
    assert error.what == f"{server.url} answers with what is no chat completion"
    assert "is this an OpenAI-compatible server?" in error.remedy
    assert len(server.chats) == 1
    assert said(engine) == ECHO


@pytest.mark.parametrize(
    "script",
    [
        page("<html>Hello</html>"),
        page("{oops", 200, "application/json"),
        page("[]", 200, "application/json"),
        page('"models"', 200, "application/json"),
        page("{}", 200, "application/json"),
        page('{"data": "models"}', 200, "application/json"),
        page('{"data": [{"name": "x"}, 5, {"id": 7}]}', 200, "application/json"),
    ],
)
def test_garbage_for_a_list_of_models_is_an_error_of_loading(
    loaded: Callable[..., OpenAiLanguageModel], server: ChatServer, script: Script
) -> None:
    server.list_with = script
    with pytest.raises(EngineLoadError):
        loaded()


@pytest.mark.parametrize("content", [5, ["a"], {"text": "a"}])
def test_content_that_is_no_text_is_not_said(
    engine: OpenAiLanguageModel, server: ChatServer, content: object
) -> None:
    server.play(events(completion_chunk({"content": content}), completion_chunk({"content": "Yes."}, "stop")))
    assert said(engine) == "Yes."


def test_garbage_in_mid_reply_breaks_it_off(engine: OpenAiLanguageModel, server: ChatServer) -> None:
    server.play(events(completion_chunk({"content": "One "}), "{oops"))
    text, error = said_until_error(engine)
    assert (text, error.what[:21]) == ("One ", "the reply broke off: ")


# Replies without a word


def tool_call(exchange: Exchange) -> None:
    exchange.stream()
    exchange.chunk(tool_calls=[{"index": 0, "id": "1", "function": {"name": "look", "arguments": "{}"}}])
    exchange.end("tool_calls")


def only_thoughts(exchange: Exchange) -> None:
    exchange.stream()
    exchange.chunk(reasoning_content="Hmm.")
    exchange.end("length")


@pytest.mark.parametrize(
    ("script", "shown"),
    [
        (says(), "gave an empty reply"),
        (says(" ", "\n"), "gave an empty reply"),
        (says("<think>", "Hmm, ", "so ", reason="length"), "thought for 400 tokens and said nothing"),
        (only_thoughts, "thought for 400 tokens and said nothing"),
        (tool_call, "called a tool and said nothing"),
    ],
)
def test_a_reply_without_a_word_is_an_error(
    engine: OpenAiLanguageModel, server: ChatServer, script: Script, shown: str
) -> None:
    """A person would otherwise wait for an answer that does not come."""
    server.play(script)
    text, error = said_until_error(engine)
    assert text == ""
    assert error.what == f"the model at {server.url} {shown}"
    assert error.remedy
    assert isinstance(error, ServerError)
    assert len(server.chats) == 1


def test_a_reply_that_reached_its_limit_stays_as_it_is(
    engine: OpenAiLanguageModel, server: ChatServer
) -> None:
    server.play(says("One ", "two", reason="length"))
    assert said(engine) == "One two"
