"""The sound test: a calm tone on the loudspeaker while the microphone listens for two seconds.

It goes through the classes that a conversation uses, in a process of its own: a device
that hangs is left with that process when its time is over.
"""

from __future__ import annotations

import asyncio
import json
import sys
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np

from voxterm.audio.devices import Kind
from voxterm.audio.levels import dbfs
from voxterm.audio.loudspeaker import DeviceLoudspeaker
from voxterm.audio.microphone import DeviceMicrophone
from voxterm.audio.portaudio import DeviceStream, OnBlock, PortAudio
from voxterm.audio.protocols import FRAME_S, Loudspeaker, Microphone, MicrophoneFrame
from voxterm.clock import Clock, RealClock
from voxterm.config import AudioSettings
from voxterm.doctor.facts import Facts
from voxterm.doctor.levels import hears_tone, level_of
from voxterm.doctor.sound_server import RESTART
from voxterm.engines.protocols import HEARING_RATE_HZ, Samples
from voxterm.events import DeviceChanged, DeviceStatus, Trouble

LISTEN_S = 2.0
TONE_HZ = 440.0
TONE_S = 0.5
TONE_DBFS = -20.0
FADE_S = 0.05
START_S = 4.0
"""A sound server may take 2 s before it delivers."""

ECHO_S = 0.4
"""How much later than it left the loudspeaker a tone may still be heard: the room, and what the times err."""

SETTLE_S = 0.7
"""After its first block it delivers unevenly for so long."""

LOOK_S = 0.02
TEST_S = 30.0
"""All of it, with two devices that take their time to open."""


@dataclass(slots=True)
class Side:
    """One of the two devices. With a `what` it could not be used."""

    name: str = ""
    rate_hz: int = 0
    what: str = ""
    remedy: str = ""
    losses: int = 0  # overruns or underruns


@dataclass(slots=True)
class Heard:
    """What came of it. Levels in dBFS."""

    microphone: Side = field(default_factory=Side)
    loudspeaker: Side = field(default_factory=Side)
    seconds: float = 0.0
    rms_dbfs: float = dbfs(0.0)
    peak_dbfs: float = dbfs(0.0)
    clipped: int = 0
    latency_ms: float = 0.0  # from the sound in the air to the program that reads it, median
    tone_played: bool = False
    tone_heard: bool = False


class RememberingPortAudio(PortAudio):
    """Keeps the rates at which its streams were last opened."""

    def __init__(self, clock: Clock) -> None:
        super().__init__(clock)
        self.rates_hz: dict[Kind, int] = {}

    async def open(
        self, kind: Kind, wanted: str | int, rate_hz: int | None, on_block: OnBlock
    ) -> DeviceStream:
        stream = await super().open(kind, wanted, rate_hz, on_block)
        self.rates_hz[kind] = stream.rate_hz
        return stream


def main() -> None:
    """What `read_sound` starts: takes the devices as JSON, prints what was heard as JSON."""
    microphone, loudspeaker = json.loads(sys.argv[1])
    print(json.dumps(asdict(asyncio.run(_on_devices(microphone, loudspeaker)))))


def read_sound(audio: AudioSettings, facts: Facts) -> Heard:
    """Make the test on the chosen devices; takes about five seconds."""
    command = [sys.executable, "-c", "from voxterm.doctor.sound_test import main; main()"]
    ran = facts.run([*command, json.dumps([audio.microphone, audio.loudspeaker])], TEST_S)
    try:
        if ran.ok:
            said: dict[str, Any] = json.loads(ran.output.strip().splitlines()[-1])
            return Heard(Side(**said.pop("microphone")), Side(**said.pop("loudspeaker")), **said)
    except (ValueError, LookupError, TypeError):
        pass  # it was cut off; what it said last tells more
    said_last = ran.error.strip().splitlines()[-1:] or [f"it ended with code {ran.code}"]
    failed = Side(what=f"the sound test broke off: {said_last[0]}", remedy=RESTART)
    return Heard(microphone=failed)


