"""PortAudio, the devices it knows, and whether the chosen ones are among them.

PortAudio is asked in a process of its own: where a sound server hangs, it never comes back.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from voxterm.audio.devices import SEE_DEVICES, DeviceInfo, Kind, devices_of, find_device
from voxterm.config import AudioSettings
from voxterm.doctor.facts import Facts
from voxterm.doctor.finding import Finding
from voxterm.doctor.sound_server import FORWARD, RESTART, Servers, is_over_ssh
from voxterm.errors import DeviceError

LIST_S = 6.0
LIST = (
    "import json\n"
    "from voxterm.audio.devices import load_sounddevice\n"
    "from voxterm.errors import DeviceError\n"
    "try:\n"
    "    s = load_sounddevice()\n"
    "except DeviceError as error:\n"
    "    print(json.dumps({'what': error.what, 'remedy': error.remedy}))\n"
    "else:\n"
    "    print(json.dumps({'version': s.get_portaudio_version()[1], 'devices': list(s.query_devices()),\n"
    "        'apis': list(s.query_hostapis()), 'default': list(s.default.device)}))\n"
)

WITHOUT_SOUND = "`voxterm talk FILE` and typing work without"


@dataclass(frozen=True, slots=True)
class PortAudioState:
    """What PortAudio says; with a `what` it does not work."""

    version: str = ""
    devices: tuple[DeviceInfo, ...] = ()
    what: str = ""
    remedy: str = ""


def read_portaudio(facts: Facts) -> PortAudioState:
    ran = facts.run([sys.executable, "-c", LIST], LIST_S)
    if ran.code is None:
        return PortAudioState(what=ran.error, remedy=RESTART)
    try:
        said = json.loads(ran.output.strip().splitlines()[-1])
        if "what" in said:
            return PortAudioState(what=said["what"], remedy=said["remedy"])
        devices = devices_of(said["devices"], said["apis"], said["default"])
        return PortAudioState(str(said["version"]), tuple(devices))
    except (ValueError, LookupError, TypeError):
        lines = ran.error.strip().splitlines()
        why = lines[-1] if lines else f"it ended with code {ran.code}"
        return PortAudioState(what=f"does not start: {why}", remedy=RESTART)


def portaudio_findings(state: PortAudioState, servers: Servers, facts: Facts) -> Iterator[Finding]:
    if state.what:
        yield Finding("sound", "PortAudio", "bad", state.what, state.remedy)
        return
    version = state.version.partition(",")[0].removeprefix("PortAudio ")
    if not state.devices:
        what = f"{version}: no sound devices; {WITHOUT_SOUND}"
        yield Finding("sound", "PortAudio", "warn", what, _way_to_devices(servers, facts))
        return
    yield Finding("sound", "PortAudio", "ok", f"{version}, {_count(state.devices)}")


def device_findings(audio: AudioSettings, devices: Sequence[DeviceInfo]) -> Iterator[Finding]:
    """The chosen microphone and loudspeaker."""
    chosen: tuple[tuple[Kind, str | int], ...] = (
        ("microphone", audio.microphone),
        ("loudspeaker", audio.loudspeaker),
    )
    return (_device_finding(kind, wanted, devices) for kind, wanted in chosen)


def _device_finding(kind: Kind, wanted: str | int, devices: Sequence[DeviceInfo]) -> Finding:
    try:
        device = find_device(kind, wanted, devices)
    except DeviceError as error:
        return Finding("sound", kind, "bad", error.what, error.remedy or SEE_DEVICES)
    by_default = " (the default)" if wanted == "default" else ""
    return Finding("sound", kind, "ok", f"{device.name}{by_default}")


def _way_to_devices(servers: Servers, facts: Facts) -> str:
    """The likeliest reason why there are none, as what to do."""
    if facts.is_linux and servers.pulse_answers and not has_alsa_plugin(facts):
        return "sudo apt install libasound2-plugins (with PipeWire: pipewire-alsa)"
    if servers.pulse_answers:
        return "pactl list short sinks; pactl list short sources (the sound server answers, but has none?)"
    if is_over_ssh(facts):
        return FORWARD.format(host=facts.host)
    return f"plug one in or start the sound server; {SEE_DEVICES}"


def has_alsa_plugin(facts: Facts) -> bool:
    """Whether ALSA, which PortAudio goes through, can reach a sound server."""
    places = ("usr/lib", "usr/lib64", "usr/lib/*")
    files = ("libasound_module_pcm_pulse.so", "libasound_module_pcm_pipewire.so")
    return any(any(facts.root.glob(f"{place}/alsa-lib/{file}")) for place in places for file in files)


def _count(devices: Sequence[DeviceInfo]) -> str:
    inputs = sum(device.input_channels > 0 for device in devices)
    outputs = sum(device.output_channels > 0 for device in devices)
    return f"{inputs} microphone{'s' * (inputs != 1)} and {outputs} loudspeaker{'s' * (outputs != 1)}"
