"""What a person chooses while they talk: who speaks and how fast, on which devices, and what is kept of it.

A choice counts from the next reply on; the one under way stays as it was begun.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace
from difflib import get_close_matches

from voxterm.audio.devices import Kind
from voxterm.conversation.cast import Cast, Devices
from voxterm.conversation.floor import Floor
from voxterm.conversation.greetings import greeting
from voxterm.conversation.loading import take_up_voice
from voxterm.conversation.mouth import Speaker, Understudies
from voxterm.engines.protocols import FASTEST, SLOWEST, Voice
from voxterm.events import AudioKept, Event, Loading, SpeedChanged, Trouble, VoiceChanged
from voxterm.language import VoiceFollower, voices_at_hand


class Choices:
    """Lives on the event loop beside the floor. `close` it while the engines' threads still work."""

    def __init__(self, cast: Cast, devices: Devices, floor: Floor, tell: Callable[[Event], None]) -> None:
        self._voices = {voice.name: voice for voice in (*cast.voices, cast.voice)}
        self._devices = devices
        self._floor = floor
        self._tell = tell
        self._wanted: Voice | None = None  # chosen last, and not taken up yet
        self._taking_up: asyncio.Task[None] | None = None
        self._to_sample: Voice | None = None  # as soon as nobody speaks

    def voice(self, name: str) -> None:
        """Have this voice taken up, and used from then on; the last choice wins."""
        if name not in self._voices:
            near = get_close_matches(name, self._voices, n=3) or list(self._voices)[:3]
            self._tell(Trouble(f'there is no voice "{name}"', f"near are {', '.join(near)}", "voice"))
            return
        self._wanted = self._voices[name]
        if self._taking_up is None or self._taking_up.done():
            self._taking_up = asyncio.create_task(self._take_up_wanted(), name="take up a voice")

    def sample(self, name: str | None) -> None:
        """Let this voice be heard as soon as nobody speaks, and no other any more; None: none."""
        self._to_sample = None if name is None else self._voices.get(name)
        self._floor.end_sample()

    def beat(self) -> None:
        """Begin the sample that waits, if it can be heard now."""
        voice = self._to_sample
        if voice is None or not self._floor.is_free:
            return
        self._to_sample = None
        mouth = self._floor.mouth
        if not voices_at_hand(mouth.speaker.voice, [voice]):
            self._tell(
                Trouble(f"{voice.name} belongs to another checkpoint", "choose it to hear it", "voice")
            )
            return
        alone = replace(mouth, speaker=Speaker(voice), follower=VoiceFollower(), understudies=Understudies())
        self._floor.exchanges.sample(greeting(voice), alone)

    def speed(self, speed: float) -> None:
        """Speak so fast, within what engines can."""
        speed = min(max(speed, SLOWEST), FASTEST)
        self._floor.mouth = replace(self._floor.mouth, speed=speed)
        self._tell(SpeedChanged(speed))

    def audio(self, kept: bool) -> None:
        """Tell the sound of turns, or do not."""
        self._floor.mouth = replace(self._floor.mouth, keeps_audio=kept)
        self._tell(AudioKept(kept))

    def device(self, kind: Kind, wanted: str | int) -> None:
        """Change to another device; it reports itself what becomes of it."""
        device = self._devices.microphone if kind == "microphone" else self._devices.loudspeaker
        device.change_to(wanted)
        if kind == "loudspeaker" and self._devices.front_end:
            self._devices.front_end.reset()  # a microphone sees to it itself

    async def close(self) -> None:
        """Give up what is not taken up yet."""
        if self._taking_up is not None:
            self._taking_up.cancel()
            await asyncio.wait({self._taking_up})

    async def _take_up_wanted(self) -> None:
        while (voice := self._wanted) is not None:
            self._tell(Loading(self._floor.mouth.engine.name, 0, 0))
            await self._floor.spoken()
            if self._wanted is not voice:
                continue
            self._wanted = None
            await self._take_up(voice)
            if self._wanted is None:
                self._tell(VoiceChanged(self._floor.mouth.speaker.voice.name))

    async def _take_up(self, voice: Voice) -> None:
        """A reply that begins meanwhile waits on the engine's thread, and is spoken by whom it then has."""
        before = self._floor.mouth
        before.understudies.forgive(voice)
        speaker = Speaker(voice)
        self._floor.mouth = replace(before, speaker=speaker)
        try:
            await before.thread.call(lambda: take_up_voice(before.engine, speaker, before.speaker.voice))
        except Exception as error:  # whatever a model raises
            self._tell(Trouble.of(error, f"choose another voice than {voice.name}"))
