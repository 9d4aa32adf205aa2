"""What an engine, or a voice's file, has to say while the conversation goes on."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from fakes import Listener, said
from scene import Scene

from voxterm.engines.protocols import AudioEncoded, Delta, Message, Notice, Transcript, Understood
from voxterm.events import Remark, TranscriptReady, Trouble


class Worried(Listener):
    """Tells of something before it answers, and waits in between."""

    def answer(self, history: Sequence[Message]) -> Iterator[Understood]:
        yield AudioEncoded()
        yield Transcript("hello")
        yield Notice("the server is away", "another answers meanwhile", "engine")
        yield Delta("")
        yield Delta("one two three")


async def test_a_notice_of_an_engine_is_told_and_the_answer_goes_on() -> None:
    """It is no fault of the turn, which was answered."""
    scene = Scene(Worried())
    talked = await scene.play(said(0.5, 1.0))
    (turn,) = talked.turns
    assert scene.of(Trouble) == [Trouble("the server is away", "another answers meanwhile", "engine")]
    assert turn.reply == turn.heard_reply == "one two three"


async def test_it_is_told_even_if_the_answer_is_thrown_away_and_only_once() -> None:
    """It comes with every attempt, in each pause, and some of those nobody ever hears of."""
    scene = Scene(Worried())
    await scene.play(said(0.5, 0.6, 0.3, 0.6), said(0.5, 1.0))
    assert len(scene.of(Trouble)) == 1
    assert len(scene.of(TranscriptReady)) == 2


async def test_good_news_is_no_trouble_and_bad_news_after_it_is_told_again() -> None:
    class Changing(Worried):
        news = iter((True, True, False, True))

        def answer(self, history: Sequence[Message]) -> Iterator[Understood]:
            yield AudioEncoded()
            yield Transcript("hello")
            yield Notice("the server", is_trouble=next(self.news))
            yield Delta("one")

    scene = Scene(Changing())
    await scene.play(*[said(0.5, 1.0)] * 4)
    told = [type(event) for event in scene.events if isinstance(event, Trouble | Remark)]
    assert told == [Trouble, Remark, Trouble]
    assert scene.talked.remarks == scene.of(Remark) == [Remark("the server")]


async def test_what_is_still_to_come_is_no_first_text() -> None:
    class Slow(Worried):
        def answer(self, history: Sequence[Message]) -> Iterator[Understood]:
            yield AudioEncoded()
            yield Transcript("hello")
            yield Delta("")

    scene = Scene(Slow())
    (turn,) = (await scene.play(said(0.5, 1.0))).turns
    assert turn.latency_ms["first_text"] is None
    assert turn.reply == ""
