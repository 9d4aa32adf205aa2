from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from typing import Any

import pytest
from chat_server import ChatServer, drops, hangs_up, says, says_nothing, status

from voxterm.engines.declared.openai import OpenAiSettings
from voxterm.engines.eliza import Eliza
from voxterm.engines.openai.engine import OpenAiLanguageModel
from voxterm.engines.protocols import Delta, LanguageModel, LoadProgress, Message, Notice, Replied
from voxterm.engines.second_choice import SecondChoice
from voxterm.errors import EngineError, EngineLoadError

HELLO = [Message("user", "Hello.")]
AWAY = EngineLoadError("no server answers", "start it")


class Model:
    """A language model that does as it is told, and writes down what is asked of it."""

    def __init__(self, name: str, log: list[str]) -> None:
        self.name = name
        self.log = log
        self.error: EngineError | None = None  # of all it does
        self.before: Sequence[Replied] = ()  # what it gives before it fails

    def load(self, progress: LoadProgress) -> None:
        self._do("load")
        progress(0, 0)

    def warm_up(self) -> None:
        self._do("warm up")

    def close(self) -> None:
        self.log.append(f"{self.name} close")

    def reply(self, history: Sequence[Message]) -> Iterator[Replied]:
        try:
            yield from self.before
            self._do("reply")
            yield Delta(f"{self.name} ")
            yield Delta("says.")
        finally:
            self.log.append(f"{self.name} reply closed")

    def _do(self, what: str) -> None:
        self.log.append(f"{self.name} {what}")
        if self.error:
            raise self.error


class Pair:
    """A first and a second model as one, on a clock moved by hand."""

    def __init__(self) -> None:
        self.log: list[str] = []
        self.first, self.second = Model("first", self.log), Model("second", self.log)
        self.now_s = 0.0
        self.both = SecondChoice(self.first, self.second, lambda: self.now_s)

    def load(self) -> None:
        self.both.load(lambda done, total: None)

    def said(self) -> tuple[str, list[Notice]]:
        """A reply, and what was told beside it."""
        items = list(self.both.reply(HELLO))
        text = "".join(item.text for item in items if isinstance(item, Delta))
        return text, [item for item in items if isinstance(item, Notice)]


@pytest.fixture
def pair() -> Pair:
    return Pair()


FAILED = Notice("no server answers", "second answers meanwhile; start it", "engine")
BACK = Notice("first answers again", is_trouble=False)


def test_it_is_a_language_model_named_after_both(pair: Pair) -> None:
    assert isinstance(pair.both, LanguageModel)
    assert pair.both.name == "first, else second"


def test_the_first_answers_while_it_can(pair: Pair) -> None:
    pair.load()
    assert pair.said() == ("first says.", [])
    assert "second reply" not in pair.log


def test_both_are_loaded_warmed_and_closed(pair: Pair) -> None:
    pair.load()
    pair.both.warm_up()
    pair.both.close()
    assert pair.log == [
        f"{name} {verb}" for verb in ("load", "warm up", "close") for name in ("first", "second")
    ]


def test_a_first_that_fails_gives_way_and_that_is_said(pair: Pair) -> None:
    pair.load()
    pair.first.error = AWAY
    assert pair.said() == ("second says.", [FAILED])


def test_the_notice_comes_before_the_answer(pair: Pair) -> None:
    pair.load()
    pair.first.error = AWAY
    assert next(pair.both.reply(HELLO)) == FAILED


def test_what_failed_is_given_with_every_reply_for_which_it_holds_and_its_return_too(pair: Pair) -> None:
    pair.load()
    pair.first.error = AWAY
    for _ in range(2):
        assert pair.said() == ("second says.", [FAILED])
        assert pair.said() == ("second says.", [FAILED])  # while the first rests
        pair.now_s += 100
    pair.first.error = None
    assert pair.said() == ("first says.", [BACK])
    assert pair.said() == ("first says.", [BACK])


def test_another_failure_is_told_anew(pair: Pair) -> None:
    pair.load()
    pair.first.error = AWAY
    pair.said()
    pair.now_s += 100
    pair.first.error = EngineError("the key is refused")
    assert pair.said()[1] == [Notice("the key is refused", "second answers meanwhile")]


