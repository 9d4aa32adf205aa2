"""The engine against a real server on loopback: what it asks, gives, and how it lets go."""

from __future__ import annotations

import asyncio
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil  # type: ignore[import-untyped]
import pytest
from chat_server import ChatServer, Exchange, events, says, says_nothing, stalls, status

from voxterm.clock import RealClock
from voxterm.conversation.bridge import EngineThread
from voxterm.engines.declared.openai import OpenAiSettings
from voxterm.engines.openai.engine import OpenAiLanguageModel, built
from voxterm.engines.protocols import Delta, LanguageModel, Message
from voxterm.errors import ConfigError, EngineError, EngineLoadError

HELLO = [Message("user", "Hello.")]
SOON_S = 5.0
"""More than anything here takes, and less than any limit of the engine that is not meant."""


@pytest.fixture
def server() -> Iterator[ChatServer]:
    with ChatServer() as server:
        yield server


@pytest.fixture
def loaded(server: ChatServer) -> Iterator[Callable[..., OpenAiLanguageModel]]:
    """Makes loaded engines for the server, closed at the end."""
    engines: list[OpenAiLanguageModel] = []

    def make(key: str = "", **settings: Any) -> OpenAiLanguageModel:
        engine = OpenAiLanguageModel(OpenAiSettings(base_url=server.url, **settings), key)
        engines.append(engine)
        engine.load(lambda done, total: None)
        return engine

    yield make
    for engine in engines:
        engine.close()


@pytest.fixture
def engine(loaded: Callable[..., OpenAiLanguageModel]) -> OpenAiLanguageModel:
    return loaded()


def said(engine: LanguageModel, history: list[Message] = HELLO) -> str:
    return "".join(item.text for item in engine.reply(history) if isinstance(item, Delta))


def test_it_is_a_language_model(engine: OpenAiLanguageModel) -> None:
    assert isinstance(engine, LanguageModel)
    assert engine.name == "openai"


def test_the_reply_comes_piece_by_piece(engine: OpenAiLanguageModel, server: ChatServer) -> None:
    go_on = threading.Event()

    def script(exchange: Exchange) -> None:
        exchange.stream()
        exchange.chunk(content="Good ")
        exchange.wait(go_on)
        exchange.chunk(content="day.")
        exchange.end()

    server.play(script)
    words = (item.text for item in engine.reply(HELLO) if item.text)
    assert next(words) == "Good "
    go_on.set()
    assert list(words) == ["day."]


def test_the_dialogue_and_the_settings_are_what_is_asked(
    loaded: Callable[..., OpenAiLanguageModel], server: ChatServer
) -> None:
    history = [
        Message("system", "Be brief."),
        Message("user", "नमस्ते"),
        Message("assistant", "Hi."),
        Message("user", "[bold]why?\x1b[0m"),
    ]
    said(loaded(reply_tokens=9, temperature=0.5, top_p=0.25), history)
    (request,) = server.chats
    assert request.messages == [(message.role, message.text) for message in history]
    options = {name: request.body[name] for name in ("model", "stream", "max_tokens", "temperature", "top_p")}
    assert options == {"model": "tiny", "stream": True, "max_tokens": 9, "temperature": 0.5, "top_p": 0.25}


def test_what_is_not_set_is_left_to_the_server(engine: OpenAiLanguageModel, server: ChatServer) -> None:
    said(engine)
    assert set(server.chats[0].body) == {"model", "messages", "stream", "max_tokens"}


def test_the_key_goes_with_every_request(
    loaded: Callable[..., OpenAiLanguageModel], server: ChatServer
) -> None:
    said(loaded("sk-secret"))
    assert {request.headers["authorization"] for request in server.requests} == {"Bearer sk-secret"}


def test_one_connection_serves_loading_and_every_reply(
    engine: OpenAiLanguageModel, server: ChatServer
) -> None:
    """A new one would cost a reply two or three ways to the server and back."""
    engine.warm_up()
    assert said(engine) == said(engine) == "You said: Hello. "
    assert len(server.requests) == 4
    assert server.connections == 1


