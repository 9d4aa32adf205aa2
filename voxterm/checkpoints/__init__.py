"""Checkpoints of models: found on this machine, checked before anything loads, read, fetched from the hub.

A checkpoint is a folder as the Hugging Face hub holds it: `config.json` and the weights, as safetensors (one
file, or several named by an index) or else as `pytorch_model.bin`, one `.pth`, or
`model.bin` (for CTranslate2). Its name is a folder's path, or "owner/repo" in the Hugging Face cache. Only
`fetch` downloads. Code that a checkpoint holds is never run.
"""

from __future__ import annotations

from voxterm.checkpoints.checkpoint import Checkpoint
from voxterm.checkpoints.fetching import Fetched, fetch
from voxterm.checkpoints.finding import RANDOM_WEIGHTS, find, require
from voxterm.checkpoints.reading import Progress, StoredTensor, read_header, state_dict, unpickled

__all__ = [
    "RANDOM_WEIGHTS",
    "Checkpoint",
    "Fetched",
    "Progress",
    "StoredTensor",
    "fetch",
    "find",
    "read_header",
    "require",
    "state_dict",
    "unpickled",
]
