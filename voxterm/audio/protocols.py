"""What the conversation needs of a microphone and a loudspeaker, be they devices or files.

Both live on the event loop: their methods are called there and never block. Where a device has threads of
its own, they end inside these classes. `report` takes what happens to the device (DeviceChanged, Trouble)
and is called on the event loop too.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol, TypeAlias

from voxterm.engines.protocols import HEARING_RATE_HZ, Samples
from voxterm.events import DeviceChanged, Trouble

Tap: TypeAlias = Callable[[Samples, float], None]
"""Takes a block (N,) at the loudspeaker's rate, and when on the clock its first sample leaves."""

Report: TypeAlias = Callable[[DeviceChanged | Trouble], None]

FRAME_SAMPLES = 512
"""A frame of the microphone: 32 ms at 16 kHz, what Silero VAD takes."""

FRAME_S = FRAME_SAMPLES / HEARING_RATE_HZ


@dataclass(frozen=True, slots=True)
class MicrophoneFrame:
    """32 ms of what the microphone heard.

    `first_sample` counts from the opening, samples that were lost included. `ended_at_s` is the moment on the
    clock at which the last sample of the frame was sound in the air, the device's own latency taken off.
    """

    samples: Samples  # (512,) at 16 kHz
    first_sample: int
    ended_at_s: float


class Microphone(Protocol):
    name: str
    overruns: int
    """Blocks that were lost because nobody read them in time."""

    @property
    def starting(self) -> bool:
        """It is open and delivers nothing yet. PulseAudio takes two seconds; what is said in them is lost."""
        ...

    async def open(self, report: Report) -> None:
        """Start to listen. A device that is missing is no error: it is reported, silence comes in its place,
        and it is taken up when it appears."""
        ...

    async def read(self) -> MicrophoneFrame | None:
        """The next frame, at its time; None when there will be no more."""
        ...

    def change_to(self, wanted: str | int) -> None:
        """Listen to another device: "default", a number or a name. What becomes of it is reported; frames go
        on meanwhile, silent ones."""
        ...

    async def pause(self) -> None:
        """Give the device back until `go_on`. Nobody reads meanwhile."""
        ...

    def go_on(self) -> None:
        """Take the device up again. The time since `pause` is counted as lost samples."""
        ...

    async def close(self) -> None: ...


class Loudspeaker(Protocol):
    name: str
    rate_hz: int
    """The rate of what is written; fixed once it is open."""

    underruns: int
    """How often it ran dry between `write` and `end_reply`."""

    async def open(self, report: Report) -> None: ...

    async def write(self, samples: Samples) -> None:
        """Queue samples; waits while the buffer is full. What `silence` drops meanwhile is not queued."""
        ...

    def end_reply(self) -> None:
        """All of a reply is written: running dry is no underrun from here on."""
        ...

    def silence(self, fade_s: float = 0.02) -> None:
        """Fade out at once and drop what waits. `played_samples` then stays where the fade began."""
        ...

    def written_samples(self) -> int:
        """How many samples were ever written, less those that `silence` dropped."""
        ...

    def tap(self, listener: Tap) -> None:
        """Have every block that leaves told, in order, silence included: what an echo can be made of.

        It is told on whatever thread plays, about when it leaves; `listener` must not block, nor keep the
        array. Call before `open`.
        """
        ...

    def played_samples(self) -> int:
        """How many of them have left the loudspeaker by now."""
        ...

    def played_at(self, sample: int) -> float | None:
        """When the sample with this index left the loudspeaker, on the clock; None while it has not, or where
        it is too long ago (more than a minute)."""
        ...

    def change_to(self, wanted: str | int) -> None:
        """Play on another device: "default", a number or a name, at the same `rate_hz`. What becomes of it is
        reported; what waits to be played waits for it, or plays to nothing if it is not there."""
        ...

    async def pause(self) -> None:
        """Give the device back until `go_on`. Nothing should be playing."""
        ...

    def go_on(self) -> None:
        """Take the device up again."""
        ...

    async def close(self) -> None: ...
