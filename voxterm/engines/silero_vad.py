"""Silero VAD through ONNX Runtime: 0.1 ms a frame, and the GIL is free meanwhile.

The network takes the last 64 samples of the frame before, then 512 new ones, and a recurrent state of shape
(2, 1, 128). The model file is shipped with voxterm; `data/README.md` says where it comes from.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from voxterm.engines.onnx_session import open_session
from voxterm.engines.protocols import HEARING_RATE_HZ, LoadProgress, Samples
from voxterm.errors import EngineError

if TYPE_CHECKING:
    from onnxruntime import InferenceSession  # type: ignore[import-untyped]

SHIPPED_MODEL = Path(__file__).parent.parent / "data" / "silero_vad_16k_op15.onnx"
CONTEXT_SAMPLES = 64


class SileroVad:
    """A `VoiceActivityDetector`: holds its own in noise, where simpler detectors call the noise speech."""

    frame_samples = 512

    def __init__(self, model: Path = SHIPPED_MODEL) -> None:
        self.name = "silero"
        self._model = model
        self._session: InferenceSession | None = None
        self._rate = np.array(HEARING_RATE_HZ, dtype=np.int64)
        self._input = np.zeros((1, CONTEXT_SAMPLES + self.frame_samples), dtype=np.float32)
        self._state = np.zeros((2, 1, 128), dtype=np.float32)

    def load(self, progress: LoadProgress) -> None:
        """Open the model.

        Raises:
            EngineLoadError: the file is missing or broken.
        """
        self._session = open_session(self._model, "Silero VAD")
        self.reset()
        size_bytes = self._model.stat().st_size
        progress(size_bytes, size_bytes)

    def warm_up(self) -> None:
        self.probability(np.zeros(self.frame_samples, dtype=np.float32))
        self.reset()

    def close(self) -> None:
        self._session = None

    def probability(self, frame: Samples) -> float:
        """The probability in [0, 1] that somebody speaks in this frame of 512 samples.

        Raises:
            EngineError: it is not loaded.
            ValueError: the frame has another length.
        """
        if self._session is None:
            raise EngineError("Silero VAD is not loaded", "call load() first")
        self._input[0, :CONTEXT_SAMPLES] = self._input[0, -CONTEXT_SAMPLES:]
        self._input[0, CONTEXT_SAMPLES:] = frame
        feed = {"input": self._input, "state": self._state, "sr": self._rate}
        probability, self._state = self._session.run(None, feed)  # (1, 1), (2, 1, 128)
        return float(probability[0, 0])

    def reset(self) -> None:
        self._input.fill(0.0)
        self._state = np.zeros_like(self._state)
