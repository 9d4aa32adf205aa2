"""Orpheus without its weights."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from voxterm.engines.declared.orpheus import MODEL
from voxterm.engines.stand_ins.folder import write_config
from voxterm.engines.stand_ins.llama_tokenizer import write_llama_tokenizer

MORE_OF_CONFIG: dict[str, Any] = {
    "model_type": "llama",
    "rms_norm_eps": 1e-5,
    "max_position_embeddings": 131_072,
    "rope_parameters": {
        "rope_type": "llama3",
        "rope_theta": 500_000.0,
        "factor": 32.0,
        "low_freq_factor": 1.0,
        "high_freq_factor": 4.0,
        "original_max_position_embeddings": 8192,
    },
    "bos_token_id": 128_000,
    "eos_token_id": 128_009,
}


def write(folder: Path) -> None:
    """Its config and a tokenizer with all its ids."""
    write_config(folder, MODEL, MORE_OF_CONFIG)
    write_llama_tokenizer(folder)
