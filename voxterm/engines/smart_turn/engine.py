"""Smart Turn v3.2 through ONNX Runtime: by the sound of its last 8 s, whether a turn is finished.

The network was trained on 23 languages and needs no transcript. The file is shipped with voxterm;
`data/README.md` says where it comes from.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from voxterm.engines.onnx_session import open_session
from voxterm.engines.protocols import HEARING_RATE_HZ, LoadProgress, Samples
from voxterm.engines.smart_turn.features import Features
from voxterm.errors import EngineError

if TYPE_CHECKING:
    from onnxruntime import InferenceSession  # type: ignore[import-untyped]

SHIPPED_MODEL = Path(__file__).parents[2] / "data" / "smart-turn-v3.2-cpu.onnx"
TITLE = "Smart Turn"


class SmartTurn:
    """A `TurnDetector`. It keeps nothing from call to call."""

    def __init__(self, model: Path = SHIPPED_MODEL) -> None:
        self.name = "smart turn"
        self._model = model
        self._features = Features()
        self._session: InferenceSession | None = None

    def load(self, progress: LoadProgress) -> None:
        """Open the model.

        Raises:
            EngineLoadError: the file is missing or broken, or onnxruntime is.
        """
        self._session = open_session(self._model, TITLE)
        size_bytes = self._model.stat().st_size
        progress(size_bytes, size_bytes)

    def warm_up(self) -> None:
        self.probability(np.zeros(HEARING_RATE_HZ, np.float32))

    def close(self) -> None:
        self._session = None

    def probability(self, turn: Samples) -> float:
        """The probability in [0, 1] that the turn is over: (N,) from its beginning to now, pause included.

        Raises:
            EngineError: it is not loaded, or the network failed.
        """
        if self._session is None:
            raise EngineError(f"{TITLE} is not loaded", "call load() first")
        try:
            (probability,) = self._session.run(None, {"input_features": self._features(turn)})  # (1, 1)
        except Exception as error:  # its exceptions share no base class below Exception
            raise EngineError(f"{TITLE} failed: {error}", 'or do without: turns.detector = "none"') from error
        return float(probability[0, 0])