def test_the_first_is_left_alone_for_longer_after_each_failure(pair: Pair) -> None:
    pair.load()
    pair.first.error = AWAY
    waits = []
    for _ in range(9):
        pair.said()
        tried, begun_s = pair.log.count("first reply"), pair.now_s
        while pair.log.count("first reply") == tried:
            pair.now_s += 0.5
            assert pair.said()[0] == "second says."
        waits.append(pair.now_s - begun_s)
        pair.first.error = AWAY
    assert waits[:1] == [1.0]
    assert waits == sorted(waits)
    assert max(waits) == waits[-1] == 60.0


def test_one_good_reply_makes_the_waits_short_again(pair: Pair) -> None:
    pair.load()
    for _ in range(9):
        pair.first.error = AWAY
        pair.said()
        pair.now_s += 100
    pair.first.error = None
    pair.said()
    pair.first.error = AWAY
    pair.said()
    pair.first.error = None
    pair.now_s += 1.0
    assert pair.said() == ("first says.", [BACK])


def test_a_notice_that_nobody_may_have_seen_is_given_again(pair: Pair) -> None:
    """An answer begun in a pause is thrown away, with all it told, when the person goes on."""
    pair.load()
    pair.first.error = AWAY
    for _ in range(2):
        reply = pair.both.reply(HELLO)
        assert next(reply) == FAILED
        next(reply)
        reply.close()
    assert pair.said()[1] == [FAILED]
    pair.now_s += 100
    pair.first.error = None
    reply = pair.both.reply(HELLO)
    assert next(reply) == BACK
    reply.close()
    assert pair.said()[1] == [BACK]


def test_empty_deltas_and_notices_are_no_words(pair: Pair) -> None:
    pair.load()
    pair.first.before = [Delta(""), Notice("slow today"), Delta("")]
    pair.first.error = AWAY
    assert pair.said() == ("second says.", [Notice("slow today"), FAILED])


def test_what_was_said_is_not_said_again_by_another(pair: Pair) -> None:
    pair.load()
    pair.first.before = [Delta("Well, ")]
    pair.first.error = AWAY
    reply = pair.both.reply(HELLO)
    assert next(reply) == Delta("Well, ")
    with pytest.raises(EngineError, match="no server answers"):
        next(reply)
    assert "second reply" not in pair.log


def test_where_both_fail_the_second_error_stands_and_the_first_is_told(pair: Pair) -> None:
    pair.load()
    pair.first.error, pair.second.error = AWAY, EngineError("no rules")
    reply = pair.both.reply(HELLO)
    assert next(reply) == FAILED
    with pytest.raises(EngineError, match="no rules"):
        next(reply)


def test_a_first_that_cannot_be_loaded_is_told_with_the_reply_and_loaded_later(pair: Pair) -> None:
    pair.first.error = AWAY
    pair.load()
    pair.both.warm_up()
    assert pair.log == ["first load", "first close", "second load", "second warm up"]
    assert pair.said() == ("second says.", [FAILED])
    pair.now_s = 1.0
    assert pair.said() == ("second says.", [FAILED])
    assert pair.log.count("first load") == 2
    pair.now_s = 100.0
    pair.first.error = None
    assert pair.said() == ("first says.", [BACK])
    assert pair.log.count("first load") == 3
    pair.said()
    assert pair.log.count("first load") == 3


def test_a_first_that_cannot_be_warmed_up_gives_way(pair: Pair) -> None:
    pair.load()
    pair.first.error = AWAY
    pair.both.warm_up()
    assert pair.said() == ("second says.", [FAILED])


class Expectant(Model):
    def expect(self) -> None:
        self.log.append(f"{self.name} expects")


def test_who_will_be_asked_is_told_that_somebody_speaks() -> None:
    log: list[str] = []
    now_s = 0.0
    first = Expectant("first", log)
    both = SecondChoice(first, Expectant("second", log), lambda: now_s)
    both.load(lambda done, total: None)
    log.clear()
    both.expect()
    assert log == ["first expects", "second expects"]
    first.error = AWAY
    list(both.reply(HELLO))
    log.clear()
    both.expect()
    assert log == ["second expects"]
    now_s = 60.0
    both.expect()
    assert log == ["second expects", "first expects", "second expects"]


