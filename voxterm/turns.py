"""Taking turns: speech probability and time → speech opened, paused, resumed, turn ended, barge-in.

Pure. Time is the sample count of the microphone, given with every frame; nothing here waits, and every
signal follows from the frames and keys alone.

    IDLE ──speech──► SPEECH ◄──voice── PAUSE ──silence──► OVER ──answered()──► IDLE
      ▲                 └────silence────►┘                  └──speech──► SPEECH (Resumed: the same turn)
      └── dropped: a key was held and nobody spoke

`PAUSE` is when the answer is started in secret, `OVER` when it may be heard. How long a silence ends the turn
is told in each pause (`expect`), by those who listen to the words. Until the answer is heard the person may
go on: what follows joins the same turn.

At a voice in an audible reply the reply yields at once, and what the voice is stays open: a tentative turn.
It becomes the person's (`claim`) when it lasts, or when words were heard in it: a barge-in and a turn of its
own or, where the reply had only just begun, the end of the turn before, which was cut in upon. It was nothing
(`dismiss`) when there were no words, a cough or an "mm-hm", and the reply goes on.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import TypeAlias

from voxterm.config import TurnSettings
from voxterm.engines.protocols import HEARING_RATE_HZ

CANDIDATE_GAP_MS = 96
"""Unvoiced time that a beginning of speech may hold before it counts as a mere noise: three frames, about the
closure of a plosive."""

VAD_LAG_MS = 128
"""How much later than the speech the VAD may end it, at most: Silero 91 ms in 19 of 20 cases (18 clips)."""

VERDICT_LIMIT_MS = 3000
"""Silence after a voice in a reply with nobody who says whether it held words: it did, lest any be lost."""


@dataclass(frozen=True, slots=True)
class Opened:
    """A turn begins; its audio starts at `from_sample`, pre-roll included. `barge_in`: into a reply."""

    from_sample: int
    barge_in: bool


@dataclass(frozen=True, slots=True)
class Paused:
    """Silence for `pause_ms`: the turn may be over."""

    last_speech_sample: int


@dataclass(frozen=True, slots=True)
class Resumed:
    """The person goes on: it was not over. What was heard from `from_sample` on belongs to the turn too."""

    from_sample: int


@dataclass(frozen=True, slots=True)
class Ended:
    """The turn is judged over. `cut` marks one that reached `max_turn_s` in the middle of speech."""

    at_sample: int
    last_speech_sample: int
    cut: bool = False


@dataclass(frozen=True, slots=True)
class Yielded:
    """A voice in the reply, from `from_sample` on, pre-roll included: the reply waits.

    `goes_on`: the reply had only just begun, so it may be the turn before that goes on.
    """

    from_sample: int
    goes_on: bool


@dataclass(frozen=True, slots=True)
class TakenBack:
    """The reply was too early: the turn before goes on, with what is heard from `from_sample` on."""

    from_sample: int


@dataclass(frozen=True, slots=True)
class WentOn:
    """The voice was nothing: the reply goes on."""


@dataclass(frozen=True, slots=True)
class Dropped:
    """The key was held and released, and nobody spoke."""


TurnSignal: TypeAlias = Opened | Paused | Resumed | Ended | Yielded | TakenBack | WentOn | Dropped


class Phase(Enum):
    IDLE = "idle"
    SPEECH = "speech"
    PAUSE = "pause"
    OVER = "over"


@dataclass(slots=True)
class _Candidate:
    """Voiced frames that may become speech."""

    onset_sample: int
    voiced_samples: int = 0
    certainty_samples: float = 0.0
    last_voiced_sample: int = 0


class TurnMachine:
    """Feed it every frame in order, and the keys as they are pressed; it answers with signals in order."""

    def __init__(self, settings: TurnSettings) -> None:
        self._settings = settings
        self._phase = Phase.IDLE
        self._candidate: _Candidate | None = None
        self._now_sample = 0
        self._from_sample = 0  # where the open turn's audio begins
        self._taken_until = 0  # audio before this belongs to an earlier turn
        self._last_speech_sample = 0
        self._spoke = False  # anything voiced in the open turn
        self._pressed = False
        self._full = False  # the turn that is over was cut: what follows is a turn of its own
        self._needed_ms: float | None = None  # the silence that ends the turn, as told in this pause
        self._silent_from = 0  # where that silence begins
        self._tentative: Yielded | None = None
        self._voiced_samples = 0  # of a tentative turn
        self._certainty_samples = 0.0  # the same, each times the probability that it was speech

    @property
    def phase(self) -> Phase:
        return self._phase

    @property
    def turn_open(self) -> bool:
        """The person's turn, or what may become one, is under way: frames belong to it."""
        return self._phase in (Phase.SPEECH, Phase.PAUSE)

    @property
    def tentative(self) -> bool:
        """A voice in the reply has made it wait, and may be nothing."""
        return self._tentative is not None

    @property
    def may_speak(self) -> bool:
        """A reply may begin to sound: no turn is open, and nobody seems to begin one."""
        return not self.turn_open and self._candidate is None

    @property
    def certainty(self) -> float:
        """How probable speech was in the voiced frames of the tentative turn, on average."""
        return self._certainty_samples / max(1, self._voiced_samples)

    def frame(
        self,
        end_sample: int,
        frame_samples: int,
        probability: float,
        *,
        reply_audible: bool = False,
        reply_is_new: bool = False,
    ) -> list[TurnSignal]:
        """The next frame: `frame_samples` that end at `end_sample`, counted from the microphone's opening.

        `reply_audible`: samples of a reply leave the loudspeaker at this time. `reply_is_new`: they began to
        so lately that a voice may be the turn that goes on.
        """
        self._now_sample = end_sample
        if self.turn_open:
            return self._in_turn(end_sample, frame_samples, probability)
        candidate = self._candidate_with(end_sample, frame_samples, probability)
        needed_ms = self._settings.yield_ms if reply_audible else self._settings.min_speech_ms
        if candidate is None or candidate.voiced_samples < _samples(needed_ms):
            return []
        self._last_speech_sample = candidate.last_voiced_sample
        if reply_audible:
            return self._yield(candidate, reply_is_new)
        signals = self._open(candidate.onset_sample, reply_audible)
        self._spoke = True
        return signals

    def expect(self, silence_ms: float, since_sample: int | None = None) -> list[TurnSignal]:
        """In this pause, so much silence ends the turn. Of no effect outside of one.

        `since_sample`: where the speech really ended, to be counted from: a VAD tells it late.
        """
        if self._phase is not Phase.PAUSE:
            return []
        self._needed_ms = silence_ms
        if since_sample is not None:
            earliest = self._last_speech_sample - _samples(VAD_LAG_MS)
            self._silent_from = max(earliest, min(since_sample, self._last_speech_sample))
        return self._judge_silence(self._now_sample)

    def claim(self) -> list[TurnSignal]:
        """The voice in the reply is the person's turn."""
        tentative, self._tentative = self._tentative, None
        if tentative is None:
            return []
        if tentative.goes_on:
            return [TakenBack(tentative.from_sample)]
        self._from_sample = tentative.from_sample
        self._full = False
        return [Opened(tentative.from_sample, barge_in=True)]

    def dismiss(self) -> list[TurnSignal]:
        """The voice in the reply was nothing. Of no effect while it sounds."""
        if self._tentative is None or self._phase is not Phase.PAUSE:
            return []
        self._tentative = None
        self._phase = Phase.IDLE
        return [WentOn()]

    def press(self, *, reply_audible: bool = False) -> list[TurnSignal]:
        """The talk key goes down: a turn opens at once, or the open one stays open until the release."""
        if self._pressed:
            return []
        self._pressed = True
        if self.turn_open:
            return self.claim()
        return self._open(self._now_sample, reply_audible)

    def release(self) -> list[TurnSignal]:
        """The talk key goes up: the turn is over, whatever the pause."""
        if not self._pressed:
            return []
        self._pressed = False
        if not self.turn_open:
            return []
        return self.claim() + self._end()

    def answered(self) -> None:
        """The turn that is over is done with: its reply is audible, or there will be none."""
        if self._phase is Phase.OVER:
            self._phase = Phase.IDLE

    def _in_turn(self, end_sample: int, frame_samples: int, probability: float) -> list[TurnSignal]:
        voiced = probability >= self._settings.speech_threshold
        still_voiced = self._phase is Phase.SPEECH and probability >= self._settings.silence_threshold
        signals: list[TurnSignal] = []
        if voiced or (still_voiced and self._spoke):
            self._last_speech_sample = end_sample
            self._spoke = True
            self._voiced_samples += frame_samples
            self._certainty_samples += frame_samples * probability
            if self._phase is Phase.PAUSE:
                self._phase = Phase.SPEECH
                signals.append(Resumed(self._from_sample))
        if self._tentative:
            return signals + self._judge_tentative(end_sample)
        return signals + self._judge_silence(end_sample)

    def _judge_tentative(self, end_sample: int) -> list[TurnSignal]:
        silent_samples = end_sample - self._last_speech_sample
        lasts = self._voiced_samples >= _samples(self._settings.barge_in_ms)
        if lasts or silent_samples >= _samples(VERDICT_LIMIT_MS):
            return self.claim()
        return self._judge_silence(end_sample)

    def _judge_silence(self, end_sample: int) -> list[TurnSignal]:
        is_full = end_sample - self._from_sample >= self._settings.max_turn_s * HEARING_RATE_HZ
        if is_full and not self._tentative:
            return self._end(cut=self._phase is Phase.SPEECH)
        silent_samples = end_sample - self._last_speech_sample
        if (
            self._phase is Phase.SPEECH
            and self._spoke
            and silent_samples >= _samples(self._settings.pause_ms)
        ):
            self._phase = Phase.PAUSE
            self._needed_ms = None
            self._silent_from = self._last_speech_sample
            return [Paused(self._last_speech_sample)]
        needed_ms = self._settings.end_silence_ms if self._needed_ms is None else self._needed_ms
        over = end_sample - self._silent_from >= _samples(needed_ms)
        if self._phase is Phase.PAUSE and over and not (self._pressed or self._tentative):
            return self._end()
        return []

    def _candidate_with(self, end_sample: int, frame_samples: int, probability: float) -> _Candidate | None:
        """What may become speech, now that this frame follows."""
        if self._settings.mode == "push_to_talk":
            return None
        candidate = self._candidate
        if probability >= self._settings.speech_threshold:
            if candidate is None:
                candidate = self._candidate = _Candidate(onset_sample=end_sample - frame_samples)
            candidate.voiced_samples += frame_samples
            candidate.certainty_samples += frame_samples * probability
            candidate.last_voiced_sample = end_sample
        elif candidate and end_sample - candidate.last_voiced_sample > _samples(CANDIDATE_GAP_MS):
            candidate = self._candidate = None
        return candidate

    def _yield(self, candidate: _Candidate, reply_is_new: bool) -> list[TurnSignal]:
        self._candidate = None
        self._phase = Phase.SPEECH
        self._spoke = True
        self._voiced_samples = candidate.voiced_samples
        self._certainty_samples = candidate.certainty_samples
        goes_on = reply_is_new and not self._full
        self._tentative = Yielded(self._with_pre_roll(candidate.onset_sample), goes_on)
        return [self._tentative]

    def _with_pre_roll(self, onset_sample: int) -> int:
        return max(self._taken_until, onset_sample - _samples(self._settings.pre_roll_ms), 0)

    def _open(self, onset_sample: int, reply_audible: bool) -> list[TurnSignal]:
        self._candidate = None
        goes_on = self._phase is Phase.OVER and not reply_audible and not self._full
        from_sample = self._with_pre_roll(onset_sample)
        self._phase = Phase.SPEECH
        self._last_speech_sample = max(self._last_speech_sample, onset_sample)
        if goes_on:
            return [Resumed(from_sample)]
        self._spoke = False
        self._full = False
        self._from_sample = from_sample
        return [Opened(self._from_sample, barge_in=reply_audible)]

    def _end(self, *, cut: bool = False) -> list[TurnSignal]:
        self._taken_until = self._now_sample
        if not self._spoke:
            self._phase = Phase.IDLE
            return [Dropped()]
        self._phase = Phase.OVER
        self._full = cut
        return [Ended(self._now_sample, self._last_speech_sample, cut)]


def _samples(milliseconds: float) -> int:
    return round(milliseconds * HEARING_RATE_HZ / 1000)
