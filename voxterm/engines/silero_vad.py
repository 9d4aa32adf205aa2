"""Silero VAD through ONNX Runtime: 0.1 ms a frame, and the GIL is free meanwhile.

The network takes the last 64 samples of the frame before, then 512 new ones, and a recurrent state of shape
(2, 1, 128). The model file is shipped with voxterm; `data/README.md` says where it comes from.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from voxterm.engines.protocols import HEARING_RATE_HZ, LoadProgress, Samples
from voxterm.errors import EngineError, EngineLoadError

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
        self._session = _open_session(self._model)
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


def _open_session(model: Path) -> InferenceSession:
    try:
        from onnxruntime import InferenceSession, SessionOptions
    except ImportError as error:
        raise EngineLoadError(f"Silero VAD needs onnxruntime: {error}", "install onnxruntime") from error
    options = SessionOptions()
    options.intra_op_num_threads = 1  # the network is too small to share out
    options.inter_op_num_threads = 1
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.log_severity_level = 4  # what matters comes as an exception; the terminal belongs to the screen
    try:
        return InferenceSession(str(model), options, providers=["CPUExecutionProvider"])
    except Exception as error:  # its exceptions share no base class below Exception
        raise EngineLoadError(
            f"Silero VAD cannot open {model}: {error}", "reinstall voxterm, which brings this file"
        ) from error
