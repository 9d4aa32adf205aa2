"""A reply on its way out of the loudspeaker, counted in its own samples.

The loudspeaker counts all that was ever written to it. A reply that yields to a voice and goes on later, from
the beginning of the word it stopped in, would lose its place there; so what it has said and has still to say
is kept here.
"""

from __future__ import annotations

import asyncio
from bisect import bisect_right
from operator import itemgetter

import numpy as np

from voxterm.audio.protocols import Loudspeaker
from voxterm.engines.protocols import Samples

HELD_S = 30.0
"""How much may be made ahead while the reply waits: as much as a loudspeaker takes."""

FADE_IN_S = 0.005
"""Where the reply goes on it does so in the middle of a sound: without this it clicks."""


class Playout:
    """`write` what is to be heard; `hold` and `go_on` at any time. On the event loop."""

    def __init__(self, loudspeaker: Loudspeaker) -> None:
        self.written = 0
        """How many samples of the reply there are."""
        self.held = False
        self._loudspeaker = loudspeaker
        self._parts: list[tuple[int, Samples]] = []  # with the reply's sample each begins at
        self._handed = 0  # the reply's samples that the loudspeaker was given
        self._run = (0, 0)  # the reply's sample that the newest run began with, the loudspeaker's count then
        self._left = 0  # the reply's samples that had left before that run, or for good once it is cut
        self._first_at: int | None = None  # the loudspeaker's count at the reply's first sample
        self._cut = False
        self._ended = False
        self._turn = asyncio.Lock()  # one hands over at a time
        self._moved = asyncio.Event()
        self._going_on: asyncio.Task[None] | None = None

    @property
    def rate_hz(self) -> int:
        return self._loudspeaker.rate_hz

    @property
    def begun(self) -> bool:
        """The loudspeaker has been given samples of it."""
        return self._first_at is not None

    @property
    def complete(self) -> bool:
        """All that was written has left."""
        return self.played() >= self.written

    @property
    def waiting_s(self) -> float:
        """How much of what was written has not left yet."""
        return max(0, self.written - self.played()) / self.rate_hz

    def played(self) -> int:
        """How many samples of the reply have been heard. Falls back where it goes on from an earlier one."""
        if self.held or self._cut or not self.begun:
            return self._left
        begun_with, begun_at = self._run
        left = self._loudspeaker.played_samples() - begun_at
        return max(self._left, min(begun_with + left, self._handed))

    def left_at(self) -> float | None:
        """When its first sample left the loudspeaker, on the clock; None: not yet, or not known any more."""
        return None if self._first_at is None else self._loudspeaker.played_at(self._first_at)

    async def write(self, samples: Samples) -> None:
        """The next samples (N,) at the loudspeaker's rate. Waits where enough is waiting already."""
        self._parts.append((self.written, samples))
        self.written += len(samples)
        await self._hand_over()
        while self.held and self.written - self._handed > HELD_S * self.rate_hz:
            self._moved.clear()
            await self._moved.wait()

    def end(self) -> None:
        """All of it is written."""
        self._ended = True
        self._end_if_handed()

    def hold(self) -> None:
        """Fade out at once, and wait. What is written meanwhile waits too."""
        if not self.held and not self._cut:
            self._silence()
            self.held = True

    def go_on(self, from_sample: int) -> None:
        """Say all from this sample on, again where it was said before."""
        if not self.held:
            return
        self.held = False
        self._handed = self._left = min(from_sample, self._left)
        self._run = (self._handed, self._loudspeaker.written_samples())
        self._moved.set()
        self._going_on = asyncio.create_task(self._hand_over(fades_in=True), name="go on")

    def cut(self) -> int:
        """Fade out for good; how many samples were heard."""
        if not self.held and not self._cut:
            self._silence()
        self.held, self._cut = False, True
        self._moved.set()
        if self._going_on:
            self._going_on.cancel()
        return self._left

    def heard(self) -> Samples:
        """What of it has left the loudspeaker. (N,)"""
        parts = [samples for _, samples in self._parts]
        return np.concatenate(parts)[: self.played()] if parts else np.zeros(0, np.float32)

    def _silence(self) -> None:
        if self.begun:
            self._loudspeaker.silence()
            self._left = self.played()

    async def _hand_over(self, *, fades_in: bool = False) -> None:
        """Give the loudspeaker what it has not been given, part by part."""
        async with self._turn:
            while self._handed < self.written and not (self.held or self._cut):
                samples = self._next_part()
                if fades_in:
                    samples, fades_in = _faded_in(samples, round(FADE_IN_S * self.rate_hz)), False
                if self._first_at is None:
                    self._first_at = self._loudspeaker.written_samples()
                    self._run = (0, self._first_at)
                self._handed += len(samples)
                await self._loudspeaker.write(samples)
        self._end_if_handed()

    def _end_if_handed(self) -> None:
        """Have the loudspeaker know that it may run dry."""
        is_handed = self._handed == self.written and not self.held
        if self._ended and self.begun and (self._cut or is_handed):
            self._loudspeaker.end_reply()

    def _next_part(self) -> Samples:
        """From the first sample on that was not handed over, to the end of its part."""
        begins_at, samples = self._parts[bisect_right(self._parts, self._handed, key=itemgetter(0)) - 1]
        return samples[self._handed - begins_at :]


def _faded_in(samples: Samples, count: int) -> Samples:
    faded = samples.copy()
    count = min(count, len(faded))
    faded[:count] *= np.linspace(0.0, 1.0, count, dtype=np.float32)
    return faded
