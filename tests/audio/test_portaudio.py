"""PortAudio's list of devices is read anew only while no stream is open."""

from __future__ import annotations

import asyncio
import json
import subprocess
import threading
from typing import Any

import pytest
from fake_portaudio import FakeSoundDevice, at_once, fake_device, fake_portaudio
from hand_clock import HandClock

from voxterm.audio import portaudio as portaudio_module
from voxterm.audio.portaudio import DeviceStream, PortAudio, in_thread
from voxterm.errors import DeviceError


def ignore(*_: object) -> None:
    """A stream's callback."""


async def opened(portaudio: PortAudio, rate_hz: int | None = None) -> DeviceStream:
    return await portaudio.open("microphone", "default", rate_hz, ignore)


async def test_a_stream_runs_at_the_devices_own_rate() -> None:
    module = FakeSoundDevice("Mic", rate_hz=44100)
    stream = await opened(fake_portaudio(module, HandClock()))
    assert (stream.name, stream.rate_hz, stream.latency_s) == ("Mic", 44100, 0.02)
    assert stream.is_active()


async def test_alsa_is_asked_for_48_kilohertz_first() -> None:
    """It calls 44.1 kHz the default of every device, and then resamples badly."""
    module = FakeSoundDevice("default", rate_hz=44100, host_api="ALSA")
    assert (await opened(fake_portaudio(module, HandClock()))).rate_hz == 48000
    module.refused_rates.add(48000)
    assert (await opened(fake_portaudio(module, HandClock()))).rate_hz == 44100


async def test_a_rate_that_was_asked_for_is_kept_or_refused() -> None:
    module = FakeSoundDevice("Mic")
    portaudio = fake_portaudio(module, HandClock())
    assert (await opened(portaudio, 44100)).rate_hz == 44100
    module.refused_rates.add(44100)
    with pytest.raises(DeviceError, match=r"'Mic' does not take the 44100 Hz that voxterm runs at"):
        await opened(portaudio, 44100)


async def test_a_stream_that_does_not_start_is_closed() -> None:
    module = FakeSoundDevice("Mic")
    module.refuses_start = True
    with pytest.raises(DeviceError, match="Device unavailable"):
        await opened(fake_portaudio(module, HandClock()))
    assert module.streams[0].closed


async def test_the_list_is_read_anew_while_nothing_is_open() -> None:
    module = FakeSoundDevice()
    portaudio = fake_portaudio(module, HandClock())
    with pytest.raises(DeviceError, match="there is no microphone"):
        await opened(portaudio)
    module.present.append("Mic")
    await portaudio.look_again("microphone", "default")
    assert (await opened(portaudio)).name == "Mic"


async def test_an_open_stream_is_asked_to_make_way_only_for_a_device_that_has_appeared(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    module = FakeSoundDevice("Speaker")
    portaudio = fake_portaudio(module, HandClock())
    stream = await opened(portaudio)
    probed: list[dict[str, Any]] = [fake_device("Speaker")]

    def probe(*_: object, **__: object) -> subprocess.CompletedProcess[bytes]:
        listed = json.dumps([probed, [{"name": "ALSA"}], [0, 0]]).encode()
        return subprocess.CompletedProcess([], 0, listed)

    monkeypatch.setattr(subprocess, "run", probe)
    await portaudio.look_again("microphone", "Headset")
    assert not portaudio.must_yield
    probed.append(fake_device("Headset"))
    await portaudio.look_again("microphone", "Headset")
    assert portaudio.must_yield
    assert module.times_initialised == 1
    await portaudio.close(stream)
    await portaudio.look_again("microphone", "Headset")
    assert not portaudio.must_yield
    assert module.times_initialised == 2


async def test_a_probe_that_fails_finds_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    portaudio = fake_portaudio(FakeSoundDevice("Speaker"), HandClock())
    await opened(portaudio)

    def probe(*_: object, **__: object) -> None:
        raise subprocess.TimeoutExpired("python", 5.0)

    monkeypatch.setattr(subprocess, "run", probe)
    await portaudio.look_again("microphone", "Headset")
    assert not portaudio.must_yield


async def test_a_device_that_never_answers_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(portaudio_module, "_PATIENCE_S", 0.01)

    async def hang(_: object) -> None:
        await asyncio.Event().wait()

    portaudio = PortAudio(HandClock(), lambda: FakeSoundDevice("Mic"), hang)
    with pytest.raises(DeviceError, match="does not answer"):
        await opened(portaudio)


async def test_streams_are_opened_one_at_a_time() -> None:
    running = 0

    async def counted(job: Any) -> Any:
        nonlocal running
        running += 1
        assert running == 1
        result = await at_once(job)
        running -= 1
        return result

    portaudio = PortAudio(HandClock(), lambda: FakeSoundDevice("Mic"), counted)
    await asyncio.gather(opened(portaudio), opened(portaudio), portaudio.look_again("microphone", "Mic"))


async def test_a_job_in_a_thread_leaves_no_thread_behind() -> None:
    assert await in_thread(lambda: threading.current_thread().name) == "voxterm-portaudio"
    with pytest.raises(ZeroDivisionError):
        await in_thread(lambda: 1 // 0)
    assert "voxterm-portaudio" not in {thread.name for thread in threading.enumerate()}
