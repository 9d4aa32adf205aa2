"""The sound test with devices that a test holds, and what each outcome means."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pytest
from hand_clock import HandClock
from scenes import one, scene

from voxterm.audio.protocols import FRAME_S, FRAME_SAMPLES, MicrophoneFrame, Report
from voxterm.audio.recording import RecordedLoudspeaker, RecordedMicrophone
from voxterm.clock import Clock
from voxterm.config import AudioSettings
from voxterm.doctor.facts import Ran
from voxterm.doctor.finding import Finding
from voxterm.doctor.sound_findings import sound_findings
from voxterm.doctor.sound_test import Heard, Side, listen, read_sound
from voxterm.engines.protocols import HEARING_RATE_HZ, Samples
from voxterm.events import DeviceChanged, DeviceStatus

Background = Callable[[int], Samples]
"""Makes (N,) samples of what the room sounds like without the loudspeaker."""


class RoomLoudspeaker(RecordedLoudspeaker):
    def __init__(self, clock: Clock) -> None:
        super().__init__(clock, HEARING_RATE_HZ)
        self.clock = clock
        self.said: list[tuple[float, Samples]] = []

    async def write(self, samples: Samples) -> None:
        self.said.append((self.clock.now(), samples))
        await super().write(samples)


class RoomMicrophone(RecordedMicrophone):
    """Hears the background, and the loudspeaker with a gain."""

    starts_after_s = 0.5

    def __init__(self, clock: Clock, loudspeaker: RoomLoudspeaker, gain: float, background: Background):
        super().__init__([], clock, tail_s=0.0, name="headset")
        self.clock = clock
        self._loudspeaker = loudspeaker
        self._gain = gain
        self._background = background
        self._opens_s = clock.now()

    @property
    def starting(self) -> bool:
        return self.clock.now() < self._opens_s + self.starts_after_s

    async def read(self) -> MicrophoneFrame:
        frame = await super().read()
        assert frame is not None
        samples = self._background(FRAME_SAMPLES)
        for at_s, said in self._loudspeaker.said:
            first = round((frame.ended_at_s - FRAME_S - at_s) * HEARING_RATE_HZ)
            heard = said[max(0, first) : max(0, first + FRAME_SAMPLES)]
            begin = max(0, -first)
            samples[begin : begin + len(heard)] += self._gain * heard
        return replace(frame, samples=samples)


class MissingMicrophone(RoomMicrophone):
    async def open(self, report: Report) -> None:
        await super().open(report)
        report(DeviceChanged("microphone", DeviceStatus.MISSING, "", "there is no microphone", "plug one in"))


class DeafMicrophone(RoomMicrophone):
    """It opened, and never delivers."""

    starts_after_s = 1e9

    async def read(self) -> MicrophoneFrame:
        await asyncio.Event().wait()
        raise AssertionError


def silence(count: int) -> Samples:
    return np.zeros(count, np.float32)


def hiss(count: int) -> Samples:
    return np.random.default_rng(count).normal(0, 0.001, count).astype(np.float32)


def shouting(count: int) -> Samples:
    return np.where(np.arange(count) % 20 < 10, 1.0, -1.0).astype(np.float32)


async def heard_with(
    gain: float, background: Background, kind: type[RoomMicrophone] = RoomMicrophone
) -> Heard:
    clock = HandClock()
    loudspeaker = RoomLoudspeaker(clock)
    microphone = kind(clock, loudspeaker, gain, background)
    return await asyncio.wait_for(clock.running(listen(microphone, loudspeaker, clock)), 30.0)


def findings_of(heard: Heard, *, has_pulse: bool = True, is_linux: bool = True) -> list[Finding]:
    return list(sound_findings(heard, has_pulse=has_pulse, is_linux=is_linux))


async def test_headphones() -> None:
    heard = await heard_with(0.0, hiss)
    assert heard.seconds == pytest.approx(2.0, abs=0.1)
    assert heard.peak_dbfs < -40
    assert heard.tone_played
    assert not heard.tone_heard
    findings = findings_of(heard)
    assert [finding.verdict for finding in findings] == ["info", "ok", "ok"]
    assert "headset" in one(findings, "level").what


@pytest.mark.parametrize("gain", [0.3, 0.01])
async def test_a_microphone_that_hears_the_loudspeaker(gain: float) -> None:
    heard = await heard_with(gain, hiss)
    echo = one(findings_of(heard), "echo")
    assert (echo.verdict, echo.remedy) == ("warn", "use headphones")


async def test_a_muted_microphone() -> None:
    findings = findings_of(await heard_with(0.0, silence))
    level = one(findings, "level")
    assert (level.verdict, level.remedy) == ("warn", "pactl set-source-mute @DEFAULT_SOURCE@ 0")
    assert "-100 dBFS" in level.what
    assert not [finding for finding in findings if finding.name == "echo"], "nobody can tell"
    muted = await heard_with(0.0, silence)
    assert one(findings_of(muted, has_pulse=False), "level").remedy == "amixer set Capture cap"
    assert "System Settings" in one(findings_of(muted, is_linux=False), "level").remedy


async def test_a_microphone_that_is_too_loud() -> None:
    level = one(findings_of(await heard_with(0.0, shouting)), "level")
    assert level.verdict == "warn"
    assert "clipped" in level.what
    assert "set-source-volume" in level.remedy


async def test_a_microphone_that_is_missing() -> None:
    findings = findings_of(await heard_with(0.0, silence, MissingMicrophone))
    level = one(findings, "level")
    assert (level.verdict, level.what, level.remedy) == ("bad", "there is no microphone", "plug one in")
    assert one(findings, "tone").verdict == "ok", "the loudspeaker is tried all the same"


async def test_a_microphone_that_never_delivers_does_not_hold_the_test() -> None:
    heard = await heard_with(0.0, silence, DeafMicrophone)
    assert heard.seconds == 0
    assert "delivers nothing" in one(findings_of(heard), "level").what


SPOKEN = Heard(
    microphone=Side("mic", 48_000),
    loudspeaker=Side("speaker", 44_100),
    seconds=2.0,
    rms_dbfs=-28.0,
    peak_dbfs=-9.0,
    latency_ms=23.0,
    tone_played=True,
)


def test_a_good_level_says_all_that_is_known() -> None:
    findings = findings_of(SPOKEN)
    assert [finding.verdict for finding in findings] == ["ok"] * 3
    assert one(findings, "level").what == "-28 dBFS, peak -9; mic, 48000 Hz, 23 ms behind"
    assert "44100 Hz" in one(findings, "tone").what


def test_losses_and_a_loudspeaker_that_is_gone() -> None:
    busy = replace(SPOKEN, microphone=Side("mic", 48_000, losses=3), loudspeaker=Side("s", 48_000, losses=1))
    assert [finding.verdict for finding in findings_of(busy)] == ["warn", "warn", "ok"]
    gone = replace(SPOKEN, loudspeaker=Side(what="no loudspeaker", remedy="plug"), tone_played=False)
    tone = one(findings_of(gone), "tone")
    assert (tone.verdict, tone.what, tone.remedy) == ("bad", "no loudspeaker", "plug")


def test_what_the_other_process_says(tmp_path: Path) -> None:
    said = Ran(0, f"noise\n{json.dumps(asdict(SPOKEN))}\n", "")
    assert read_sound(AudioSettings(), scene(tmp_path, answers={"": said})) == SPOKEN


@pytest.mark.parametrize(
    ("ran", "says"),
    [
        (Ran(None, "", "no answer within 30 s"), "no answer within 30 s"),
        (Ran(-6, "", "ALSA lib\nAborted\n"), "Aborted"),
        (Ran(1, "", ""), "code 1"),
        (Ran(0, "{}", ""), "code 0"),
    ],
)
def test_a_device_that_hangs_or_kills_the_other_process(ran: Ran, says: str, tmp_path: Path) -> None:
    heard = read_sound(AudioSettings(), scene(tmp_path, answers={"": ran}))
    (level,) = findings_of(heard)
    assert level.verdict == "bad"
    assert says in level.what
