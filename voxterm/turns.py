"""Taking turns: speech probability and time → speech opened, paused, resumed, turn ended, barge-in.

Pure. Time is the sample count of the microphone, given with every frame; nothing here waits, and every
signal follows from the frames and keys alone.

    IDLE ──speech──► SPEECH ◄──voice── PAUSE ──silence──► OVER ──answered()──► IDLE
      ▲                 └────silence────►┘                  └──speech──► SPEECH (Resumed: the same turn)
      └── dropped: a key was held and nobody spoke

`PAUSE` is when the answer is started in secret, `OVER` when it may be heard. Until it is heard the person
may go on: what follows joins the same turn. Once it is audible, speech is a barge-in and a turn of its own.
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


@dataclass(frozen=True, slots=True)
class Opened:
    """A turn begins; its audio starts at `from_sample`, pre-roll included. It interrupts an audible reply."""

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
class Dropped:
    """The key was held and released, and nobody spoke."""


TurnSignal: TypeAlias = Opened | Paused | Resumed | Ended | Dropped


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

    @property
    def phase(self) -> Phase:
        return self._phase

    @property
    def turn_open(self) -> bool:
        """The person's turn is under way: frames belong to it."""
        return self._phase in (Phase.SPEECH, Phase.PAUSE)

    @property
    def may_speak(self) -> bool:
        """A reply may begin to sound: no turn is open, and nobody seems to begin one."""
        return not self.turn_open and self._candidate is None

    def frame(
        self, end_sample: int, frame_samples: int, probability: float, *, reply_audible: bool = False
    ) -> list[TurnSignal]:
        """The next frame: `frame_samples` that end at `end_sample`, counted from the microphone's opening.

        `reply_audible`: samples of a reply leave the loudspeaker at this time.
        """
        self._now_sample = end_sample
        if self.turn_open:
            return self._in_turn(end_sample, probability)
        return self._between_turns(end_sample, frame_samples, probability, reply_audible)

    def press(self, *, reply_audible: bool = False) -> list[TurnSignal]:
        """The talk key goes down: a turn opens at once, or the open one stays open until the release."""
        if self._pressed:
            return []
        self._pressed = True
        if self.turn_open:
            return []
        return self._open(self._now_sample, reply_audible)

    def release(self) -> list[TurnSignal]:
        """The talk key goes up: the turn is over, whatever the pause."""
        if not self._pressed:
            return []
        self._pressed = False
        if not self.turn_open:
            return []
        return self._end()

    def answered(self) -> None:
        """The turn that is over is done with: its reply is audible, or there will be none."""
        if self._phase is Phase.OVER:
            self._phase = Phase.IDLE

    def _in_turn(self, end_sample: int, probability: float) -> list[TurnSignal]:
        voiced = probability >= self._settings.speech_threshold
        still_voiced = self._phase is Phase.SPEECH and probability >= self._settings.silence_threshold
        signals: list[TurnSignal] = []
        if voiced or (still_voiced and self._spoke):
            self._last_speech_sample = end_sample
            self._spoke = True
            if self._phase is Phase.PAUSE:
                self._phase = Phase.SPEECH
                signals.append(Resumed(self._from_sample))
        return signals + self._judge_silence(end_sample)

    def _judge_silence(self, end_sample: int) -> list[TurnSignal]:
        if end_sample - self._from_sample >= self._settings.max_turn_s * HEARING_RATE_HZ:
            return self._end(cut=self._phase is Phase.SPEECH)
        silent_samples = end_sample - self._last_speech_sample
        if (
            self._phase is Phase.SPEECH
            and self._spoke
            and silent_samples >= _samples(self._settings.pause_ms)
        ):
            self._phase = Phase.PAUSE
            return [Paused(self._last_speech_sample)]
        over = silent_samples >= _samples(self._settings.end_silence_ms)
        if self._phase is Phase.PAUSE and over and not self._pressed:
            return self._end()
        return []

    def _between_turns(
        self, end_sample: int, frame_samples: int, probability: float, reply_audible: bool
    ) -> list[TurnSignal]:
        if self._settings.mode == "push_to_talk":
            return []
        candidate = self._candidate
        if probability >= self._settings.speech_threshold:
            if candidate is None:
                candidate = self._candidate = _Candidate(onset_sample=end_sample - frame_samples)
            candidate.voiced_samples += frame_samples
            candidate.last_voiced_sample = end_sample
        elif candidate and end_sample - candidate.last_voiced_sample > _samples(CANDIDATE_GAP_MS):
            candidate = self._candidate = None
        if candidate is None:
            return []
        needed_ms = self._settings.barge_in_ms if reply_audible else self._settings.min_speech_ms
        if candidate.voiced_samples < _samples(needed_ms):
            return []
        self._last_speech_sample = candidate.last_voiced_sample
        signals = self._open(candidate.onset_sample, reply_audible)
        self._spoke = True
        return signals

    def _open(self, onset_sample: int, reply_audible: bool) -> list[TurnSignal]:
        self._candidate = None
        goes_on = self._phase is Phase.OVER and not reply_audible and not self._full
        from_sample = max(self._taken_until, onset_sample - _samples(self._settings.pre_roll_ms), 0)
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
