"""The exchange under way, of which there is one at most: how it begins without a voice, and how each ends.

One that a voice begins is begun by the floor, which hears it.
"""

from __future__ import annotations

from collections.abc import Callable

from voxterm.clock import Clock
from voxterm.conversation.attempts import Attempts, release
from voxterm.conversation.ears import HeardTurn
from voxterm.conversation.exchange import NO_TURN, Exchange
from voxterm.conversation.mouth import Mouth
from voxterm.conversation.outcomes import Outcomes
from voxterm.conversation.reply import Reply
from voxterm.events import Event, Interrupted, TurnDropped, TurnEnded
from voxterm.history import History
from voxterm.turns import TurnMachine


class Exchanges:
    """Numbers the turns of a dialogue. Lives on the event loop while a conversation runs."""

    def __init__(
        self,
        machine: TurnMachine,
        attempts: Attempts,
        outcomes: Outcomes,
        history: History,
        clock: Clock,
        tell: Callable[[Event], None],
    ) -> None:
        self.under_way: Exchange | None = None
        self.next_turn = 1
        self._machine = machine
        self._attempts = attempts
        self._outcomes = outcomes
        self._history = history
        self._clock = clock
        self._tell = tell

    @property
    def reply(self) -> Reply | None:
        """The reply under way, or the newest attempt at one."""
        return self.under_way.reply if self.under_way else None

    @property
    def audible(self) -> bool:
        """A reply is sounding."""
        return bool(self.reply and self.reply.audible)

    def replied_within(self, time_s: float) -> bool:
        """The reply to what was said began to sound so lately that who speaks now may be going on."""
        exchange = self.under_way
        if exchange is None or exchange.heard is None or exchange.reply is None or exchange.repeats:
            return False
        exchange.reply.has_left()
        left_s = exchange.reply.stamps.left_s
        return left_s is None or self._clock.now() - left_s < time_s

    def heard(self, started_at_s: float, from_sample: int, heard: HeardTurn | None) -> Exchange:
        """A new turn, which the engine listens to. It is not under way yet."""
        return Exchange(
            self.next_turn, started_at_s, self._history, fed_until_sample=from_sample, heard=heard
        )

    def begin(self, exchange: Exchange) -> None:
        """This turn is under way; its number is taken."""
        self.under_way = exchange
        self.next_turn = exchange.number + 1

    def answer_typed(self, text: str) -> None:
        """A turn made with the keyboard."""
        self.cut_off(by_voice=False)
        exchange = Exchange(self.next_turn, self._clock.now(), self._history, typed=text)
        self.next_turn += 1
        self._tell(TurnEnded(exchange.number, exchange.started_at_s, typed=text))
        self._attempts.at_typed(exchange, self._outcomes.late, text)
        self._sound_at_once(exchange)

    def repeat(self) -> None:
        """Say the last reply once more; it is no turn."""
        text = self._outcomes.last_reply(self._history)
        if not text or self._machine.turn_open:
            return
        self.cut_off(by_voice=False)
        self._say(self.next_turn - 1, text)

    def sample(self, text: str, mouth: Mouth) -> None:
        """Say something with a mouth of its own, outside of the dialogue, while nothing is under way."""
        self._say(NO_TURN, text, mouth)

    def cut_off(self, *, by_voice: bool) -> None:
        """End the exchange under way: silence the loudspeaker, keep what was heard."""
        exchange, self.under_way = self.under_way, None
        if exchange is None:
            return
        self._machine.answered()
        reply = exchange.reply
        if reply:
            reply.has_left()  # one that is cut off at once may not have been asked yet
        if reply and exchange.answering and exchange.transcript is None:
            reply.only_transcribe()
            if reply.handed:
                self._silence(exchange, by_voice)
            self._outcomes.late.append(exchange)
            return
        if reply:
            reply.cancel()
        self._silence(exchange, by_voice)
        self._outcomes.conclude(exchange, interrupted=True)

    def settle(self, exchange: Exchange, reply: Reply) -> None:
        """The attempt has ended and nothing of it sounds any more."""
        self._outcomes.tell_heard(exchange, reply)
        self._outcomes.tell_error(exchange)
        if exchange.transcript == "" and not (exchange.repeats or reply.error or reply.handed):
            self.forget(exchange)
            return
        self.under_way = None
        self._machine.answered()
        self._outcomes.conclude(exchange, interrupted=False)

    def forget(self, exchange: Exchange) -> None:
        """It was no speech: its number is free again."""
        exchange.drop_attempt()
        self.under_way = None
        self._machine.answered()
        if exchange.number == self.next_turn - 1:
            self.next_turn -= 1
        self._tell(TurnDropped(exchange.number))

    def take_up(self, history: History) -> None:
        """Go on with another dialogue. What was broken off before still belongs to the one before."""
        self._history = history

    def _say(self, number: int, text: str, mouth: Mouth | None = None) -> None:
        """Have a text spoken that answers nobody."""
        exchange = Exchange(number, self._clock.now(), self._history, typed="", repeats=True)
        self._attempts.again(exchange, text, mouth)
        self._sound_at_once(exchange)

    def _sound_at_once(self, exchange: Exchange) -> None:
        """Nobody spoke, so there is no silence to wait for."""
        self.under_way = exchange
        exchange.judged_over_s = exchange.started_at_s
        release(exchange, self._machine.may_speak)

    def _silence(self, exchange: Exchange, by_voice: bool) -> None:
        """Nothing more is heard of this exchange."""
        if exchange.reply:
            exchange.reply.playout.cut()
            if exchange.heard:
                exchange.heard.heard_reply = exchange.reply.heard_text()
        silent_s = exchange.yielded_at_s if exchange.yielded_at_s is not None else self._clock.now()
        self._tell(Interrupted(exchange.number, silent_s, by_voice))
