"""What the screen is given: a conversation to steer, settings, and the turns of a resumed session."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from voxterm.events import Event


class Controls(Protocol):
    """A conversation as the screen sees it. It lives on the event loop, and nothing but `run` waits."""

    def subscribe(self, listener: Callable[[Event], None]) -> None:
        """Call `listener` with every event from now on, on the event loop."""
        ...

    async def run(self) -> None:
        """Load the engines, open the devices and converse until `stop`.

        Raises:
            VoxtermError: it cannot go on.
        """
        ...

    def type_text(self, text: str) -> None:
        """Begin a typed turn."""
        ...

    def interrupt(self) -> None:
        """Silence the reply that sounds."""
        ...

    def mute(self, muted: bool) -> None:
        """Listen to the microphone, or do not."""
        ...

    def talk(self, pressed: bool) -> None:
        """Push to talk: the turn lasts from True to False."""
        ...

    def repeat(self) -> None:
        """Speak the last reply once more."""
        ...

    def play_recording(self) -> None:
        """Speak the recording that voxterm ships into the conversation, as if a microphone had heard it."""
        ...

    def stop(self) -> None:
        """Let `run` return soon, everything released. May be called twice."""
        ...


class ScreenSettings(Protocol):
    """The part of the settings that the screen reads."""

    @property
    def theme(self) -> str:
        """The name of a theme that Textual brings."""
        ...


@dataclass(frozen=True, slots=True)
class PastTurn:
    """A turn of the session that is resumed."""

    number: int
    time: datetime
    transcript: str
    reply: str
    heard_reply: str
    interrupted: bool
    typed: bool
