"""Which words of a transcript that is made over and over, of ever more audio, will stay. Pure.

LocalAgreement-2 (Liu et al. 2020, "Low-Latency Sequence-to-Sequence Speech Recognition and Translation by
Partial Hypothesis Selection"; for Whisper Macháček et al. 2023, "Turning Whisper into Real-Time Transcription
System"): what two hypotheses in a row begin with is committed, and never taken back; the rest of the newer
one is shown, and may change.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Generic, TypeVar

WordT = TypeVar("WordT")


class LocalAgreement(Generic[WordT]):
    """The committed words and the unstable ones after them. Words are the same where they compare equal."""

    def __init__(self) -> None:
        self.committed: tuple[WordT, ...] = ()
        self.tail: tuple[WordT, ...] = ()

    @property
    def words(self) -> tuple[WordT, ...]:
        """All words of the newest hypothesis."""
        return self.committed + self.tail

    def insert(self, heard: Sequence[WordT], held_back: int = 0) -> None:
        """Take the newest hypothesis: what it has after the committed words.

        `held_back`: so many words at its end are not committed yet, whoever agrees on them.
        """
        agreed = 0
        for before, now in zip(self.tail, heard[: max(len(heard) - held_back, 0)], strict=False):
            if before != now:
                break
            agreed += 1
        self.committed += tuple(heard[:agreed])
        self.tail = tuple(heard[agreed:])

    def restart(self, committed: Sequence[WordT] = (), tail: Sequence[WordT] = ()) -> None:
        """Begin anew, with what is known already of the audio that follows."""
        self.committed, self.tail = tuple(committed), tuple(tail)
