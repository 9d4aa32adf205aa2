"""A tiny checkpoint of Kokoro: the real network, vocabulary and file formats, with random weights.

Its widths are written into the network's own code, so it is made small in the file and in its last, slow part
instead: every large weight is a view of one pool of numbers, which the file holds once.
"""

from __future__ import annotations

import io
import json
import math
import warnings
from pathlib import Path
from typing import Any

import torch

from voxterm.engines.stand_ins.kokoro import CONFIG

SPEAKERS = ("af_heart", "bm_lewis", "ef_dora", "ff_siwis", "jf_alpha", "zf_xiaobei")

TINY: dict[str, Any] = {
    **CONFIG,
    "n_layer": 1,
    "max_dur": 5,  # about 2.5 frames for each phoneme
    "istftnet": {
        **CONFIG["istftnet"],
        "upsample_kernel_sizes": [9],
        "upsample_rates": [5],
        "gen_istft_hop_size": 60,
        "gen_istft_n_fft": 240,
        "resblock_kernel_sizes": [3],
        "resblock_dilation_sizes": [[1, 3, 5]],
    },
    "plbert": {
        "hidden_size": 64,
        "num_attention_heads": 4,
        "intermediate_size": 128,
        "max_position_embeddings": 512,
        "num_hidden_layers": 2,
        "dropout": 0.1,
    },
}


def tiny_kokoro(folder: Path) -> Path:
    """config.json, kokoro-v1_0.pth with the names that the published one has, and some voices/*.pt."""
    (folder / "voices").mkdir(parents=True)
    (folder / "config.json").write_text(json.dumps(TINY), encoding="utf-8")
    torch.manual_seed(20)
    model = published_model(TINY, None)
    pool = torch.randn(max(weight.numel() for weight in model.parameters())) * 0.05
    parts = {
        name: {f"module.{key}": _small(weight, pool) for key, weight in part.state_dict().items()}
        for name, part in model.named_children()
    }
    torch.save(parts, folder / "kokoro-v1_0.pth")
    for speaker in SPEAKERS:
        torch.save(torch.randn(510, 1, 256) * 0.3, folder / "voices" / f"{speaker}.pt")
    return folder


def published_model(config: dict[str, Any], weights: Path | None) -> Any:
    """`KModel` as its package makes and loads it."""
    empty = io.BytesIO()
    torch.save({}, empty)
    empty.seek(0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from kokoro.model import KModel  # type: ignore[import-untyped]

        return KModel(repo_id="tiny", config=config, model=str(weights) if weights else empty).eval()


def _small(weight: torch.Tensor, pool: torch.Tensor) -> torch.Tensor:
    """A large weight as a view of the pool, from some place on."""
    size = math.prod(weight.shape)
    if size < 10_000:
        return weight
    start = size * 7919 % (len(pool) - size + 1)
    return pool[start : start + size].view(weight.shape)
