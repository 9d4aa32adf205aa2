"""Another one answers: from the next question on, with the voice and the speed that belong to them."""

from __future__ import annotations

import asyncio
from dataclasses import replace

from fakes import VOICE, Listener, SwappingVoice, said, silence
from scene import Scene
from test_choices import is_sounding, once

from voxterm.conversation import Conversation
from voxterm.engines.eliza import Eliza
from voxterm.engines.protocols import Message
from voxterm.errors import VoiceError
from voxterm.events import (
    Event,
    PersonaChanged,
    Ready,
    Remark,
    ReplyHeard,
    SpeechPaused,
    SpeedChanged,
    Trouble,
    TurnFinished,
    VoiceChanged,
)
from voxterm.personality import Personality

ANNA = replace(VOICE, name="anna", checkpoint="english", tags=("<laugh>",))
BERTA = replace(VOICE, name="berta", checkpoint="german")

PERSONALITIES = {
    "": Personality("You are nobody."),
    "tutor": Personality("You teach.", "tutor"),
    "pirate": Personality("You rob.", "pirate", voice="berta", speed=2.0),
    "ghost": Personality("You haunt.", "ghost", trouble=VoiceError("no voice", "write one")),
}


def scene(persona: str = "", replies: tuple[str, ...] = ("one two three four",)) -> Scene:
    return Scene(
        Listener(*replies),
        SwappingVoice("english", "german"),
        speaks_as=ANNA,
        voices=(ANNA, BERTA),
        personalities=PERSONALITIES,
        persona=persona,
    )


def told(scene: Scene) -> list[str]:
    """The system message of each question that was answered, without what the voice can do."""
    listener = scene.listener
    return [history[0].text.split(" Where it fits")[0] for history in listener.histories]


async def test_who_answers_is_told_before_the_first_question() -> None:
    of_tutor = scene("tutor")
    await of_tutor.play(said(0.3, 1.0))
    assert set(told(of_tutor)) == {"You teach."}
    assert [ready.persona for ready in of_tutor.of(Ready)] == ["tutor"]
    assert not of_tutor.of(PersonaChanged), "nothing was chosen"


async def test_another_one_answers_the_next_question() -> None:
    talk = scene()
    choose = once(TurnFinished, lambda conversation: conversation.choose_persona("tutor"))
    await talk.play(said(0.3, 1.0), silence(2.0), said(0.3, 1.0), meanwhile=choose)
    assert (told(talk)[0], told(talk)[-1]) == ("You are nobody.", "You teach.")
    assert talk.of(PersonaChanged) == [PersonaChanged("tutor")]
    assert not talk.of(VoiceChanged), "the voice that speaks goes on"
    assert talk.listener.histories[-1][1].role == "user", "what was said before is still known"


async def test_a_reply_under_way_goes_on_as_it_began() -> None:
    talk = scene(replies=("First of all this. And then that. And this last.", "fine"))
    choose = once(ReplyHeard, lambda conversation: conversation.choose_persona("pirate"), is_sounding)
    talked = await talk.play(said(0.3, 1.0), silence(2.0), said(0.3, 1.0), meanwhile=choose)
    first, second = talked.turns
    assert first.heard_reply == first.reply == "First of all this. And then that. And this last."
    voice = talk.voice
    assert isinstance(voice, SwappingVoice)
    spoken = [(name, speed) for name, text, speed in voice.said if text != "a"]
    assert spoken == [("anna", 1.0)] * (len(spoken) - 1) + [("berta", 2.0)]
    assert second.heard_reply == "fine"
    assert told(talk)[-1] == "You rob."
    assert "You rob." not in told(talk)[:-1]
    assert (talk.of(VoiceChanged), talk.of(SpeedChanged)) == ([VoiceChanged("berta")], [SpeedChanged(2.0)])


async def test_an_answer_begun_in_a_pause_stays_as_it_was_begun() -> None:
    """The next one, after the person went on, is by whoever was chosen meanwhile."""
    talk = scene()

    def choose_once_asked(conversation: Conversation) -> None:
        asyncio.get_running_loop().call_soon(conversation.choose_persona, "tutor")

    choose = once(SpeechPaused, choose_once_asked)
    talked = await talk.play(said(0.3, 1.0, 0.3, 1.0), meanwhile=choose)
    assert len(talked.turns) == 1
    assert told(talk) == ["You are nobody.", "You teach."]


