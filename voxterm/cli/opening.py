"""Everything that a conversation on the screen is made of, put together while the screen is up already.

What takes time, to import and to look at, is done on a thread. Nothing is loaded yet when it is done.
"""

from __future__ import annotations

import asyncio
import os
from contextlib import AsyncExitStack

from voxterm.cli.casting import cast_of
from voxterm.cli.sittings import Sittings, past_turn
from voxterm.cli.voice_needs import VoiceNeeds
from voxterm.cli.wiring import demo_clips, devices_of, kept_session
from voxterm.config import Settings
from voxterm.conversation import Cast, Conversation
from voxterm.engines.protocols import PlacedEngine
from voxterm.gauges import Watch
from voxterm.tui.controls import Conversing, DeviceChoice, PersonaChoice, Surroundings, VoiceChoice


async def open_conversation(settings: Settings, resume: str | None, things: AsyncExitStack) -> Conversing:
    """Make it, and leave to `things` what has to be given back.

    Raises:
        InputError: no such profile, voice or session.
        EngineLoadError: the profile needs packages that are not installed.
        StoreError: the folder of the sessions cannot be used.
    """
    cast = await asyncio.to_thread(cast_of, settings)
    kept = await asyncio.to_thread(kept_session, settings, cast, resume, persona_wins=True)
    sittings = Sittings(kept, settings, cast)
    things.callback(sittings.close)
    devices = devices_of(settings)
    clips = await asyncio.to_thread(demo_clips)
    conversation = Conversation(cast, devices, settings, kept.history(settings), clips)
    await things.enter_async_context(sittings.recording(conversation, devices.clock))
    watch = Watch(cast.engines, _device_of(cast), os.environ)
    things.callback(watch.close)
    surroundings = Surroundings(
        read_gauges=watch.read,
        voices=await asyncio.to_thread(_voices, cast, VoiceNeeds(settings.engines)),
        list_devices=_device_choices,
        sessions=sittings,
        speech_threshold=settings.turns.speech_threshold,
        personas=_personas(cast),
    )
    return Conversing(conversation, surroundings, [past_turn(turn) for turn in kept.past])


def _device_of(cast: Cast) -> str:
    """The GPU, where an engine is on one."""
    devices = [engine.placement.device for engine in cast.engines() if isinstance(engine, PlacedEngine)]
    return next((device for device in devices if device != "cpu"), "cpu")


def _voices(cast: Cast, needs: VoiceNeeds) -> list[VoiceChoice]:
    voices = cast.voices if cast.voice in cast.voices else (cast.voice, *cast.voices)
    return [
        VoiceChoice(
            voice.name,
            voice.language,
            voice.description,
            voice.checkpoint,
            "; ".join(error.remedy for error in needs.lacking(voice)),
        )
        for voice in voices
    ]


def _personas(cast: Cast) -> list[PersonaChoice]:
    return [
        PersonaChoice(personality.name, personality.voice, personality.description)
        for personality in cast.personalities.values()
    ]


def _device_choices() -> list[DeviceChoice]:
    """By name where one device alone has it, else by number."""
    from voxterm.audio.devices import Kind, list_devices

    devices = list_devices()
    names = [device.name for device in devices]
    kinds: tuple[Kind, ...] = ("microphone", "loudspeaker")
    return [
        DeviceChoice(
            kind,
            device.name if names.count(device.name) == 1 else device.index,
            device.name,
            device.is_default(kind),
        )
        for kind in kinds
        for device in devices
        if device.can_be(kind)
    ]
