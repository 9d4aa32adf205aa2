"""A voice that fails at run time: another of its engine and language speaks, and it is said."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

import pytest
from fakes import VOICE, Listener, ToneVoice, said, silence
from scene import Scene

from voxterm.conversation import Conversation
from voxterm.conversation.mouth import OTHERS_TRIED, Understudies
from voxterm.engines.espeak.engine import Espeak
from voxterm.engines.protocols import SpeechChunk, Spoken, Voice
from voxterm.errors import EngineError, VoiceError
from voxterm.events import Event, Ready, Trouble, TurnFinished, VoiceChanged
from voxterm.voices import Catalogue, voices_folder

ANNA = replace(VOICE, name="anna", language="en-US")
BERTA = replace(VOICE, name="berta", language="en-GB")
CARLA = replace(VOICE, name="carla", language="en-GB")
DORA = replace(VOICE, name="dora", language="de")
ELSA = replace(VOICE, name="elsa", language="de")
STRANGER = replace(VOICE, name="stranger", engine="other")
VOICES = (ANNA, STRANGER, DORA, BERTA, CARLA, ELSA)

THREE = "First of all this one. And then comes that one. And this is the last."


class Choir(ToneVoice):
    """Of its voices some fail: at once, or after so many words of a text. What was said, by whom."""

    def __init__(self, **fails_after: int) -> None:
        super().__init__()
        self.fails_after = fails_after
        self.asked: list[str] = []
        self.heard: list[tuple[str, str]] = []

    def speak(self, text: str, voice: Voice, speed: float = 1.0) -> Iterator[Spoken]:
        self.asked.append(voice.name)
        limit = self.fails_after.get(voice.name)
        for index, item in enumerate(super().speak(text, VOICE, speed)):
            if index == limit:
                raise EngineError(f"{voice.name} lost her voice", "give her tea")
            yield item
        self.heard.append((voice.name, text))

    def speakers(self) -> list[str]:
        """Who spoke the pieces that were spoken whole."""
        return [name for name, text in self.heard if text != "a"]


def scene_of(choir: ToneVoice, *replies: str, voices: Sequence[Voice] = VOICES) -> Scene:
    return Scene(Listener(*replies), choir, speaks_as=ANNA, voices=tuple(voices))


def fail_from(choir: Choir, **fails_after: int):  # type: ignore[no-untyped-def]
    """Voices that were well when the conversation began."""

    def meanwhile(conversation: Conversation, event: Event) -> None:
        if isinstance(event, Ready):
            choir.fails_after.update(fails_after)

    return meanwhile


async def test_another_voice_of_the_language_speaks_the_piece_that_failed_and_the_rest() -> None:
    choir = Choir()
    scene = scene_of(choir, THREE)
    talked = await scene.play(said(0.3, 1.0), meanwhile=fail_from(choir, anna=0))
    assert set(choir.speakers()) == {"berta"}
    assert talked.turns[0].heard_reply == talked.turns[0].reply == THREE
    (trouble,) = scene.of(Trouble)
    assert trouble.what == "the voice anna failed: anna lost her voice"
    assert trouble.remedy == "berta speaks in its place; give her tea"
    assert scene.of(VoiceChanged) == [VoiceChanged("berta")]


async def test_a_piece_that_breaks_off_is_said_anew_by_the_other() -> None:
    """Some words are heard twice, and none is lost."""
    choir = Choir()
    scene = scene_of(choir, THREE)
    talked = await scene.play(said(0.3, 1.0), meanwhile=fail_from(choir, anna=2))
    spoken = [text for name, text in choir.heard if text != "a"]
    assert "".join(spoken).replace(" ", "") == THREE.replace(" ", "")
    assert set(choir.speakers()) == {"berta"}
    assert [event.what for event in scene.of(Trouble)] == ["the voice anna failed: anna lost her voice"]
    assert talked.turns[0].heard_reply == THREE
    assert choir.asked.count("anna") == 2, "to take her up, and once in the reply"


async def test_a_voice_that_breaks_off_in_the_last_piece_is_told_at_once() -> None:
    choir = Choir()
    scene = scene_of(choir, "one two three")
    await scene.play(said(0.3, 1.0), meanwhile=fail_from(choir, anna=2))
    assert scene.of(VoiceChanged) == [VoiceChanged("berta")]
    assert len(scene.of(Trouble)) == 1


async def test_the_failed_voice_is_not_tried_again_in_this_conversation() -> None:
    choir = Choir()
    scene = scene_of(choir, "one two", "three four", "five six")
    await scene.play(*[said(0.3, 1.0)] * 3, meanwhile=fail_from(choir, anna=0))
    assert choir.speakers() == ["berta"] * 3
    assert choir.asked.count("anna") == 2
    assert len(scene.of(Trouble)) == 1, "it is said once"


async def test_several_that_fail_give_way_one_after_the_other() -> None:
    choir = Choir()
    scene = scene_of(choir, THREE)
    talked = await scene.play(said(0.3, 1.0), meanwhile=fail_from(choir, anna=0, berta=0))
    assert set(choir.speakers()) == {"carla"}
    assert talked.turns[0].heard_reply == THREE
    (trouble,) = scene.of(Trouble)
    assert "anna" in trouble.what
    assert "carla speaks in its place" in trouble.remedy


async def test_where_all_fail_the_error_is_told_as_ever_and_all_are_tried_again() -> None:
    choir = Choir()
    scene = scene_of(choir, "one two", "three four")

    def meanwhile(conversation: Conversation, event: Event) -> None:
        if isinstance(event, Ready):
            choir.fails_after.update(anna=0, berta=0, carla=0)
        if isinstance(event, TurnFinished):
            choir.fails_after.clear()

    talked = await scene.play(said(0.3, 1.0), silence(2.0), said(0.3, 1.0), meanwhile=meanwhile)
    (trouble,) = scene.of(Trouble)
    assert (trouble.what, trouble.remedy, trouble.turn) == ("anna lost her voice", "give her tea", 1)
    assert talked.turns[0].reply == "one two", "its text comes all the same"
    assert choir.speakers() == ["anna"], "with the next turn it was not the voices' fault any more"
    assert not scene.of(VoiceChanged)


async def test_a_voice_alone_in_its_language_has_nobody() -> None:
    choir = Choir()
    scene = scene_of(choir, "one two", voices=(ANNA, DORA, STRANGER))
    await scene.play(said(0.3, 1.0), meanwhile=fail_from(choir, anna=0))
    assert [event.what for event in scene.of(Trouble)] == ["anna lost her voice"]
    assert not {"dora", "stranger"} & set(choir.asked)


async def test_a_voice_that_follows_the_language_gives_way_too() -> None:
    """It is not the chosen one, which stays as it is."""
    choir = Choir()
    german = "Das weiß ich leider auch nicht so genau. Aber ich kann gerne einmal nachsehen."
    scene = scene_of(choir, german, german)
    await scene.play(*[said(0.3, 1.0)] * 2, meanwhile=fail_from(choir, dora=0))
    assert set(choir.speakers()) == {"elsa"}
    (trouble,) = scene.of(Trouble)
    assert "dora" in trouble.what
    assert "elsa" in trouble.remedy
    assert not scene.of(VoiceChanged)
    assert choir.asked.count("dora") == 1


async def test_a_voice_that_is_chosen_again_is_tried_again() -> None:
    choir = Choir()
    scene = scene_of(choir, "one two", "three four", "five six")

    def meanwhile(conversation: Conversation, event: Event) -> None:
        if isinstance(event, Ready):
            choir.fails_after["anna"] = 0
        if isinstance(event, TurnFinished) and event.turn == 2:
            choir.fails_after.clear()
            conversation.choose_voice("anna")

    await scene.play(*[said(0.3, 1.0, 1.0, 0.01)] * 3, meanwhile=meanwhile)
    assert choir.speakers() == ["berta", "berta", "anna"]
    assert scene.of(VoiceChanged) == [VoiceChanged("berta"), VoiceChanged("anna")]


async def test_a_voice_that_fails_at_the_start_does_not_keep_one_from_talking() -> None:
    choir = Choir(anna=0)
    scene = scene_of(choir, "one two")
    talked = await scene.play(said(0.3, 1.0))
    assert [ready.voice for ready in scene.of(Ready)] == ["berta"]
    assert [event.what for event in scene.of(Trouble)] == ["the voice anna failed: anna lost her voice"]
    assert talked.turns[0].heard_reply == "one two"


async def test_where_no_voice_can_be_taken_up_nothing_starts() -> None:
    with pytest.raises(EngineError, match="anna lost her voice"):
        await scene_of(Choir(anna=0, berta=0, carla=0)).play(said(0.3, 1.0))


async def test_a_real_voice_that_is_gone() -> None:
    """The library refuses a speaker that it does not have; another English one speaks."""

    class Gone(Espeak):
        """One of its speakers is lost once a conversation is under way."""

        def speak(self, text: str, voice: Voice, speed: float = 1.0) -> Iterator[SpeechChunk]:
            lost = voice.name == "british" and text != "a"
            yield from super().speak(text, replace(voice, speaker="gone") if lost else voice, speed)

    catalogue = Catalogue.read(voices_folder())
    scene = Scene(
        Listener("One two three four."),
        Gone(),  # type: ignore[arg-type]
        speaks_as=catalogue.find("british"),
        voices=catalogue.for_engine("espeak"),
    )
    talked = await scene.play(said(0.3, 1.0))
    (trouble,) = scene.of(Trouble)
    assert trouble.what == 'the voice british failed: eSpeak has no voice "gone"'
    assert trouble.remedy.startswith("scottish speaks in its place"), "she is of the same country"
    assert talked.turns[0].heard_reply == "One two three four."


class TestUnderstudies:
    def test_nearest_first(self) -> None:
        elsewhere = replace(ANNA, name="elsewhere", checkpoint="another")
        understudies = Understudies([elsewhere, *VOICES, replace(ANNA, name="annette")])
        order = []
        for _ in range(3):
            assert understudies.give_up(ANNA, EngineError("no")) is None
            order.append(understudies.instead_of(ANNA).name)
        assert order == ["annette", "berta", "carla"], "who has to be loaded is the last"

    def test_not_without_end(self) -> None:
        many = [replace(ANNA, name=f"anna {number}") for number in range(20)]
        understudies = Understudies(many)
        errors = [VoiceError(f"error {number}") for number in range(OTHERS_TRIED + 1)]
        found = [understudies.give_up(many[0], error) for error in errors]
        assert found == [None] * OTHERS_TRIED + [errors[0]]
        assert understudies.instead_of(many[0]) == many[0]

    def test_a_trouble_is_told_once(self) -> None:
        understudies = Understudies(VOICES)
        assert understudies.trouble(ANNA) is None
        understudies.give_up(ANNA, ValueError("boom"))
        trouble = understudies.trouble(ANNA)
        assert trouble is not None
        assert trouble.what == "the voice anna failed: ValueError: boom"
        assert trouble.remedy == "berta speaks in its place"
        assert understudies.trouble(ANNA) is None
