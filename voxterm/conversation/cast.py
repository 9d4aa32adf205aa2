"""Who takes part in a conversation: engines, devices, and the threads that the engines live on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from voxterm.audio.front_end import FrontEnd
from voxterm.audio.protocols import Loudspeaker, Microphone
from voxterm.clock import Clock
from voxterm.conversation.bridge import EngineThread
from voxterm.engines.protocols import (
    PlacedEngine,
    SpeechLanguageModel,
    SpeechSynthesizer,
    TurnDetector,
    Voice,
    VoiceActivityDetector,
    parts_of,
)
from voxterm.errors import VoxtermError
from voxterm.personality import Personality

SILENT_ON_ITSELF = Personality()


@dataclass(frozen=True, slots=True)
class Cast:
    """Who takes part: the engines by role, and why they were chosen."""

    profile: str
    reason: str
    vad: VoiceActivityDetector
    understanding: SpeechLanguageModel
    synthesizer: SpeechSynthesizer
    voice: Voice
    personality: Personality = SILENT_ON_ITSELF
    notes: tuple[str, ...] = ()  # what this cast has less than it could, to be told
    problems: tuple[VoxtermError, ...] = ()  # that keep nobody from talking, like a broken voice file
    detector: TurnDetector | None = None  # None: the pause and the words decide
    voices: tuple[Voice, ...] = ()  # that the synthesizer can speak with; `voice` need not be among them
    personalities: Mapping[str, Personality] = field(default_factory=dict)  # to choose from, by name

    def names(self) -> dict[str, str]:
        return {"vad": self.vad.name, "understand": self.understanding.name, "speak": self.synthesizer.name}

    def precisions(self) -> dict[str, str]:
        """What the weights of each engine are kept in, by its name; "" for one that was given no place."""
        engines = (self.vad, self.understanding, self.synthesizer)
        return {engine.name: " + ".join(_precisions(engine)) for engine in engines}

    def engines(self) -> tuple[object, ...]:
        """What hears, answers and speaks, each by itself."""
        return (*parts_of(self.understanding), *parts_of(self.synthesizer))


def _precisions(engine: object) -> list[str]:
    return [part.placement.precision for part in parts_of(engine) if isinstance(part, PlacedEngine)]


@dataclass(frozen=True, slots=True)
class Devices:
    """Both ends of the sound, and the one clock they share."""

    microphone: Microphone
    loudspeaker: Loudspeaker
    clock: Clock
    front_end: FrontEnd | None = None  # takes the loudspeaker out of what the microphone hears


@dataclass(frozen=True, slots=True)
class EngineThreads:
    understanding: EngineThread
    synthesizer: EngineThread
    detector: EngineThread
