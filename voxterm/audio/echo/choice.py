"""What to do about the echo: decided once it was measured, and again when it turns out otherwise. Pure."""

from __future__ import annotations

from typing import Literal, TypeAlias

from voxterm.audio.echo.path import EchoMeasure
from voxterm.engines.protocols import HEARING_RATE_HZ
from voxterm.events import EchoChosen

EchoMode: TypeAlias = Literal["cancel", "half_duplex", "off"]
EchoWish: TypeAlias = Literal["auto", "cancel", "half_duplex", "off"]

_REPLY_DBFS = -20.0  # how loud speech is played
_INAUDIBLE_DBFS = -80.0  # speech that is quieter, or
_MASKED_DB = -10.0  # so much below the noise, is none for Silero VAD (measured, in white noise)
_HYSTERESIS_DB = 3.0
_SPANS = 4  # two seconds of sound: what has not shown by then will not
_SUSPICIONS = 3  # spans in a row in which an echo is there after all, and at the same place: two sounds that
_SAME_SAMPLES = 80  # have nothing to do with each other may be alike for a moment, but not with one delay


class EchoChoice:
    """Follows the measurements of one room. `mode` is what to do now; `news` what to tell."""

    def __init__(self, wish: EchoWish, can_cancel: bool) -> None:
        self.mode: EchoMode = "cancel"
        self._news: EchoChosen | None = None
        self._wish = wish
        self._undecided = False
        self._is_unsure = False  # and has said so
        self._spans = 0
        self._suspicions = 0
        self._last: EchoMeasure | None = None
        if wish in {"auto", "cancel"} and not can_cancel:
            self._choose("half_duplex", "echo cancelling (the package livekit) cannot be loaded here")
        elif wish == "auto":
            self._undecided = True
        else:
            self._choose(wish, "the settings say so")

    @property
    def is_open(self) -> bool:
        """Nothing was chosen yet."""
        return self._undecided and not self._is_unsure

    @property
    def watches(self) -> bool:
        """Whether measurements can change anything."""
        return self._undecided or (self._wish == "auto" and self.mode == "off")

    def news(self) -> EchoChosen | None:
        """What was chosen since the last call."""
        news, self._news = self._news, None
        return news

    def measured(self, measure: EchoMeasure | None, lead_samples: int) -> None:
        """After each half second; None: nothing was played in it. `lead_samples` are part of its delay."""
        if self._undecided:
            self._decide(measure, lead_samples)
        elif self.watches:
            self._suspect(measure)
            if self._suspicions == _SUSPICIONS:
                self._choose("cancel", "the loudspeaker can be heard after all", measure, lead_samples)

    def _suspect(self, measure: EchoMeasure | None) -> None:
        """Count how often an echo was found, one after the other, with the same delay."""
        before, self._last = self._last, measure
        if measure is None or measure.delay_samples is None or not _audible(measure, _HYSTERESIS_DB):
            self._suspicions = 0
            return
        delays = (measure.delay_samples, before.delay_samples if before else None)
        is_same = delays[1] is not None and abs(delays[0] - delays[1]) <= _SAME_SAMPLES
        self._suspicions = self._suspicions + 1 if is_same else 1

    def _decide(self, measure: EchoMeasure | None, lead_samples: int) -> None:
        """When what was played is over and its echo too, or after a while."""
        if measure is not None:
            self._spans += 1
            if self._last is None or not _is_vaguer(measure, self._last):
                self._last = measure
        if self._last is None or (measure is not None and self._spans < _SPANS):
            return
        last, self._last, self._spans = self._last, None, 0
        if _audible(last):
            self._undecided = False
            self._choose("cancel", "the microphone hears the loudspeaker", last, lead_samples)
        elif last.coupling_db <= _limit_db(last):
            self._undecided = False
            self._choose("off", "the microphone does not hear the loudspeaker", last, lead_samples)
        elif not self._is_unsure:  # the next sound will be measured too
            self._is_unsure = True
            self._choose("cancel", "it is too loud here to find the echo")

    def _choose(
        self, mode: EchoMode, why: str, measure: EchoMeasure | None = None, lead_samples: int = 0
    ) -> None:
        self.mode = mode
        self._suspicions = 0
        if measure is None or measure.delay_samples is None:
            self._news = EchoChosen(mode, why)
            return
        delay_ms = max(0.0, (measure.delay_samples - lead_samples) / HEARING_RATE_HZ * 1000)
        self._news = EchoChosen(mode, why, measure.coupling_db, delay_ms)


def _audible(measure: EchoMeasure, margin_db: float = 0.0) -> bool:
    return measure.delay_samples is not None and measure.coupling_db > _limit_db(measure) + margin_db


def _is_vaguer(measure: EchoMeasure, other: EchoMeasure) -> bool:
    """Where neither found an echo: whether this one leaves it more room to hide."""
    neither = measure.delay_samples is None and other.delay_samples is None
    return neither and measure.coupling_db > other.coupling_db


def _limit_db(measure: EchoMeasure) -> float:
    """The coupling below which nothing takes the echo of a reply for speech, as with headphones."""
    return max(_INAUDIBLE_DBFS, measure.quietest_dbfs + _MASKED_DB) - _REPLY_DBFS
