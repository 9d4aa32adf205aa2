"""What engines of one model that decodes tokens have in common: its place, what it holds, how fast it was."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Generic, Protocol, TypeVar

from voxterm.engines.protocols import Placement, Speed


class Holding(Protocol):
    """What is loaded."""

    @property
    def memory_bytes(self) -> Mapping[str, int]:
        """What it holds on its device, by what holds it."""
        ...


LoadedT = TypeVar("LoadedT", bound=Holding)


class OneModel(Generic[LoadedT]):
    """A `PlacedEngine` and `PacedEngine`; who is one sets what it has loaded, and its speed."""

    def __init__(self, name: str, title: str, placement: Placement) -> None:
        """`title` is what people call the model."""
        self.name = name
        self.placement = placement
        self._title = title
        self._loaded: LoadedT | None = None
        self._speed: Speed | None = None

    @property
    def memory_bytes(self) -> Mapping[str, int]:
        """What it holds on its device, by what holds it; nothing before `load`."""
        loaded = self._loaded  # read once: another thread may close it
        return loaded.memory_bytes if loaded else {}

    @property
    def speeds(self) -> Mapping[str, Speed]:
        """How fast it decoded last; nothing before that."""
        speed = self._speed  # read once too
        return {self._title: speed} if speed else {}
