"""One exchange of a conversation: what the person said, the reply to it, and what became of both."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from voxterm.conversation.ears import HeardTurn
from voxterm.conversation.reply import Reply
from voxterm.engines.protocols import HEARING_RATE_HZ
from voxterm.events import Event, Trouble, TurnAudio, TurnFinished
from voxterm.history import History

NO_TURN = 0
"""What a voice says to be heard has this number: nobody is told of it but of its troubles."""


@dataclass(slots=True)
class Exchange:
    """A turn and its reply, from the first sample heard to the last one played."""

    number: int  # NO_TURN for what is said outside of the dialogue
    started_at_s: float
    history: History  # of the dialogue that it belongs to
    typed: str | None = None
    repeats: bool = False  # says an earlier reply once more: no turn of the dialogue
    fed_until_sample: int = 0  # the engine has been given the microphone's samples up to here
    last_speech_s: float | None = None
    judged_over_s: float | None = None
    heard: HeardTurn | None = None  # what the engine that understands was given
    reply: Reply | None = None  # the attempt under way, the last of possibly several
    yielded_at_s: float | None = None  # its reply waits for a voice: since when
    measured: bool = False  # it was told how long the reply took

    @property
    def over(self) -> bool:
        """The person has finished; a reply may be heard."""
        return self.judged_over_s is not None

    @property
    def transcript(self) -> str | None:
        """What the person said; None while it is not known."""
        if self.typed is not None:
            return self.typed
        return self.reply.transcript if self.reply else None

    @property
    def answering(self) -> bool:
        """An attempt is being made."""
        return self.reply is not None and self.reply.running

    def going_on(self) -> Exchange:
        """The same turn, if the person should turn out not to have finished."""
        return Exchange(
            self.number,
            self.started_at_s,
            self.history,
            fed_until_sample=self.fed_until_sample,
            heard=self.heard,
        )

    def drop_attempt(self) -> None:
        """Cancel what is being made; nothing of it was heard."""
        if self.reply:
            self.reply.cancel()
        self.reply = None

    def finished(self, interrupted: bool, now_s: float) -> TurnFinished:
        """All of it, the reply cut to what was heard."""
        reply = self.reply
        return TurnFinished(
            turn=self.number,
            transcript=self.transcript or "",
            reply=reply.spoken.text if reply else "",
            heard_reply=reply.heard_text() if reply else "",
            interrupted=interrupted,
            typed=self.typed is not None,
            started_at_s=self.started_at_s,
            ended_at_s=self.judged_over_s if self.judged_over_s is not None else now_s,
            finished_at_s=now_s,
            latency_ms=reply.stamps.breakdown() if reply else {},
        )

    def audio(self, reply_rate_hz: int) -> TurnAudio:
        """The sound of both sides, the reply's as far as it was heard."""
        person = self.heard.audio().tobytes() if self.heard else b""
        reply = self.reply.playout.heard().tobytes() if self.reply else b""
        return TurnAudio(self.number, person, HEARING_RATE_HZ, reply, reply_rate_hz)


def of_turns(tell: Callable[[Event], None]) -> Callable[[Event], None]:
    """Tells what belongs to a turn, or to the conversation as a whole."""

    def tell_of_turns(event: Event) -> None:
        if getattr(event, "turn", None) != NO_TURN:
            tell(event)
        elif isinstance(event, Trouble):
            tell(replace(event, turn=None))

    return tell_of_turns