def test_a_connection_that_the_server_closed_meanwhile_is_made_anew(
    engine: OpenAiLanguageModel, server: ChatServer
) -> None:
    """vLLM closes idle connections after 5 s."""
    said(engine)
    server.hang_up()
    assert said(engine) == "You said: Hello. "
    assert server.connections == 2
    assert len(server.chats) == 2


THOUGHT = "They greet me, so I should greet them back, in one short sentence, and ask how they are today "


def thinks(exchange: Exchange) -> None:
    """A reply whose thought the prompt began, in as many words as were asked for."""
    words = f"{THOUGHT}</think> Hello!".split()
    whole = len(words) <= exchange.request.body["max_tokens"]
    pieces = [f"{word} " for word in words[: exchange.request.body["max_tokens"]]]
    says(*pieces, reason="stop" if whole else "length")(exchange)


def break_off_a_reply(engine: OpenAiLanguageModel, server: ChatServer) -> None:
    """It takes its connection with it: by that the server learns to stop."""
    server.play(stalls(threading.Event(), "One "))
    reply = engine.reply(HELLO)
    while next(reply).text != "One ":
        pass
    reply.close()
    assert server.gone.wait(SOON_S)
    server.gone.clear()


def test_who_speaks_again_after_a_reply_was_broken_off_finds_a_connection(
    engine: OpenAiLanguageModel, server: ChatServer
) -> None:
    """A new one in time costs the answer nothing."""
    break_off_a_reply(engine, server)
    assert server.connections == 1
    engine.expect()
    assert server.connections == 2
    assert said(engine) == "You said: Hello. "
    assert server.connections == 2


def test_who_speaks_after_a_long_silence_finds_a_connection(server: ChatServer) -> None:
    """Servers close those that nobody uses."""
    now_s = 0.0
    engine = OpenAiLanguageModel(OpenAiSettings(base_url=server.url), now=lambda: now_s)
    engine.load(lambda done, total: None)
    server.hang_up()
    now_s = 60.0
    engine.expect()
    assert server.connections == 2
    assert said(engine) == "You said: Hello. "
    assert server.connections == 2
    engine.close()


def test_where_one_is_free_nothing_is_asked(engine: OpenAiLanguageModel, server: ChatServer) -> None:
    engine.expect()
    assert said(engine) == "You said: Hello. "
    engine.expect()
    assert [request.method for request in server.requests] == ["GET", "POST"]
    assert server.connections == 1


def test_of_a_server_that_has_gone_nothing_is_expected(
    engine: OpenAiLanguageModel, server: ChatServer
) -> None:
    break_off_a_reply(engine, server)
    server.close()
    engine.expect()
    with pytest.raises(EngineError):
        said(engine)
    port = int(server.url.rpartition(":")[2].removesuffix("/v1"))
    with socket.create_server(("127.0.0.1", port)) as listener:
        listener.setblocking(False)
        engine.expect()
        with pytest.raises(BlockingIOError):
            listener.accept()
    engine.close()
    engine.expect()


def test_a_server_that_is_slow_to_say_what_it_has_is_not_asked_again(
    engine: OpenAiLanguageModel, server: ChatServer
) -> None:
    """Whoever speaks would be heard late each time."""
    server.list_with = lambda exchange: exchange.wait(threading.Event())
    break_off_a_reply(engine, server)
    engine.expect()
    assert server.gone.wait(SOON_S)
    assert said(engine) == "You said: Hello. "
    break_off_a_reply(engine, server)
    asked = len(server.requests)
    engine.expect()
    assert len(server.requests) == asked


def test_the_first_reply_of_a_model_that_thinks_is_without_its_thoughts(
    engine: OpenAiLanguageModel, server: ChatServer
) -> None:
    """Warming up asked for 16 tokens, and never came to the mark that tells of the thought."""
    server.play(thinks, thinks)
    engine.warm_up()
    assert said(engine) == "Hello! "


