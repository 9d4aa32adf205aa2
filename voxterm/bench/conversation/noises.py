"""Sounds that are no words, all of them made: coughs, "mm-hm", doors, and the noise of a place.

A cough is a burst of noise through the formants of an open mouth, then less of it, then a little voice; after
the phases that are described for real ones. "Mm-hm" is a hummed voice whose pitch falls and rises, with a
breath between. A door is a thump of low resonances after a click.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeAlias

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from voxterm.bench.conversation.lines import Line, active_rms, line_of
from voxterm.engines.protocols import HEARING_RATE_HZ, Samples

OPEN_MOUTH = ((600.0, 250.0), (1500.0, 400.0), (2700.0, 600.0))  # centre and width of each formant, Hz
CLOSED_MOUTH = ((250.0, 100.0), (1050.0, 300.0), (2200.0, 400.0))
Wave: TypeAlias = "NDArray[np.floating[Any]]"

TALKERS = 6
"""How many voices are a babble: with fewer one can follow what is said."""


def cough(random: Generator) -> Line:
    """One to three coughs."""
    parts: list[Wave] = []
    for _ in range(random.integers(1, 4)):
        burst = _breath(random, random.uniform(0.03, 0.06), 60.0, OPEN_MOUTH)
        rest = 0.4 * _breath(random, random.uniform(0.1, 0.2), 15.0, OPEN_MOUTH)
        pitch = np.linspace(random.uniform(180, 260), 120, _count(random.uniform(0.05, 0.12)))
        voice = 0.2 * _voiced(pitch, OPEN_MOUTH) * np.linspace(1, 0, len(pitch))
        parts += [burst, rest, voice, np.zeros(_count(random.uniform(0.1, 0.25)))]
    return _line("cough", parts)


def mm_hm(random: Generator) -> Line:
    """Agreement with the mouth closed, or open ("uh-huh")."""
    closed = random.random() < 0.5
    mouth = CLOSED_MOUTH if closed else OPEN_MOUTH
    pitch_hz = random.uniform(100, 210)
    low = np.linspace(pitch_hz, 0.9 * pitch_hz, _count(random.uniform(0.12, 0.2)))
    high = np.linspace(pitch_hz, 1.35 * pitch_hz, _count(random.uniform(0.15, 0.28)))
    breath = 0.1 * _breath(random, random.uniform(0.05, 0.09), 0.0, OPEN_MOUTH)
    parts = [_voiced(low, mouth) * _swell(len(low)), breath, _voiced(high, mouth) * _swell(len(high))]
    return _line("mm-hm" if closed else "uh-huh", parts)


def door(random: Generator) -> Line:
    """A door that falls shut."""
    t = np.arange(_count(random.uniform(0.2, 0.35))) / HEARING_RATE_HZ
    thump = np.zeros(len(t))
    for _ in range(5):
        decay = np.exp(-t * random.uniform(15, 35))
        thump += random.uniform(0.3, 1.0) * np.sin(2 * np.pi * random.uniform(55, 240) * t) * decay
    click = random.normal(0, 1, len(t)) * np.exp(-t * 250)
    return _line("door", [thump + 0.6 * click])


def white(random: Generator, seconds: float, rms: float) -> Samples:
    """All frequencies alike, as of a fan that is near."""
    return _at_level(random.normal(0, 1, _count(seconds)), rms)


def babble(random: Generator, lines: Sequence[Line], seconds: float, rms: float) -> Samples:
    """Many people who speak at once, none louder than the others."""
    count = _count(seconds)
    mixed = np.zeros(count)
    for _ in range(TALKERS):
        order = random.permutation(len(lines))
        voices = np.concatenate([lines[index].voice / active_rms(lines[index].voice) for index in order])
        shift = int(random.integers(len(voices)))
        mixed += np.resize(np.roll(voices, shift), count)
    return _at_level(mixed, rms)


def _line(name: str, parts: Sequence[Wave]) -> Line:
    silence = np.zeros(_count(0.1))
    return line_of(name, np.concatenate([silence, *parts, silence]).astype(np.float32), 0, made=True)


def _count(seconds: float) -> int:
    return round(seconds * HEARING_RATE_HZ)


def _breath(
    random: Generator, seconds: float, decay_per_s: float, formants: Sequence[tuple[float, float]]
) -> Wave:
    """Noise through a mouth, as loud as 1 at its beginning."""
    count = _count(seconds)
    frequency_hz = np.fft.rfftfreq(count, 1 / HEARING_RATE_HZ)
    spectrum = np.fft.rfft(random.normal(0, 1, count)) * _mouth(frequency_hz, formants)
    noise = np.fft.irfft(spectrum, count)
    level = float(np.sqrt(np.mean(np.square(noise))))
    breath: Wave = noise / level * np.exp(-decay_per_s * np.arange(count) / HEARING_RATE_HZ)
    return breath


def _voiced(pitch_hz: Wave, formants: Sequence[tuple[float, float]]) -> Wave:
    """A voice of this pitch, sample by sample (N,), through a mouth."""
    phase = 2 * np.pi * np.cumsum(pitch_hz) / HEARING_RATE_HZ
    sound = np.zeros(len(pitch_hz))
    for harmonic in range(1, int(4000 / pitch_hz.max())):
        gain = _mouth(harmonic * pitch_hz, formants) / harmonic
        sound += gain * np.sin(harmonic * phase)
    voiced: Wave = sound / np.sqrt(np.mean(np.square(sound)))
    return voiced


def _mouth(frequency_hz: Wave, formants: Sequence[tuple[float, float]]) -> Wave:
    """How much of each frequency passes."""
    passed = np.full(len(frequency_hz), 0.02)
    for rank, (centre_hz, width_hz) in enumerate(formants):
        passed += 0.6**rank / (1 + ((frequency_hz - centre_hz) / width_hz) ** 2)
    return passed


def _swell(count: int) -> Wave:
    """Soft at both ends."""
    swell: Wave = np.sin(np.pi * (np.arange(count) + 0.5) / count) ** 0.5
    return swell


def _at_level(samples: Wave, rms: float) -> Samples:
    loud: Samples = (samples * (rms / np.sqrt(np.mean(np.square(samples))))).astype(np.float32)
    return loud
