"""What an engine, or a voice's file, has to say while the conversation goes on."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from fakes import Listener, said
from scene import Scene

from voxterm.engines.protocols import AudioEncoded, Delta, Message, Notice, Transcript, Understood
from voxterm.events import TranscriptReady, Trouble


class Worried(Listener):
    """Tells of something before it answers, and waits in between."""

    def answer(self, history: Sequence[Message]) -> Iterator[Understood]:
        yield AudioEncoded()
        yield Transcript("hello")
        yield Notice("the server is away", "another answers meanwhile", "engine")
        yield Delta("")
        yield Delta("one two three")


async def test_a_notice_of_an_engine_is_told_with_its_turn_and_the_answer_goes_on() -> None:
    scene = Scene(Worried())
    talked = await scene.play(said(0.5, 1.0))
    (turn,) = talked.turns
    told = Trouble("the server is away", "another answers meanwhile", "engine", turn.turn)
    assert scene.of(Trouble) == [told]
    assert turn.reply == turn.heard_reply == "one two three"


async def test_a_notice_of_an_answer_that_was_thrown_away_is_not_told() -> None:
    """It would be told again with each attempt in a pause."""
    scene = Scene(Worried())
    await scene.play(said(0.5, 0.6, 0.3, 0.6))
    assert len(scene.of(Trouble)) == len(scene.of(TranscriptReady)) == 1


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
