"""What the measurements are given here: tiny models on the CPU, their weights from files or drawn."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from voxterm.bench.models import BOTH, Subject, machine_at, subject
from voxterm.cli.casting import wishes_of
from voxterm.config import Settings
from voxterm.engines.declared.engine_settings import EngineSettings
from voxterm.engines.declared.engines import ENGINES
from voxterm.engines.declared.orpheus import OrpheusSettings
from voxterm.engines.declared.voxtral import VoxtralSettings
from voxterm.engines.protocols import Voice
from voxterm.voices import Catalogue, voices_folder

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
    return subject(settings, BOTH, wishes_of(settings), machine_at("cpu", os.environ), os.environ, TARA)


def subject_of_one(name: str, update: dict[str, Any]) -> Subject:
    """One engine of any role, with these values in its section of the settings."""
    settings = Settings()
    if update:
        section = getattr(settings.engines, name).model_copy(update=update)
        settings = settings.model_copy(
            update={"engines": settings.engines.model_copy(update={name: section})}
        )
    voice = None
    if ENGINES[name].role == "synthesizer":
        voice = Catalogue.read(voices_folder()).voice_for("auto", name)[0]
    machine = machine_at("cpu", os.environ)
    return subject(settings, [name], wishes_of(settings), machine, os.environ, voice)


def write_tiny(name: str, folder: Path) -> Path:
    """The tiny checkpoint of this model or codec, which `tiny_NAME` writes, in a module of that name or in
    `tiny`."""
    module = import_module(f"tiny_{name}" if find_spec(f"tiny_{name}") else "tiny")
    write: Callable[[Path], Path] = getattr(module, f"tiny_{name}")
    return write(folder)


def without_weights(checkpoint: Path, folder: Path) -> Path:
    """The same model, its weights to be drawn."""
    shutil.copytree(checkpoint, folder, ignore=shutil.ignore_patterns("*.safetensors*", "*.bin", "*.pth"))
    config = json.loads((checkpoint / "config.json").read_text(encoding="utf-8"))
    (folder / "config.json").write_text(
        json.dumps({**config, "voxterm_random_weights": True}), encoding="utf-8"
    )
    return folder
