"""A conversation over recordings with fake engines, and all that came of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TypeVar

import numpy as np
from fakes import VOICE, LevelVad, Listener, ToneVoice

from voxterm.audio.recording import RecordedLoudspeaker, RecordedMicrophone
from voxterm.clock import SkippingClock
from voxterm.config import Settings
from voxterm.conversation import Cast, Conversation, Devices
from voxterm.engines.protocols import Samples, Voice, VoiceActivityDetector
from voxterm.events import Event
from voxterm.headless import Talked, talk_through
from voxterm.personality import Personality

E = TypeVar("E", bound=Event)


class Sink:
    """Keeps what a loudspeaker plays."""

    def __init__(self) -> None:
        self.parts: list[Samples] = []

    def write(self, samples: Samples) -> None:
        self.parts.append(samples)

    @property
    def samples(self) -> Samples:
        return np.concatenate(self.parts)


@dataclass
class Scene:
    """A conversation over recordings, and all that came of it."""

    listener: Listener = field(default_factory=Listener)
    voice: ToneVoice = field(default_factory=ToneVoice)
    vad: VoiceActivityDetector = field(default_factory=LevelVad)
    settings: Settings = field(default_factory=Settings)
    speaks_as: Voice = VOICE
    voices: tuple[Voice, ...] = ()
    personalities: Mapping[str, Personality] = field(default_factory=lambda: {"": Personality()})
    persona: str = ""
    clock: SkippingClock = field(default_factory=SkippingClock)
    events: list[Event] = field(default_factory=list)
    played: Sink = field(default_factory=Sink)
    talked: Talked = field(default_factory=Talked)
    loudspeaker: RecordedLoudspeaker = field(init=False)

    async def play(
        self,
        *clips: Samples,
        talks_over: bool = False,
        meanwhile: Callable[[Conversation, Event], None] | None = None,
    ) -> Talked:
        microphone = RecordedMicrophone(clips, self.clock, tail_s=1.5)
        self.loudspeaker = RecordedLoudspeaker(self.clock, 24_000, self.played)
        cast = Cast(
            "fake",
            "a test",
            self.vad,
            self.listener,
            self.voice,
            self.speaks_as,
            self.personalities[self.persona],
            voices=self.voices,
            personalities=self.personalities,
        )
        conversation = Conversation(cast, Devices(microphone, self.loudspeaker, self.clock), self.settings)
        conversation.subscribe(self.events.append)
        if meanwhile:
            conversation.subscribe(lambda event: meanwhile(conversation, event))
        self.talked = await talk_through(conversation, microphone, talks_over=talks_over)
        return self.talked

    def of(self, kind: type[E]) -> list[E]:
        return [event for event in self.events if isinstance(event, kind)]


def turn_settings(**changes: object) -> Settings:
    settings = Settings()
    return settings.model_copy(update={"turns": settings.turns.model_copy(update=changes)})
