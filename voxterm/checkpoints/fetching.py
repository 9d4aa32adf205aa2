"""Checkpoints fetched from the Hugging Face hub into its cache, of each only the files that loading needs.

Files that are whole are kept; a connection that breaks off is taken up again where it broke. The hub's own
variables hold: HF_HOME, HF_HUB_CACHE, HF_ENDPOINT, HF_TOKEN, HF_HUB_OFFLINE.
"""

from __future__ import annotations

import errno
import os
import re
import shutil
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from voxterm.checkpoints.checkpoint import Checkpoint
from voxterm.checkpoints.finding import (
    CONVERTED,
    INSTALL_MODELS,
    find,
    hub_cache,
    is_offline,
    is_repo,
    pickled_weights,
    repo_folder,
)
from voxterm.checkpoints.reading import Progress
from voxterm.errors import CheckpointError

WEIGHTS = re.compile(r"model(-\d+-of-\d+)?\.safetensors")
BESIDE_WEIGHTS = re.compile(
    r"(generation_|preprocessor_|processor_)?config\.json|chat_template\.(json|jinja)|tekken\.json"
    r"|tokenizer[^/]*|special_tokens_map\.json|added_tokens\.json|vocab\.json|merges\.txt"
    r"|model\.safetensors\.index\.json|vocabulary\.(json|txt)|voices/[^/]+\.pt"
)

HUB = "https://huggingface.co"
ANSWER_S = 10.0
"""How long the hub may take to say what a repository holds."""


@dataclass(frozen=True, slots=True)
class Fetched:
    """A checkpoint that is here now, and how much of it had to be downloaded."""

    checkpoint: Checkpoint
    downloaded_bytes: int


@dataclass(frozen=True, slots=True)
class _Wanted:
    """What of a repository is needed (file → bytes), and which of it is not in the cache."""

    sizes_bytes: Mapping[str, int]
    missing: tuple[str, ...]

    @property
    def total_bytes(self) -> int:
        return sum(self.sizes_bytes.values())

    @property
    def missing_bytes(self) -> int:
        return sum(self.sizes_bytes[file] for file in self.missing)


def fetch(name: str, progress: Progress | None = None, environ: Mapping[str, str] = os.environ) -> Fetched:
    """Download what is missing of "owner/repo". `progress` is called from several threads, one at a time.

    Raises:
        CheckpointError: the hub refuses or cannot be reached, the disk is full, or what it gave is broken.
    """
    if not is_repo(name):
        raise CheckpointError(
            f"{name} cannot be fetched", "name owner/repo, like canopylabs/orpheus-3b-0.1-ft"
        )
    with _told_plainly(name):
        wanted = _wanted(name, environ)
        if wanted.missing:
            _check_room(name, wanted.missing_bytes, hub_cache(environ))
            _download(name, wanted, progress or (lambda done_bytes, total_bytes: None), environ)
    return Fetched(find(name, environ=environ), wanted.missing_bytes)


def _wanted(name: str, environ: Mapping[str, str]) -> _Wanted:
    """What the hub has that loading needs.

    Raises:
        CheckpointError: nothing that can be loaded.
    """
    from huggingface_hub import HfApi
    from huggingface_hub.errors import OfflineModeIsEnabled

    if is_offline(environ):
        raise OfflineModeIsEnabled
    api = HfApi(**_access(environ))
    held = api.model_info(name, files_metadata=True, timeout=ANSWER_S)
    sizes_bytes = {file.rfilename: file.size or 0 for file in held.siblings or []}
    weights = [file for file in sizes_bytes if WEIGHTS.fullmatch(file)]
    if not weights and (pickled := pickled_weights(sizes_bytes)):
        weights = [pickled]
    if not weights and CONVERTED in sizes_bytes:
        weights = [CONVERTED]
    if not weights:
        raise CheckpointError(
            f"{name} holds no weights that can be loaded", "name a checkpoint in safetensors"
        )
    files = [*weights, *filter(BESIDE_WEIGHTS.fullmatch, sizes_bytes)]
    snapshot = repo_folder(name, environ) / "snapshots" / (held.sha or "")
    return _Wanted(
        {file: sizes_bytes[file] for file in files},
        tuple(file for file in files if not (snapshot / file).exists()),
    )


def _download(name: str, wanted: _Wanted, progress: Progress, environ: Mapping[str, str]) -> None:
    from huggingface_hub import snapshot_download

    total_bytes = wanted.total_bytes
    here_bytes = total_bytes - wanted.missing_bytes

    def report(downloaded_bytes: int) -> None:
        progress(min(here_bytes + downloaded_bytes, total_bytes), total_bytes)

    report(0)
    snapshot_download(
        name,
        cache_dir=hub_cache(environ),
        allow_patterns=list(wanted.sizes_bytes),
        tqdm_class=_counting_bar(report),
        **_access(environ),
    )
    report(wanted.missing_bytes)


