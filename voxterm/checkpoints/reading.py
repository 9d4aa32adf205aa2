"""The files of weights: headers checked before anything loads, tensors mapped and not copied."""

from __future__ import annotations

import json
import math
import os
import struct
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from voxterm.checkpoints.checkpoint import Checkpoint
from voxterm.errors import CheckpointError

if TYPE_CHECKING:
    from torch import Tensor

Progress: TypeAlias = Callable[[int, int], None]
"""Called with (bytes done, bytes in all)."""

DTYPE_BYTES: Mapping[str, int] = {
    **dict.fromkeys(("F64", "I64", "U64", "C64"), 8),
    **dict.fromkeys(("F32", "I32", "U32"), 4),
    **dict.fromkeys(("F16", "BF16", "I16", "U16"), 2),
    **dict.fromkeys(("I8", "U8", "BOOL", "F8_E4M3", "F8_E5M2", "F8_E8M0"), 1),
}
"""Bytes of one number, by the names of the safetensors format."""

LONGEST_HEADER_BYTES = 100_000_000
"""The limit that the safetensors library sets itself."""

READ_AHEAD_BYTES = 64 << 20

FETCH_AGAIN = "fetch the checkpoint again"
COPY_AGAIN = "copy the whole checkpoint there again, or name another"

CACHED = "models--"
"""How the folder of a repository begins in the hub's cache."""


@dataclass(frozen=True, slots=True)
class StoredTensor:
    """What a safetensors file says of one tensor."""

    dtype: str  # as the format names it: "BF16"
    shape: tuple[int, ...]
    bytes: int


def read_header(path: Path, remedy: str = FETCH_AGAIN) -> dict[str, StoredTensor]:
    """What a safetensors file holds, by its header, which is checked against the size of the file.

    Raises:
        CheckpointError: the file is missing, cannot be read, is cut short, or is no safetensors file.
    """
    with reading(path, remedy), path.open("rb") as file:
        size_bytes = os.fstat(file.fileno()).st_size
        start = file.read(8)
        header_bytes = struct.unpack("<Q", start)[0] if len(start) == 8 else 0
        if not 2 <= header_bytes <= min(size_bytes - 8, LONGEST_HEADER_BYTES):
            raise broken(path, "is cut short or is no safetensors file")
        header = file.read(header_bytes)
    try:
        tensors, end = _tensors(json.loads(header))
    except (ValueError, TypeError, LookupError, AttributeError, RecursionError) as error:
        raise broken(path, "has a header that makes no sense") from error
    held_bytes = size_bytes - 8 - header_bytes
    if held_bytes != end:
        raise broken(path, f"holds {held_bytes:,} bytes of weights where its header promises {end:,}")
    return tensors


def state_dict(checkpoint: Checkpoint, progress: Progress | None = None) -> dict[str, Tensor]:
    """Name → tensor on the CPU, in the precision of the files, which are mapped and not copied.

    `progress` counts what the system was told to read: the pages arrive while the caller already copies.

    Raises:
        CheckpointError: a file is broken, or holds code.
    """
    tensors: dict[str, Tensor] = {}
    done_bytes = 0
    for path in checkpoint.weights:
        with reading(path):
            for block_bytes in _read_ahead(path):
                done_bytes += block_bytes
                if progress:
                    progress(done_bytes, checkpoint.weight_bytes)
            tensors.update(_mapped(path) if path.suffix == ".safetensors" else _named(path))
    return tensors


def unpickled(path: Path) -> Any:
    """What a file of torch holds, on the CPU, read by the restricted unpickler, which runs nothing.

    Raises:
        CheckpointError: it is missing or damaged, or holds code.
    """
    import pickle

    import torch

    with reading(path):
        try:
            return torch.load(path, map_location="cpu", weights_only=True, mmap=True)
        except pickle.UnpicklingError as error:
            raise CheckpointError(
                f"{path} holds code beside its tensors and is refused", "take a checkpoint in safetensors"
            ) from error
        except (RuntimeError, EOFError, ValueError, LookupError) as error:
            raise broken(path, "is damaged") from error


@contextmanager
def reading(path: Path, remedy: str = FETCH_AGAIN) -> Iterator[None]:
    """What the system refuses becomes a CheckpointError that names the file. `remedy`: of a missing one."""
    try:
        yield
    except FileNotFoundError as error:
        raise CheckpointError(f"{path} is missing", remedy) from error
    except OSError as error:
        raise CheckpointError(
            f"{path} cannot be read: {error.strerror or error}", "check its folder and its permissions"
        ) from error


def broken(path: Path, what: str) -> CheckpointError:
    """In the hub's cache the file is a link, and only without the linked file is it fetched anew. Into any
    other folder no command fetches."""
    in_cache = any(part.startswith(CACHED) for part in path.parts)
    remedy = f"delete {path.resolve()} and fetch it again" if in_cache else COPY_AGAIN
    return CheckpointError(f"{path} {what}", remedy)


def _tensors(header: Any) -> tuple[dict[str, StoredTensor], int]:
    """The tensors of a header, and where the last one ends. What is not as the format says raises."""
    tensors: dict[str, StoredTensor] = {}
    spans: list[tuple[int, int]] = []
    for name, entry in header.items():
        if name == "__metadata__":
            continue
        begin, end = entry["data_offsets"]
        shape = tuple(entry["shape"])
        if not all(type(number) is int and number >= 0 for number in (begin, end, *shape)):
            raise ValueError(f"{name} has a shape or a place that is no number")
        if end - begin != math.prod(shape) * DTYPE_BYTES[entry["dtype"]]:
            raise ValueError(f"{name} does not fill its place")
        spans.append((begin, end))
        tensors[name] = StoredTensor(entry["dtype"], shape, end - begin)
    return tensors, _end_without_gaps(spans)


def _end_without_gaps(spans: Sequence[tuple[int, int]]) -> int:
    reached = 0
    for begin, end in sorted(spans):
        if begin != reached:
            raise ValueError("two tensors in one place, or a place of none")
        reached = end
    return reached


def _mapped(path: Path) -> dict[str, Tensor]:
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="pt", device="cpu") as file:
            return {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - it is no dict
    except SafetensorError as error:
        raise broken(path, "is refused by the safetensors library") from error


def _named(path: Path) -> dict[str, Tensor]:
    """The tensors of a pickled file, which may hold them in one dictionary for each part of the model."""
    import torch

    loaded = unpickled(path)
    tensors: dict[str, Tensor] = {}
    for name, held in loaded.items() if isinstance(loaded, dict) else ():
        tensors |= (
            {f"{name}.{key}": part for key, part in held.items()} if isinstance(held, dict) else {name: held}
        )
    if not isinstance(loaded, dict) or not all(isinstance(held, torch.Tensor) for held in tensors.values()):
        raise broken(path, "holds something else than tensors by name")
    return tensors


def _read_ahead(path: Path) -> Iterator[int]:
    """Have the system read a file in big blocks, whose bytes it yields: mapped pages come in small ones."""
    with path.open("rb") as file:
        size_bytes = os.fstat(file.fileno()).st_size
        for begin in range(0, size_bytes, READ_AHEAD_BYTES):
            block_bytes = min(READ_AHEAD_BYTES, size_bytes - begin)
            if hasattr(os, "posix_fadvise"):  # macOS lacks it
                os.posix_fadvise(file.fileno(), begin, block_bytes, os.POSIX_FADV_WILLNEED)
            yield block_bytes
