"""What voxterm says in the tests: real speech and eSpeak's."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import numpy as np

import voxterm
from voxterm.audio.resample import resample
from voxterm.audio.wav import read_audio
from voxterm.engines.espeak.engine import Espeak
from voxterm.engines.protocols import Samples, Voice

DATA = Path(voxterm.__file__).parent / "data"
RATE_HZ = 24_000
TEXT = (
    "I am glad that you asked about this. The first printers worked with wooden blocks, each of which held "
    "a whole page, and the letters were cut by hand. It took weeks, and a single slip of the knife ruined it."
)


def silence(seconds: float) -> Samples:
    """(N,) at RATE_HZ"""
    return np.zeros(round(seconds * RATE_HZ), np.float32)


@cache
def recorded() -> Samples:
    """6.9 s of a person, (N,) at RATE_HZ."""
    return np.concatenate([read_audio(DATA / f"demo-{number}.flac", RATE_HZ) for number in (1, 2)])


@cache
def synthesised() -> Samples:
    """About 12 s of eSpeak, (N,) at RATE_HZ, as loud as the recording."""
    engine = Espeak()
    engine.load(lambda _done, _all: None)
    voice = Voice("anna", "espeak", "en-US", "en-us")
    speech = np.concatenate([chunk.samples for chunk in engine.speak(TEXT, voice)])
    engine.close()
    speech = resample(speech, engine.rate_hz, RATE_HZ)
    loudness = np.sqrt(np.mean(np.square(recorded())) / np.mean(np.square(speech)))
    return np.asarray(speech * loudness, np.float32)
