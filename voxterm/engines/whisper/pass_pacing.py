"""When an open turn is transcribed once more: often enough to be read along, and never so that it holds up
whoever asks for the end. Pure: time is given."""

from __future__ import annotations

LARGEST_SHARE = 0.5
"""The passes together take no more of the time than this; the rest is free for `finish`."""

LONGEST_PASS_S = 1.0
"""On a machine on which a pass takes longer there are none: the end of the turn would wait behind one."""


class PassPacing:
    """Decides by how much there is to hear and by what the last pass cost."""

    def __init__(self, every_s: float) -> None:
        """`every_s`: a pass hears at least so much that the one before did not."""
        self._every_s = every_s
        self._cost_s = 0.0
        self._ended_s: float | None = None

    def due(self, unheard_s: float, now_s: float) -> bool:
        """Whether it is time for a pass, with so much audio that none has heard."""
        if unheard_s < self._every_s or self._cost_s > LONGEST_PASS_S:
            return False
        if self._ended_s is None:
            return True
        return now_s - self._ended_s >= self._cost_s * (1 - LARGEST_SHARE) / LARGEST_SHARE

    def passed(self, began_s: float, ended_s: float) -> None:
        """A pass was made."""
        self._cost_s = ended_s - began_s
        self._ended_s = ended_s