def test_the_second_must_load(pair: Pair) -> None:
    pair.second.error = AWAY
    with pytest.raises(EngineLoadError):
        pair.load()
    pair.both.close()
    assert pair.log[-2:] == ["first close", "second close"]


def test_loading_again_begins_anew(pair: Pair) -> None:
    pair.first.error = AWAY
    pair.load()
    pair.first.error = None
    pair.load()
    assert pair.said() == ("first says.", [])


@pytest.mark.parametrize("fails", [False, True])
@pytest.mark.parametrize("items", [1, 2])
def test_closing_a_reply_closes_the_one_under_way(pair: Pair, fails: bool, items: int) -> None:
    pair.load()
    pair.first.error = AWAY if fails else None
    reply = pair.both.reply(HELLO)
    for _ in range(items + fails):  # the notice
        next(reply)
    reply.close()
    assert pair.log[-1] == f"{'second' if fails else 'first'} reply closed"
    pair.first.error, pair.now_s = None, 100.0
    assert pair.said()[0] == "first says."


def test_the_second_is_closed_even_where_the_first_fails(pair: Pair, monkeypatch: pytest.MonkeyPatch) -> None:
    def stuck() -> None:
        raise EngineError("stuck")

    monkeypatch.setattr(pair.first, "close", stuck)
    with pytest.raises(EngineError):
        pair.both.close()
    assert pair.log == ["second close"]


# With the real ones


@pytest.fixture
def server() -> Iterator[ChatServer]:
    with ChatServer() as server:
        yield server


class Talk:
    """A server's model with ELIZA as the second choice."""

    def __init__(self, url: str, **settings: Any) -> None:
        self.now_s = 0.0
        openai = OpenAiLanguageModel(OpenAiSettings(base_url=url, tries=1, **settings))
        self.both = SecondChoice(openai, Eliza(seed=1), lambda: self.now_s)
        self.both.load(lambda done, total: None)

    def turn(self, wait_s: float = 100.0) -> tuple[str, list[str]]:
        self.now_s += wait_s
        items = list(self.both.reply(HELLO))
        told = [item.what for item in items if isinstance(item, Notice)]
        return "".join(item.text for item in items if isinstance(item, Delta)), told


def test_eliza_answers_while_the_server_is_away(server: ChatServer) -> None:
    talk = Talk(server.url)
    server.play(says("One."), hangs_up, status(500), says("Two."), drops("Thr"))
    assert talk.turn() == ("One.", [])
    text, told = talk.turn()
    assert (text[:5], told) == ("Hello", [f"the connection to {server.url} broke off"])
    text, told = talk.turn()
    assert (text[:5], told) == ("Hello", [f"{server.url} failed (500: no luck)"])
    assert talk.turn() == ("Two.", ["openai answers again"])
    with pytest.raises(EngineError, match="the reply broke off"):
        talk.turn()
    text, told = talk.turn(wait_s=0.0)
    assert (text, told) == ("You said: Hello. ", ["openai answers again"])
    talk.both.close()


def test_a_server_that_was_away_at_the_start_is_taken_up_when_it_comes(server: ChatServer) -> None:
    server.list_with = status(503, "loading the model")
    talk = Talk(server.url)
    text, told = talk.turn(wait_s=0.0)
    assert (text[:5], told) == ("Hello", [f"{server.url} failed (503: loading the model)"])
    server.list_with = None
    assert talk.turn() == ("You said: Hello. ", ["openai answers again"])
    talk.both.close()


def test_a_server_that_accepts_and_stalls_is_given_up_before_long_and_at_once_when_cancelled(
    server: ChatServer,
) -> None:
    """It was loaded again in one call: the second could say nothing for all of timeout_s."""
    server.list_with = status(503, "loading the model")
    talk = Talk(server.url, connect_timeout_s=0.3)
    server.list_with = says_nothing(threading.Event())
    talk.now_s += 100.0
    reply = talk.both.reply(HELLO)
    assert [next(reply), next(reply)] == [Delta(""), Delta("")]
    reply.close()
    assert server.gone.wait(5.0)
    text, told = talk.turn()
    assert (text[:5], told) == ("Hello", [f"nothing came from {server.url} for 0.3 s"])
    server.list_with = None
    assert talk.turn() == ("You said: Hello. ", ["openai answers again"])
    talk.both.close()
