"""The codec SNAC without its weights."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from voxterm.checkpoints import RANDOM_WEIGHTS
from voxterm.engines.stand_ins.folder import write_json

SNAC_24KHZ: dict[str, Any] = {
    "sampling_rate": 24_000,
    "encoder_dim": 48,
    "encoder_rates": [2, 4, 8, 8],
    "decoder_dim": 1024,
    "decoder_rates": [8, 8, 4, 2],
    "attn_window_size": None,
    "codebook_size": 4096,
    "codebook_dim": 8,
    "vq_strides": [4, 2, 1],
    "noise": True,
    "depthwise": True,
}


def write(folder: Path) -> None:
    """Its config."""
    write_json(folder / "config.json", {**SNAC_24KHZ, RANDOM_WEIGHTS: True})
