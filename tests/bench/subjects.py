"""What the measurements are given here: tiny models on the CPU, their weights from files or drawn."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

from voxterm.bench.models import BOTH, Subject, subject
from voxterm.cli.casting import wishes_of
from voxterm.config import Settings
from voxterm.engines.declared.engine_settings import EngineSettings
from voxterm.engines.declared.orpheus import OrpheusSettings
from voxterm.engines.declared.voxtral import VoxtralSettings
from voxterm.engines.protocols import Voice

TARA = Voice("tara", "orpheus", "en", "tara", checkpoint="canopylabs/orpheus-3b-0.1-ft")


def settings_with(voxtral: Path, orpheus: Path, snac: Path) -> Settings:
    engines = EngineSettings(
        voxtral=VoxtralSettings(
            checkpoint=str(voxtral), context_tokens=2048, reply_tokens=64, temperature=0.0
        ),
        orpheus=OrpheusSettings(checkpoint=str(orpheus), codec=str(snac), seed=3),
    )
    return Settings(engines=engines)


def subject_of(voxtral: Path, orpheus: Path, snac: Path) -> Subject:
    settings = settings_with(voxtral, orpheus, snac)
    return subject(settings, BOTH, wishes_of(settings), "cpu", os.environ, TARA)


def without_weights(checkpoint: Path, folder: Path) -> Path:
    """The same model, its weights to be drawn."""
    shutil.copytree(checkpoint, folder, ignore=shutil.ignore_patterns("*.safetensors*", "*.bin"))
    config = json.loads((checkpoint / "config.json").read_text(encoding="utf-8"))
    (folder / "config.json").write_text(
        json.dumps({**config, "voxterm_random_weights": True}), encoding="utf-8"
    )
    return folder
