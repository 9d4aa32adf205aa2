"""Who takes part in a conversation: engines, devices, and the threads that the engines live on."""

from __future__ import annotations

from dataclasses import dataclass

from voxterm.audio.protocols import Loudspeaker, Microphone
from voxterm.clock import Clock
from voxterm.conversation.bridge import EngineThread
from voxterm.engines.protocols import SpeechLanguageModel, SpeechSynthesizer, Voice, VoiceActivityDetector


@dataclass(frozen=True, slots=True)
class Cast:
    """Who takes part: the engines by role, and why they were chosen."""

    profile: str
    reason: str
    vad: VoiceActivityDetector
    understanding: SpeechLanguageModel
    synthesizer: SpeechSynthesizer
    voice: Voice
    notes: tuple[str, ...] = ()  # what this cast has less than it could, to be told

    def names(self) -> dict[str, str]:
        return {"vad": self.vad.name, "understand": self.understanding.name, "speak": self.synthesizer.name}


@dataclass(frozen=True, slots=True)
class Devices:
    """Both ends of the sound, and the one clock they share."""

    microphone: Microphone
    loudspeaker: Loudspeaker
    clock: Clock


@dataclass(frozen=True, slots=True)
class EngineThreads:
    understanding: EngineThread
    synthesizer: EngineThread
