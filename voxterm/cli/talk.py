"""`voxterm talk FILE…`: recordings speak, voxterm answers, no screen."""

from __future__ import annotations

import argparse
import asyncio
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

from voxterm.audio.recording import LOUDSPEAKER_FILE_HZ, RecordedLoudspeaker
from voxterm.audio.wav import SoundWriter, read_audio
from voxterm.cli import printing
from voxterm.cli.casting import cast_of
from voxterm.cli.wiring import headless_settings_of, kept_session
from voxterm.clock import Clock, RealClock, SkippingClock
from voxterm.config import Settings
from voxterm.conversation import Cast, Conversation, Devices
from voxterm.engines.protocols import Samples
from voxterm.errors import OutputError
from voxterm.headless import Talked, recorded_person, talk_through


def run(arguments: argparse.Namespace) -> int:
    settings = headless_settings_of(arguments)
    clips = [read_audio(file) for file in arguments.files]
    _check_out(arguments.out, arguments.files)
    cast = cast_of(settings)
    talked = asyncio.run(_talk(arguments, settings, cast, clips))
    if arguments.json:
        printing.print_json(printing.talk_document(cast, talked))
    else:
        printing.print_talk(cast, talked)
    printing.print_told(talked)
    return 1 if talked.has_failed else 0


async def _talk(
    arguments: argparse.Namespace, settings: Settings, cast: Cast, clips: Sequence[Samples]
) -> Talked:
    clock: Clock = RealClock() if arguments.realtime else SkippingClock()
    microphone = recorded_person(clips, clock, settings)
    with ExitStack() as files:
        writer = (
            files.enter_context(SoundWriter(arguments.out, LOUDSPEAKER_FILE_HZ)) if arguments.out else None
        )
        devices = Devices(microphone, RecordedLoudspeaker(clock, LOUDSPEAKER_FILE_HZ, writer), clock)
        kept = kept_session(settings, cast, arguments.resume, persona_wins=True)
        files.callback(kept.close)
        conversation = Conversation(cast, devices, settings, kept.history(settings))
        with printing.talk_progress(conversation, microphone):
            async with kept.recording(conversation, clock):
                return await talk_through(conversation, microphone, talks_over=arguments.talk_over)


def _check_out(out: Path | None, files: Sequence[Path]) -> None:
    """
    Raises:
        OutputError: it would be written over a recording that speaks.
    """
    if out and out.exists() and any(out.samefile(file) for file in files):
        raise OutputError(f"{out} is one of the recordings that speak", "write to another file")
