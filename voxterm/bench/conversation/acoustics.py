"""What lies between the loudspeaker and the microphone: a delay, and a room that reverberates."""

from __future__ import annotations

import numpy as np
from numpy.random import Generator

from voxterm.engines.protocols import HEARING_RATE_HZ, Samples

TAIL_S = 0.1
TAIL_DECAY_DB = 60.0
"""How far the sound has died away at the end of the tail."""


def room_response(random: Generator, coupling_db: float) -> Samples:
    """The answer of a room to a click: the direct sound, then noise that dies away. (1600,)

    The energy of the whole is the coupling: noise that is played comes back so much louder.
    """
    tail = round(TAIL_S * HEARING_RATE_HZ)
    sound = 0.1 * random.normal(0, 1, tail) * 10 ** (-TAIL_DECAY_DB / 20 * np.arange(tail) / tail)
    sound[0] = 1.0
    sound *= 10 ** (coupling_db / 20) / np.sqrt(np.sum(np.square(sound)))
    response: Samples = sound.astype(np.float32)
    return response


class Echo:
    """The loudspeaker as the microphone hears it, block by block at 16 kHz."""

    def __init__(self, response: Samples, delay_ms: float) -> None:
        self._response = response
        self._past: Samples = np.zeros(
            len(response) - 1 + round(delay_ms * HEARING_RATE_HZ / 1000), np.float32
        )

    def of(self, played: Samples) -> Samples:
        """What is heard (N,) while these samples (N,) leave the loudspeaker."""
        sound = np.concatenate([self._past, played])
        self._past = sound[len(played) :]
        arrives = sound[: len(self._response) - 1 + len(played)]
        if not arrives.any():
            return np.zeros(len(played), np.float32)
        heard: Samples = np.convolve(arrives, self._response, mode="valid").astype(np.float32)
        return heard
