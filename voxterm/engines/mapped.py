"""Models of Transformers whose weights stay in their checkpoint's files until a device takes them."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from re import Pattern
from typing import Any, TypeAlias

import torch
from torch import Tensor

from voxterm.checkpoints import Checkpoint, state_dict
from voxterm.engines.architectures import importing
from voxterm.errors import CheckpointError

FETCH_AGAIN = "fetch it again"

Renames: TypeAlias = Sequence[tuple[Pattern[str], str]]
"""What the names of stored weights are changed by, in order: pattern and replacement."""

WEIGHT_BYTES: Mapping[str, float] = {"float32": 4.0, "bf16": 2.0, "int8": 1.0, "int4": 0.5}
"""About what one weight takes at a precision."""


def config_of(checkpoint: Checkpoint, kind: Any) -> Any:
    """The config of a checkpoint as this class of Transformers.

    Raises:
        CheckpointError: it makes no sense.
    """
    with config_held_good(checkpoint), importing():
        return kind.from_dict(dict(checkpoint.config))


@contextmanager
def config_held_good(checkpoint: Checkpoint) -> Iterator[None]:
    """What Transformers raises at a config that makes no sense, as one of ours."""
    from huggingface_hub.errors import StrictDataclassError

    try:
        yield
    except (StrictDataclassError, AttributeError, LookupError, TypeError, ValueError, RuntimeError) as error:
        what = f"the config.json of {checkpoint.name} is broken: {error}"
        raise CheckpointError(what, FETCH_AGAIN) from error


def empty(kind: Any, config: Any) -> Any:
    """A model of this class without numbers, ready to be read."""
    with torch.device("meta"), importing():
        return kind(config).eval().requires_grad_(False)


def mapped(
    model: Any,
    checkpoint: Checkpoint,
    renames: Renames = (),
    without: Collection[str] = (),
    remedy: str = FETCH_AGAIN,
) -> Mapping[str, Tensor]:
    """Give an empty model the weights of a checkpoint, which are mapped and not copied; returns all of them.

    A checkpoint without weights leaves it empty: they are drawn where they are put.

    Args:
        without: weights that may be missing.

    Raises:
        CheckpointError: a weight is missing or has another shape.
    """
    if not checkpoint.weights:
        return {}
    weights = {_renamed(name, renames): weight for name, weight in state_dict(checkpoint).items()}
    try:
        model.load_state_dict(weights, strict=False, assign=True)
    except RuntimeError as error:  # weights of other shapes
        raise CheckpointError(f"{checkpoint.name} is broken: {error}", remedy) from error
    model.tie_weights()
    model.requires_grad_(False)
    missing = [name for name, weight in model.named_parameters() if weight.is_meta and name not in without]
    if missing:
        what = f"{checkpoint.name} lacks {len(missing)} weights, {missing[0]} for one"
        raise CheckpointError(what, remedy)
    return weights


def _renamed(name: str, renames: Renames) -> str:
    for pattern, new in renames:
        name = pattern.sub(new, name)
    return name
