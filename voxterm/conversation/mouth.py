"""What a reply needs to be spoken, and who speaks in the place of a voice that fails."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import islice

from voxterm.audio.protocols import Loudspeaker
from voxterm.conversation.bridge import EngineThread, Stream
from voxterm.engines.protocols import SpeechSynthesizer, Spoken, Voice
from voxterm.errors import as_error
from voxterm.events import Event, Trouble, VoiceChanged
from voxterm.language import VoiceFollower, primary

OTHERS_TRIED = 3
"""How many may fail in the place of one voice, until the fault is taken to be another's than the voices'."""


@dataclass(slots=True)
class Speaker:
    """Who speaks. One that cannot be taken up gives way to the voice before, on the engine's thread."""

    voice: Voice


class Understudies:
    """Of a conversation: which voices failed, and who of the same engine and language speaks in their place.

    A voice that has failed is not asked again until a person chooses it. Only where all others have failed
    too are they all forgiven, since it was something else then.
    """

    def __init__(self, voices: Sequence[Voice] = ()) -> None:
        self._voices = tuple(voices)
        self._failures: dict[Voice, Exception] = {}
        self._told: set[Voice] = set()

    def instead_of(self, voice: Voice) -> Voice:
        """Who speaks where this voice should: itself, as long as it has not failed."""
        if voice not in self._failures:
            return voice
        return next((other for other in self._others(voice) if other not in self._failures), voice)

    def give_up(self, wanted: Voice, error: Exception) -> Exception | None:
        """Whoever spoke where this voice should has failed. What is to be raised where nobody is left."""
        self._failures[self.instead_of(wanted)] = error
        if self.instead_of(wanted) != wanted:
            return None
        first = self._failures[wanted]
        for voice in (wanted, *self._others(wanted)):
            self.forgive(voice)
        return first

    def forgive(self, voice: Voice) -> None:
        """Let it be tried again."""
        self._failures.pop(voice, None)
        self._told.discard(voice)

    def trouble(self, wanted: Voice) -> Trouble | None:
        """What to tell of a voice that has failed, the first time that this is asked."""
        if wanted not in self._failures or wanted in self._told:
            return None
        self._told.add(wanted)
        failure = as_error(self._failures[wanted])
        instead = f"{self.instead_of(wanted).name} speaks in its place"
        remedy = f"{instead}; {failure.remedy}" if failure.remedy else instead
        return Trouble(f"the voice {wanted.name} failed: {failure.what}", remedy, "voice")

    def _others(self, voice: Voice) -> tuple[Voice, ...]:
        """Those like it, who can speak at once before those who have to be loaded."""
        alike = [
            other
            for other in self._voices
            if other.engine == voice.engine
            and primary(other.language) == primary(voice.language)
            and other != voice
        ]
        alike.sort(key=lambda other: (other.checkpoint != voice.checkpoint, other.language != voice.language))
        return tuple(islice(alike, OTHERS_TRIED))


@dataclass(frozen=True, slots=True)
class Mouth:
    """What a reply needs to be spoken: the engine on its thread, its voice, and the loudspeaker."""

    engine: SpeechSynthesizer
    thread: EngineThread
    speaker: Speaker
    speed: float
    loudspeaker: Loudspeaker
    keeps_audio: bool = False
    follower: VoiceFollower = field(default_factory=VoiceFollower)  # who speaks in other languages
    understudies: Understudies = field(default_factory=Understudies)

    def speak(self, text: str, other: Voice | None = None) -> Stream[Spoken]:
        """Have a text spoken by the speaker or by another voice, or in the place of one that has failed."""
        return self.thread.stream(
            lambda: iter(
                self.engine.speak(text, self.understudies.instead_of(self._wanted(other)), self.speed)
            )
        )

    def give_up(self, other: Voice | None, error: Exception) -> Exception | None:
        """Who was to speak has failed. What is to be raised where nobody can in their place."""
        return self.understudies.give_up(self._wanted(other), error)

    def hand_over(self, other: Voice | None) -> list[Event]:
        """Once: that somebody speaks in the place of who was to. The speaker gives way to them for good."""
        wanted = self._wanted(other)
        trouble = self.understudies.trouble(wanted)
        if trouble is None:
            return []
        if other is not None:
            return [trouble]
        self.speaker.voice = self.understudies.instead_of(wanted)
        return [trouble, VoiceChanged(self.speaker.voice.name)]

    def _wanted(self, other: Voice | None) -> Voice:
        return other or self.speaker.voice
