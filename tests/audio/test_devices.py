from __future__ import annotations

import sys
from pathlib import Path

import pytest
from fake_portaudio import FakeSoundDevice, fake_device

from voxterm.audio.devices import DeviceInfo, devices_of, find_device, list_devices, load_sounddevice
from voxterm.errors import DeviceError

DEVICES = devices_of(
    [
        fake_device("HDA Intel: ALC257 Analog (hw:0,0)"),
        fake_device("HDA Intel: HDMI 0 (hw:0,3)", inputs=0, outputs=8),
        fake_device("Blue Yeti: USB Audio (hw:1,0)", inputs=2, outputs=0),
        fake_device("pulse", inputs=32, outputs=32),
        fake_device("default", inputs=32, outputs=32),
        fake_device("3", inputs=0, outputs=2),
    ],
    [{"name": "ALSA"}],
    [3, 4],
)


@pytest.mark.parametrize(
    ("wanted", "index"),
    [("default", 3), (2, 2), ("2", 2), ("pulse", 3), ("yeti", 2), ("BLUE", 2), ("analog", 0), ("3", 3)],
)
def test_a_microphone_is_found(wanted: str | int, index: int) -> None:
    assert find_device("microphone", wanted, DEVICES).index == index


def test_the_default_is_that_of_the_kind() -> None:
    assert find_device("loudspeaker", "default", DEVICES).index == 4


def test_a_name_goes_before_a_number() -> None:
    assert find_device("loudspeaker", "3", DEVICES).index == 5
    assert find_device("loudspeaker", 3, DEVICES).index == 3


def test_a_part_that_fits_several_names_them_all() -> None:
    with pytest.raises(DeviceError, match="more than one loudspeaker") as caught:
        find_device("loudspeaker", "hda", DEVICES)
    assert "HDMI 0" in str(caught.value)
    assert "ALC257" in str(caught.value)


@pytest.mark.parametrize("wanted", ["blue yetti", 99, "99"])
def test_what_is_not_there_leads_to_the_list(wanted: str | int) -> None:
    with pytest.raises(DeviceError, match="voxterm devices"):
        find_device("microphone", wanted, DEVICES)


def test_the_nearest_name_is_offered() -> None:
    with pytest.raises(DeviceError, match="nearest: 'pulse'"):
        find_device("microphone", "pluse", DEVICES)


def test_a_loudspeaker_is_no_microphone() -> None:
    with pytest.raises(DeviceError, match="no microphone 'HDMI'"):
        find_device("microphone", "HDMI", DEVICES)


def test_no_device_at_all_is_said() -> None:
    with pytest.raises(DeviceError, match="there is no microphone"):
        find_device("microphone", "default", [])


def test_one_name_under_several_host_apis_is_one_device() -> None:
    twice = devices_of(
        [fake_device("Headset"), {**fake_device("Headset"), "hostapi": 1}],
        [{"name": "MME"}, {"name": "WASAPI"}],
        [0, 0],
    )
    assert find_device("microphone", "Headset", twice).host_api == "MME"


def test_all_that_is_known_of_a_device_is_listed() -> None:
    listed = list_devices(FakeSoundDevice("Mic", rate_hz=44100))
    assert listed == [DeviceInfo(0, "Mic", "Core Audio", 1, 1, 44100, True, True)]


def test_without_portaudio_the_remedy_is_to_install_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "sounddevice.py").write_text("raise OSError('PortAudio library not found')")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "sounddevice", raising=False)
    with pytest.raises(DeviceError, match="apt install libportaudio2"):
        load_sounddevice()
