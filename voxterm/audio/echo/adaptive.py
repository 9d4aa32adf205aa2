"""A linear model of the room that learns while it runs: what of the reference is in the microphone.

A Kalman filter in the frequency domain, partitioned into blocks of 10 ms (Enzner and Vary 2006; Kuech,
Mabande and Enzner 2014). It weighs each frequency of each partition by how uncertain it still is against how
loud everything else in the microphone is, so that a person who speaks does not spoil it.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from voxterm.engines.protocols import Samples

BLOCK_SAMPLES = 160
"""10 ms at 16 kHz."""

PARTITIONS = 16
"""160 ms of room after the place where it begins."""

FARTHEST_BLOCKS = 50
"""How late it can be told to begin: half a second."""

_KEEPS = 0.9998  # of what was learnt, from block to block: rooms change, people move
_UNCERTAIN = 0.01  # the power at first believed possible of each frequency of each partition
_STEADY = 0.6  # how much of the rest's power is taken from the blocks before
_TINY = 1e-9


class EchoFilter:
    """Fed with blocks of 160 samples of both sides; gives the microphone without the echo, and the echo."""

    def __init__(self) -> None:
        self._bins = BLOCK_SAMPLES + 1
        self._spectra = np.zeros((FARTHEST_BLOCKS + PARTITIONS, self._bins), np.complex64)  # newest first
        self._played: Samples = np.zeros(2 * BLOCK_SAMPLES, np.float32)
        self.begin_at(0)

    def begin_at(self, blocks: int) -> None:
        """Forget the room, and look for the echo from so many blocks on."""
        self._place = min(max(0, blocks), FARTHEST_BLOCKS)
        shape = (PARTITIONS, self._bins)
        self._weights: NDArray[np.complex64] = np.zeros(shape, np.complex64)
        self._doubt: NDArray[np.float32] = np.full(shape, _UNCERTAIN, np.float32)
        self._rest: NDArray[np.float32] = np.zeros(self._bins, np.float32)

    def doubt_again(self) -> None:
        """The room may have changed: learn as quickly as in the beginning."""
        np.maximum(self._doubt, _UNCERTAIN, out=self._doubt)

    @property
    def place(self) -> int:
        """How many blocks after the reference it begins."""
        return self._place

    def step(self, reference: Samples, heard: Samples) -> tuple[Samples, Samples]:
        """The next block (160,) of what was played and of what was heard: (heard − echo, echo)."""
        self._played = np.concatenate([self._played[BLOCK_SAMPLES:], reference])
        self._spectra[1:] = self._spectra[:-1]
        self._spectra[0] = np.fft.rfft(self._played)
        spectra = self._spectra[self._place : self._place + PARTITIONS]
        whole = np.fft.irfft((spectra * self._weights).sum(axis=0))
        echo: Samples = whole[BLOCK_SAMPLES:].astype(np.float32)
        rest = heard - echo
        self._learn(spectra, rest)
        return rest, echo

    def _learn(self, spectra: NDArray[np.complex64], rest: Samples) -> None:
        error = np.fft.rfft(np.concatenate([np.zeros(BLOCK_SAMPLES, np.float32), rest]))
        self._rest = (_STEADY * self._rest + (1 - _STEADY) * np.abs(error) ** 2).astype(np.float32)
        power = np.abs(spectra) ** 2
        # Half: of the 320 samples of a transform, 160 are new.
        gain = self._doubt / (0.5 * (self._doubt * power).sum(axis=0) + self._rest + _TINY)
        change = np.fft.irfft(gain * spectra.conj() * error, axis=1)
        change[:, BLOCK_SAMPLES:] = 0.0  # a partition reaches no further than its block
        self._weights += np.fft.rfft(change, axis=1).astype(np.complex64)
        keeps = _KEEPS**2
        drift = (1 - keeps) * np.abs(self._weights) ** 2
        self._doubt = (keeps * (1 - 0.5 * gain * power) * self._doubt + drift).astype(np.float32)
