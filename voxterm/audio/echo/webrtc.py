"""WebRTC's audio processing, as the package `livekit` brings it: echo canceller (AEC3), noise suppression and
gain control. Blocks of 10 ms at 16 kHz, in 16-bit.

Measured (livekit 1.2.0, x86-64): with a reference its output comes 128 samples late, with noise suppression
96 more; a block takes 50 µs; its library starts four threads of its own, which end with the process.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import numpy as np

from voxterm.engines.protocols import HEARING_RATE_HZ, Samples

if TYPE_CHECKING:
    from livekit.rtc import AudioFrame

ECHO_DELAY_SAMPLES = 128
NOISE_DELAY_SAMPLES = 96


class MissingError(Exception):
    """The package is not installed, or its library does not load here."""


class WebRtc:
    """One stream through WebRTC's audio processing. Keeps state from block to block."""

    def __init__(self, *, echo: bool = False, noise: bool = False, gain: bool = False) -> None:
        """
        Raises:
            MissingError: it cannot be loaded.
        """
        try:
            from livekit.rtc import AudioFrame, AudioProcessingModule

            # What its library says goes nowhere, not into the middle of the screen.
            logging.getLogger("livekit").addHandler(logging.NullHandler())
            self._module = AudioProcessingModule(
                echo_cancellation=echo, noise_suppression=noise, auto_gain_control=gain
            )
        except (ImportError, OSError) as error:
            raise MissingError(str(error)) from error
        self._frame = AudioFrame
        self.delay_samples = ECHO_DELAY_SAMPLES * echo + NOISE_DELAY_SAMPLES * noise
        """How much later sound comes out than it went in."""

    def process(self, heard: Samples, reference: Samples | None = None) -> Samples:
        """The next block (160,) of the microphone; with `echo`, the block (160,) that was played then too."""
        if reference is not None:
            self._module.process_reverse_stream(self._as_frame(reference))
        frame = self._as_frame(heard)
        self._module.process_stream(frame)
        return np.frombuffer(frame.data, np.int16).astype(np.float32) / 32768.0

    def _as_frame(self, samples: Samples) -> AudioFrame:
        pcm = np.clip(np.rint(samples * 32768.0), -32768, 32767).astype(np.int16)
        return self._frame(bytearray(pcm.tobytes()), HEARING_RATE_HZ, 1, len(samples))
