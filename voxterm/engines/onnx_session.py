"""Opening a network for ONNX Runtime: on one thread, which leaves the GIL and the other cores alone."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from voxterm.errors import EngineLoadError

if TYPE_CHECKING:
    from onnxruntime import InferenceSession  # type: ignore[import-untyped]


def open_session(model: Path, title: str) -> InferenceSession:
    """The network in a file that voxterm ships. `title`: who needs it, for the error.

    Raises:
        EngineLoadError: onnxruntime is not installed, or the file is missing or broken.
    """
    try:
        from onnxruntime import InferenceSession, SessionOptions
    except ImportError as error:
        raise EngineLoadError(f"{title} needs onnxruntime: {error}", "install onnxruntime") from error
    options = SessionOptions()
    options.intra_op_num_threads = 1  # small networks are not worth sharing out
    options.inter_op_num_threads = 1
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.log_severity_level = 4  # what matters comes as an exception; the terminal belongs to the screen
    try:
        return InferenceSession(str(model), options, providers=["CPUExecutionProvider"])
    except Exception as error:  # its exceptions share no base class below Exception
        remedy = "reinstall voxterm, which brings this file"
        raise EngineLoadError(f"{title} cannot open {model}: {error}", remedy) from error
