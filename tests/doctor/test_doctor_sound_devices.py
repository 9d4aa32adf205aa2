"""PortAudio as another process tells of it, and the devices that were chosen."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from scenes import one, scene

from voxterm.config import AudioSettings
from voxterm.doctor.facts import Facts, Ran
from voxterm.doctor.sound_devices import (
    PortAudioState,
    device_findings,
    portaudio_findings,
    read_portaudio,
)
from voxterm.doctor.sound_server import Address, Servers, State

NO_SERVER = Servers((), State.ABSENT)
SERVER = Servers(((Address(path="/p"), State.ANSWERS),), State.ABSENT)


def device(name: str, inputs: int, outputs: int) -> dict[str, object]:
    return {
        "name": name,
        "hostapi": 0,
        "max_input_channels": inputs,
        "max_output_channels": outputs,
        "default_samplerate": 48000.0,
    }


def saying(document: object, root: Path, **environ: str) -> Facts:
    return scene(root, environ, {"": Ran(0, f"noise of ALSA\n{json.dumps(document)}\n", "")})


DEVICES = {
    "version": "PortAudio V19.7.0-devel, revision unknown",
    "devices": [device("Blue Yeti", 1, 0), device("Speakers", 0, 2)],
    "apis": [{"name": "ALSA"}],
    "default": [0, 1],
}


def test_devices_that_are_there(tmp_path: Path) -> None:
    facts = saying(DEVICES, tmp_path)
    state = read_portaudio(facts)
    (portaudio,) = portaudio_findings(state, NO_SERVER, facts)
    assert (portaudio.verdict, portaudio.what) == ("ok", "V19.7.0-devel, 1 microphone and 1 loudspeaker")
    findings = list(device_findings(AudioSettings(loudspeaker="speak"), state.devices))
    assert one(findings, "microphone").what == "Blue Yeti (the default)"
    assert one(findings, "loudspeaker").what == "Speakers"


def test_a_chosen_device_that_is_not_there(tmp_path: Path) -> None:
    state = read_portaudio(saying(DEVICES, tmp_path))
    missing = one(device_findings(AudioSettings(microphone="Rode"), state.devices), "microphone")
    assert missing.verdict == "bad"
    assert "Blue Yeti" in missing.remedy


def test_no_portaudio(tmp_path: Path) -> None:
    said = {"what": "PortAudio is not installed", "remedy": "apt install libportaudio2"}
    facts = saying(said, tmp_path)
    (finding,) = portaudio_findings(read_portaudio(facts), NO_SERVER, facts)
    assert (finding.verdict, finding.what, finding.remedy) == ("bad", said["what"], said["remedy"])


@pytest.mark.parametrize(
    ("ran", "says"),
    [
        (Ran(None, "", "no answer within 6 s"), "6 s"),
        (Ran(1, "", "Traceback\nOSError: broken\n"), "OSError: broken"),
        (Ran(-11, "", ""), "-11"),
        (Ran(0, "[1]", ""), "does not start"),
    ],
)
def test_a_portaudio_that_hangs_or_dies(ran: Ran, says: str, tmp_path: Path) -> None:
    facts = scene(tmp_path, answers={"": ran})
    (finding,) = portaudio_findings(read_portaudio(facts), NO_SERVER, facts)
    assert finding.verdict == "bad"
    assert says in finding.what
    assert finding.remedy


def remedy_without_devices(servers: Servers, facts: Facts) -> str:
    (finding,) = portaudio_findings(PortAudioState("PortAudio V19"), servers, facts)
    assert finding.verdict == "warn"
    assert "voxterm talk FILE" in finding.what
    return finding.remedy


def test_no_devices_and_the_likeliest_reason(tmp_path: Path) -> None:
    assert "plug one in" in remedy_without_devices(NO_SERVER, scene(tmp_path))
    assert "ssh -R" in remedy_without_devices(NO_SERVER, scene(tmp_path, {"SSH_TTY": "/dev/pts/1"}))
    assert "libasound2-plugins" in remedy_without_devices(SERVER, scene(tmp_path))
    plugin = tmp_path / "usr/lib/x86_64-linux-gnu/alsa-lib/libasound_module_pcm_pipewire.so"
    plugin.parent.mkdir(parents=True)
    plugin.touch()
    assert "pactl list" in remedy_without_devices(SERVER, scene(tmp_path))
