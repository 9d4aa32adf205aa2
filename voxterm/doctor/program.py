"""The settings, and the folder in which sessions are kept."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

from voxterm.config import Settings, user_file
from voxterm.doctor.facts import Facts
from voxterm.doctor.finding import Finding, Verdict
from voxterm.errors import VoxtermError
from voxterm.store import state_folder

LITTLE_BYTES = 200_000_000
"""Left on a disk, it is soon full: a minute of kept sound takes a few megabytes."""


def settings_finding(facts: Facts, config_file: Path | None, error: VoxtermError | None) -> Finding:
    """`error`: what is wrong with a file or a variable; the defaults are then in force."""
    if error is not None:
        what = f"{error.what}; the defaults are looked at instead"
        return Finding("program", "settings", "bad", what, error.remedy, blocks=True)
    own = user_file(facts.environ)
    files = [spoken(path) for path in (own, config_file) if path is not None and path.exists()]
    return Finding(
        "program", "settings", "ok", " and ".join(files) or f"all as shipped; yours go into {spoken(own)}"
    )


def sessions_findings(settings: Settings, facts: Facts) -> Iterator[Finding]:
    folder = state_folder(settings.sessions.folder)
    keeps = settings.sessions.keep
    existing = existing_part(folder)
    name = "sessions"
    if not existing.is_dir() or not facts.may(existing, os.W_OK | os.X_OK):
        why = "cannot be written" if existing.is_dir() else "is in the way and is no folder"
        remedy = "voxterm --set sessions.folder=FOLDER with one of yours, or --set sessions.keep=false"
        verdict: Verdict = "bad" if keeps else "info"
        yield Finding("program", name, verdict, f"{existing} {why}", remedy if keeps else "", blocks=keeps)
        return
    free_bytes = shutil.disk_usage(existing).free
    what = f"{'kept in' if keeps else 'not kept;'} {spoken(folder)}, {free_bytes / 1e9:.1f} GB free"
    if free_bytes < LITTLE_BYTES:
        yield Finding("program", name, "warn", what, f"make room: du -sh {folder}/* | sort -h")
    else:
        yield Finding("program", name, "ok", what)


def spoken(path: Path) -> str:
    """The path, with ~ for the folder of the user."""
    try:
        return f"~/{path.relative_to(Path.home())}"
    except (ValueError, RuntimeError):
        return str(path)


def existing_part(folder: Path) -> Path:
    """The folder, or the nearest above it that exists."""
    return next(path for path in (folder.absolute(), *folder.absolute().parents) if os.path.lexists(path))