def test_warming_up_does_not_wait_for_a_model_that_thinks_and_thinks(server: ChatServer) -> None:
    now_s = 0.0

    def slowly(exchange: Exchange) -> None:
        nonlocal now_s
        exchange.stream()
        for _ in range(10):
            exchange.chunk(content="Hmm. ")
        now_s = 61.0
        exchange.chunk(content="Hmm. ")
        exchange.wait(threading.Event())

    engine = OpenAiLanguageModel(OpenAiSettings(base_url=server.url), now=lambda: now_s)
    engine.load(lambda done, total: None)
    server.play(slowly)
    engine.warm_up()
    assert server.gone.wait(SOON_S)
    assert said(engine) == "You said: Hello. "
    engine.close()


@pytest.mark.parametrize(
    "script", [says(reason="length"), status(400, "no output at all")], ids=["empty", "refused"]
)
def test_warming_up_needs_no_words(engine: OpenAiLanguageModel, server: ChatServer, script: Any) -> None:
    server.play(script)
    engine.warm_up()
    assert said(engine) == "You said: Hello. "


def test_warming_up_tells_of_a_server_that_fails(
    loaded: Callable[..., OpenAiLanguageModel], server: ChatServer
) -> None:
    server.play(status(500, "out of memory"))
    with pytest.raises(EngineError, match="out of memory"):
        loaded(tries=1).warm_up()


def test_warming_up_tells_of_a_server_that_never_answers_what_can_be_done(server: ChatServer) -> None:
    """No setting makes it wait for longer."""
    now_s = 0.0

    def now() -> float:
        nonlocal now_s
        now_s += 10.0
        return now_s

    engine = OpenAiLanguageModel(OpenAiSettings(base_url=server.url), now=now)
    engine.load(lambda done, total: None)
    server.play(says_nothing(threading.Event()))
    with pytest.raises(EngineError, match="no first answer within 60 s") as caught:
        engine.warm_up()
    assert "timeout_s" not in str(caught.value)
    engine.close()


# What it is asked


@pytest.mark.parametrize("text", ["", " \n"])
def test_where_nothing_was_said_nothing_is_asked(
    engine: OpenAiLanguageModel, server: ChatServer, text: str
) -> None:
    assert list(engine.reply([Message("user", text)])) == []
    assert server.chats == []


def test_a_very_short_and_a_very_long_text_are_sent_whole(
    engine: OpenAiLanguageModel, server: ChatServer
) -> None:
    said(engine, [Message("user", "a")])
    long = "word " * 200_000
    server.play(says("Too much to read."))
    assert said(engine, [Message("user", long)]) == "Too much to read."
    assert [request.messages[0][1] for request in server.chats] == ["a", long]


def test_a_dialogue_that_is_too_long_loses_its_oldest_turns_and_stays_that_short(
    engine: OpenAiLanguageModel, server: ChatServer
) -> None:
    history = [Message("system", "Be brief.")]
    for turn in range(4):
        history += [Message("user", f"Question {turn}, " * 10), Message("assistant", f"Answer {turn}, " * 10)]
    history.append(Message("user", "And now?"))
    server.play(status(400, "This model's maximum context length is 64 tokens."))
    assert said(engine, history) == "You said: And now? "
    whole, shorter = (request.messages for request in server.chats)
    assert whole == [(message.role, message.text) for message in history]
    assert shorter == [whole[0], *whole[7:]]
    assert said(engine, history) == "You said: And now? "
    assert server.chats[2].messages == shorter


def test_a_line_that_is_too_long_by_itself_is_an_error(
    engine: OpenAiLanguageModel, server: ChatServer
) -> None:
    server.play(status(400, {"message": "no", "code": "context_length_exceeded"}))
    with pytest.raises(EngineError, match=r"too long .* say less at once"):
        said(engine)
    assert len(server.chats) == 1


