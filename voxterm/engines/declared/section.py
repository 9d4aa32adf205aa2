"""What every engine's own section of the settings is made of."""

from __future__ import annotations

from typing import Annotated, TypeAlias

from pydantic import BaseModel, Field

from voxterm.config_layers import STRICT

Text: TypeAlias = Annotated[str, Field(min_length=1)]


class Section(BaseModel):
    """A table of `config.toml`: unknown keys and wrong types are errors."""

    model_config = STRICT
