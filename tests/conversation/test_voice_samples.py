"""A voice may be heard before it is chosen. That is no turn, and it is in nobody's way."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from fakes import VOICE, Listener, SwappingVoice, ToneVoice, said, silence
from scene import Scene

from voxterm.conversation import Conversation
from voxterm.conversation.greetings import GREETINGS, greeting
from voxterm.engines.protocols import Voice
from voxterm.events import Event, Interrupted, Levels, ReplyHeard, State, StateChanged, Trouble, TurnFinished
from voxterm.sentences import SentenceSplitter
from voxterm.voices import Catalogue, voices_folder

ANNA = replace(VOICE, name="anna", checkpoint="english")
BERTA = replace(VOICE, name="berta", checkpoint="english", language="de")
CARLA = replace(VOICE, name="carla", checkpoint="spanish")
GREETING_S = 0.6  # "Hello! This is how I sound." as the fake voice says it
GERMAN_S = 0.4


def scene_of(*replies: str) -> tuple[Scene, SwappingVoice]:
    voice = SwappingVoice("english")
    return Scene(Listener(*replies), voice, speaks_as=ANNA, voices=(ANNA, BERTA, CARLA)), voice


def listening(do: Callable[[Conversation], None], nth: int = 1) -> Callable[[Conversation, Event], None]:
    """What to do when nobody has anything more to say for the n-th time."""
    times: list[Event] = []

    def meanwhile(conversation: Conversation, event: Event) -> None:
        if isinstance(event, StateChanged) and event.state is State.LISTENING:
            times.append(event)
            if len(times) == nth:
                asyncio.get_running_loop().call_soon(do, conversation)  # the frame is being taken in

    return meanwhile


def heard_s(scene: Scene) -> float:
    return np.count_nonzero(np.abs(scene.played.samples) > 0.001) / 24_000


def spoken(voice: SwappingVoice) -> list[tuple[str, str]]:
    return [(name, text) for name, text, _ in voice.said if text != "a"]


async def test_it_says_a_greeting_in_its_language() -> None:
    scene, voice = scene_of()
    await scene.play(silence(3.0), meanwhile=listening(lambda talk: talk.sample_voice("berta")))
    assert spoken(voice) == [("berta", "Hallo!"), ("berta", "So klinge ich.")]
    assert heard_s(scene) == pytest.approx(GERMAN_S, abs=0.02)


async def test_it_is_no_turn() -> None:
    """Nobody is told of it, so nobody shows or stores it; and the next turn is the first."""
    scene, _ = scene_of("fine")
    talked = await scene.play(
        silence(2.0), said(0.3, 1.0), meanwhile=listening(lambda talk: talk.sample_voice("berta"))
    )
    assert [turn.turn for turn in talked.turns] == [1]
    assert not [event for event in scene.events if getattr(event, "turn", 1) == 0]
    assert State.SPEAKING in {event.state for event in scene.of(StateChanged)}, "it is a sound of voxterm's"
    listener = scene.listener
    assert listener.histories == [()], "the models know nothing of it"


async def test_it_waits_until_the_reply_has_been_said() -> None:
    scene, voice = scene_of("one two three four five")

    def meanwhile(conversation: Conversation, event: Event) -> None:
        if isinstance(event, ReplyHeard) and event.heard_chars == 3:
            conversation.sample_voice("berta")

    talked = await scene.play(said(0.3, 1.0), silence(3.0), meanwhile=meanwhile)
    assert [name for name, _ in spoken(voice)] == ["anna", "berta", "berta"]
    assert talked.turns[0].heard_reply == talked.turns[0].reply
    assert heard_s(scene) == pytest.approx(0.5 + GERMAN_S, abs=0.05)


async def test_one_that_is_not_wanted_any_more_never_begins() -> None:
    scene, voice = scene_of("one two three four five")

    def meanwhile(conversation: Conversation, event: Event) -> None:
        if isinstance(event, ReplyHeard) and event.heard_chars == 3:
            conversation.sample_voice("berta")
            conversation.sample_voice(None)

    talked = await scene.play(said(0.3, 1.0), silence(3.0), meanwhile=meanwhile)
    assert {name for name, _ in spoken(voice)} == {"anna"}
    assert talked.turns[0].heard_reply == talked.turns[0].reply, "and the reply is left alone"


async def test_it_can_be_silenced_and_another_takes_its_place() -> None:
    scene, voice = scene_of()
    levels: list[Levels] = []  # while berta speaks

    def meanwhile(conversation: Conversation, event: Event) -> None:
        begin(conversation, event)
        if isinstance(event, Levels) and event.loudspeaker_dbfs > -60:
            levels.append(event)
            if len(levels) == 2:
                conversation.sample_voice("anna")

    begin = listening(lambda talk: talk.sample_voice("berta"))
    await scene.play(silence(4.0), meanwhile=meanwhile)
    assert [name for name, _ in spoken(voice)][-1] == "anna"
    assert heard_s(scene) < GERMAN_S + GREETING_S - 0.1
    assert not scene.of(Interrupted)


async def test_who_speaks_cuts_it_off_and_has_the_turn() -> None:
    scene, _ = scene_of("fine")
    microphone_s = 0.4
    talked = await scene.play(
        said(microphone_s, 1.5),
        meanwhile=listening(lambda talk: talk.sample_voice("anna")),
        talks_over=True,
    )
    assert heard_s(scene) < GREETING_S + 0.1 - 0.05, "the greeting was not said to its end"
    assert [turn.reply for turn in talked.turns] == ["fine"]
    assert scene.listener.histories[-1] == ()


async def test_a_voice_of_another_checkpoint_is_not_loaded_for_it() -> None:
    scene, voice = scene_of()
    await scene.play(silence(2.0), meanwhile=listening(lambda talk: talk.sample_voice("carla")))
    assert voice.loads == ["english"]
    (trouble,) = scene.of(Trouble)
    assert trouble.remedy == "choose it to hear it"


async def test_nobody_stands_in_for_a_voice_that_is_to_be_heard() -> None:
    class Broken(ToneVoice):
        def speak(self, text: str, voice: Voice, speed: float = 1.0):  # type: ignore[no-untyped-def]
            self.spoken.append(voice.name)
            if voice.name == "berta":
                raise ValueError("boom")
            yield from super().speak(text, VOICE, speed)

    annette = replace(BERTA, name="annette")
    voice = Broken()
    scene = Scene(voice=voice, speaks_as=ANNA, voices=(ANNA, annette, BERTA))
    talked = await scene.play(silence(1.0), meanwhile=listening(lambda talk: talk.sample_voice("berta")))
    assert [(trouble.what, trouble.turn) for trouble in talked.troubles] == [("ValueError: boom", None)]
    assert "annette" not in voice.spoken


async def test_an_unknown_voice_is_silent_and_a_turn_may_follow() -> None:
    scene, _ = scene_of("fine")
    talked = await scene.play(
        silence(1.0), said(0.3, 1.0), meanwhile=listening(lambda talk: talk.sample_voice("nobody"))
    )
    assert len(scene.of(TurnFinished)) == 1
    assert talked.troubles == []


def test_every_voice_has_something_to_say() -> None:
    catalogue = Catalogue.read(voices_folder())
    for voice in catalogue.voices.values():
        splitter = SentenceSplitter(voice.language)
        pieces = splitter.push(greeting(voice)) + splitter.finish()
        assert any(piece.text for piece in pieces), voice.name
    assert greeting(replace(VOICE, language="en-GB")) == GREETINGS["en"]
    assert greeting(replace(VOICE, name="lule-sami", language="smj")) == "lule sami"
    spoken_languages = {voice.language.partition("-")[0] for voice in catalogue.voices.values()}
    assert set(GREETINGS) <= spoken_languages
