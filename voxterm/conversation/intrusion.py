"""A voice in the reply, while it is open what it is: the reply waits; the voice is listened to and judged."""

from __future__ import annotations

from dataclasses import dataclass

from voxterm.conversation.exchange import Exchange
from voxterm.conversation.interjection import Voice, is_turn


@dataclass(frozen=True, slots=True)
class Intrusion:
    """`exchange` takes the place of the `held` one if the voice is the person's turn, else it is dropped."""

    held: Exchange
    exchange: Exchange
    from_sample: int  # of the microphone, pre-roll included

    @property
    def interrupts(self) -> Exchange | None:
        """Whose reply is broken off if this is a turn; None where it is the same turn, which goes on."""
        is_other = self.held.number != self.exchange.number
        return self.held if is_other and not self.held.repeats else None

    def verdict(self, voice: Voice) -> bool | None:
        """Whether it is the person's turn; None: not known yet.

        The answer that was begun in the pause knows the words; one that failed counts as a yes, lest any be
        lost.
        """
        attempt = self.exchange.reply
        if attempt is None:
            return None
        if attempt.transcript is None:
            return None if attempt.running else True
        goes_on = self.held.number == self.exchange.number
        said_before = self.held.transcript or "" if goes_on else ""
        return is_turn(voice, attempt.transcript, said_before)