def test_a_dialogue_is_made_shorter_once_for_a_reply(engine: OpenAiLanguageModel, server: ChatServer) -> None:
    history = [Message(role, "word " * 99) for _ in range(9) for role in ("user", "assistant")]
    server.play(*[status(400, "maximum context length")] * 3)
    with pytest.raises(EngineError, match="too long"):
        said(engine, [*history, *HELLO])
    assert len(server.chats) == 2


def test_what_a_model_does_not_take_is_asked_for_no_more(
    loaded: Callable[..., OpenAiLanguageModel], server: ChatServer
) -> None:
    """Hosted reasoning models know neither `max_tokens` nor a temperature."""
    engine = loaded(temperature=0.5)
    refusals = [("max_tokens", "unsupported_parameter"), ("temperature", "unsupported_value")]
    server.play(*(status(400, {"message": "no", "param": name, "code": code}) for name, code in refusals))
    assert said(engine) == "You said: Hello. "
    said(engine)
    for request in server.chats[2:]:
        assert set(request.body) == {"model", "messages", "stream", "max_completion_tokens"}
        assert request.body["max_completion_tokens"] == 400


# Thoughts and other things that are not said


def test_thoughts_are_not_said(engine: OpenAiLanguageModel, server: ChatServer) -> None:
    def script(exchange: Exchange) -> None:
        exchange.stream()
        exchange.chunk(reasoning_content="They greet me.")
        exchange.chunk(reasoning="I greet back.")
        for piece in ("<thi", "nk>Hm", "m.</th", "ink>\n\nGood", " day."):
            exchange.chunk(content=piece)
        exchange.end()

    server.play(script)
    assert said(engine) == "Good day."


def test_a_thought_that_the_prompt_began_is_known_from_its_end(
    engine: OpenAiLanguageModel, server: ChatServer
) -> None:
    """DeepSeek-R1's template opens the thought: its reply has only the mark that ends it."""
    server.play(*[says("Hmm, they ", "greet.</think>", "Hello!")] * 2, says("Plain ", "words."), says("Bye."))
    said(engine)  # nobody could know
    assert said(engine) == "Hello!"
    assert said(engine) == "Plain words."  # it did not think this time
    assert said(engine) == "Bye."


@pytest.mark.parametrize("name", ["reasoning_content", "reasoning", "content"])
def test_thoughts_that_come_fast_leave_moments_at_which_it_can_be_closed(
    engine: OpenAiLanguageModel, server: ChatServer, name: str
) -> None:
    """Only a wait of a whole slice gave its thread back, and there was none."""

    def script(exchange: Exchange) -> None:
        exchange.stream()
        exchange.chunk(content="<think>" if name == "content" else "")
        for _ in range(200):
            exchange.chunk(**{name: "Hmm. "})
        exchange.chunk(content="</think>Yes." if name == "content" else "Yes.")
        exchange.end()

    server.play(script)
    deltas = [item.text for item in engine.reply(HELLO)]
    assert "".join(deltas) == "Yes."
    assert deltas.index("Yes.") > 200


def test_what_was_learnt_of_a_models_thoughts_goes_with_the_model(
    engine: OpenAiLanguageModel, server: ChatServer
) -> None:
    server.play(*[thinks] * 2)
    said(engine)
    assert said(engine) == "Hello! "
    server.models = ["new"]
    server.play(status(404, "The model `tiny` does not exist."), says("Good ", "day."), thinks)
    assert [item.text for item in engine.reply(HELLO) if item.text] == ["Good ", "day."]
    said(engine)
    engine.load(lambda done, total: None)
    server.play(says("Good ", "day."))
    assert [item.text for item in engine.reply(HELLO) if item.text] == ["Good ", "day."]


