"""Attempts to answer: each is begun in a pause, in secret, with the dialogue as it stands or will stand.

The newest one alone may come to sound, and only when the one before has come to rest.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from voxterm.clock import Clock
from voxterm.conversation.bridge import Stream
from voxterm.conversation.ears import Ears
from voxterm.conversation.exchange import Exchange
from voxterm.conversation.mouth import Mouth
from voxterm.conversation.pause import PauseJudge
from voxterm.conversation.reply import Reply
from voxterm.conversation.track import Track
from voxterm.engines.protocols import Notice, Understood
from voxterm.events import Event, Remark, Trouble
from voxterm.history import append_turn


class Attempts:
    """Lives on the event loop beside the floor."""

    def __init__(
        self,
        ears: Ears,
        judge: PauseJudge,
        mouth: Callable[[], Mouth],
        track: Track,
        clock: Clock,
        tell: Callable[[Event], None],
    ) -> None:
        self.newest: Reply | None = None
        """The newest that may have sounded, whatever became of it."""
        self._ears = ears
        self._judge = judge
        self._mouth = mouth
        self._track = track
        self._clock = clock
        self._tell = tell
        self._noticed: Notice | None = None  # what an engine had to say at last

    def at_pause(self, exchange: Exchange, late: Sequence[Exchange], interrupted: Exchange | None) -> None:
        """Answer what was said so far, and have it judged whether that is all.

        `late`: turns of the dialogue whose words are not known yet. `interrupted`: the exchange that will
        have been cut off if this turn is one.
        """
        on_ending = self._judge.begin(exchange.heard.audio()) if exchange.heard else None
        messages = list(exchange.history.messages())
        before = list(late)
        if interrupted and interrupted.reply:
            heard_reply = interrupted.reply.heard_text()
            if interrupted.heard:
                interrupted.heard.heard_reply = heard_reply
                before.append(interrupted)
            else:
                append_turn(messages, interrupted.typed or "", heard_reply, interrupted=True)
        unanswered = [turn.heard for turn in before if turn.heard and turn.history is exchange.history]
        self._start(exchange, self._ears.answer(messages, unanswered), on_ending)

    def at_typed(self, exchange: Exchange, late: Sequence[Exchange], text: str) -> None:
        """Answer a line of the keyboard."""
        unanswered = [turn.heard for turn in late if turn.heard and turn.history is exchange.history]
        self._start(exchange, self._ears.answer_text(exchange.history.messages(), unanswered, text))

    def again(self, exchange: Exchange, text: str, mouth: Mouth | None = None) -> None:
        """Say this once more; or for once, with a mouth of its own."""
        self._start(exchange, self._ears.said_again(text), mouth=mouth)

    async def spoken(self) -> None:
        """Wait until no reply is being spoken; what waits for the loudspeaker may still sound."""
        while self.newest and self.newest.running:
            await self.newest.ended()

    def _start(
        self,
        exchange: Exchange,
        understood: Stream[Understood],
        on_ending: Callable[[float | None], None] | None = None,
        mouth: Mouth | None = None,
    ) -> None:
        mouth = mouth or self._mouth()
        reply = Reply(exchange.number, mouth, self._clock, self._tell, on_ending, self._tell_notice)
        exchange.reply = reply
        reply.start(understood, after=self.newest)
        self._track.mark(exchange.number, "asked", self._clock.now())
        self.newest = reply

    def _tell_notice(self, notice: Notice) -> None:
        """Once, though it comes with every attempt."""
        if notice == self._noticed:
            return
        self._noticed = notice
        if notice.is_trouble:
            self._tell(Trouble(notice.what, notice.remedy, notice.category))
        else:
            self._tell(Remark(notice.what))


def release(exchange: Exchange, may_speak: bool) -> None:
    """The turn is judged over: tell what was found, and let it sound unless somebody begins to speak."""
    reply = exchange.reply
    if reply:
        reply.stamps.last_speech_s = exchange.last_speech_s
        reply.stamps.judged_over_s = exchange.judged_over_s
        reply.commit()
        reply.may_sound(may_speak)
