"""Latency of every stage over many turns on recordings."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from typing import TypeAlias

from voxterm.audio.recording import LOUDSPEAKER_FILE_HZ, RecordedLoudspeaker, RecordedMicrophone
from voxterm.bench.report import Figure
from voxterm.clock import Clock, RealClock, SkippingClock
from voxterm.config import Settings
from voxterm.conversation import Cast, Conversation, Devices
from voxterm.engines.protocols import Samples
from voxterm.errors import AudioFileError
from voxterm.events import TurnFinished
from voxterm.headless import recorded_person, talk_through
from voxterm.latency import STAGES

Progress: TypeAlias = Callable[[Conversation, RecordedMicrophone], AbstractContextManager[None]]


def measure(
    clips: Sequence[Samples],
    cast: Cast,
    settings: Settings,
    *,
    at_least: int,
    realtime: bool,
    progress: Progress,
) -> dict[str, Figure]:
    """Say the clips, again and again in one conversation, until at least so many turns were answered.

    `progress` is entered while they talk.

    Raises:
        AudioFileError: there is no speech in them.
    """
    rounds = -(-at_least // len(clips))
    turns = asyncio.run(_talk([*clips] * rounds, cast, settings, realtime, progress))
    if not turns:
        raise AudioFileError(
            "no speech was heard in the recordings", "give recordings of a person who speaks"
        )
    figures = {}
    for stage in STAGES:
        readings = [value for turn in turns if (value := turn.latency_ms.get(stage.key)) is not None]
        figures[f"{stage.key}_ms"] = Figure(readings, "ms")
    return figures


async def _talk(
    clips: Sequence[Samples], cast: Cast, settings: Settings, realtime: bool, progress: Progress
) -> list[TurnFinished]:
    clock: Clock = RealClock() if realtime else SkippingClock()
    microphone = recorded_person(clips, clock, settings)
    devices = Devices(microphone, RecordedLoudspeaker(clock, LOUDSPEAKER_FILE_HZ), clock)
    conversation = Conversation(cast, devices, settings)
    with progress(conversation, microphone):
        talked = await talk_through(conversation, microphone)
    return talked.turns
