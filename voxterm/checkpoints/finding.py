"""Which folder a checkpoint's name means, and whether what is there is whole and of the right model."""

from __future__ import annotations

import json
import os
import re
import zipfile
from collections.abc import Collection, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from voxterm.checkpoints.checkpoint import Checkpoint
from voxterm.checkpoints.reading import CACHED, broken, read_header, reading
from voxterm.errors import CheckpointError

CONFIG = "config.json"
INDEX = "model.safetensors.index.json"
SAFETENSORS = "model.safetensors"
PICKLED = "pytorch_model.bin"
CONVERTED = "model.bin"  # for CTranslate2, which torch cannot read
PTH = ".pth"  # of models that are in no library of the hub's, under any name

RANDOM_WEIGHTS = "voxterm_random_weights"
"""A config.json in which this is true has no weights beside it: the engines draw them, to be measured."""

INSTALL_MODELS = "run pip install 'voxterm[models]'"


def find(
    name: str, architectures: Collection[str] = (), environ: Mapping[str, str] = os.environ
) -> Checkpoint:
    """The checkpoint of this name on this machine. Reads its config and the headers of its weights, no more.

    `architectures`: what its config.json may call itself; empty where the configs of the model say nothing.
    With "" among them it may also say nothing.

    Raises:
        CheckpointError: it is not there, not whole, broken, or of another model.
    """
    in_hub = is_repo(name)
    folder = _cached(name, environ) if in_hub else _existing(name)
    remedy = f"`voxterm fetch {name}` gets what is missing" if in_hub else "copy the whole checkpoint there"
    config = _json_object(folder / CONFIG, remedy)
    _check_architecture(name, config, architectures)
    weights = () if config.get(RANDOM_WEIGHTS) is True else _weights(folder, remedy)
    return Checkpoint(name, folder, config, weights, sum(path.stat().st_size for path in weights))


def require(checkpoint: Checkpoint, key: str, value: object) -> None:
    """Hold the config to a value, under a dotted key like "text_config.vocab_size".

    Raises:
        CheckpointError: it has another, or none.
    """
    found: Any = checkpoint.config
    for part in key.split("."):
        found = found.get(part) if isinstance(found, Mapping) else None
    if found != value:
        has = "no value" if found is None else json.dumps(found)
        raise CheckpointError(
            f"{checkpoint.folder / CONFIG} has {has} for {key} where {json.dumps(value)} is needed",
            "name a checkpoint of the right model",
        )


def is_repo(name: str) -> bool:
    """Whether a name is "owner/repo" of the hub rather than a path. What is there under this path wins."""
    return re.fullmatch(r"\w[\w.-]*/\w[\w.-]*", name, re.ASCII) is not None and not os.path.lexists(name)


def pickled_weights(files: Iterable[str]) -> str | None:
    """Which of a checkpoint's files holds pickled weights: `pytorch_model.bin`, else the only `.pth`."""
    names = set(files)
    others = [name for name in names if name.endswith(PTH) and "/" not in name]
    if PICKLED in names:
        return PICKLED
    return others[0] if len(others) == 1 else None


