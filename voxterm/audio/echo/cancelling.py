"""Echo cancelling, block by block: WebRTC's where only the loudspeaker sounds, a linear filter's where a
person speaks into it.

WebRTC's leaves nothing of an echo, but of a person who speaks into one too little to be understood (measured:
at -6 dB PocketSphinx got 3 words of 66 right, of which it gets 47 without an echo, and 48 after the linear
filter). The linear filter leaves those words whole, and some of the echo.
"""

from __future__ import annotations

import math

import numpy as np

from voxterm.audio.echo.adaptive import BLOCK_SAMPLES, EchoFilter
from voxterm.audio.echo.double_talk import DoubleTalk
from voxterm.audio.echo.path import EchoMeasure, EchoPath
from voxterm.audio.echo.webrtc import ECHO_DELAY_SAMPLES, WebRtc
from voxterm.engines.protocols import Samples

_ECHOING_BLOCKS = 70  # 0.7 s after the last sound: the longest delay, and a room's tail
_AUDIBLE = 1e-4  # -80 dBFS
_CHANGE_SAMPLES = 40  # 2.5 ms: from one canceller to the other without a click
_SMOOTHING = 0.95  # of the powers behind the figure: 0.2 s
_MUCH = 0.1  # -10 dB left after the filter
_ECHO_SHARE = 0.5  # of what the filter leaves: more is no chance
_POOR = 0.2  # -7 dB left after the filter, and for so long
_PATIENCE_BLOCKS = 50
_EARLY_SAMPLES = 160  # the filter begins so long before the strongest part of the echo
_SAME_SAMPLES = 80  # measurements of one delay
_PLACE_SAMPLES = (32, 960)  # where in the filter that part may lie


class Canceller:
    """Takes the echo out of the microphone. Its output comes `delay_samples` late."""

    delay_samples = ECHO_DELAY_SAMPLES

    def __init__(self) -> None:
        """
        Raises:
            MissingError: WebRTC's canceller cannot be loaded.
        """
        self._webrtc = WebRtc(echo=True)
        self._filter = EchoFilter()
        self._double_talk = DoubleTalk()
        self._late: Samples = np.zeros(self.delay_samples, np.float32)  # of the filter's, for the same delay
        self._share = 1.0  # of the filter's output in what is given
        self._quiet_blocks = _ECHOING_BLOCKS
        self._before = self._after = self._left = 0.0  # powers: with the echo, without, after the filter
        self._poor_blocks = 0
        self._left_path = EchoPath()  # from the reference to what the filter leaves
        self._span_heard = self._span_left = 0.0  # powers, summed up since it was last measured
        self._found: int | None = None  # the delay that was measured last

    @property
    def reduced_db(self) -> float | None:
        """How much is taken off the echo; None while there is none."""
        if self._quiet_blocks >= _ECHOING_BLOCKS or self._before <= _AUDIBLE**2:
            return None
        return 10 * math.log10(self._before / max(self._after, 1e-12))

    def step(self, heard: Samples, reference: Samples) -> Samples:
        """The next block (160,) of the microphone, and what was played then; the cleaned one, late."""
        is_loud = float(np.abs(reference).max()) > _AUDIBLE
        self._quiet_blocks = 0 if is_loud else self._quiet_blocks + 1
        rest, echo = self._filter.step(reference, heard)
        cleaned = self._webrtc.process(heard, reference)
        self._look_for_echo(heard, rest, reference)
        late = np.concatenate([self._late, rest])
        rest, self._late = late[:BLOCK_SAMPLES], late[BLOCK_SAMPLES:]
        speaks = self._double_talk.step(rest, cleaned, echo)
        echoing = self._quiet_blocks < _ECHOING_BLOCKS
        given = self._mixed(rest, cleaned, 1.0 if speaks or not echoing else 0.0)
        if echoing and not speaks:
            self._before = _SMOOTHING * self._before + (1 - _SMOOTHING) * _power(heard)
            self._after = _SMOOTHING * self._after + (1 - _SMOOTHING) * _power(given)
            self._left = _SMOOTHING * self._left + (1 - _SMOOTHING) * _power(rest)
            self._look_at_filter()
        return given

    def expect(self, measure: EchoMeasure) -> None:
        """Look for the echo where it was found, once it was found there twice."""
        before, self._found = self._found, measure.delay_samples
        if measure.delay_samples is None or before is None:
            return
        if abs(measure.delay_samples - before) > _SAME_SAMPLES:
            return
        place = measure.delay_samples - self._filter.place * BLOCK_SAMPLES
        if not _PLACE_SAMPLES[0] <= place <= _PLACE_SAMPLES[1]:
            self._filter.begin_at((measure.delay_samples - _EARLY_SAMPLES) // BLOCK_SAMPLES)

    def doubt(self) -> None:
        """The echo may come from elsewhere in the reference now, or otherwise."""
        self._double_talk.doubt()
        self._filter.doubt_again()
        self._left_path.forget()

    def _look_for_echo(self, heard: Samples, rest: Samples, reference: Samples) -> None:
        """Where much is left, and most of it is echo, nobody speaks, but the room has changed."""
        self._left_path.push(rest, reference)
        self._span_heard += _power(heard)
        self._span_left += _power(rest)
        if self._left_path.span_complete:
            measure = self._left_path.measure()
            much = self._span_left > _MUCH * self._span_heard
            if much and measure is not None and measure.echo_share > _ECHO_SHARE:
                self.doubt()
            self._span_heard = self._span_left = 0.0

    def _look_at_filter(self) -> None:
        """Where it takes off little for a while, the room has changed."""
        is_poor = self._double_talk.only_echo and self._left > _POOR * self._before
        self._poor_blocks = self._poor_blocks + 1 if is_poor else 0
        if self._poor_blocks >= _PATIENCE_BLOCKS:
            self._poor_blocks = 0
            self._filter.doubt_again()

    def _mixed(self, rest: Samples, cleaned: Samples, share: float) -> Samples:
        before, self._share = self._share, share
        if before == share:
            return rest if share else cleaned
        shares = np.full(BLOCK_SAMPLES, share, np.float32)
        shares[:_CHANGE_SAMPLES] = np.linspace(before, share, _CHANGE_SAMPLES, dtype=np.float32)
        mixed: Samples = shares * rest + (1 - shares) * cleaned
        return mixed


def _power(samples: Samples) -> float:
    return float(np.mean(np.square(samples)))
