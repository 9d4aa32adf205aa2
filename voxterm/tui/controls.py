"""What the screen is given: a conversation to steer, what lies around it, settings, and earlier turns."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Literal, Protocol, TypeAlias

from voxterm.events import Event
from voxterm.gauges import Gauges

DeviceKind: TypeAlias = Literal["microphone", "loudspeaker"]
ExportFormat: TypeAlias = Literal["md", "json", "srt", "wav", "svg"]


class Controls(Protocol):
    """A conversation as the screen sees it. It lives on the event loop, and nothing but what is async waits.

    What is asked for comes back as an event once it is so: VoiceChanged, PersonaChanged, SpeedChanged,
    DeviceChanged, AudioKept, DialogueCleared; or as Trouble.
    """

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

    def choose_voice(self, name: str) -> None:
        """Speak with another voice from the next reply on; a checkpoint that it needs is loaded at once."""
        ...

    def sample_voice(self, name: str | None) -> None:
        """Let this voice be heard as soon as nobody speaks, and no other any more; None: silence it."""
        ...

    def choose_persona(self, name: str) -> None:
        """Have another one answer from the next question on, with what it brings; "" for no persona."""
        ...

    def set_speed(self, speed: float) -> None:
        """Speak so fast from the next reply on; 0.5 to 2.0."""
        ...

    def choose_device(self, kind: DeviceKind, wanted: str | int) -> None:
        """Change to another device: "default", a number or a name."""
        ...

    def keep_audio(self, kept: bool) -> None:
        """Store the sound of the turns from the next one on; or stop that at once."""
        ...

    def clear_dialogue(self) -> None:
        """Let the models forget what was said. The session keeps it."""
        ...

    async def suspend(self) -> None:
        """Silence the reply and give the devices back; they come again with `resume`."""
        ...

    async def resume(self) -> None:
        """Open the devices again."""
        ...

    def stop(self) -> None:
        """Let `run` return soon, everything released. May be called twice."""
        ...


@dataclass(frozen=True, slots=True)
class VoiceChoice:
    """A voice that the engine of this conversation can speak with."""

    name: str
    language: str
    description: str
    checkpoint: str = ""  # what has to be loaded for it; "": nothing
    missing: str = ""  # what has to be done first, since something is not here; "": nothing


@dataclass(frozen=True, slots=True)
class PersonaChoice:
    """One who can answer: a persona, or with the name "" the system prompt alone."""

    name: str
    voice: str  # who speaks then; "": whoever speaks already
    description: str


@dataclass(frozen=True, slots=True)
class DeviceChoice:
    """A sound device; `wanted` is what `Controls.choose_device` takes."""

    kind: DeviceKind
    wanted: str | int
    name: str
    is_default: bool


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


@dataclass(frozen=True, slots=True)
class SessionChoice:
    """A session that was kept, at a glance."""

    id: str
    started_at: datetime  # local time
    title: str
    first_words: str
    turns: int
    duration_s: float
    is_current: bool


class Sessions(Protocol):
    """The sessions that are kept. All but `open` block: the screen calls them on a thread, one at a time.

    Raises:
        SessionError: there is none of that name, or another program has it open.
        StoreError: the folder cannot be read or written.
    """

    @property
    def current_id(self) -> str | None:
        """The session under way; None: what is said is not kept. Does not block."""
        ...

    def list(self) -> Sequence[SessionChoice]:
        """Every session, the one last spoken in first."""
        ...

    def rename(self, session_id: str, title: str) -> None: ...

    def delete(self, session_id: str) -> None:
        """Never the current one."""
        ...

    def export(self, session_id: str, form: ExportFormat) -> Path:
        """Write it into the folder that voxterm was started in; where. Never over another file."""
        ...

    async def open(self, session_id: str | None) -> Sequence[PastTurn]:
        """Go on with that session, or with a new one for None, in place of the one under way. Event loop."""
        ...


@dataclass(frozen=True)
class Surroundings:
    """What lies around the conversation, for the screen to show and to choose from."""

    read_gauges: Callable[[], Gauges]  # blocks for some milliseconds
    voices: Sequence[VoiceChoice]
    list_devices: Callable[[], Sequence[DeviceChoice]]  # blocks. Raises DeviceError: no PortAudio
    sessions: Sessions
    speech_threshold: float = 0.5  # the probability from which it is speech
    personas: Sequence[PersonaChoice] = ()


@dataclass(frozen=True)
class Conversing:
    """A conversation that is ready to run, and what lies around it."""

    controls: Controls
    surroundings: Surroundings
    past: Sequence[PastTurn] = ()  # the turns of the session, if one is resumed


Opening: TypeAlias = Callable[[], Awaitable[Conversing]]
"""Makes the conversation. Raises VoxtermError: something is wrong, and nothing was started."""


class ScreenSettings(Protocol):
    """The part of the settings that the screen reads."""

    @property
    def theme(self) -> str:
        """The name of a theme that Textual brings."""
        ...

    @property
    def watch_loop(self) -> bool:
        """Log whatever holds the event loop up for more than 50 ms."""
        ...