async def test_what_the_new_voice_can_do_is_told_too() -> None:
    talk = scene()
    choose = once(TurnFinished, lambda conversation: conversation.choose_persona("pirate"))
    await talk.play(said(0.3, 1.0), silence(2.0), said(0.3, 1.0), meanwhile=choose)
    assert "<laugh>" in talk.listener.histories[0][0].text
    assert talk.listener.histories[-1][0] == Message("system", "You rob.")


async def test_none_leaves_the_system_prompt_alone_and_the_voice_as_it_is() -> None:
    talk = scene("pirate")
    choose = once(TurnFinished, lambda conversation: conversation.choose_persona(""))
    await talk.play(said(0.3, 1.0), silence(2.0), said(0.3, 1.0), meanwhile=choose)
    assert (told(talk)[0], told(talk)[-1]) == ("You rob.", "You are nobody.")
    assert talk.of(PersonaChanged) == [PersonaChanged("")]
    assert not talk.of(VoiceChanged)


async def test_an_unknown_persona_is_refused_with_the_nearest() -> None:
    talk = scene("tutor")
    choose = once(TurnFinished, lambda conversation: conversation.choose_persona("pirat"))
    await talk.play(said(0.3, 1.0), silence(2.0), said(0.3, 1.0), meanwhile=choose)
    assert talk.of(Trouble) == [Trouble('there is no persona "pirat"', "near are pirate", "config")]
    assert set(told(talk)) == {"You teach."}
    assert not talk.of(PersonaChanged)


async def test_one_without_a_voice_answers_all_the_same_and_that_is_said() -> None:
    talk = scene()
    choose = once(TurnFinished, lambda conversation: conversation.choose_persona("ghost"))
    await talk.play(said(0.3, 1.0), silence(2.0), said(0.3, 1.0), meanwhile=choose)
    assert talk.of(Trouble) == [Trouble("no voice", "write one", "voice")]
    assert told(talk)[-1] == "You haunt."
    assert talk.of(PersonaChanged) == [PersonaChanged("ghost")]


async def test_choosing_the_same_one_again_brings_its_voice_back_and_says_nothing_new() -> None:
    talk = scene("pirate")

    def meanwhile(conversation: Conversation, event: Event) -> None:
        if isinstance(event, Ready):
            conversation.choose_persona("pirate")

    await talk.play(said(0.3, 1.0), meanwhile=meanwhile)
    assert not talk.of(PersonaChanged)
    assert talk.of(VoiceChanged) == [VoiceChanged("berta")]


async def test_after_the_end_nobody_is_chosen_any_more() -> None:
    talk = scene()

    def meanwhile(conversation: Conversation, event: Event) -> None:
        if isinstance(event, TurnFinished):
            conversation.stop()
            conversation.choose_persona("pirate")

    await talk.play(said(0.3, 1.0), meanwhile=meanwhile)
    assert not talk.of(PersonaChanged)
    assert not talk.of(VoiceChanged)


class Model(Eliza):
    heeds_instructions = True


class OfParts(Listener):
    """What answers is made of these."""

    def __init__(self, *parts: Eliza) -> None:
        super().__init__()
        self.parts = parts


async def remarks(listener: Listener, *personas: str, first: str = "") -> list[str]:
    """What is said while these are chosen one after the other, after a first one of the settings."""
    talk = scene(first)
    talk.listener = listener

    def meanwhile(conversation: Conversation, event: Event) -> None:
        if isinstance(event, Ready):
            for persona in personas:
                conversation.choose_persona(persona)

    await talk.play(said(0.3, 1.0), meanwhile=meanwhile)
    return [remark.text for remark in talk.of(Remark)]


async def test_what_heeds_no_instructions_is_said_once_of_each_persona() -> None:
    said_of_each = await remarks(OfParts(Eliza()), "tutor", "", "pirate", "tutor")
    counts = "eliza heeds no instructions: of {} only the voice and the speed count"
    assert said_of_each == [counts.format("tutor"), counts.format("pirate")]


async def test_it_is_said_of_the_persona_that_one_begins_with() -> None:
    (remark,) = await remarks(OfParts(Eliza()), first="tutor")
    assert "of tutor only" in remark
    assert await remarks(OfParts(Eliza())) == []


async def test_nothing_is_said_where_something_heeds_them() -> None:
    assert await remarks(OfParts(Model(), Eliza()), "tutor") == [], "eliza is the second choice alone"
    assert await remarks(OfParts(), "tutor") == []
    assert await remarks(Listener(), "tutor") == []
