"""Whose turn it is: the signals of the turn machine become exchanges, each with its attempts.

An attempt to answer is started in a pause, cancelled when the person goes on, released when the turn is
judged over. When somebody speaks into the reply it waits, and beside the exchange under way there is another,
the intrusion: it takes the exchange's place if it turns out to be the person's turn, or the same turn that
goes on, and is dropped if it was nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from voxterm.config import Settings
from voxterm.conversation.attempts import Attempts, release
from voxterm.conversation.bridge import CLOSE_LIMIT_S
from voxterm.conversation.cast import Cast, Devices, EngineThreads
from voxterm.conversation.ears import Ears
from voxterm.conversation.exchange import NO_TURN, Exchange, of_turns
from voxterm.conversation.exchanges import Exchanges
from voxterm.conversation.interjection import Voice
from voxterm.conversation.intrusion import Intrusion
from voxterm.conversation.mouth import Mouth, Speaker, Understudies
from voxterm.conversation.outcomes import Outcomes
from voxterm.conversation.pause import PauseJudge
from voxterm.conversation.tape import Tape
from voxterm.conversation.track import Track
from voxterm.events import (
    Event,
    PartialTranscript,
    ReplyWentOn,
    ReplyWithdrawn,
    ReplyYielded,
    SpeechPaused,
    SpeechResumed,
    SpeechStarted,
    TurnEnded,
)
from voxterm.history import History
from voxterm.language import VoiceFollower
from voxterm.turns import (
    Dropped,
    Ended,
    Opened,
    Paused,
    Phase,
    Resumed,
    TakenBack,
    TurnMachine,
    TurnSignal,
    WentOn,
    Yielded,
)

LONGEST_REPLY_S = 180.0
"""Of one that takes longer the end alone is on the time line."""


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
        tell = of_turns(tell)
        self.tape = Tape(settings.turns.max_turn_s + 10.0)  # the longest turn and what led to it
        self.track = Track(settings.turns.max_turn_s + LONGEST_REPLY_S)
        self.machine = TurnMachine(settings.turns)
        self._clock = devices.clock
        self._take_back_s = settings.turns.take_back_ms / 1000
        self._tell_listeners = tell
        self.personality = cast.personality
        self._ears = Ears(
            cast.understanding,
            threads.understanding,
            self._tell_partial,
            lambda: self.personality.told(self.mouth.speaker.voice),
        )
        self.mouth = Mouth(
            cast.synthesizer,
            threads.synthesizer,
            Speaker(cast.voice),
            settings.speech.speed,
            devices.loudspeaker,
            settings.sessions.keep_audio,
            VoiceFollower(cast.voices, settings.speech.follow_language),
            Understudies(cast.voices),
        )
        self.pause_judge = PauseJudge(threads.detector, settings.turns, self._expect, tell)
        self._attempts = Attempts(
            self._ears, self.pause_judge, lambda: self.mouth, self.track, devices.clock, tell
        )
        self._outcomes = Outcomes(devices.clock, lambda: self.mouth, self.track, tell)
        self.exchanges = Exchanges(
            self.machine, self._attempts, self._outcomes, history, devices.clock, self._tell
        )
        self._intrusion: Intrusion | None = None  # while a voice in the reply makes it wait
        self._spoke_until = 0  # the microphone's sample after the last one of speech, in the newest pause
        self._paused_at_s: float | None = None  # while the person pauses: since when

    @property
    def is_free(self) -> bool:
        """Nobody speaks, and nothing is to be said."""
        return self.exchanges.under_way is None and not self.machine.turn_open

    @property
    def answered_just_now(self) -> bool:
        """The reply has been said, and was so short that it may yet be taken back."""
        reply = self.exchanges.reply
        return bool(reply and not reply.running and reply.has_left() and self.reply_is_new)

    @property
    def reply_is_new(self) -> bool:
        """The reply to what was said began to sound so lately that who speaks now may be going on."""
        return self.exchanges.replied_within(self._take_back_s)

    def follow(self, signals: Iterable[TurnSignal]) -> None:
        """Do what the signals of the turn machine ask for, in order."""
        for signal in signals:
            if isinstance(signal, Opened):
                self._open(signal)
            elif isinstance(signal, Paused):
                self._pause(signal)
            elif isinstance(signal, Resumed):
                self._resume()
            elif isinstance(signal, Ended):
                self._end(signal)
            elif isinstance(signal, Yielded):
                self._yield(signal)
            elif isinstance(signal, TakenBack):
                self._take_back()
            elif isinstance(signal, WentOn):
                self._go_on()
            elif isinstance(signal, Dropped) and self.exchanges.under_way:
                self.exchanges.forget(self.exchanges.under_way)

    def feed(self) -> None:
        """Give the engine what was heard since it was given something."""
        exchange = self._listened_to
        if exchange is None:
            return
        samples = self.tape.since(exchange.fed_until_sample)
        exchange.fed_until_sample = self.tape.end_sample
        if len(samples):
            self._ears.hear(samples)

    def beat(self) -> None:
        """Look how far the reply is: may it sound, was it rightly broken off, what was heard, is it done."""
        self._outcomes.conclude_known()
        exchange = self.exchanges.under_way
        if exchange is None or not exchange.over or exchange.reply is None:
            return
        if self._intrusion:
            self._judge(self._intrusion)
        elif exchange.reply.audible:
            self.machine.answered()
            self._outcomes.tell_heard(exchange, exchange.reply)
        else:
            exchange.reply.may_sound(self.machine.may_speak)
            if not (exchange.answering or self.answered_just_now):
                self.exchanges.settle(exchange, exchange.reply)

    def end_sample(self) -> None:
        """Silence a voice that lets itself be heard. Who is speaking into it has the turn."""
        if self.exchanges.under_way and self.exchanges.under_way.number == NO_TURN:
            self.interrupt()

    def interrupt(self) -> None:
        """Silence the reply. Who is speaking into it has the turn."""
        self.follow(self.machine.claim())
        if self.exchanges.under_way and self.exchanges.under_way.over:
            self.exchanges.cut_off(by_voice=False)

    def break_off(self) -> None:
        """End what is under way, in the middle of speech too: what was said so far is a turn."""
        self.follow(self.machine.claim())
        if self.exchanges.under_way and not self.exchanges.under_way.over:
            self.machine.press()
            self.follow(self.machine.release())
        self.exchanges.cut_off(by_voice=False)

    async def rest(self) -> None:
        """Break off, and see the transcripts that are still to come. Nothing is under way when it returns."""
        self.break_off()
        await self._outcomes.transcribed(CLOSE_LIMIT_S)
        self.break_off()  # who went on speaking meanwhile
        self._outcomes.conclude_all()

    async def spoken(self) -> None:
        """Wait until no reply is being spoken; what waits for the loudspeaker may still sound."""
        await self._attempts.spoken()

    async def close(self) -> None:
        """End what is under way; what was said is kept, with what was heard."""
        self.follow(self.machine.claim())
        if self.exchanges.under_way and not self.exchanges.under_way.over:
            self.exchanges.forget(self.exchanges.under_way)
        await self.rest()
        if self._attempts.newest:
            await self._attempts.newest.ended(CLOSE_LIMIT_S)

    def _open(self, signal: Opened) -> None:
        intrusion, self._intrusion = self._intrusion, None
        self.exchanges.cut_off(by_voice=signal.barge_in)
        exchange = intrusion.exchange if intrusion else self._new_turn(signal.from_sample)
        self.exchanges.begin(exchange)
        self._tell(SpeechStarted(exchange.number, exchange.started_at_s))
        if intrusion:
            self._tell_pause(exchange)
        self.feed()

    def _new_turn(self, from_sample: int) -> Exchange:
        """The engine listens to it."""
        self._ears.begin()
        return self.exchanges.heard(self.tape.time_of(from_sample), from_sample, self._ears.turn)

    def _pause(self, signal: Paused) -> None:
        exchange = self._spoken_of()
        self.feed()
        self._paused_at_s = self.tape.time_of(signal.last_speech_sample)
        self._spoke_until = self.tape.speech_end(signal.last_speech_sample)
        if not self._intrusion:
            self._tell_pause(exchange)
        self._ask(exchange)

    def _tell_pause(self, exchange: Exchange) -> None:
        if self._paused_at_s is not None and self.machine.phase is Phase.PAUSE:
            self._tell(SpeechPaused(exchange.number, self._paused_at_s))

    def _resume(self) -> None:
        """The person goes on. The engine is given the pause too: it would hear a jump."""
        exchange = self._spoken_of()
        self.pause_judge.end()
        if exchange.reply and not exchange.over:
            self.track.mark(exchange.number, "withdrawn", self._clock.now())
        exchange.drop_attempt()
        if not self._intrusion:
            if exchange.over:
                exchange.judged_over_s = None
                self._tell(ReplyWithdrawn(exchange.number))
            self._tell(SpeechResumed(exchange.number, self._clock.now()))
        self.feed()

    def _yield(self, signal: Yielded) -> None:
        """Somebody speaks into the reply: it waits, and they are listened to."""
        held = self._spoken_of()
        if held.reply:
            held.reply.hold()
        held.yielded_at_s = self._clock.now()
        self._tell(ReplyYielded(held.number, held.yielded_at_s))
        exchange = held.going_on() if signal.goes_on else self._new_turn(signal.from_sample)
        self._intrusion = Intrusion(held, exchange, signal.from_sample)
        self.feed()

    def _judge(self, intrusion: Intrusion) -> None:
        """Is it the person's turn? In a pause that can be told."""
        if self.machine.phase is Phase.PAUSE:
            voice = Voice(self.tape.since(intrusion.from_sample), self.machine.certainty)
            is_theirs = intrusion.verdict(voice)
            if is_theirs is not None:
                self.follow(self.machine.claim() if is_theirs else self.machine.dismiss())

    def _take_back(self) -> None:
        """The reply was too early: the turn goes on, and nothing of the reply was ever said."""
        intrusion, self._intrusion = self._intrusion, None
        if intrusion is None:
            raise RuntimeError("the turn machine takes back a reply that nobody spoke into")
        intrusion.held.drop_attempt()
        self.exchanges.under_way = exchange = intrusion.exchange
        self._tell(ReplyWithdrawn(exchange.number))
        self._tell(SpeechResumed(exchange.number, self._clock.now()))
        self._tell_pause(exchange)

    def _go_on(self) -> None:
        """It was nothing: the reply goes on."""
        intrusion, self._intrusion = self._intrusion, None
        self.pause_judge.end()
        if intrusion:
            intrusion.exchange.drop_attempt()
        held = self._spoken_of()
        held.yielded_at_s = None
        if held.reply:
            self._attempts.newest = held.reply
            held.reply.go_on()
        self._tell(ReplyWentOn(held.number, self._clock.now()))

    def _end(self, signal: Ended) -> None:
        self.pause_judge.end()
        exchange = self._spoken_of()
        exchange.judged_over_s = self._clock.now()
        exchange.last_speech_s = self.tape.time_of(self.tape.speech_end(signal.last_speech_sample))
        self._tell(TurnEnded(exchange.number, exchange.judged_over_s))
        if exchange.reply is None:
            self.feed()
            self._ask(exchange)
        release(exchange, self.machine.may_speak)

    def _expect(self, silence_ms: float) -> None:
        """In this pause so much silence ends the turn."""
        self.follow(self.machine.expect(silence_ms, self._spoke_until))

    def _ask(self, exchange: Exchange) -> None:
        """Have the turn so far answered, and judged whether it is over."""
        interrupted = self._intrusion.interrupts if self._intrusion else None
        self._attempts.at_pause(exchange, self._outcomes.late, interrupted)

    def _tell(self, event: Event) -> None:
        self.track.follow(event, self._clock.now())
        self._tell_listeners(event)

    def _tell_partial(self, text: str) -> None:
        exchange = self.exchanges.under_way
        if exchange and not exchange.over:
            self._tell(PartialTranscript(exchange.number, text))

    @property
    def _listened_to(self) -> Exchange | None:
        """What the person is heard to say: a turn, or what may become one."""
        return self._intrusion.exchange if self._intrusion else self.exchanges.under_way

    def _spoken_of(self) -> Exchange:
        """What the turn machine's signals are about."""
        exchange = self._listened_to
        if exchange is None:
            raise RuntimeError("the turn machine speaks of a turn that was never opened")
        return exchange
