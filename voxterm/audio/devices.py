"""Which sound devices there are, and which of them a person means.

`import sounddevice` initialises PortAudio. Nothing here does so before it is called.
"""

from __future__ import annotations

import ctypes
import difflib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

from voxterm.errors import DeviceError

Kind: TypeAlias = Literal["microphone", "loudspeaker"]

SEE_DEVICES = "`voxterm devices` lists what there is"


@dataclass(frozen=True, slots=True)
class DeviceInfo:
    index: int
    name: str
    host_api: str
    input_channels: int
    output_channels: int
    default_rate_hz: int
    is_default_input: bool
    is_default_output: bool

    def can_be(self, kind: Kind) -> bool:
        return (self.input_channels if kind == "microphone" else self.output_channels) > 0

    def is_default(self, kind: Kind) -> bool:
        return self.is_default_input if kind == "microphone" else self.is_default_output


def load_sounddevice() -> Any:
    """The module `sounddevice`, with ALSA kept from writing on the terminal.

    Raises:
        DeviceError: PortAudio is not installed.
    """
    try:
        import sounddevice  # type: ignore[import-untyped]
    except OSError:
        raise DeviceError(
            "PortAudio, which voxterm reaches sound devices through, is not installed",
            "install it (Debian, Ubuntu: apt install libportaudio2; macOS: brew install portaudio)",
        ) from None
    _quieten_alsa()
    return sounddevice


def list_devices(sounddevice: Any = None) -> list[DeviceInfo]:
    """All sound devices as PortAudio knows them since it was initialised.

    Raises:
        DeviceError: PortAudio is not installed.
    """
    sd = sounddevice or load_sounddevice()
    return devices_of(list(sd.query_devices()), list(sd.query_hostapis()), list(sd.default.device))


def find_device(kind: Kind, wanted: str | int, devices: Sequence[DeviceInfo]) -> DeviceInfo:
    """The device that `wanted` names: "default", a number, a name, or a part of one name only.

    Raises:
        DeviceError: none fits, or several do.
    """
    fitting = [device for device in devices if device.can_be(kind)]
    if not fitting:
        raise DeviceError(f"there is no {kind}", f"plug one in, or start the sound server; {SEE_DEVICES}")
    if wanted == "default":
        return next((device for device in fitting if device.is_default(kind)), fitting[0])
    for fits in _ways_to_fit(wanted):
        found = [device for device in fitting if fits(device)]
        if len({device.name for device in found}) == 1:
            return found[0]  # one device under several host APIs: the first is PortAudio's preferred
        if found:
            names = _quoted(device.name for device in found)
            raise DeviceError(f"{wanted!r} fits more than one {kind}: {names}", "name one of them in full")
    known = [device.name for device in fitting]
    nearest = difflib.get_close_matches(str(wanted), known, n=3, cutoff=0.3) or known[:3]
    raise DeviceError(f"there is no {kind} {wanted!r}", f"nearest: {_quoted(nearest)}; {SEE_DEVICES}")


def _ways_to_fit(wanted: str | int) -> list[Callable[[DeviceInfo], bool]]:
    """From the most exact to the least; the first that anything fits decides."""
    text = str(wanted)
    if isinstance(wanted, int):
        return [lambda device: device.index == wanted]
    return [
        lambda device: device.name == text,
        lambda device: str(device.index) == text,
        lambda device: text.casefold() in device.name.casefold(),
    ]


def _quoted(names: Iterable[str]) -> str:
    return ", ".join(dict.fromkeys(repr(name) for name in names))


def devices_of(
    found: Sequence[Mapping[str, Any]], host_apis: Sequence[Mapping[str, Any]], default: Sequence[int]
) -> list[DeviceInfo]:
    """From what sounddevice's `query_devices`, `query_hostapis` and `default.device` say."""
    return [
        DeviceInfo(
            index=index,
            name=str(device["name"]),
            host_api=str(host_apis[device["hostapi"]]["name"]),
            input_channels=int(device["max_input_channels"]),
            output_channels=int(device["max_output_channels"]),
            default_rate_hz=round(device["default_samplerate"]),
            is_default_input=index == default[0],
            is_default_output=index == default[1],
        )
        for index, device in enumerate(found)
    ]


def _quieten_alsa() -> None:
    """ALSA prints each underrun on the terminal, in the middle of the screen; give its words to nobody."""
    try:
        alsa = ctypes.CDLL("libasound.so.2")
    except OSError:
        return  # no ALSA here
    # Any harmless C function does; a Python one would make the sound thread wait for the interpreter.
    alsa.snd_lib_error_set_handler(ctypes.cast(ctypes.CDLL(None).getpid, ctypes.c_void_p))
