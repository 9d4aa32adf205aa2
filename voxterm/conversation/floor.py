"""Whose turn it is: the signals of the turn machine become exchanges, each with its attempts and its end.

There is at most one exchange under way. An attempt to answer it is started in a pause, cancelled when the
person goes on, released when the turn is judged over, cut off when the person speaks into it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from voxterm.config import Settings
from voxterm.conversation.bridge import CLOSE_LIMIT_S, Stream
from voxterm.conversation.cast import Cast, Devices, EngineThreads
from voxterm.conversation.ears import Ears, HeardTurn
from voxterm.conversation.exchange import Exchange
from voxterm.conversation.reply import Mouth, Reply, Speaker
from voxterm.conversation.tape import Tape
from voxterm.engines.protocols import Delta, Understood
from voxterm.events import (
    Event,
    Interrupted,
    PartialTranscript,
    ReplyHeard,
    ReplyWithdrawn,
    SpeechPaused,
    SpeechResumed,
    SpeechStarted,
    Trouble,
    TurnDropped,
    TurnEnded,
    TurnMeasured,
)
from voxterm.history import Heard, History
from voxterm.turns import Dropped, Ended, Opened, Paused, Resumed, TurnMachine, TurnSignal

NOTHING_HEARD = Heard(0, 0)


class Floor:
    """Follows the turn machine; keeps the dialogue. Lives on the event loop while a conversation runs."""

    def __init__(
        self,
        cast: Cast,
        threads: EngineThreads,
        devices: Devices,
        settings: Settings,
        history: History,
        tell: Callable[[Event], None],
    ) -> None:
        self.tape = Tape(settings.turns.max_turn_s + 10.0)  # the longest turn and what led to it
        self.machine = TurnMachine(settings.turns)
        self.exchange: Exchange | None = None
        self.next_turn = 1
        self._threads = threads
        self._clock = devices.clock
        self._loudspeaker = devices.loudspeaker
        self._history = history
        self._tell = tell
        self._ears = Ears(cast.understanding, threads.understanding, self._tell_partial)
        self.mouth = Mouth(
            cast.synthesizer,
            threads.synthesizer,
            Speaker(cast.voice),
            settings.speech.speed,
            devices.loudspeaker,
            settings.sessions.keep_audio,
        )
        self._finishing: list[Exchange] = []  # cut off before their transcripts came
        self._last: Reply | None = None  # the newest attempt, whatever became of it
        self._heard = NOTHING_HEARD
        self._last_reply = ""

    @property
    def audible(self) -> bool:
        """A reply is sounding."""
        return bool(self.exchange and self.exchange.audible(self._loudspeaker.played_samples()))

    @property
    def buffered_s(self) -> float:
        """How much of the reply waits for the loudspeaker."""
        waiting = self._loudspeaker.written_samples() - self._loudspeaker.played_samples()
        return max(0, waiting) / self._loudspeaker.rate_hz

    def level(self) -> float:
        """The RMS of what the loudspeaker plays now."""
        reply = self.exchange.reply if self.exchange else None
        return reply.level_at(self._loudspeaker.played_samples()) if reply else 0.0

    @property
    def speech_behind(self) -> bool:
        """The reply's speech is being made more slowly than it is played."""
        return bool(self.exchange and self.exchange.reply and self.exchange.reply.speech_behind)

    def follow(self, signal: TurnSignal) -> None:
        """Do what a signal of the turn machine asks for."""
        if isinstance(signal, Opened):
            self._open(signal)
        elif isinstance(signal, Paused):
            self._pause(signal)
        elif isinstance(signal, Resumed):
            self._resume(signal)
        elif isinstance(signal, Ended):
            self._end(signal)
        elif isinstance(signal, Dropped) and self.exchange:
            self._forget(self.exchange)

    def feed(self) -> None:
        """Give the engine what was heard since it was given something."""
        exchange = self.exchange
        if exchange is None:
            return
        samples = self.tape.since(exchange.fed_until_sample)
        exchange.fed_until_sample = self.tape.end_sample
        if len(samples):
            self._ears.hear(samples)

    def beat(self) -> None:
        """Look how far the reply is: may it sound, what of it was heard, is it done."""
        for late in [late for late in self._finishing if not late.answering]:
            self._finishing.remove(late)
            self._conclude_late(late)
        exchange = self.exchange
        if exchange is None or not exchange.over or exchange.reply is None:
            return
        if self.audible:
            self.machine.answered()
            self._tell_heard(exchange, exchange.reply)
        else:
            exchange.reply.may_sound(self.machine.may_speak)
            if not exchange.answering:
                self._settle(exchange, exchange.reply)

    def answer_typed(self, text: str) -> None:
        """A turn made with the keyboard."""
        self.cut_off(by_voice=False)
        exchange = Exchange(self.next_turn, self._clock.now(), self._history, typed=text)
        self.next_turn += 1
        self._tell(TurnEnded(exchange.number, exchange.started_at_s, typed=text))
        self._answer_at_once(
            exchange, self._ears.answer_text(self._history.messages(), self._unanswered(), text)
        )

    def repeat(self) -> None:
        """Say the last reply once more; it is no turn."""
        text = self._last_reply
        if not text or self.machine.turn_open:
            return
        self.cut_off(by_voice=False)
        exchange = Exchange(self.next_turn - 1, self._clock.now(), self._history, typed="", repeats=True)
        self._answer_at_once(exchange, self._threads.understanding.stream(lambda: _said_again(text)))

    def cut_off(self, *, by_voice: bool) -> None:
        """End the exchange under way: silence the loudspeaker, keep what was heard."""
        exchange, self.exchange = self.exchange, None
        if exchange is None:
            return
        self.machine.answered()
        reply = exchange.reply
        if reply:
            reply.has_left()  # one that is cut off at once may not have been asked yet
        if reply and exchange.answering and exchange.transcript is None:
            reply.only_transcribe()
            if reply.handed:
                self._silence(exchange, by_voice)
            self._finishing.append(exchange)
            return
        if reply:
            reply.cancel()
        self._silence(exchange, by_voice)
        self._conclude(exchange, interrupted=True)

    def break_off(self) -> None:
        """End what is under way, in the middle of speech too: what was said so far is a turn."""
        if self.exchange and not self.exchange.over:
            self.machine.press()
            for signal in self.machine.release():
                self.follow(signal)
        self.cut_off(by_voice=False)

    def take_up(self, history: History) -> None:
        """Go on with another dialogue. What was broken off before still belongs to the one before."""
        self._history = history
        self._last_reply = ""

    async def rest(self) -> None:
        """Break off, and see the transcripts that are still to come. Nothing is under way when it returns."""
        self.break_off()
        for late in list(self._finishing):
            if late.reply:
                await late.reply.ended(CLOSE_LIMIT_S)
        self.break_off()  # who went on speaking meanwhile
        while self._finishing:
            late = self._finishing.pop(0)
            if late.reply:
                late.reply.cancel()
            self._conclude_late(late)

    async def spoken(self) -> None:
        """Wait until no reply is being spoken; what waits for the loudspeaker may still sound."""
        while self._last and self._last.running:
            await self._last.ended()

    async def close(self) -> None:
        """End what is under way; what was said is kept, with what was heard."""
        if self.exchange and not self.exchange.over:
            self._forget(self.exchange)
        await self.rest()
        if self._last:
            await self._last.ended(CLOSE_LIMIT_S)

    def _silence(self, exchange: Exchange, by_voice: bool) -> None:
        """Nothing more is heard of this exchange: samples that are played later are another's."""
        self._loudspeaker.silence()
        played_samples = exchange.cut_at_sample = self._loudspeaker.played_samples()
        if exchange.heard and exchange.reply:
            exchange.heard.heard_reply = exchange.reply.spoken.heard_text(played_samples)
        self._tell(Interrupted(exchange.number, self._clock.now(), by_voice))

    def _open(self, signal: Opened) -> None:
        self.cut_off(by_voice=signal.barge_in)
        started_at_s = self.tape.time_of(signal.from_sample)
        self.exchange = Exchange(
            self.next_turn, started_at_s, self._history, fed_until_sample=signal.from_sample
        )
        self.next_turn += 1
        self._tell(SpeechStarted(self.exchange.number, started_at_s))
        self._ears.begin()
        self.exchange.heard = self._ears.turn
        self.feed()

    def _pause(self, signal: Paused) -> None:
        exchange = self._under_way()
        self.feed()
        self._tell(SpeechPaused(exchange.number, self.tape.time_of(signal.last_speech_sample)))
        self._ask(exchange)

    def _resume(self, signal: Resumed) -> None:
        exchange = self._under_way()
        exchange.drop_attempt()
        if exchange.over:
            exchange.judged_over_s = None
            self._tell(ReplyWithdrawn(exchange.number))
        self._tell(SpeechResumed(exchange.number, self._clock.now()))
        exchange.fed_until_sample = max(exchange.fed_until_sample, signal.from_sample)
        self.feed()

    def _end(self, signal: Ended) -> None:
        exchange = self._under_way()
        exchange.judged_over_s = self._clock.now()
        exchange.last_speech_s = self.tape.time_of(self.tape.speech_end(signal.last_speech_sample))
        self._tell(TurnEnded(exchange.number, exchange.judged_over_s))
        if exchange.reply is None:
            self.feed()
            self._ask(exchange)
        self._release(exchange)

    def _ask(self, exchange: Exchange) -> None:
        self._attempt(exchange, self._ears.answer(self._history.messages(), self._unanswered()))

    def _unanswered(self) -> list[HeardTurn]:
        """Turns of this dialogue that are not in its history yet."""
        return [late.heard for late in self._finishing if late.heard and late.history is self._history]

    def _answer_at_once(self, exchange: Exchange, understood: Stream[Understood]) -> None:
        self.exchange = exchange
        exchange.judged_over_s = exchange.started_at_s
        self._attempt(exchange, understood)
        self._release(exchange)

    def _attempt(self, exchange: Exchange, understood: Stream[Understood]) -> None:
        reply = exchange.reply = Reply(exchange.number, self.mouth, self._clock, self._tell)
        reply.start(understood, after=self._last)
        self._last = reply
        self._heard = NOTHING_HEARD

    def _release(self, exchange: Exchange) -> None:
        """The turn is judged over: tell what was found, and let it sound unless somebody begins to speak."""
        if exchange.reply:
            exchange.reply.stamps.last_speech_s = exchange.last_speech_s
            exchange.reply.stamps.judged_over_s = exchange.judged_over_s
            exchange.reply.commit()
            exchange.reply.may_sound(self.machine.may_speak)

    def _tell_heard(self, exchange: Exchange, reply: Reply) -> None:
        self._tell_measured(exchange)
        heard = reply.spoken.heard(self._loudspeaker.played_samples())
        if heard != self._heard:
            self._heard = heard
            self._tell(ReplyHeard(exchange.number, heard.chars, heard.word_end))

    def _tell_measured(self, exchange: Exchange) -> None:
        """Once, when the reply sounds and the transcript is known too, or will never be."""
        reply = exchange.reply
        if exchange.measured or exchange.repeats or reply is None or not reply.has_left():
            return
        if exchange.transcript is not None or not exchange.answering:
            exchange.measured = True
            self._tell(TurnMeasured(exchange.number, reply.stamps.breakdown()))

    def _settle(self, exchange: Exchange, reply: Reply) -> None:
        """The attempt has ended and nothing of it sounds any more."""
        self._tell_heard(exchange, reply)
        if reply.error:
            self._tell_trouble(exchange, reply.error)
        if exchange.transcript == "" and not (exchange.repeats or reply.error or reply.handed):
            self._forget(exchange)
            return
        self.exchange = None
        self.machine.answered()
        self._conclude(exchange, interrupted=False)

    def _conclude(self, exchange: Exchange, *, interrupted: bool) -> None:
        """The exchange is complete: into the history, and told whole."""
        if exchange.repeats:
            return
        self._tell_measured(exchange)
        played_samples = exchange.cut_at_sample
        if played_samples is None:
            played_samples = self._loudspeaker.played_samples()
        finished = exchange.finished(played_samples, interrupted, self._clock.now())
        exchange.history.add_turn(finished.transcript, finished.heard_reply, interrupted)
        if exchange.reply and exchange.reply.written and exchange.history is self._history:
            self._last_reply = exchange.reply.written
        self._tell(finished)
        if self.mouth.keeps_audio and exchange.reply and exchange.reply.keeps_audio:
            self._tell(exchange.audio(played_samples, self._loudspeaker.rate_hz))

    def _conclude_late(self, exchange: Exchange) -> None:
        """An exchange that was cut off before it was known what the person had said."""
        if exchange.reply and exchange.reply.error:
            self._tell_trouble(exchange, exchange.reply.error)
        if exchange.transcript or (exchange.reply and exchange.reply.handed):
            self._conclude(exchange, interrupted=True)
        else:
            self._tell(TurnDropped(exchange.number))

    def _forget(self, exchange: Exchange) -> None:
        """It was no speech: its number is free again."""
        exchange.drop_attempt()
        self.exchange = None
        self.machine.answered()
        if exchange.number == self.next_turn - 1:
            self.next_turn -= 1
        self._tell(TurnDropped(exchange.number))

    def _tell_partial(self, text: str) -> None:
        if self.exchange and not self.exchange.over:
            self._tell(PartialTranscript(self.exchange.number, text))

    def _tell_trouble(self, exchange: Exchange, error: Exception) -> None:
        self._tell(Trouble.of(error, "say it again; the next turn works", exchange.number))

    def _under_way(self) -> Exchange:
        if self.exchange is None:
            raise RuntimeError("the turn machine speaks of a turn that was never opened")
        return self.exchange


def _said_again(text: str) -> Iterator[Understood]:
    yield Delta(text)
