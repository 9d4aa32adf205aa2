"""Another voice, another speed, the sound kept or not: from the next reply on, or it is said why not."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from fakes import VOICE, Listener, SwappingVoice, ToneVoice, said, silence
from scene import Scene

from voxterm.audio.recording import RecordedLoudspeaker, RecordedMicrophone
from voxterm.conversation import Conversation
from voxterm.engines.protocols import Voice
from voxterm.events import (
    AudioKept,
    Event,
    Loading,
    Ready,
    ReplyHeard,
    SpeedChanged,
    State,
    StateChanged,
    Trouble,
    TurnAudio,
    TurnFinished,
    VoiceChanged,
)

ANNA = replace(VOICE, name="anna", checkpoint="english")
BERTA = replace(VOICE, name="berta", checkpoint="german")
CARLA = replace(VOICE, name="carla", checkpoint="spanish")


def swapping_scene(*there: str, listener: Listener | None = None) -> tuple[Scene, SwappingVoice]:
    voice = SwappingVoice(*there)
    return Scene(listener or Listener(), voice, speaks_as=ANNA, voices=(ANNA, BERTA, CARLA)), voice


def once(
    kind: type[Event], do: Callable[[Conversation], None], when: Callable[[Event], bool] = lambda event: True
) -> Callable[[Conversation, Event], None]:
    """What to do at the first event of this kind, and never again."""
    done: list[Event] = []

    def meanwhile(conversation: Conversation, event: Event) -> None:
        if isinstance(event, kind) and when(event) and not done:
            done.append(event)
            do(conversation)

    return meanwhile


async def test_a_chosen_voice_is_loaded_at_once_and_speaks_from_the_next_reply_on() -> None:
    scene, voice = swapping_scene("english", "german")
    choose = once(TurnFinished, lambda conversation: conversation.choose_voice("berta"))
    await scene.play(said(0.3, 1.0), silence(2.0), said(0.3, 1.0), meanwhile=choose)
    assert voice.loads == ["english", "german"]
    assert [name for name, text, _ in voice.said if text != "a"] == ["anna", "berta"]
    assert [event.voice for event in scene.of(VoiceChanged)] == ["berta"]
    told = [event for event in scene.events if isinstance(event, Loading | VoiceChanged)]
    assert told[-2:] == [Loading("tone", 0, 0), VoiceChanged("berta")]


async def test_a_reply_under_way_goes_on_with_its_own_voice() -> None:
    """Else its next sentence would wait for another model, and the one after for its own again."""
    scene, voice = swapping_scene(
        "english", "german", listener=Listener("First of all this. And then that. And this last.", "fine")
    )
    choose = once(ReplyHeard, lambda conversation: conversation.choose_voice("berta"), is_sounding)
    talked = await scene.play(said(0.3, 1.0), silence(2.0), said(0.3, 1.0), meanwhile=choose)
    assert talked.turns[0].heard_reply == talked.turns[0].reply
    spoken = [name for name, text, _ in voice.said if text != "a"]
    assert spoken == ["anna"] * (len(spoken) - 1) + ["berta"]
    assert voice.loads == ["english", "german"]


def is_sounding(event: Event) -> bool:
    return isinstance(event, ReplyHeard) and event.heard_chars > 0


async def test_a_voice_that_does_not_fit_is_said_and_the_old_one_is_loaded_again() -> None:
    scene, voice = swapping_scene("english")
    choose = once(TurnFinished, lambda conversation: conversation.choose_voice("berta"))
    talked = await scene.play(said(0.3, 1.0), silence(2.0), said(0.3, 1.0), meanwhile=choose)
    assert scene.of(Trouble) == [Trouble("german does not fit", "take a smaller one", "memory")]
    assert scene.of(VoiceChanged) == [VoiceChanged("anna")]
    assert voice.loads == ["english", "german", "english"]
    assert talked.turns[-1].heard_reply == talked.turns[-1].reply != ""


async def test_a_reply_that_begins_while_a_voice_is_loaded_waits_for_it() -> None:
    scene, voice = swapping_scene("english", "german")
    voice.held = "english"

    def meanwhile(conversation: Conversation, event: Event) -> None:
        if isinstance(event, Ready):
            voice.may_load.clear()
            conversation.choose_voice("berta")
        if isinstance(event, StateChanged) and event.state is State.THINKING:
            asyncio.get_running_loop().call_later(0.1, voice.may_load.set)

    talked = await scene.play(said(0.3, 1.0), meanwhile=meanwhile)
    assert voice.loads == ["german"], "never the old one in between"
    assert talked.turns[0].heard_reply == talked.turns[0].reply != ""


async def test_a_reply_that_begins_while_a_voice_fails_is_spoken_by_the_old_one() -> None:
    scene, voice = swapping_scene("english")
    voice.held = "english"

    def meanwhile(conversation: Conversation, event: Event) -> None:
        if isinstance(event, Ready):
            voice.may_load.clear()
            conversation.choose_voice("berta")
        if isinstance(event, StateChanged) and event.state is State.THINKING:
            asyncio.get_running_loop().call_later(0.1, voice.may_load.set)

    talked = await scene.play(said(0.3, 1.0), meanwhile=meanwhile)
    assert [trouble.what for trouble in talked.troubles] == ["german does not fit"]
    assert talked.turns[0].heard_reply == talked.turns[0].reply != ""
    assert {name for name, _, _ in voice.said} == {"anna"}


async def test_of_several_choices_the_last_wins() -> None:
    scene, voice = swapping_scene("english", "german", "spanish")

    def choose_all(conversation: Conversation) -> None:
        for name in ("berta", "anna", "carla", "berta", "carla"):
            conversation.choose_voice(name)

    await scene.play(said(0.3, 1.0), silence(2.0), meanwhile=once(TurnFinished, choose_all))
    assert voice.loads == ["english", "spanish"]
    assert scene.of(VoiceChanged) == [VoiceChanged("carla")]


async def test_a_voice_chosen_while_another_is_loaded_follows_it() -> None:
    scene, voice = swapping_scene("english", "german", "spanish")

    def meanwhile(conversation: Conversation, event: Event) -> None:
        if isinstance(event, TurnFinished):
            voice.may_load.clear()
            conversation.choose_voice("berta")
            loop = asyncio.get_running_loop()
            loop.call_later(0.1, conversation.choose_voice, "carla")
            loop.call_later(0.2, voice.may_load.set)

    await scene.play(said(0.3, 1.0), silence(2.0), meanwhile=meanwhile)
    assert voice.loads == ["english", "german", "spanish"]
    assert scene.of(VoiceChanged) == [VoiceChanged("carla")]


async def test_an_unknown_voice_is_refused_with_the_nearest() -> None:
    scene, voice = swapping_scene("english")
    choose = once(TurnFinished, lambda conversation: conversation.choose_voice("bertha"))
    await scene.play(said(0.3, 1.0), meanwhile=choose)
    (trouble,) = scene.of(Trouble)
    assert trouble.what == 'there is no voice "bertha"'
    assert "berta" in trouble.remedy
    assert trouble.category == "voice"
    assert voice.loads == ["english"]


async def test_whatever_a_voice_raises_leaves_the_old_one() -> None:
    class Broken(ToneVoice):
        def speak(self, text: str, voice: Voice, speed: float = 1.0):  # type: ignore[no-untyped-def]
            if voice.name == "berta":
                raise ValueError("boom")
            yield from super().speak(text, VOICE, speed)

    scene = Scene(voice=Broken(), speaks_as=ANNA, voices=(ANNA, BERTA))
    choose = once(TurnFinished, lambda conversation: conversation.choose_voice("berta"))
    talked = await scene.play(said(0.3, 1.0), silence(2.0), said(0.3, 1.0), meanwhile=choose)
    assert [trouble.what for trouble in talked.troubles] == ["ValueError: boom"]
    assert scene.of(VoiceChanged) == [VoiceChanged("anna")]
    assert talked.turns[-1].heard_reply


async def test_a_voice_that_is_still_loading_does_not_keep_the_conversation_from_ending() -> None:
    scene, voice = swapping_scene("english", "german")

    def choose_and_go(conversation: Conversation) -> None:
        voice.may_load.clear()
        conversation.choose_voice("berta")
        asyncio.get_running_loop().call_later(0.05, conversation.stop)
        asyncio.get_running_loop().call_later(0.5, voice.may_load.set)

    await asyncio.wait_for(scene.play(silence(60.0), meanwhile=once(Ready, choose_and_go)), 20)
    assert not scene.of(VoiceChanged)
    assert scene.voice.closed == 1


async def test_another_speed_counts_from_the_next_reply_on_and_is_held_within_bounds() -> None:
    scene, voice = swapping_scene("english")

    def faster(conversation: Conversation) -> None:
        for speed in (0.1, 7.0):
            conversation.set_speed(speed)

    await scene.play(said(0.3, 1.0), said(0.3, 1.0), meanwhile=once(TurnFinished, faster))
    assert scene.of(SpeedChanged) == [SpeedChanged(0.5), SpeedChanged(2.0)]
    assert [speed for _, text, speed in voice.said if text != "a"] == [1.0, 2.0]
    heard_s = np.count_nonzero(np.abs(scene.played.samples) > 0.01) / 24_000
    assert heard_s == pytest.approx(0.4 + 0.2, abs=0.05)


async def test_sound_is_told_from_the_next_turn_on() -> None:
    def meanwhile(conversation: Conversation, event: Event) -> None:
        if isinstance(event, ReplyHeard) and event.turn == 1:
            conversation.keep_audio(True)
        if isinstance(event, ReplyHeard) and event.turn == 3:
            conversation.keep_audio(False)

    scene = Scene()
    talked = await scene.play(*[said(0.3, 1.0)] * 3, meanwhile=meanwhile)
    assert len(talked.turns) == 3
    assert [audio.turn for audio in scene.of(TurnAudio)] == [2]
    assert {event.kept for event in scene.of(AudioKept)} == {True, False}


async def test_what_is_in_force_is_told_when_all_is_ready() -> None:
    scene, _ = swapping_scene("english")
    await scene.play(said(0.3, 1.0))
    (ready,) = scene.of(Ready)
    assert (ready.voice, ready.speed, ready.keeps_audio) == ("anna", 1.0, False)
    assert ready.precisions == {"level": "", "listener": "", "tone": ""}


async def test_another_device_is_asked_for_by_its_kind(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[str, str | int]] = []
    for device in (RecordedMicrophone, RecordedLoudspeaker):
        monkeypatch.setattr(
            device, "change_to", lambda self, wanted: asked.append((type(self).__name__, wanted))
        )

    def change(conversation: Conversation) -> None:
        conversation.choose_device("microphone", "Headset")
        conversation.choose_device("loudspeaker", 3)

    await Scene().play(said(0.3, 1.0), meanwhile=once(Ready, change))
    assert asked == [("RecordedMicrophone", "Headset"), ("RecordedLoudspeaker", 3)]
