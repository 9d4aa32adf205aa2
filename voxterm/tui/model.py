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
    DeviceChanged,
    DeviceStatus,
    Event,
    Levels,
    Loading,
    Ready,
    SpeechStarted,
    State,
    StateChanged,
    Trouble,
    TurnDropped,
    TurnEnded,
    TurnMeasured,
)
from voxterm.latency import Breakdown
from voxterm.tui.controls import PastTurn
from voxterm.tui.dialogue import Dialogue, Notice, apply_to_dialogue, past_dialogue, with_failure

LATENCY_TURNS = 40
"""How many of the last turns the latency table speaks of."""

MAX_WARNINGS = 200


@dataclass(frozen=True, slots=True)
class EngineLoad:
    """How far an engine is loaded; `total_bytes` 0: not known."""

    engine: str
    done_bytes: int
    total_bytes: int


@dataclass(frozen=True, slots=True)
class Status:
    """The status line at the top."""

    state: State = State.LOADING
    profile: str = ""
    engines: Mapping[str, str] = field(default_factory=dict)
    voice: str = ""
    loading: tuple[EngineLoad, ...] = ()
    turn: int = 0
    muted: bool = False  # the person asked for it; the state may still be another
    talking: bool = False  # push to talk is held
    failure: VoxtermError | None = None  # why the conversation cannot go on


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
    warnings: tuple[Warned, ...] = ()


def resumed(past: Sequence[PastTurn]) -> ScreenModel:
    """The model at the start of a session that goes on from these turns."""
    last = max((turn.number for turn in past), default=0)
    return ScreenModel(status=Status(turn=last), dialogue=past_dialogue(past))


def apply(model: ScreenModel, event: Event, at: datetime) -> ScreenModel:
    """The model after an event that came at this time of day."""
    if isinstance(event, Levels):
        return replace(model, levels=event)
    return replace(
        model,
        status=_status(model.status, event),
        dialogue=_dialogue(model.dialogue, event, at),
        latencies=_latencies(model.latencies, event),
        devices=_devices(model.devices, event),
        warnings=_warnings(model.warnings, event, at),
    )


def failed(model: ScreenModel, error: VoxtermError, at: datetime) -> ScreenModel:
    """The model after the conversation has ended by an error."""
    warned = Warned(at, error.category, error.what, error.remedy)
    return replace(
        model,
        status=replace(model.status, state=State.STOPPED, loading=(), failure=error),
        dialogue=with_failure(model.dialogue, error, at),
        warnings=_bounded(model.warnings, warned),
    )


def refused(model: ScreenModel, failure: VoxtermError, at: datetime) -> ScreenModel:
    """The model after the person has typed a line that nobody can answer."""
    notice = Notice(at, f"not answered: {failure.what}", failure.remedy)
    return replace(model, dialogue=(*model.dialogue, notice))


def muted(model: ScreenModel, is_muted: bool) -> ScreenModel:
    """The model after the person has pressed `mute`."""
    return replace(model, status=replace(model.status, muted=is_muted))


def talking(model: ScreenModel, is_talking: bool) -> ScreenModel:
    """The model after the person has pressed `talk`."""
    return replace(model, status=replace(model.status, talking=is_talking))


def _status(status: Status, event: Event) -> Status:
    match event:
        case StateChanged(state=state):
            return replace(status, state=state)
        case Loading(engine=engine, done_bytes=done, total_bytes=total):
            return replace(status, loading=_loading(status.loading, EngineLoad(engine, done, total)))
        case Ready(profile=profile, engines=engines, voice=voice):
            return replace(status, profile=profile, engines=engines, voice=voice, loading=())
        case SpeechStarted(turn=number) | TurnEnded(turn=number):
            return replace(status, turn=number)
        case TurnDropped(turn=number) if number == status.turn:
            return replace(status, turn=number - 1)
        case _:
            return status


def _loading(loading: tuple[EngineLoad, ...], load: EngineLoad) -> tuple[EngineLoad, ...]:
    if any(known.engine == load.engine for known in loading):  # in its place: nothing jumps
        return tuple(load if known.engine == load.engine else known for known in loading)
    return (*loading, load)


def _dialogue(dialogue: Dialogue, event: Event, at: datetime) -> Dialogue:
    if isinstance(event, Ready) and event.reason:
        return (*dialogue, Notice(at, f"{event.profile}: {event.reason}", is_problem=False))
    return apply_to_dialogue(dialogue, event, at)


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
