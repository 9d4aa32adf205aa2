"""Whether a person speaks into the echo: then the words count, else the silence.

WebRTC's echo canceller leaves nothing of an echo, but takes most of a person who speaks into it along. A
linear filter leaves a little of the echo, and the person whole. So a person has to be told from what the
filter left of the echo. Both cancellers have to agree: the filter leaves more than it usually does of an
echo, and WebRTC's lets something through. At the first trace of that they are believed, for a moment; then it
has to be plain.
"""

from __future__ import annotations

import numpy as np

from voxterm.engines.protocols import Samples

_HOLD_BLOCKS = 50  # half a second: the pauses between words are the person's too
_TRIAL_BLOCKS = 20  # how long a trace is believed; so long, where it does not grow:
_DOUBTED_BLOCKS = 5
_LEAST_LEFT = 0.01  # -20 dB: less than this of an echo is never taken for a person
_SURPRISING = 8.0  # times what is usually left, in so many blocks in a row: a trace
_SURPRISES = 2
_TRUSTED = 0.003  # -25 dB usually left: where it is more, traces say nothing
_PLAIN = 4.0  # times what is usually left
_LET_THROUGH = 0.02  # the part of what is left that WebRTC's lets through of a person, at least
_PAUSE_BLOCKS = 25  # after a trace that did not grow
_GROWING = 0.001  # the part that it lets through while a trace grows
_ABOVE_FLOOR = 2.0  # times what WebRTC's gives in any case: its own comfort noise
_ABOVE_NOISE = 4.0  # times the noise of the room
_LEARNING_BLOCKS = 100  # of echo, before anything is taken for a person
_FAINT = 1e-8  # -80 dBFS: no echo to learn from
_MEMORY = 0.99  # a second: how fast what is usually left is learnt
_REVERBERATION = 0.9  # of an echo, from block to block: 0.46 dB
_LEAST = 1e-10


class DoubleTalk:
    """Fed with the same block of 10 ms three times: both cancellers' output, and the echo that was found."""

    def __init__(self) -> None:
        self._left = self._echoes = _LEAST
        self._learnt_blocks = 0
        self._noise = _Floor()
        self._comfort = _Floor()
        self._echo = self._rest = self._cleaned = 0.0
        self._open_blocks = 0
        self._trying = False
        self._surprises = 0
        self._tried_blocks = _PAUSE_BLOCKS  # since the last trace

    def doubt(self) -> None:
        """What was taken for a person may have been the echo: nobody speaks until it is known better."""
        self._open_blocks = self._learnt_blocks = 0
        self._trying = False
        self._left = self._echoes = _LEAST

    @property
    def only_echo(self) -> bool:
        """Nobody speaks, and there is an echo to learn from."""
        audible = self._rest > self._noise.times(_ABOVE_NOISE)
        lets_through = audible and self._cleaned > _LET_THROUGH * self._rest
        return self._open_blocks == 0 and not lets_through and self._echo > _FAINT

    def step(self, rest: Samples, cleaned: Samples, echo: Samples) -> bool:
        """Whether somebody speaks: `rest` is what the linear filter left, `cleaned` what WebRTC's did."""
        left, through = _power(rest), _power(cleaned)
        self._echo = max(_power(echo), _REVERBERATION * self._echo)
        self._rest = (self._rest + left) / 2
        self._cleaned = (self._cleaned + through) / 2
        self._noise.follow(left)
        self._comfort.follow(through)
        if self._learnt_blocks >= _LEARNING_BLOCKS:
            self._judge(left, through)
        if self.only_echo:
            self._learnt_blocks += 1
            self._left = _MEMORY * self._left + left
            self._echoes = _MEMORY * self._echoes + self._echo
        return self._open_blocks > 0

    def _judge(self, left: float, through: float) -> None:
        if self._rest > self._limit(_PLAIN) and self._cleaned > _LET_THROUGH * self._rest:
            self._open_blocks, self._trying = _HOLD_BLOCKS, False
        elif self._open_blocks:
            self._open_blocks -= 1
            self._tried_blocks += 1
            if self._trying and self._tried_blocks > _DOUBTED_BLOCKS and not self._is_growing():
                self._open_blocks = 0
        elif self._tried_blocks < _PAUSE_BLOCKS:
            self._tried_blocks += 1
        elif self._is_trace(left, through):
            self._open_blocks, self._trying = _TRIAL_BLOCKS, True
            self._tried_blocks = 0

    def _is_trace(self, left: float, through: float) -> bool:
        trusted = self._left < _TRUSTED * self._echoes
        surprising = left > self._limit(_SURPRISING) and through > self._comfort.times(_ABOVE_FLOOR)
        self._surprises = self._surprises + 1 if trusted and surprising else 0
        return self._surprises >= _SURPRISES

    def _is_growing(self) -> bool:
        return self._cleaned > _GROWING * self._rest

    def _limit(self, times: float) -> float:
        """How much may be left of the echo, and the noise of the room on top."""
        usual = times * self._left / self._echoes
        return max(_LEAST_LEFT, usual) * self._echo + self._noise.times(_ABOVE_NOISE)


class _Floor:
    """The least power of the last seconds: it falls at once, and rises by 2.6 dB a second."""

    def __init__(self) -> None:
        self._power = 1.0

    def follow(self, power: float) -> None:
        self._power = max(_LEAST, min(1.003 * self._power, power))

    def times(self, factor: float) -> float:
        return factor * self._power


def _power(samples: Samples) -> float:
    return float(np.mean(np.square(samples)))
