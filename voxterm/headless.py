"""A conversation without a screen: recordings speak, and it ends when all is said and answered."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from voxterm.audio.recording import RecordedMicrophone
from voxterm.clock import Clock
from voxterm.config import Settings
from voxterm.conversation import Conversation
from voxterm.engines.protocols import Samples
from voxterm.events import Event, Remark, SpeechStarted, Trouble, TurnDropped, TurnEnded, TurnFinished

PATIENCE_S = 0.5
"""How much longer than the end of a turn a recording is silent after its last sample."""


@dataclass(slots=True)
class Talked:
    """What came of it."""

    turns: list[TurnFinished] = field(default_factory=list)
    told: list[Remark | Trouble] = field(default_factory=list)
    """What else was worth knowing, in its order."""

    @property
    def troubles(self) -> list[Trouble]:
        """All that went wrong, what others made good included."""
        return [event for event in self.told if isinstance(event, Trouble)]

    @property
    def remarks(self) -> list[Remark]:
        return [event for event in self.told if isinstance(event, Remark)]

    @property
    def has_failed(self) -> bool:
        """A turn was not answered or not kept, or nothing was heard since an engine failed.

        Trouble of no turn is otherwise a note: something gave way, and the talk went on.
        """
        of_turns = any(trouble.turn is not None for trouble in self.troubles)
        return of_turns or (not self.turns and any(trouble.category == "engine" for trouble in self.troubles))


class Director:
    """Lets the recordings speak in their time: holds them while a turn is answered, and ends the conversation
    when all is said and answered."""

    def __init__(self, microphone: RecordedMicrophone, stop: Callable[[], None], *, talks_over: bool) -> None:
        self._microphone = microphone
        self._stop = stop
        self._talks_over = talks_over
        self._open_turns: set[int] = set()

    def follow(self, event: Event) -> None:
        """Take every event of the conversation."""
        if isinstance(event, SpeechStarted | TurnEnded):
            self._open_turns.add(event.turn)
        elif isinstance(event, TurnFinished | TurnDropped):
            self._open_turns.discard(event.turn)
        if isinstance(event, TurnEnded) and not self._talks_over:
            self._microphone.hold(True)
        if not self._open_turns:
            self._microphone.hold(False)
            if self._microphone.exhausted:
                self._stop()


def recorded_person(clips: Sequence[Samples], clock: Clock, settings: Settings) -> RecordedMicrophone:
    """A microphone that says the clips (16 kHz), each a turn of its own unless nothing is said in it."""
    tail_s = settings.turns.end_silence_ms / 1000 + PATIENCE_S
    return RecordedMicrophone(clips, clock, tail_s=tail_s)


async def talk_through(
    conversation: Conversation, microphone: RecordedMicrophone, *, talks_over: bool = False
) -> Talked:
    """Run the conversation until all that the microphone has to say is said and answered.

    Raises:
        VoxtermError: an engine cannot be loaded, or the loudspeaker's file not be written.
    """
    talked = Talked()
    director = Director(microphone, conversation.stop, talks_over=talks_over)

    def keep(event: Event) -> None:
        if isinstance(event, TurnFinished):
            talked.turns.append(event)
        elif isinstance(event, Remark | Trouble):
            talked.told.append(event)

    conversation.subscribe(keep)
    conversation.subscribe(director.follow)
    await conversation.run()
    return talked
