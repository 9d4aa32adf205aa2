"""What became of each exchange: how far its reply was heard, how long it took, and in the end all of it.

A finished exchange goes into the history of its dialogue, with what was heard of its reply, and is told
whole.
"""

from __future__ import annotations

from collections.abc import Callable

from voxterm.clock import Clock
from voxterm.conversation.exchange import Exchange
from voxterm.conversation.mouth import Mouth
from voxterm.conversation.reply import Reply
from voxterm.conversation.track import Track
from voxterm.events import Event, ReplyHeard, Trouble, TurnDropped, TurnMeasured
from voxterm.history import Heard, History

NOTHING_HEARD = Heard(0, 0)


class Outcomes:
    """Lives on the event loop beside the floor."""

    def __init__(
        self, clock: Clock, mouth: Callable[[], Mouth], track: Track, tell: Callable[[Event], None]
    ) -> None:
        self._clock = clock
        self._track = track
        self._mouth = mouth
        self._tell = tell
        self._said: tuple[History | None, str] = (None, "")  # the newest reply, and the dialogue it is of
        self.late: list[Exchange] = []
        """Those that were cut off before their transcripts came."""
        self._heard: tuple[Reply | None, Heard] = (None, NOTHING_HEARD)  # what was told last

    def tell_heard(self, exchange: Exchange, reply: Reply) -> None:
        """How much of the reply has been heard by now, where it is more than before."""
        self.tell_measured(exchange)
        before = self._heard[1] if self._heard[0] is reply else NOTHING_HEARD
        heard = reply.spoken.heard(reply.playout.played())
        self._heard = (reply, heard)
        if heard != before:
            self._tell(ReplyHeard(exchange.number, heard.chars, heard.word_end))

    def tell_measured(self, exchange: Exchange) -> None:
        """Once, when the reply sounds and the transcript is known too, or will never be."""
        reply = exchange.reply
        if exchange.measured or exchange.repeats or reply is None or not reply.has_left():
            return
        if exchange.transcript is not None or not exchange.answering:
            exchange.measured = True
            self._tell(TurnMeasured(exchange.number, reply.stamps.breakdown()))

    def tell_error(self, exchange: Exchange) -> None:
        """What went wrong in it, if anything did."""
        if exchange.reply and exchange.reply.error:
            self._tell(Trouble.of(exchange.reply.error, "say it again; the next turn works", exchange.number))

    def conclude(self, exchange: Exchange, *, interrupted: bool) -> None:
        """The exchange is complete: into the history, and told whole."""
        if exchange.repeats:
            return
        self.tell_measured(exchange)
        finished = exchange.finished(interrupted, self._clock.now())
        exchange.history.add_turn(finished.transcript, finished.heard_reply, interrupted)
        if exchange.reply and exchange.reply.written:
            self._said = (exchange.history, exchange.reply.written)
        self._tell(finished)
        stamps = exchange.reply.stamps if exchange.reply else None
        self._tell(self._track.timeline(finished.turn, finished.started_at_s, finished.finished_at_s, stamps))
        mouth = self._mouth()
        if mouth.keeps_audio and exchange.reply and exchange.reply.keeps_audio:
            self._tell(exchange.audio(mouth.loudspeaker.rate_hz))

    def conclude_known(self) -> None:
        """Those that were late, as far as their words are known by now."""
        for exchange in [exchange for exchange in self.late if not exchange.answering]:
            self.late.remove(exchange)
            self._conclude_late(exchange)

    async def transcribed(self, limit_s: float) -> None:
        """Wait for the words of those that are late, so long each."""
        for exchange in list(self.late):
            if exchange.reply:
                await exchange.reply.ended(limit_s)

    def conclude_all(self) -> None:
        """Those that are late, with or without their words."""
        while self.late:
            exchange = self.late.pop(0)
            if exchange.reply:
                exchange.reply.cancel()
            self._conclude_late(exchange)

    def _conclude_late(self, exchange: Exchange) -> None:
        self.tell_error(exchange)
        if exchange.transcript or (exchange.reply and exchange.reply.handed):
            self.conclude(exchange, interrupted=True)
        else:
            self._tell(TurnDropped(exchange.number))

    def last_reply(self, history: History) -> str:
        """The newest reply as it was written; "" where that was in another dialogue."""
        of, text = self._said
        return text if of is history else ""
