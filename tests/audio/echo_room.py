"""A simulated room: a loudspeaker and a microphone with clocks of their own, and the way between them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from voxterm.audio.front_end import FrontEnd
from voxterm.audio.resample import resample
from voxterm.engines.protocols import HEARING_RATE_HZ, Samples

LOUDSPEAKER_HZ = 24_000
BLOCK_S = 0.01
BEGIN_S = 5000.0
_FINE = 16  # linear interpolation at so many times the rate is good to -58 dB at 4 kHz


@dataclass(frozen=True, slots=True)
class Room:
    delay_s: float = 0.02
    coupling_db: float = -6.0
    tail_s: float = 0.1
    loudspeaker_ppm: float = 0.0
    """How much faster its clock runs than ours."""
    microphone_ppm: float = 0.0
    jitter_s: float = 0.0
    """Of all stamps, to either side."""
    told_early_s: float = 0.02
    """How long before it leaves a block of the loudspeaker is told."""
    noise: float = 1e-4
    """RMS of the microphone's own: -80 dBFS."""
    begin_s: float = BEGIN_S
    """When it begins, on our clock."""

    def echo_of(self, played: Samples) -> Samples:
        """What of what was played reaches the microphone, both (N,) at 16 kHz, by the loudspeaker's clock."""
        random = np.random.default_rng(1)
        count = max(1, round(self.tail_s * HEARING_RATE_HZ))
        tail = random.normal(0.0, 1.0, count) * 10 ** (-3 * np.arange(count) / count)
        tail[0] = 5.0  # straight from the loudspeaker
        response = np.concatenate([np.zeros(round(self.delay_s * HEARING_RATE_HZ)), tail])
        response *= 10 ** (self.coupling_db / 20) / np.sqrt(np.sum(np.square(tail)))
        size = 1 << (len(played) + len(response)).bit_length()
        spectrum = np.fft.rfft(played, size) * np.fft.rfft(response, size)
        return np.fft.irfft(spectrum, size)[: len(played)].astype(np.float32)

    def heard(self, played: Samples, person: Samples | None = None) -> Samples:
        """What the microphone hears (M,) by its own clock while this is played (N,) at LOUDSPEAKER_HZ."""
        echo = self.echo_of(resample(played, LOUDSPEAKER_HZ, HEARING_RATE_HZ))
        ratio = (1 + self.loudspeaker_ppm * 1e-6) / (1 + self.microphone_ppm * 1e-6)
        if ratio != 1.0:
            fine = resample(echo, HEARING_RATE_HZ, HEARING_RATE_HZ * _FINE)
            echo = np.interp(np.arange(len(echo)) * ratio * _FINE, np.arange(len(fine)), fine)
        heard = echo + np.random.default_rng(2).normal(0.0, self.noise, len(echo))
        if person is not None:
            heard[: len(person)] += person[: len(heard)]
        return np.asarray(heard, np.float32)

    def cleaned(self, front_end: FrontEnd, played: Samples, heard: Samples) -> Samples:
        """Both sides through the front end, block by block in the order in which devices bring them."""
        return np.concatenate(list(self.blocks(front_end, played, heard)))

    def blocks(self, front_end: FrontEnd, played: Samples, heard: Samples) -> Iterator[Samples]:
        """What each block of the microphone gave."""
        random = np.random.default_rng(3)
        out_hz = LOUDSPEAKER_HZ * (1 + self.loudspeaker_ppm * 1e-6)
        in_hz = HEARING_RATE_HZ * (1 + self.microphone_ppm * 1e-6)
        out_block, in_block = round(BLOCK_S * LOUDSPEAKER_HZ), round(BLOCK_S * HEARING_RATE_HZ)
        told = 0
        for at in range(0, len(heard) - in_block + 1, in_block):
            until_s = (at + in_block) / in_hz
            while told / out_hz - self.told_early_s < until_s - 1e-9 and told < len(played):
                left_s = self.begin_s + told / out_hz + random.uniform(-1, 1) * self.jitter_s
                front_end.played(played[told : told + out_block], LOUDSPEAKER_HZ, left_s)
                told += out_block
            first_at_s = self.begin_s + at / in_hz + random.uniform(-1, 1) * self.jitter_s
            yield front_end.hear(heard[at : at + in_block], first_at_s)


def level_db(samples: Samples) -> float:
    """RMS in decibels below full scale."""
    return 10 * float(np.log10(np.mean(np.square(samples, dtype=np.float64)) + 1e-12))
