"""`voxterm fetch [PROFILE | OWNER/REPO]`: the checkpoints of a profile, into the Hugging Face cache."""

from __future__ import annotations

import argparse
import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.markup import escape
from rich.progress import (
    BarColumn,
    DownloadColumn,
    Progress,
    TextColumn,
    TimeRemainingColumn,
    TransferSpeedColumn,
)

from voxterm import checkpoints
from voxterm.checkpoints.finding import is_repo
from voxterm.cli.casting import checkpoints_of
from voxterm.cli.wiring import settings_of
from voxterm.errors import CheckpointError, InputError


def run(arguments: argparse.Namespace) -> int:
    settings = settings_of(arguments)
    wanted = arguments.what or settings.profile
    names = (_repo(wanted),) if "/" in wanted else checkpoints_of(wanted, settings)
    if not names:
        print(f"{wanted} needs no checkpoint")
    logging.getLogger("huggingface_hub").setLevel(logging.ERROR)  # its warnings would break the bars
    return max([_fetch(name) for name in names], default=0)


def _repo(name: str) -> str:
    """
    Raises:
        InputError: it is no repository's name.
    """
    if not is_repo(name):
        example = "canopylabs/orpheus-3b-0.1-ft"
        raise InputError(f"{name} cannot be fetched", f"name a profile, or owner/repo, like {example}")
    return name


def _fetch(name: str) -> int:
    """Fetch one and say what became of it; its exit code. A failure leaves the others to be fetched.

    A folder that the settings name is only looked at.
    """
    try:
        with _bar(name) as progress:
            if is_repo(name):
                fetched = checkpoints.fetch(name, progress)
            else:
                fetched = checkpoints.Fetched(checkpoints.find(name), 0)
    except CheckpointError as error:
        print(f"voxterm: {error}", file=sys.stderr)
        return error.exit_code
    checkpoint = fetched.checkpoint
    how = "fetched" if fetched.downloaded_bytes else "there already"
    print(f"{name}: {how}, {checkpoint.weight_bytes / 1e9:.2f} GB in {checkpoint.folder}")
    return 0


@contextmanager
def _bar(name: str) -> Iterator[checkpoints.Progress]:
    """A bar of bytes; only where stderr is a terminal, and only once there is something to fetch."""
    if not sys.stderr.isatty():
        yield lambda done_bytes, total_bytes: None
        return
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        DownloadColumn(),
        TransferSpeedColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(escape(name), total=None, visible=False)
        yield lambda done_bytes, total_bytes: bar.update(
            task, completed=done_bytes, total=total_bytes, visible=True
        )
