"""What a checkpoint is, once it was found."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A checkpoint that is whole: its config is read and the headers of its weights are in order.

    One without `weights` stands for a model with random ones.
    """

    name: str
    folder: Path
    config: Mapping[str, Any]
    weights: tuple[Path, ...]
    weight_bytes: int  # of the files
