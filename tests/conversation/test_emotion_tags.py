"""Tags like "<laugh>" reach the voice, and nothing else."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest
from fakes import VOICE, Listener, ToneVoice, said, silence
from scene import Scene

from voxterm.conversation import Conversation
from voxterm.engines.protocols import Message, SpeechChunk, Spoken, Voice
from voxterm.events import Event, ReplyDelta, ReplyHeard, TurnFinished

LAUGHS = replace(VOICE, tags=("<laugh>",))


def loud_s(scene: Scene) -> float:
    return float(np.count_nonzero(np.abs(scene.played.samples) > 0.01)) / 24_000


async def test_a_tag_is_spoken_and_neither_shown_nor_stored_nor_counted() -> None:
    scene = Scene(Listener("Ha <laugh> so good. <sigh> Yes.", "fine"), speaks_as=LAUGHS)
    await scene.play(said(0.3, 1.0), said(0.3, 1.0))
    first = scene.talked.turns[0]
    assert scene.voice.spoken[1:3] == ["Ha <laugh> so good.", "Yes."], 'the "a" of the loading comes first'
    assert first.reply == first.heard_reply == "Ha so good. Yes."
    assert "".join(event.text for event in scene.of(ReplyDelta) if event.turn == 1) == first.reply
    assert scene.listener.histories[-1][-1] == Message("assistant", "Ha so good. Yes.")
    assert all(event.text for event in scene.of(ReplyDelta))
    assert loud_s(scene) == pytest.approx(0.1 * (5 + 1), abs=0.02)


async def test_while_a_tag_sounds_no_word_is_heard() -> None:
    scene = Scene(Listener("one <laugh> <laugh> <laugh> <laugh> <laugh> two three"), speaks_as=LAUGHS)

    def meanwhile(conversation: Conversation, event: Event) -> None:
        if isinstance(event, ReplyHeard) and event.heard_chars == 3:
            conversation.interrupt()

    await scene.play(said(0.3, 1.0), meanwhile=meanwhile)
    (turn,) = scene.talked.turns
    assert turn.heard_reply == "one"
    assert turn.reply == "one two three"
    assert loud_s(scene) < 0.3, "it was cut off in the first laugh"
    assert max(event.word_end for event in scene.of(ReplyHeard)) == len("one")


async def test_a_tag_takes_its_time_where_the_voice_marks_no_words() -> None:
    class Unmarked(ToneVoice):
        def speak(self, text: str, voice: Voice, speed: float = 1.0) -> Iterator[Spoken]:
            for item in super().speak(text, voice, speed):
                yield replace(item, words=()) if isinstance(item, SpeechChunk) else item

    scene = Scene(Listener("one <laugh> two"), Unmarked(), speaks_as=LAUGHS)

    def meanwhile(conversation: Conversation, event: Event) -> None:
        if isinstance(event, ReplyHeard) and event.heard_chars == 3:
            conversation.interrupt()

    await scene.play(said(0.3, 1.0), meanwhile=meanwhile)
    assert scene.talked.turns[0].heard_reply == "one"
    assert loud_s(scene) > 0.22, "19 of 22 characters' time"


@pytest.mark.parametrize("tags", [("<laugh>",), ()])
async def test_a_reply_of_tags_alone_is_spoken_by_a_voice_that_knows_them(tags: tuple[str, ...]) -> None:
    scene = Scene(Listener("<laugh>", "fine"), speaks_as=replace(VOICE, tags=tags))
    await scene.play(said(0.3, 1.0), said(0.3, 1.0))
    first, second = scene.talked.turns
    assert first.transcript
    assert first.reply == first.heard_reply == ""
    assert ("<laugh>" in scene.voice.spoken) == bool(tags)
    assert second.heard_reply == "fine"
    assert loud_s(scene) == pytest.approx(0.1 * (len(tags) + 1), abs=0.02)


async def test_what_is_repeated_laughs_again() -> None:
    scene = Scene(Listener("Ha <laugh> so good."), speaks_as=LAUGHS)
    repeated: list[Event] = []

    def meanwhile(conversation: Conversation, event: Event) -> None:
        if isinstance(event, TurnFinished) and not repeated:
            repeated.append(event)
            conversation.repeat()

    await scene.play(said(0.3, 1.0), silence(2.0), meanwhile=meanwhile)
    assert scene.voice.spoken.count("Ha <laugh> so good.") == 2