async def _on_devices(microphone: str | int, loudspeaker: str | int) -> Heard:
    clock = RealClock()
    portaudio = RememberingPortAudio(clock)
    heard = await listen(
        DeviceMicrophone(portaudio, clock, microphone),
        DeviceLoudspeaker(portaudio, clock, loudspeaker),
        clock,
    )
    heard.microphone.rate_hz = portaudio.rates_hz.get("microphone", 0)
    heard.loudspeaker.rate_hz = portaudio.rates_hz.get("loudspeaker", 0)
    return heard


async def listen(microphone: Microphone, loudspeaker: Loudspeaker, clock: Clock) -> Heard:
    """Open both, play the tone and listen for LISTEN_S, then give them back."""
    heard = Heard()

    def report(event: DeviceChanged | Trouble) -> None:
        if isinstance(event, DeviceChanged) and event.status is not DeviceStatus.OPEN:
            side = heard.microphone if event.device == "microphone" else heard.loudspeaker
            side.what, side.remedy = event.what, event.remedy

    frames: list[tuple[MicrophoneFrame, float]] = []  # each with the moment at which it was read

    async def keep_frames() -> None:
        while frame := await microphone.read():
            frames.append((frame, clock.now()))

    await microphone.open(report)
    await loudspeaker.open(report)
    listening = asyncio.create_task(keep_frames(), name="listen")
    try:
        await _both_run(microphone, loudspeaker, clock)
        frames.clear()
        lost_before = microphone.overruns, loudspeaker.underruns
        left_s = await _play_and_wait(loudspeaker, clock)
        heard.microphone.losses = microphone.overruns - lost_before[0]
        heard.loudspeaker.losses = loudspeaker.underruns - lost_before[1]
        heard.tone_played = left_s is not None and not heard.loudspeaker.what
    finally:
        await microphone.close()
        await loudspeaker.close()
        listening.cancel()
        await asyncio.wait({listening})
    heard.microphone.name, heard.loudspeaker.name = microphone.name, loudspeaker.name
    if frames:
        _judge(heard, frames, left_s)
    return heard


async def _both_run(microphone: Microphone, loudspeaker: Loudspeaker, clock: Clock) -> None:
    """Return when both deliver steadily, or START_S have passed."""
    until_s = clock.now() + START_S
    await loudspeaker.write(np.zeros(round(FADE_S * loudspeaker.rate_hz), np.float32))
    loudspeaker.end_reply()
    while clock.now() < until_s and (microphone.starting or not loudspeaker.played_samples()):
        await clock.sleep_until(clock.now() + LOOK_S)
    await clock.sleep_until(clock.now() + SETTLE_S)


async def _play_and_wait(loudspeaker: Loudspeaker, clock: Clock) -> float | None:
    """Play the tone while LISTEN_S pass; when it left the loudspeaker, None where it never did."""
    until_s = clock.now() + LISTEN_S
    first = loudspeaker.written_samples()
    await loudspeaker.write(tone(loudspeaker.rate_hz))
    loudspeaker.end_reply()
    await clock.sleep_until(until_s)
    return loudspeaker.played_at(first)


def tone(rate_hz: int) -> Samples:
    """(N,) The tone, faded in and out so that it does not click."""
    times_s = np.arange(round(TONE_S * rate_hz)) / rate_hz
    fade = np.clip(np.minimum(times_s, TONE_S - times_s) / FADE_S, 0.0, 1.0)
    samples: Samples = (10 ** (TONE_DBFS / 20) * fade * np.sin(2 * np.pi * TONE_HZ * times_s)).astype(
        np.float32
    )
    return samples


def _judge(heard: Heard, frames: list[tuple[MicrophoneFrame, float]], left_s: float | None) -> None:
    samples = np.concatenate([frame.samples for frame, _ in frames])
    level = level_of(samples)
    heard.seconds = len(samples) / HEARING_RATE_HZ
    heard.rms_dbfs, heard.peak_dbfs, heard.clipped = level.rms_dbfs, level.peak_dbfs, level.clipped
    heard.latency_ms = 1000 * float(np.median([read_s - frame.ended_at_s for frame, read_s in frames]))
    if left_s is not None:
        begin_s = left_s - (frames[0][0].ended_at_s - FRAME_S)
        span_s = (max(0.0, begin_s), begin_s + TONE_S + ECHO_S)
        heard.tone_heard = hears_tone(samples, HEARING_RATE_HZ, TONE_HZ, span_s)
