"""What the device tests run inside a room: one scenario on real devices, its findings as JSON on stdout.

A process of its own, since libasound and PortAudio read the environment when they are loaded.
Usage: room_program.py SCENARIO. Lines before the last tell the test how far the scenario is.
"""

from __future__ import annotations

import asyncio
import json
import sys
import threading
import time

import numpy as np

from voxterm.audio.devices import list_devices
from voxterm.audio.loudspeaker import DeviceLoudspeaker
from voxterm.audio.microphone import DeviceMicrophone
from voxterm.audio.portaudio import PortAudio
from voxterm.audio.protocols import FRAME_SAMPLES, MicrophoneFrame
from voxterm.clock import RealClock
from voxterm.engines.protocols import HEARING_RATE_HZ, Samples
from voxterm.events import DeviceChanged, Trouble

LOUD = 0.3


class Devices:
    """A microphone and a loudspeaker on one PortAudio, with all that was reported and heard."""

    def __init__(self) -> None:
        self.clock = RealClock()
        portaudio = PortAudio(self.clock)
        self.microphone = DeviceMicrophone(portaudio, self.clock)
        self.loudspeaker = DeviceLoudspeaker(portaudio, self.clock)
        self.reports: list[tuple[str, str]] = []
        self.frames: list[MicrophoneFrame] = []
        self.read_s: list[float] = []
        self._reported = asyncio.Event()
        self._listening: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Devices:
        await self.microphone.open(self._report)
        await self.loudspeaker.open(self._report)
        self._listening = asyncio.create_task(self._listen())
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.microphone.close()
        await self.loudspeaker.close()
        assert self._listening is not None
        await self._listening

    async def heard(self, since_s: float, within_s: float = 10.0) -> float:
        """When the first loud sound after this moment was in the air, by the microphone's own times."""
        checked = 0
        until_s = time.monotonic() + within_s
        while time.monotonic() < until_s:
            for frame in self.frames[checked:]:
                loud = np.flatnonzero(np.abs(frame.samples) > LOUD)
                if len(loud) and frame.ended_at_s > since_s:
                    return frame.ended_at_s - (FRAME_SAMPLES - int(loud[0])) / HEARING_RATE_HZ
            checked = len(self.frames)
            await asyncio.sleep(0.01)
        raise AssertionError("the microphone heard nothing")

    async def reported(self, status: str) -> None:
        """Both devices have been reported like this, at the last."""
        while dict(self.reports) != {"microphone": status, "loudspeaker": status}:
            self._reported.clear()
            await self._reported.wait()

    async def reported_times(self, times: int) -> None:
        """So many reports have come."""
        while len(self.reports) < times:
            self._reported.clear()
            await self._reported.wait()

    async def sound_flows(self) -> None:
        """Both devices run steadily; a sound server may take 2 s to get there."""
        await asyncio.sleep(2.5)

    def _report(self, event: DeviceChanged | Trouble) -> None:
        assert isinstance(event, DeviceChanged)
        self.reports.append((event.device, event.status.value))
        self._reported.set()
        say(f"{event.device} {event.status.value}")

    async def _listen(self) -> None:
        while frame := await self.microphone.read():
            self.frames.append(frame)
            self.read_s.append(self.clock.now())


def say(line: str) -> None:
    print(line, flush=True)


def tone(rate_hz: int, seconds: float) -> Samples:
    return (0.5 * np.sin(2 * np.pi * 440 * np.arange(int(rate_hz * seconds)) / rate_hz)).astype(np.float32)


