"""What the authors of a checkpoint say of its replies: what ends one, and how its words are chosen.

They say so in generation_config.json, which not every checkpoint has.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict
from typing import Any

from pydantic import ValidationError

from voxterm.checkpoints import Checkpoint
from voxterm.decoding import Sampling
from voxterm.engines.declared.llm import LlmSettings
from voxterm.errors import CheckpointError

DEFAULTS = Sampling(temperature=0.7, top_p=0.8, top_k=20, repetition_penalty=1.0)
"""Where neither the settings nor the authors say anything: as those of Qwen3-4B-Instruct-2507 recommend."""

NAMES = tuple(asdict(DEFAULTS))
"""The settings and generation_config.json call them the same."""


def generation_config(checkpoint: Checkpoint) -> Mapping[str, Any]:
    """What generation_config.json holds; nothing where there is none.

    Raises:
        CheckpointError: it is broken.
    """
    path = checkpoint.folder / "generation_config.json"
    if not path.is_file():
        return {}
    try:
        found = json.loads(path.read_bytes())
    except ValueError as error:
        raise CheckpointError(f"{path} is no JSON", "fetch the checkpoint again") from error
    return found if isinstance(found, dict) else {}


def declared_ends(checkpoint: Checkpoint, generation: Mapping[str, Any]) -> frozenset[int]:
    """The ids that end a reply, as generation_config.json and config.json say."""
    found: set[int] = set()
    for config in (generation, checkpoint.config):
        ends = config.get("eos_token_id")
        found.update(end for end in (ends if isinstance(ends, list) else [ends]) if isinstance(end, int))
    return frozenset(found)


def chosen_sampling(settings: LlmSettings, generation: Mapping[str, Any]) -> Sampling:
    """Each value as it is set, or else as it is published, or else as in `DEFAULTS`."""
    given = settings.model_dump(include=set(NAMES), exclude_none=True)
    return Sampling(**{**asdict(DEFAULTS), **_published(generation), **given})


def _published(generation: Mapping[str, Any]) -> Mapping[str, Any]:
    """The values that could be settings; what could not be is as if it were not there."""
    found: dict[str, Any] = {}
    for name in NAMES:
        with suppress(ValidationError):
            value = LlmSettings.model_validate({name: generation.get(name)})
            found |= value.model_dump(include={name}, exclude_none=True)
    if generation.get("do_sample") is False and generation.get("temperature") is None:
        found["temperature"] = 0.0
    return found
