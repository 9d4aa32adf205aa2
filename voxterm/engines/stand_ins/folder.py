"""The folder of a checkpoint that has no weights."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from voxterm.checkpoints import RANDOM_WEIGHTS
from voxterm.engines.declared.model import Model


def write_config(folder: Path, model: Model, more: Mapping[str, Any]) -> None:
    """The `config.json` of a published model, with what the plan need not know, into a new folder."""
    document = {**model.config, **more, "architectures": list(model.architectures), RANDOM_WEIGHTS: True}
    write_json(folder / "config.json", document)


def write_json(path: Path, document: Mapping[str, Any]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(document, indent=2), encoding="utf-8")