def click(rate_hz: int) -> Samples:
    """5 ms, loud from its first sample on."""
    return np.full(rate_hz // 200, 0.8, np.float32)


async def clicks() -> dict[str, object]:
    """The test clicks into the microphone, then the program clicks back; when was each?"""
    async with Devices() as devices:
        await devices.sound_flows()
        since_s = devices.clock.now()
        say("listening")
        heard_s = await devices.heard(since_s)
        loudspeaker = devices.loudspeaker
        await loudspeaker.write(click(loudspeaker.rate_hz))
        loudspeaker.end_reply()
        await asyncio.sleep(0.5)
        return {
            "heard_s": heard_s,
            "played_s": loudspeaker.played_at(0),
            "played": loudspeaker.played_samples(),
            "written": loudspeaker.written_samples(),
            "underruns": loudspeaker.underruns,
            "overruns": devices.microphone.overruns,
            "firsts": [frame.first_sample for frame in devices.frames],
            "ended_s": [frame.ended_at_s for frame in devices.frames],
            "read_s": devices.read_s,
        }


async def silence() -> dict[str, object]:
    """A long tone is cut off; another follows 0.3 s later."""
    async with Devices() as devices:
        await devices.sound_flows()
        loudspeaker = devices.loudspeaker
        await loudspeaker.write(tone(loudspeaker.rate_hz, 5.0))
        await asyncio.sleep(1.0)
        at_s = devices.clock.now()
        loudspeaker.silence()
        await asyncio.sleep(0.3)
        played, written = loudspeaker.played_samples(), loudspeaker.written_samples()
        await loudspeaker.write(tone(loudspeaker.rate_hz, 0.2))
        loudspeaker.end_reply()
        await asyncio.sleep(0.5)
        return {
            "silenced_s": at_s,
            "begun_s": loudspeaker.played_at(0),
            "rate_hz": loudspeaker.rate_hz,
            "played": played,
            "written": written,
            "played_next": loudspeaker.played_samples(),
            "underruns": loudspeaker.underruns,
        }


async def restart() -> dict[str, object]:
    """The sound server goes away and comes back while the conversation goes on."""
    async with Devices() as devices:
        await devices.sound_flows()
        loudspeaker = devices.loudspeaker
        say("ready to be cut off")
        await devices.reported("reconnecting")
        await devices.reported("open")
        await devices.sound_flows()
        since_s = devices.clock.now()
        say("ready to hear")
        await devices.heard(since_s)
        await loudspeaker.write(click(loudspeaker.rate_hz))
        loudspeaker.end_reply()
        await asyncio.sleep(0.5)
        return {
            "firsts": [frame.first_sample for frame in devices.frames],
            "ended_s": [frame.ended_at_s for frame in devices.frames],
            "read_s": devices.read_s,
            "played": loudspeaker.played_samples(),
            "written": loudspeaker.written_samples(),
        }


async def appear() -> dict[str, object]:
    """No sound server at first: silence is heard, a reply plays to nothing; then the devices appear."""
    async with Devices() as devices:
        loudspeaker = devices.loudspeaker
        await loudspeaker.write(tone(loudspeaker.rate_hz, 0.5))
        loudspeaker.end_reply()
        await asyncio.sleep(1.0)
        played = loudspeaker.played_samples()
        frames = len(devices.frames)
        say("ready for devices")
        await devices.reported("open")
        return {"played": played, "frames": frames, "reports": devices.reports}


async def change() -> dict[str, object]:
    """Another device for each, which are then given back for a second and taken up again."""
    async with Devices() as devices:
        await devices.sound_flows()
        microphone, loudspeaker = devices.microphone, devices.loudspeaker
        microphone.change_to("headset")
        loudspeaker.change_to("headset")
        await devices.reported_times(4)
        await devices.sound_flows()
        await asyncio.gather(microphone.pause(), loudspeaker.pause())
        say("given back")
        await asyncio.sleep(1.0)
        microphone.go_on()
        loudspeaker.go_on()
        await devices.reported_times(6)
        await devices.sound_flows()
        since_s = devices.clock.now()
        say("ready to hear")
        await devices.heard(since_s)
        await loudspeaker.write(click(loudspeaker.rate_hz))
        loudspeaker.end_reply()
        await asyncio.sleep(0.5)
        return {
            "firsts": [frame.first_sample for frame in devices.frames],
            "ended_s": [frame.ended_at_s for frame in devices.frames],
            "read_s": devices.read_s,
            "played": loudspeaker.played_samples(),
            "written": loudspeaker.written_samples(),
            "reports": devices.reports,
            "names": [microphone.name, loudspeaker.name],
        }


async def names() -> dict[str, object]:
    return {"names": [device.name for device in list_devices()]}


if __name__ == "__main__":
    known = (clicks, silence, restart, appear, change, names)
    scenarios = {scenario.__name__: scenario for scenario in known}
    findings = asyncio.run(asyncio.wait_for(scenarios[sys.argv[1]](), 60.0))
    findings["threads"] = [thread.name for thread in threading.enumerate()]
    say(json.dumps(findings))