def test_chunks_without_words_are_passed_over(engine: OpenAiLanguageModel, server: ChatServer) -> None:
    def script(exchange: Exchange) -> None:
        exchange.stream()
        exchange.raw(b": a comment\n\n")
        exchange.event({"choices": [], "prompt_filter_results": []})
        exchange.event({"choices": None})
        exchange.chunk(content=None)
        exchange.chunk(content="Yes.", tool_calls=None)
        exchange.event({"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]})
        exchange.event({"choices": [], "usage": {"prompt_tokens": 1, "completion_tokens": 1}})
        exchange.event("[DONE]")
        exchange.close_body()

    server.play(script)
    assert said(engine) == "Yes."
    said(engine)
    assert server.connections == 1  # it was read to its end


# Loading


def test_loading_again_while_somebody_waits_can_be_closed(
    engine: OpenAiLanguageModel, server: ChatServer
) -> None:
    server.list_with = says_nothing(threading.Event())
    loading = engine.reload()
    assert [next(loading) for _ in range(3)] == [Delta("")] * 3
    loading.close()  # type: ignore[attr-defined]
    assert server.gone.wait(SOON_S)
    with pytest.raises(EngineError, match=r"call load\(\) first"):
        said(engine)
    server.list_with = None
    assert all(item == Delta("") for item in engine.reload())
    assert said(engine) == "You said: Hello. "


def test_loading_again_while_somebody_waits_takes_one_try_of_the_shorter_limit(
    loaded: Any, server: ChatServer
) -> None:
    engine = loaded(connect_timeout_s=0.2)
    server.list_with = says_nothing(threading.Event())
    with pytest.raises(EngineLoadError, match=r"nothing came from .* for 0\.2 s"):
        list(engine.reload())
    before = len(server.requests)
    server.list_with = status(503, "loading the model")
    with pytest.raises(EngineLoadError, match="loading the model"):
        list(engine.reload())
    assert len(server.requests) == before + 1


def test_without_a_name_the_first_model_is_asked(server: ChatServer, loaded: Any) -> None:
    server.models = ["second-best", "best"]
    said(loaded())
    assert server.chats[0].body["model"] == "second-best"


@pytest.mark.parametrize("name", ["best", "best:latest"])
def test_a_model_of_this_name_is_asked(server: ChatServer, loaded: Any, name: str) -> None:
    server.models = ["tiny", name]
    said(loaded(model="best"))
    assert server.chats[0].body["model"] == "best"


def test_a_server_that_tells_no_models_is_taken_at_its_name(server: ChatServer, loaded: Any) -> None:
    server.list_with = status(404, "what?")
    said(loaded(model="best"))
    assert server.chats[0].body["model"] == "best"


@pytest.mark.parametrize(
    ("wanted", "has", "says_what"),
    [
        ("qwen3-8b", ["Qwen3-8B", "qwen3-4b"], r'no model "qwen3-8b"; .*model = "qwen3-4b"'),
        ("zzz", ["a", "b"], "set engines.openai.model to one that it has: a, b"),
        ("zzz", [], "set engines.openai.model"),
        ("", [], "has no model; have it load one"),
    ],
)
def test_a_model_that_is_not_there_is_an_error(
    server: ChatServer, loaded: Any, wanted: str, has: list[str], says_what: str
) -> None:
    server.models = has
    with pytest.raises(EngineLoadError, match=says_what):
        loaded(model=wanted)


def test_a_server_started_anew_with_another_model_is_asked_for_that(
    engine: OpenAiLanguageModel, server: ChatServer
) -> None:
    server.models = ["new"]
    server.play(status(404, "The model `tiny` does not exist."))
    assert said(engine) == "You said: Hello. "
    assert [request.body["model"] for request in server.chats] == ["tiny", "new"]


def test_a_model_that_went_away_is_told_with_the_nearest(loaded: Any, server: ChatServer) -> None:
    engine = loaded(model="tiny")
    server.models = ["tiny-2"]
    server.play(status(404, "The model `tiny` does not exist."))
    with pytest.raises(EngineError, match=r'no model "tiny"; .*"tiny-2"'):
        said(engine)


def test_a_server_that_is_away_is_told_with_what_starts_it() -> None:
    with ChatServer() as server:
        url = server.url
    engine = OpenAiLanguageModel(OpenAiSettings(base_url=url, tries=1))
    with pytest.raises(EngineLoadError, match=r"no server answers at http://127.*vllm serve"):
        engine.load(lambda done, total: None)
    with pytest.raises(EngineError, match=r"call load\(\) first"):
        list(engine.reply(HELLO))
    engine.close()


def test_an_address_without_its_v1_is_told_as_such(server: ChatServer) -> None:
    engine = OpenAiLanguageModel(OpenAiSettings(base_url=server.url.removesuffix("/v1")))
    with pytest.raises(EngineLoadError, match="base_url usually ends in /v1"):
        engine.load(lambda done, total: None)


def test_an_address_that_is_none_is_an_error_of_loading() -> None:
    engine = OpenAiLanguageModel(OpenAiSettings(base_url="http://127.0.0.1:port/v1"))
    with pytest.raises(EngineLoadError, match=r"engines\.openai\.base_url"):
        engine.load(lambda done, total: None)


# Cancelling


def test_a_reply_that_was_never_begun_asks_nothing(engine: OpenAiLanguageModel, server: ChatServer) -> None:
    engine.reply(HELLO).close()
    assert server.chats == []


@pytest.mark.parametrize("items", range(1, 6))
def test_it_can_be_closed_after_any_item(engine: OpenAiLanguageModel, server: ChatServer, items: int) -> None:
    server.play(stalls(threading.Event(), "One ", "two ", "three "))
    reply = engine.reply(HELLO)
    for _ in range(items):  # three words, then the stall
        next(reply)
    reply.close()
    assert server.gone.wait(SOON_S), "the server goes on writing to nobody"
    assert said(engine) == "You said: Hello. "


def test_it_can_be_closed_before_the_server_says_anything(
    engine: OpenAiLanguageModel, server: ChatServer
) -> None:
    server.play(says_nothing(threading.Event()))
    reply = engine.reply(HELLO)
    assert next(reply) == Delta("")
    reply.close()
    assert server.gone.wait(SOON_S)
    assert said(engine) == "You said: Hello. "


def test_it_can_be_closed_between_two_tries(engine: OpenAiLanguageModel, server: ChatServer) -> None:
    server.play(status(503, Retry_After="9"))
    reply = engine.reply(HELLO)
    while not server.chats:
        assert next(reply) == Delta("")
    assert next(reply) == Delta("")
    reply.close()
    assert said(engine) == "You said: Hello. "
    assert len(server.chats) == 2


def test_it_can_be_closed_while_it_learns_of_another_model(
    engine: OpenAiLanguageModel, server: ChatServer
) -> None:
    server.play(status(404, "no such model"))
    server.list_with = lambda exchange: exchange.wait(threading.Event())
    reply = engine.reply(HELLO)
    while len(server.requests) < 3:
        assert next(reply) == Delta("")
    reply.close()
    assert server.gone.wait(SOON_S)
    server.list_with = None
    assert said(engine) == "You said: Hello. "


async def test_on_its_thread_a_stall_is_broken_off_at_once(
    engine: OpenAiLanguageModel, server: ChatServer
) -> None:
    """Whoever speaks into a stall must not wait for its time limit, nor the next turn."""
    server.play(stalls(threading.Event(), "One "))
    thread = EngineThread("llm", RealClock())
    stream = thread.stream(lambda: engine.reply(HELLO))
    assert [item.text async for item in _until(stream, "One ")][-1] == "One "
    await asyncio.wait_for(stream.aclose(), SOON_S)
    assert server.gone.wait(SOON_S)
    assert [item.text async for item in thread.stream(lambda: engine.reply(HELLO)) if item.text]
    await thread.close()


async def _until(stream: Any, text: str) -> Any:
    async for item in stream:
        yield item
        if item.text == text:
            return


# Giving back


def test_closing_gives_back_sockets_and_threads(server: ChatServer, loaded: Any) -> None:
    loaded().close()  # what is imported stays
    me, threads = psutil.Process(), set(threading.enumerate())
    before = me.num_fds()
    for _ in range(3):
        engine = loaded()
        server.play(stalls(threading.Event(), "One "))
        reply = engine.reply(HELLO)
        next(reply)
        engine.close()
        engine.close()
        reply.close()
        assert server.gone.wait(SOON_S)
        server.gone.clear()
    server.hang_up()
    for thread in set(threading.enumerate()) - threads:
        thread.join(SOON_S)  # those of the server's connections, and of the engine where it left any
    assert set(threading.enumerate()) <= threads
    assert me.num_fds() <= before


def test_a_reply_goes_wrong_when_the_engine_is_closed_under_it(
    engine: OpenAiLanguageModel, server: ChatServer
) -> None:
    server.play(stalls(threading.Event(), "One "))
    reply = engine.reply(HELLO)
    while next(reply).text != "One ":
        pass
    engine.close()
    with pytest.raises(EngineError):
        list(reply)


# Keys


def test_the_key_is_read_from_the_variable_that_is_named(
    server: ChatServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-wrong")
    monkeypatch.setenv("MY_KEY", " sk-right\n")
    engine = built(OpenAiSettings(base_url=server.url, key_variable="MY_KEY"))
    engine.load(lambda done, total: None)
    engine.close()
    assert server.requests[0].headers["authorization"] == "Bearer sk-right"


def test_without_a_key_a_server_of_ones_own_gets_a_dummy(
    server: ChatServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    engine = built(OpenAiSettings(base_url=server.url))
    engine.load(lambda done, total: None)
    engine.close()
    assert server.requests[0].headers["authorization"] == "Bearer none"


@pytest.mark.parametrize(
    "settings",
    [
        {"key_variable": "sk-secret"},
        {"base_url": "https://me:sk-secret@host/v1"},
        {"key_variable": "ODD_KEY"},
    ],
)
def test_a_key_in_the_wrong_place_is_an_error_that_does_not_show_it(
    settings: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ODD_KEY", "sk-secret\nsk-secret")
    with pytest.raises(ConfigError) as caught:
        built(OpenAiSettings(**settings))  # type: ignore[arg-type]
    assert "secret" not in str(caught.value)


def test_the_key_is_in_no_repr_no_log_and_no_error(
    loaded: Any, server: ChatServer, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(0)
    engine = loaded("sk-secret-123", tries=1)
    echo = "Incorrect API key: sk-secret-123. " + "x" * 150 + " sk-secret-123"  # shortened within the key
    server.play(*(status(code, echo) for code in (401, 403, 404, 400, 429, 500)))
    server.play(events({"error": {"message": echo}}))
    errors = []
    for _ in range(7):
        with pytest.raises(EngineError) as caught:
            said(engine)
        errors += [str(caught.value), repr(caught.value), repr(caught.value.__cause__)]
    assert len(server.chats) == 7
    seen = "\n".join([repr(engine), str(vars(engine)), caplog.text, *errors])
    assert "Incorrect API key: …." in seen
    assert "sk-s" not in seen


def test_neither_torch_nor_transformers_is_imported(server: ChatServer) -> None:
    program = f"""
import sys
from voxterm.engines.declared.openai import OpenAiSettings
from voxterm.engines.openai.engine import built
assert "openai" not in sys.modules, "a heavy import before load"
engine = built(OpenAiSettings(base_url={server.url!r}))
from voxterm.engines.protocols import Message
engine.load(lambda done, total: None)
engine.warm_up()
assert any(item.text for item in engine.reply([Message("user", "Hello.")]))
engine.close()
assert not {{"torch", "transformers"}} & set(sys.modules)
"""
    root = Path(__file__).parents[2]
    environ = {**os.environ, "PYTHONPATH": str(root), "PYTHONWARNINGS": "error"}
    ran = subprocess.run(
        [sys.executable, "-c", program], env=environ, capture_output=True, text=True, check=False, timeout=60
    )
    assert ran.returncode == 0, ran.stderr
