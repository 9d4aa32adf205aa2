"""A person who says a script, block by block, and listens to the loudspeaker meanwhile.

Time is the count of samples at 16 kHz that were asked for. Once something is begun it is said to its end,
whatever the loudspeaker does.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

import numpy as np

from voxterm.bench.conversation.lines import Line
from voxterm.bench.conversation.script import Act, Into, Say
from voxterm.engines.protocols import HEARING_RATE_HZ, Samples

AUDIBLE = 1e-3
"""The RMS above which a block of the loudspeaker is sound: −60 dBFS."""

REPLY_ENDS_S = 0.8
"""A reply is over when it has been silent for so long; between its sentences it is for half of that."""

PATIENCE_S = 4.0
"""How long a person waits for a reply before they say the next thing."""

GIVES_UP_S = 120.0
"""After so long without a chance to speak they say no more: voxterm talks with itself."""


@dataclass(frozen=True, slots=True)
class Said:
    """What a person let be heard, and where on the time line. `begins_s` and `ends_s` are of the voice."""

    line: Line
    interrupts: bool  # it was said into a reply
    begins_s: float
    ends_s: float

    @property
    def is_speech(self) -> bool:
        return self.line.words > 0


class Person:
    """Ask for one block after the other with `speak`, telling what the loudspeaker gave in the meantime."""

    def __init__(self, acts: tuple[Act, ...], starts_s: float, speaking_s: float = 0.0) -> None:
        """`starts_s`: the first act not before. `speaking_s`: begin anew until voxterm has spoken so long."""
        self.said: list[Said] = []
        self.spoken_s = 0.0
        """How long voxterm has spoken, the pauses between its sentences included."""
        self._acts = acts
        self._to_come = deque(acts)
        self._starts = round(starts_s * HEARING_RATE_HZ)
        self._speaking_s = speaking_s
        self._now = 0
        self._line: Line | None = None
        self._position = 0  # in the line
        self._said_until = 0
        self._answered = True  # a reply has sounded since
        self._reply_began: int | None = None
        self._sounded_until = 0

    @property
    def finished(self) -> bool:
        """All is said and answered, or there is no getting a word in."""
        if self._now - self._said_until > GIVES_UP_S * HEARING_RATE_HZ:
            return True
        return self._line is None and not self._to_come and self._floor_is_free(REPLY_ENDS_S)

    @property
    def now_s(self) -> float:
        return self._now / HEARING_RATE_HZ

    def speak(self, count: int, loudspeaker: Samples) -> Samples:
        """The next samples (count,); `loudspeaker` is what was played since the last call, at any rate."""
        self._listen(loudspeaker, count)
        if self._line is None:
            self._perhaps_begin()
        block = np.zeros(count, np.float32)
        if self._line is not None:
            part = self._line.samples[self._position : self._position + count]
            block[: len(part)] = part
            self._position += count
            if self._position >= len(self._line.samples):
                self._line, self._said_until, self._answered = None, self._now, False
        self._now += count
        return block

    def _listen(self, loudspeaker: Samples, count: int) -> None:
        silent = self._now - self._sounded_until
        if len(loudspeaker) and float(np.sqrt(np.mean(np.square(loudspeaker)))) > AUDIBLE:
            self._answered = True
            if self._reply_began is None:
                self._reply_began = self._now
            self._sounded_until = self._now + count
        elif self._reply_began is not None and silent > REPLY_ENDS_S * HEARING_RATE_HZ:
            self.spoken_s += (self._sounded_until - self._reply_began) / HEARING_RATE_HZ
            self._reply_began = None
            self._go_on_until_enough()

    def _go_on_until_enough(self) -> None:
        """Where voxterm is to speak for so long: the script again, or no more of it."""
        if self._speaking_s and self.spoken_s >= self._speaking_s:
            self._to_come.clear()
        elif self._speaking_s and not self._to_come:
            self._to_come.extend(self._acts)

    def _perhaps_begin(self) -> None:
        if not self._to_come or self._now < self._starts:
            return
        act = self._to_come[0]
        if isinstance(act, Say):
            if self._floor_is_free(act.after_s):
                self._begin(act, interrupts=False)
        elif self._reply_began is not None:
            if self._now - self._reply_began >= act.after_s * HEARING_RATE_HZ:
                self._begin(act, interrupts=True)
        elif self._floor_is_free(REPLY_ENDS_S):
            self._to_come.popleft()

    def _floor_is_free(self, quiet_s: float) -> bool:
        """The last thing said was answered and the answer is over, or there is none to be expected."""
        if self._reply_began is not None:
            return False
        quiet = self._now - max(self._sounded_until, self._said_until)
        return quiet >= (quiet_s if self._answered else PATIENCE_S) * HEARING_RATE_HZ

    def _begin(self, act: Say | Into, *, interrupts: bool) -> None:
        self._to_come.popleft()
        self._line, self._position = act.line, 0
        begins = self._now + act.line.first
        ends = self._now + act.line.end
        self.said.append(Said(act.line, interrupts, begins / HEARING_RATE_HZ, ends / HEARING_RATE_HZ))
