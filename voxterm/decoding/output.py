"""The ids that may be sampled, when they are few: the output layer is then as small."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

DENSE = 0.9
"""From this share of ids in their span on, the span's rows are read as they stand in the table."""


@dataclass(frozen=True)
class OutputIds:
    """A set of ids, in ascending order."""

    ids: Sequence[int]

    def __post_init__(self) -> None:
        if not self.ids or any(a >= b for a, b in zip(self.ids, self.ids[1:], strict=False)):
            raise ValueError("output ids must be ascending, and at least one")

    @property
    def is_dense(self) -> bool:
        """Whether the rows from the first id to the last can be read where they are, with few in vain."""
        return len(self.ids) >= DENSE * (self.ids[-1] - self.ids[0] + 1)
