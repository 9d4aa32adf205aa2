"""WebRTC's VAD: next to no work and memory, but it takes noise for speech more often than Silero does.

It judges 10, 20 or 30 ms at a time, yes or no. Here it judges every 10 ms of the 32 ms frames that the
conversation uses, keeps the samples left over for the next frame, and gives the share of voiced ones among
the last 60 ms as the probability.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

import numpy as np

from voxterm.engines.declared.embedded import WebRtcVadSettings
from voxterm.engines.protocols import HEARING_RATE_HZ, LoadProgress, Samples
from voxterm.errors import EngineError, EngineLoadError

if TYPE_CHECKING:
    from webrtcvad import Vad  # type: ignore[import-untyped]

SUBFRAME_SAMPLES = 160
SUBFRAME_BYTES = 2 * SUBFRAME_SAMPLES
SMOOTHED_SUBFRAMES = 6  # 60 ms: one voiced 10 ms, as a click is, stays far below a half


class WebRtcVad:
    """A `VoiceActivityDetector`. `mode` 0…3: the higher, the more often it says that nobody speaks."""

    frame_samples = 512

    def __init__(self, mode: int = 2) -> None:
        if mode not in range(4):
            raise ValueError(f"the mode of WebRTC's VAD is 0, 1, 2 or 3, not {mode}")
        self.name = "webrtc"
        self._mode = mode
        self._vad: Vad | None = None
        self._left_over = b""  # int16, less than a subframe
        self._voiced: deque[bool] = deque(maxlen=SMOOTHED_SUBFRAMES)

    def load(self, progress: LoadProgress) -> None:
        """Take up the library.

        Raises:
            EngineLoadError: the package is missing.
        """
        try:
            from webrtcvad import Vad
        except ImportError as error:
            raise EngineLoadError(
                f"WebRTC's VAD needs webrtcvad: {error}", "install webrtcvad-wheels"
            ) from error
        self._vad = Vad(self._mode)
        progress(0, 0)

    def warm_up(self) -> None:
        self.probability(np.zeros(self.frame_samples, dtype=np.float32))
        self.reset()

    def close(self) -> None:
        self._vad = None

    def probability(self, frame: Samples) -> float:
        """The share in [0, 1] of voiced 10 ms in the last 60 ms up to the end of this frame of 512 samples.

        Raises:
            EngineError: it is not loaded.
            ValueError: the frame has another length.
        """
        if self._vad is None:
            raise EngineError("WebRTC's VAD is not loaded", "call load() first")
        if frame.shape != (self.frame_samples,):
            raise ValueError(f"a frame has {self.frame_samples} samples, not the shape {frame.shape}")
        pcm = self._left_over + (np.clip(frame, -1.0, 1.0) * 32767.0).astype("<i2").tobytes()
        whole_bytes = len(pcm) - len(pcm) % SUBFRAME_BYTES
        for at in range(0, whole_bytes, SUBFRAME_BYTES):
            self._voiced.append(self._vad.is_speech(pcm[at : at + SUBFRAME_BYTES], HEARING_RATE_HZ))
        self._left_over = pcm[whole_bytes:]
        return sum(self._voiced) / SMOOTHED_SUBFRAMES

    def reset(self) -> None:
        self._left_over = b""
        self._voiced.clear()
        if self._vad is not None:
            self._vad = type(self._vad)(self._mode)  # the library keeps its estimate of the noise inside


def built(section: WebRtcVadSettings) -> WebRtcVad:
    """As its section of the settings says."""
    return WebRtcVad(section.mode)
