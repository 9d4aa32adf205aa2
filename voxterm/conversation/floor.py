"""Whose turn it is: the signals of the turn machine become exchanges, each with its attempts and its end.

There is at most one exchange under way. An attempt to answer it is started in a pause, cancelled when the
person goes on, released when the turn is judged over. When somebody speaks into the reply it waits, and
beside the exchange there is another, the intrusion: it takes the exchange's place if it turns out to be the
person's turn, or the same turn that goes on, and is dropped if it was nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from voxterm.config import Settings
from voxterm.conversation.attempts import Attempts, release
from voxterm.conversation.bridge import CLOSE_LIMIT_S
from voxterm.conversation.cast import Cast, Devices, EngineThreads
from voxterm.conversation.ears import Ears
from voxterm.conversation.exchange import NO_TURN, Exchange, of_turns
from voxterm.conversation.interjection import Voice
from voxterm.conversation.intrusion import Intrusion
from voxterm.conversation.mouth import Mouth, Speaker, Understudies
from voxterm.conversation.outcomes import Outcomes
from voxterm.conversation.pause import PauseJudge
from voxterm.conversation.reply import Reply
from voxterm.conversation.tape import Tape
from voxterm.conversation.track import Track
from voxterm.events import (
    Event,
    Interrupted,
    PartialTranscript,
    ReplyWentOn,
    ReplyWithdrawn,
    ReplyYielded,
    SpeechPaused,
    SpeechResumed,
    SpeechStarted,
    TurnDropped,
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
        self.exchange: Exchange | None = None
        self.next_turn = 1
        self._clock = devices.clock
        self._take_back_s = settings.turns.take_back_ms / 1000
        self._history = history
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
        self._intrusion: Intrusion | None = None  # while a voice in the reply makes it wait
        self._spoke_until = 0  # the microphone's sample after the last one of speech, in the newest pause
        self._paused_at_s: float | None = None  # while the person pauses: since when

    @property
    def audible(self) -> bool:
        """A reply is sounding."""
        return bool(self.reply and self.reply.audible)

    @property
    def is_free(self) -> bool:
        """Nobody speaks, and nothing is to be said."""
        return self.exchange is None and not self.machine.turn_open

    @property
    def answered_just_now(self) -> bool:
        """The reply has been said, and was so short that it may yet be taken back."""
        reply = self.reply
        return bool(reply and not reply.running and reply.has_left() and self.reply_is_new)

    @property
    def reply_is_new(self) -> bool:
        """The reply to what was said began to sound so lately that who speaks now may be going on."""
        exchange = self.exchange
        if exchange is None or exchange.heard is None or exchange.reply is None or exchange.repeats:
            return False
        exchange.reply.has_left()
        left_s = exchange.reply.stamps.left_s
        return left_s is None or self._clock.now() - left_s < self._take_back_s

    @property
    def reply(self) -> Reply | None:
        """The reply under way, or the newest attempt at one."""
        return self.exchange.reply if self.exchange else None

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
            elif isinstance(signal, Dropped) and self.exchange:
                self._forget(self.exchange)

    def feed(self) -> None:
        """Give the engine what was heard since it was given something."""
        exchange = self._intrusion.exchange if self._intrusion else self.exchange
        if exchange is None:
            return
        samples = self.tape.since(exchange.fed_until_sample)
        exchange.fed_until_sample = self.tape.end_sample
        if len(samples):
            self._ears.hear(samples)

    def beat(self) -> None:
        """Look how far the reply is: may it sound, was it rightly broken off, what was heard, is it done."""
        self._outcomes.conclude_known()
        exchange = self.exchange
        if exchange is None or not exchange.over or exchange.reply is None:
            return
        if self._intrusion:
            self._judge(self._intrusion)
        elif self.audible:
            self.machine.answered()
            self._outcomes.tell_heard(exchange, exchange.reply)
        else:
            exchange.reply.may_sound(self.machine.may_speak)
            if not (exchange.answering or self.answered_just_now):
                self._settle(exchange, exchange.reply)

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
        if not text or self.machine.turn_open:
            return
        self.cut_off(by_voice=False)
        exchange = Exchange(self.next_turn - 1, self._clock.now(), self._history, typed="", repeats=True)
        self._attempts.again(exchange, text)
        self._sound_at_once(exchange)

    def sample(self, text: str, mouth: Mouth) -> None:
        """Say something with a mouth of its own, outside of the dialogue, while the floor is free."""
        exchange = Exchange(NO_TURN, self._clock.now(), self._history, typed="", repeats=True)
        self._attempts.again(exchange, text, mouth)
        self._sound_at_once(exchange)

    def end_sample(self) -> None:
        """Silence what is said like that. Who is speaking into it has the turn."""
        if self.exchange and self.exchange.number == NO_TURN:
            self.interrupt()

    def interrupt(self) -> None:
        """Silence the reply. Who is speaking into it has the turn."""
        self.follow(self.machine.claim())
        if self.exchange and self.exchange.over:
            self.cut_off(by_voice=False)

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
            self._outcomes.late.append(exchange)
            return
        if reply:
            reply.cancel()
        self._silence(exchange, by_voice)
        self._outcomes.conclude(exchange, interrupted=True)

    def break_off(self) -> None:
        """End what is under way, in the middle of speech too: what was said so far is a turn."""
        self.follow(self.machine.claim())
        if self.exchange and not self.exchange.over:
            self.machine.press()
            self.follow(self.machine.release())
        self.cut_off(by_voice=False)

    def take_up(self, history: History) -> None:
        """Go on with another dialogue. What was broken off before still belongs to the one before."""
        self._history = history

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
        if self.exchange and not self.exchange.over:
            self._forget(self.exchange)
        await self.rest()
        if self._attempts.newest:
            await self._attempts.newest.ended(CLOSE_LIMIT_S)

    def _silence(self, exchange: Exchange, by_voice: bool) -> None:
        """Nothing more is heard of this exchange."""
        if exchange.reply:
            exchange.reply.playout.cut()
            if exchange.heard:
                exchange.heard.heard_reply = exchange.reply.heard_text()
        silent_s = exchange.yielded_at_s if exchange.yielded_at_s is not None else self._clock.now()
        self._tell(Interrupted(exchange.number, silent_s, by_voice))

    def _open(self, signal: Opened) -> None:
        intrusion, self._intrusion = self._intrusion, None
        self.cut_off(by_voice=signal.barge_in)
        self.exchange = intrusion.exchange if intrusion else self._listened_to(signal.from_sample)
        self.next_turn = self.exchange.number + 1
        self._tell(SpeechStarted(self.exchange.number, self.exchange.started_at_s))
        if intrusion:
            self._tell_pause(self.exchange)
        self.feed()

    def _listened_to(self, from_sample: int) -> Exchange:
        """A new turn, which the engine listens to."""
        self._ears.begin()
        return Exchange(
            self.next_turn,
            self.tape.time_of(from_sample),
            self._history,
            fed_until_sample=from_sample,
            heard=self._ears.turn,
        )

    def _pause(self, signal: Paused) -> None:
        exchange = self._under_way()
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
        exchange = self._under_way()
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
        held = self._under_way()
        if held.reply:
            held.reply.hold()
        held.yielded_at_s = self._clock.now()
        self._tell(ReplyYielded(held.number, held.yielded_at_s))
        exchange = held.going_on() if signal.goes_on else self._listened_to(signal.from_sample)
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
        self.exchange = exchange = intrusion.exchange
        self._tell(ReplyWithdrawn(exchange.number))
        self._tell(SpeechResumed(exchange.number, self._clock.now()))
        self._tell_pause(exchange)

    def _go_on(self) -> None:
        """It was nothing: the reply goes on."""
        intrusion, self._intrusion = self._intrusion, None
        self.pause_judge.end()
        if intrusion:
            intrusion.exchange.drop_attempt()
        held = self._under_way()
        held.yielded_at_s = None
        if held.reply:
            self._attempts.newest = held.reply
            held.reply.go_on()
        self._tell(ReplyWentOn(held.number, self._clock.now()))

    def _end(self, signal: Ended) -> None:
        self.pause_judge.end()
        exchange = self._under_way()
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

    def _sound_at_once(self, exchange: Exchange) -> None:
        """Nobody spoke, so there is no silence to wait for."""
        self.exchange = exchange
        exchange.judged_over_s = exchange.started_at_s
        release(exchange, self.machine.may_speak)

    def _settle(self, exchange: Exchange, reply: Reply) -> None:
        """The attempt has ended and nothing of it sounds any more."""
        self._outcomes.tell_heard(exchange, reply)
        self._outcomes.tell_error(exchange)
        if exchange.transcript == "" and not (exchange.repeats or reply.error or reply.handed):
            self._forget(exchange)
            return
        self.exchange = None
        self.machine.answered()
        self._outcomes.conclude(exchange, interrupted=False)

    def _forget(self, exchange: Exchange) -> None:
        """It was no speech: its number is free again."""
        exchange.drop_attempt()
        self.exchange = None
        self.machine.answered()
        if exchange.number == self.next_turn - 1:
            self.next_turn -= 1
        self._tell(TurnDropped(exchange.number))

    def _tell(self, event: Event) -> None:
        self.track.follow(event, self._clock.now())
        self._tell_listeners(event)

    def _tell_partial(self, text: str) -> None:
        if self.exchange and not self.exchange.over:
            self._tell(PartialTranscript(self.exchange.number, text))

    def _under_way(self) -> Exchange:
        """What the person is heard to say: a turn, or what may become one."""
        exchange = self._intrusion.exchange if self._intrusion else self.exchange
        if exchange is None:
            raise RuntimeError("the turn machine speaks of a turn that was never opened")
        return exchange
