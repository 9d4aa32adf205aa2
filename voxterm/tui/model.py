"""Events of a conversation → what the screen shows. Pure: no Textual, no clock, no I/O.

A `ScreenModel` is frozen; `apply` gives the next one. It is made of slices, one for each part of the screen,
so that a part is drawn anew only where its slice has changed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import TypeAlias

from voxterm.errors import VoxtermError
from voxterm.events import (
    AudioKept,
    DeviceChanged,
    DeviceStatus,
    DialogueCleared,
    EchoChosen,
    Event,
    Levels,
    Loading,
    PersonaChanged,
    Ready,
    Remark,
    SpeechStarted,
    SpeedChanged,
    State,
    StateChanged,
    Trouble,
    TurnDropped,
    TurnEnded,
    TurnMeasured,
    VoiceChanged,
)
from voxterm.gauges import Gauges
from voxterm.latency import Breakdown
from voxterm.tui.controls import PastTurn
from voxterm.tui.dialogue import Dialogue, Notice, apply_to_dialogue, past_dialogue, with_failure

LATENCY_TURNS = 40
"""How many of the last turns the latency table speaks of."""

MAX_WARNINGS = 200

_ENDS = {
    False: ("nothing was loaded", "quit with q, mend it, and start voxterm again"),
    True: ("the conversation has ended", "quit with q, and start voxterm again"),
}
"""Why nobody answers any more, and what to do; by whether a conversation had begun."""

_ECHO_WORDS = {
    "cancel": "is cancelled",
    "half_duplex": "is kept out: nothing is heard while voxterm speaks",
    "off": "is left alone",
}


@dataclass(frozen=True, slots=True)
class EngineLoad:
    """How far an engine is loaded; `total_bytes` 0: not known."""

    engine: str
    done_bytes: int
    total_bytes: int
    since: datetime  # when it was first heard of
    now: datetime

    @property
    def left_s(self) -> float | None:
        """How long it will take at the pace so far; None: too early to tell."""
        took_s = (self.now - self.since).total_seconds()
        if took_s < 1.0 or not 0 < self.done_bytes < self.total_bytes:
            return None
        return took_s * (self.total_bytes - self.done_bytes) / self.done_bytes


@dataclass(frozen=True, slots=True)
class Status:
    """The status line at the top."""

    state: State = State.LOADING
    profile: str = ""
    engines: Mapping[str, str] = field(default_factory=dict)
    precisions: Mapping[str, str] = field(default_factory=dict)  # by engine
    voice: str = ""
    persona: str = ""  # who answers; "": no persona
    speed: float = 1.0
    keeps_audio: bool = False
    loading: tuple[EngineLoad, ...] = ()
    turn: int = 0
    muted: bool = False  # the person asked for it; the state may still be another
    talking: bool = False  # push to talk is held
    has_begun: bool = False  # everything was loaded
    failure: VoxtermError | None = None  # why the conversation cannot go on
    leaving: bool = False  # the person has quit; what is under way is waited for


@dataclass(frozen=True, slots=True)
class Device:
    status: DeviceStatus | None = None  # None: not known yet
    name: str = ""
    what: str = ""
    remedy: str = ""


@dataclass(frozen=True, slots=True)
class Devices:
    microphone: Device = Device()
    loudspeaker: Device = Device()


Latencies: TypeAlias = tuple[Breakdown, ...]
"""The breakdowns of the last turns, the newest at the end."""


@dataclass(frozen=True, slots=True)
class Warned:
    """A line of the log."""

    at: datetime
    category: str
    what: str
    remedy: str


@dataclass(frozen=True, slots=True)
class ScreenModel:
    status: Status = Status()
    dialogue: Dialogue = ()
    latencies: Latencies = ()
    devices: Devices = Devices()
    levels: Levels | None = None
    gauges: Gauges | None = None
    cleared_to: int = 0  # the last turn before the dialogue was cleared
    warnings: tuple[Warned, ...] = ()
    waiting: tuple[str, ...] = ()  # typed lines whose turns have not begun


def slowed(model: ScreenModel, line: str, at: datetime) -> ScreenModel:
    """The model after something held the event loop up."""
    return replace(model, warnings=_bounded(model.warnings, Warned(at, "screen", line, "")))


def gone_on(model: ScreenModel, past: Sequence[PastTurn]) -> ScreenModel:
    """The model after another session was taken up, of which these are the turns."""
    last = max((turn.number for turn in past), default=0)
    status = replace(model.status, turn=last, talking=False)
    return replace(model, status=status, dialogue=past_dialogue(past), latencies=(), cleared_to=0)


def noted(model: ScreenModel, what: str, at: datetime) -> ScreenModel:
    """The model after something was done that the person asked for."""
    return replace(model, dialogue=(*model.dialogue, Notice(at, what, is_problem=False)))


def troubled(model: ScreenModel, error: VoxtermError, at: datetime) -> ScreenModel:
    """The model after something that the person asked for has failed."""
    return apply(model, Trouble.of(error), at)


def apply(model: ScreenModel, event: Event, at: datetime) -> ScreenModel:
    """The model after an event that came at this time of day."""
    if isinstance(event, Levels):
        return replace(model, levels=event)
    return replace(
        model,
        status=_status(model.status, event, at),
        dialogue=_dialogue(model, event, at),
        cleared_to=model.status.turn if isinstance(event, DialogueCleared) else model.cleared_to,
        latencies=_latencies(model.latencies, event),
        devices=_devices(model.devices, event),
        warnings=_warnings(model.warnings, event, at),
        waiting=_waiting(model.waiting, event),
    )


def failed(model: ScreenModel, error: VoxtermError, at: datetime) -> ScreenModel:
    """The model after the conversation has ended by an error, or could not even begin."""
    warned = Warned(at, error.category, error.what, error.remedy)
    ended = replace(
        model,
        status=replace(model.status, state=State.STOPPED, loading=(), talking=False, failure=error),
        dialogue=with_failure(model.dialogue, error, at),
        warnings=_bounded(model.warnings, warned),
        waiting=(),
    )
    if not ended.status.has_begun:
        ended = refused(ended, at)
    for line in model.waiting:
        ended = refused(ended, at, line)
    return ended


def refused(model: ScreenModel, at: datetime, line: str = "") -> ScreenModel:
    """The model after the person has typed a line, or pressed a key, when all has ended."""
    end, remedy = _ENDS[model.status.has_begun]
    notice = Notice(at, f"not answered, since {end}: {line}" if line else end, remedy)
    last = model.dialogue[-1] if model.dialogue else None
    if isinstance(last, Notice) and last.what == notice.what:  # it is said already
        return model
    return replace(model, dialogue=(*model.dialogue, notice))


def typed(model: ScreenModel, line: str) -> ScreenModel:
    """The model after the person has typed a line, whose turn is to come."""
    return replace(model, waiting=(*model.waiting, line))


def leaving(model: ScreenModel) -> ScreenModel:
    """The model after the person has quit."""
    return replace(model, status=replace(model.status, leaving=True))


def waited(model: ScreenModel, now: datetime) -> ScreenModel:
    """The model after some time in which engines were loaded."""
    loading = tuple(replace(load, now=now) for load in model.status.loading)
    return replace(model, status=replace(model.status, loading=loading))


def muted(model: ScreenModel, is_muted: bool) -> ScreenModel:
    """The model after the person has pressed `mute`."""
    return replace(model, status=replace(model.status, muted=is_muted))


def talking(model: ScreenModel, is_talking: bool) -> ScreenModel:
    """The model after the person has pressed `talk`."""
    return replace(model, status=replace(model.status, talking=is_talking))


def _status(status: Status, event: Event, at: datetime) -> Status:
    changed = status
    match event:
        case StateChanged(state=state):
            changed = replace(status, state=state)
        case Loading(engine=engine, done_bytes=done, total_bytes=total):
            load = EngineLoad(engine, done, total, at, at)
            changed = replace(status, loading=_loading(status.loading, load))
        case Ready():
            changed = _ready(status, event)
        case VoiceChanged(voice=voice):
            changed = replace(status, voice=voice, loading=())
        case PersonaChanged(name=name):
            changed = replace(status, persona=name)
        case SpeedChanged(speed=speed):
            changed = replace(status, speed=speed)
        case AudioKept(kept=kept):
            changed = replace(status, keeps_audio=kept)
        case SpeechStarted(turn=number):
            changed = replace(status, turn=number)
        case TurnEnded(turn=number):  # by the talk key or otherwise
            changed = replace(status, turn=number, talking=False)
        case TurnDropped(turn=number):
            turn = number - 1 if number == status.turn else status.turn
            changed = replace(status, turn=turn, talking=False)
        case DialogueCleared():
            changed = replace(status, talking=False)
    return changed


def _ready(status: Status, event: Ready) -> Status:
    return replace(
        status,
        profile=event.profile,
        engines=event.engines,
        precisions=event.precisions,
        voice=event.voice,
        persona=event.persona,
        speed=event.speed,
        keeps_audio=event.keeps_audio,
        loading=(),
        has_begun=True,
    )


def _loading(loading: tuple[EngineLoad, ...], load: EngineLoad) -> tuple[EngineLoad, ...]:
    if any(known.engine == load.engine for known in loading):  # in its place: nothing jumps
        return tuple(
            replace(load, since=known.since) if known.engine == load.engine else known for known in loading
        )
    return (*loading, load)


def _dialogue(model: ScreenModel, event: Event, at: datetime) -> Dialogue:
    dialogue = model.dialogue
    if 0 < (getattr(event, "turn", None) or 0) <= model.cleared_to:
        return dialogue  # what comes late of a turn that was cleared away
    if isinstance(event, DialogueCleared):
        return (Notice(at, "cleared: the models begin anew", is_problem=False),)
    if line := _line_of(event):
        return (*dialogue, Notice(at, line, is_problem=False))
    return apply_to_dialogue(dialogue, event, at)


def _line_of(event: Event) -> str:
    """What the talk says of a fact that belongs to no turn; empty: nothing."""
    match event:
        case Ready(profile=profile, reason=reason) if reason:
            return f"{profile}: {reason}"
        case EchoChosen():
            return _echo_line(event)
        case Remark(text=text):
            return text
        case PersonaChanged(name=name):
            return f"from here on {name or 'voxterm itself'} answers"
    return ""


def _echo_line(event: EchoChosen) -> str:
    """What is done about the echo, in a line."""
    measured = ""
    if event.coupling_db is not None and event.delay_ms is not None:
        measured = f" ({event.coupling_db:.0f} dB after {event.delay_ms:.0f} ms)"
    return f"echo {_ECHO_WORDS.get(event.mode, event.mode)}: {event.why}{measured}"


def _latencies(latencies: Latencies, event: Event) -> Latencies:
    if not isinstance(event, TurnMeasured):
        return latencies
    return (*latencies, event.latency_ms)[-LATENCY_TURNS:]


def _devices(devices: Devices, event: Event) -> Devices:
    if not isinstance(event, DeviceChanged):
        return devices
    device = Device(event.status, event.name, event.what, event.remedy)
    if event.device == "microphone":
        return replace(devices, microphone=device)
    return replace(devices, loudspeaker=device)


def _waiting(waiting: tuple[str, ...], event: Event) -> tuple[str, ...]:
    """Without the line whose turn begins."""
    if not isinstance(event, TurnEnded) or event.typed not in waiting:
        return waiting
    at = waiting.index(event.typed)
    return (*waiting[:at], *waiting[at + 1 :])


def _warnings(warnings: tuple[Warned, ...], event: Event, at: datetime) -> tuple[Warned, ...]:
    match event:
        case Trouble(what=what, remedy=remedy, category=category):
            return _bounded(warnings, Warned(at, category, what, remedy))
        case DeviceChanged(device=device, what=what, remedy=remedy) if what:
            return _bounded(warnings, Warned(at, device, what, remedy))
        case _:
            return warnings


def _bounded(warnings: tuple[Warned, ...], warned: Warned) -> tuple[Warned, ...]:
    return (*warnings, warned)[-MAX_WARNINGS:]