def _access(environ: Mapping[str, str]) -> dict[str, Any]:
    """Which hub, and as whom: without HF_TOKEN as whoever logged in on this machine.

    Raises:
        CheckpointError: the token cannot be sent.
    """
    token = environ.get("HF_TOKEN", "").strip()
    if not (token.isascii() and token.isprintable()):
        raise CheckpointError("HF_TOKEN holds characters that no token has", "set it again")
    return {"endpoint": environ.get("HF_ENDPOINT") or None, "token": token or None}


def _counting_bar(report: Callable[[int], None]) -> Any:
    """A class of progress bars that draw nothing and report the bytes that the furthest of them has counted.

    The hub's library keeps one for what arrived and one for what was written: they differ with Xet storage.
    """
    from tqdm.auto import tqdm  # type: ignore[import-untyped]

    lock = threading.Lock()
    counted: list[Any] = []

    class CountingBar(tqdm):  # type: ignore[misc]
        def __init__(self, *arguments: Any, **options: Any) -> None:
            super().__init__(*arguments, **{**options, "disable": True})
            self._bytes = 0
            self._counts_bytes = options.get("unit") == "B"
            if self._counts_bytes:
                counted.append(self)

        def update(self, n: float | None = 1) -> None:
            if self._counts_bytes:
                with lock:
                    self._bytes += int(n or 0)
                    report(max(bar._bytes for bar in counted))

    return CountingBar


def _check_room(name: str, needed_bytes: int, cache: Path) -> None:
    """
    Raises:
        CheckpointError: the disk of the cache has less.
    """
    existing = next(folder for folder in (cache.absolute(), *cache.absolute().parents) if folder.exists())
    free_bytes = shutil.disk_usage(existing).free
    if free_bytes < needed_bytes:
        raise CheckpointError(
            f"{name} needs {needed_bytes / 1e9:.1f} GB more on the disk of {cache}, which has"
            f" {free_bytes / 1e9:.1f} GB left",
            "make room, or point HF_HOME to a larger disk",
        )


@contextmanager
def _told_plainly(name: str) -> Iterator[None]:
    """Errors of the hub's library and of the system, each as one line with its remedy and no secret."""
    try:
        from huggingface_hub.errors import (  # type: ignore[attr-defined] # HTTPError is of its HTTP library
            HfHubHTTPError,
            HFValidationError,
            HTTPError,
            LocalEntryNotFoundError,
            OfflineModeIsEnabled,
        )
    except ImportError as error:
        raise CheckpointError(f"without huggingface-hub {name} cannot be fetched", INSTALL_MODELS) from error
    try:
        yield
    except OfflineModeIsEnabled as error:
        raise CheckpointError(f"HF_HUB_OFFLINE is set, so {name} cannot be fetched", "unset it") from error
    except HfHubHTTPError as error:
        raise _refused(name, error) from error
    except (HTTPError, LocalEntryNotFoundError) as error:
        if isinstance(error.__cause__, HfHubHTTPError):
            raise _refused(name, error.__cause__) from error
        raise CheckpointError(
            f"the connection to the hub failed for {name}",
            "check the network and fetch again: what is whole is kept",
        ) from error
    except HFValidationError as error:
        raise CheckpointError(f"the hub allows no name like {name}", "name owner/repo") from error
    except OSError as error:
        raise _not_written(name, error) from error
    except (ValueError, LookupError) as error:
        raise CheckpointError(
            f"what answers for {name} is not the hub",
            "check HF_ENDPOINT, and whether the network wants a login",
        ) from error
    except RuntimeError as error:  # what Xet storage raises
        raise _broke_off(name) from error


def _refused(name: str, error: Any) -> CheckpointError:
    """What a refusal (an HfHubHTTPError) means. A wrong name, a private one and no login look alike."""
    status = error.response.status_code
    code = error.response.headers.get("X-Error-Code")
    if code == "GatedRepo":
        return CheckpointError(
            f"{name} is given only to those who accept its licence",
            f"accept it at {HUB}/{name} and set HF_TOKEN to a token of that account",
        )
    if status == 404:
        return CheckpointError(f"the hub has no {name}", "check the name")
    if status in (401, 403):
        return CheckpointError(
            f"the hub does not give {name} to you: it is private, gated or not there, or HF_TOKEN is wrong",
            f"check the name, accept its licence at {HUB}/{name} and set HF_TOKEN to a token of that account",
        )
    if status == 429:
        return CheckpointError(
            f"the hub has had too many requests to give {name}", "try again in some minutes"
        )
    return CheckpointError(f"the hub answers {status} for {name}", "try again later: what is whole is kept")


def _not_written(name: str, error: OSError) -> CheckpointError:
    if error.errno is None:  # the library's own: a file of the wrong size
        return _broke_off(name)
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return CheckpointError(
            f"the disk is full before {name} is whole", "make room, or point HF_HOME to a larger disk"
        )
    place = f" {error.filename}:" if error.filename else ""
    return CheckpointError(
        f"{name} cannot be kept:{place} {error.strerror or type(error).__name__}",
        "point HF_HOME to a folder that can be written",
    )


def _broke_off(name: str) -> CheckpointError:
    return CheckpointError(f"the download of {name} broke off", "fetch again: what is whole is kept")