def hub_cache(environ: Mapping[str, str]) -> Path:
    """Where the Hugging Face libraries keep what they downloaded."""
    if named := environ.get("HF_HUB_CACHE") or environ.get("HUGGINGFACE_HUB_CACHE"):
        return Path(named).expanduser()
    if home := environ.get("HF_HOME"):
        return Path(home).expanduser() / "hub"
    return Path(environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser() / "huggingface" / "hub"


def repo_folder(name: str, environ: Mapping[str, str]) -> Path:
    """Where the hub's cache keeps this repository, whether it is there or not."""
    return hub_cache(environ) / f"{CACHED}{name.replace('/', '--')}"


def absent(names: Sequence[str]) -> str:
    """That checkpoints were not fetched, in words."""
    if len(names) == 1:
        return f"the checkpoint {names[0]} is not on this machine"
    return f"the checkpoints {', '.join(names[:-1])} and {names[-1]} are not on this machine"


def is_offline(environ: Mapping[str, str]) -> bool:
    """Whether the hub must not be asked."""
    return environ.get("HF_HUB_OFFLINE", "").upper() in ("1", "ON", "YES", "TRUE")


def _cached(name: str, environ: Mapping[str, str]) -> Path:
    """Its snapshot in the hub's cache.

    Raises:
        CheckpointError: it was not fetched.
    """
    try:
        from huggingface_hub import try_to_load_from_cache
    except ImportError as error:
        raise CheckpointError(f"without huggingface-hub {name} cannot be found", INSTALL_MODELS) from error
    cache = hub_cache(environ)
    with reading(cache):
        config = try_to_load_from_cache(name, CONFIG, cache_dir=cache)
    if not isinstance(config, str):
        raise CheckpointError(absent([name]), f"run `voxterm fetch {name}`")
    return Path(config).parent


def _existing(name: str) -> Path:
    folder = Path(os.path.expanduser(name))  # noqa: PTH111 - pathlib's raises where a home is unknown
    with reading(folder):
        is_there, is_folder = folder.exists(), folder.is_dir()
    if not is_folder:
        raise CheckpointError(
            f"{name} is no folder" if is_there else f"there is no folder {name}",
            "name the folder of a checkpoint, or owner/repo of the Hugging Face hub",
        )
    return folder


def _check_architecture(name: str, config: Mapping[str, Any], wanted: Collection[str]) -> None:
    named = config.get("architectures")
    found = [str(one) for one in named] if isinstance(named, list) else []
    if wanted and not set(found or [""]) & set(wanted):
        raise CheckpointError(
            f"{name} holds {' or '.join(found) or 'a model that its config.json does not name'}"
            f" where {' or '.join(filter(None, wanted)) or 'one for CTranslate2'} is needed",
            "name a checkpoint of the right model",
        )


def _weights(folder: Path, remedy: str) -> tuple[Path, ...]:
    """The files of the weights, each checked by its header.

    Raises:
        CheckpointError: one is missing or broken.
    """
    if os.path.lexists(folder / INDEX):
        return _indexed(folder, remedy)
    if os.path.lexists(folder / SAFETENSORS):
        read_header(folder / SAFETENSORS, remedy)
        return (folder / SAFETENSORS,)
    with reading(folder, remedy):
        pickled_name = pickled_weights(path.name for path in folder.iterdir())
    if pickled_name is None and (folder / CONVERTED).is_file():
        return (folder / CONVERTED,)
    if pickled_name is None:
        raise CheckpointError(f"{folder} holds no weights: neither {SAFETENSORS} nor {PICKLED}", remedy)
    pickled = folder / pickled_name
    with reading(pickled, remedy), pickled.open("rb") as file:
        whole = zipfile.is_zipfile(file)
    if not whole:
        raise broken(pickled, "is cut short or is no PyTorch file")
    return (pickled,)


def _indexed(folder: Path, remedy: str) -> tuple[Path, ...]:
    """The files that the index names, each with the tensors it is said to hold."""
    places = _json_object(folder / INDEX, remedy).get("weight_map")
    if not isinstance(places, dict) or not places or not all(map(_is_file_name, places.values())):
        raise broken(folder / INDEX, "names no files of weights")
    shards = tuple(folder / name for name in sorted(set(places.values())))
    held = {(tensor, shard.name) for shard in shards for tensor in read_header(shard, remedy)}
    if lacking := sorted(set(places.items()) - held):
        tensor, shard_name = lacking[0]
        raise broken(folder / shard_name, f"lacks {tensor}, which {INDEX} says it holds")
    return shards


def _is_file_name(name: object) -> bool:
    """A file beside the index, and nothing that leads out of the folder."""
    return isinstance(name, str) and name == Path(name).name and name.endswith(".safetensors")


def _json_object(path: Path, remedy: str) -> dict[str, Any]:
    with reading(path, remedy):
        text = path.read_bytes()
    try:
        document = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise broken(path, "is no JSON") from error
    if not isinstance(document, dict):
        raise broken(path, "is no JSON object")
    return document
