"""`voxterm demo`: a short conversation with a shipped recording as the person.

Where there is a loudspeaker both sides are heard on it, as they speak; where there is none it runs as fast as
the machine can. Both sides are always written to a file.
"""

from __future__ import annotations

import argparse
import asyncio
import tempfile
from pathlib import Path

from voxterm.audio.devices import find_device, list_devices
from voxterm.audio.protocols import Loudspeaker, Microphone, MicrophoneFrame, Report
from voxterm.audio.recording import LOUDSPEAKER_FILE_HZ, RecordedLoudspeaker
from voxterm.audio.resample import StreamResampler
from voxterm.audio.wav import SoundWriter
from voxterm.cli import printing
from voxterm.cli.casting import cast_of
from voxterm.cli.wiring import Kept, demo_clips, devices_of, headless_settings_of
from voxterm.clock import Clock, SkippingClock
from voxterm.config import Settings
from voxterm.conversation import Cast, Conversation, Devices
from voxterm.engines.protocols import HEARING_RATE_HZ
from voxterm.errors import DeviceError
from voxterm.export import export_session
from voxterm.headless import Talked, recorded_person, talk_through
from voxterm.store import Store


def run(arguments: argparse.Namespace) -> int:
    settings = headless_settings_of(arguments)
    recorded = settings.model_copy(
        update={"sessions": settings.sessions.model_copy(update={"keep_audio": True})}
    )
    aloud = _has_loudspeaker(settings.audio.loudspeaker)
    SoundWriter(arguments.out, LOUDSPEAKER_FILE_HZ).discard()  # say at once what cannot be written
    cast = cast_of(recorded)
    with tempfile.TemporaryDirectory(prefix="voxterm-demo-") as folder:
        talked = asyncio.run(_demo(recorded, cast, Store(Path(folder)), aloud, arguments.out))
    if arguments.json:
        printing.print_json(printing.talk_document(cast, talked))
    else:
        printing.print_talk(cast, talked)
        print(f"both sides of it: {arguments.out}")
    printing.print_told(talked)
    return 1 if talked.has_failed else 0


async def _demo(settings: Settings, cast: Cast, store: Store, aloud: bool, out: Path) -> Talked:
    clock: Clock = SkippingClock()
    loudspeaker: Loudspeaker = RecordedLoudspeaker(clock, LOUDSPEAKER_FILE_HZ)
    if aloud:
        real = devices_of(settings)
        clock, loudspeaker = real.clock, real.loudspeaker
    person = recorded_person(demo_clips(), clock, settings)
    microphone: Microphone = _Aloud(person, loudspeaker) if aloud else person
    kept = Kept(store, store.new_session(cast.profile, cast.names(), cast.voice.name, "demo"), [])
    try:
        conversation = Conversation(cast, Devices(microphone, loudspeaker, clock), settings)
        with printing.talk_progress(conversation, person):
            async with kept.recording(conversation, clock):
                talked = await talk_through(conversation, person)
        summary = store.find()
        export_session(summary, store.turns(summary.id), "wav", out)
    finally:
        kept.close()
    return talked


def _has_loudspeaker(wanted: str | int) -> bool:
    """Whether there is one to play on.

    Raises:
        DeviceError: a certain one is wanted, and is not there.
    """
    try:
        find_device("loudspeaker", wanted, list_devices())
    except DeviceError:
        if wanted != "default":
            raise
        return False
    return True


class _Aloud:
    """A microphone whose recording is heard on the loudspeaker too."""

    def __init__(self, microphone: Microphone, loudspeaker: Loudspeaker) -> None:
        self.name = microphone.name
        self.overruns = 0
        self._microphone = microphone
        self._loudspeaker = loudspeaker
        self._resampler: StreamResampler | None = None

    @property
    def starting(self) -> bool:
        return self._microphone.starting

    async def open(self, report: Report) -> None:
        await self._microphone.open(report)

    async def read(self) -> MicrophoneFrame | None:
        frame = await self._microphone.read()
        if frame is not None and frame.samples.any():
            if self._resampler is None:
                self._resampler = StreamResampler(HEARING_RATE_HZ, self._loudspeaker.rate_hz)
            await self._loudspeaker.write(self._resampler.push(frame.samples))
        return frame

    def change_to(self, wanted: str | int) -> None:
        self._microphone.change_to(wanted)

    async def pause(self) -> None:
        await self._microphone.pause()

    def go_on(self) -> None:
        self._microphone.go_on()

    async def close(self) -> None:
        await self._microphone.close()
