"""Sound servers that answer, refuse, hang or are not there; SSH; sound cards."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from scenes import one, scene

from voxterm.doctor.facts import Facts
from voxterm.doctor.finding import Finding
from voxterm.doctor.sound_server import (
    Address,
    State,
    card_findings,
    knock,
    parse_address,
    pulse_addresses,
    read_servers,
    server_findings,
    ssh_findings,
)


@contextmanager
def listening(path: Path) -> Iterator[None]:
    """A socket at which somebody listens; left behind, as a server that died leaves it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with socket.socket(socket.AF_UNIX) as door:
        door.bind(str(path))
        door.listen()
        yield


@contextmanager
def port() -> Iterator[int]:
    with socket.create_server(("127.0.0.1", 0)) as door:
        yield door.getsockname()[1]


@contextmanager
def tunnel_without_an_end() -> Iterator[int]:
    """As ssh does it: the connection is taken, and closed."""
    with socket.create_server(("127.0.0.1", 0)) as door:

        def hang_up() -> None:
            taken, _ = door.accept()
            taken.close()

        closing = threading.Thread(target=hang_up)
        closing.start()
        yield door.getsockname()[1]
        closing.join(5.0)


def dead_port() -> int:
    with port() as number:
        return number


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("unix:/run/user/1000/pulse/native", Address(path="/run/user/1000/pulse/native")),
        ("/tmp/native", Address(path="/tmp/native")),
        ("{29873391b2e1}unix:/run/pulse/native", Address(path="/run/pulse/native")),
        ("tcp:localhost:24713", Address(host="localhost", port=24713)),
        ("tcp4:10.0.0.1", Address(host="10.0.0.1", port=4713)),
        ("tcp6:[::1]:4714", Address(host="::1", port=4714)),
        ("fe80::1", Address(host="fe80::1", port=4713)),
        ("laptop", Address(host="laptop", port=4713)),
        ("laptop:http", Address(host="laptop", port=4713)),
    ],
)
def test_server_strings(text: str, address: Address) -> None:
    assert parse_address(text) == address


def test_where_a_client_looks(tmp_path: Path) -> None:
    assert pulse_addresses(scene(tmp_path)) == [Address(path=str(tmp_path / "run/user/1000/pulse/native"))]
    own = {"XDG_RUNTIME_DIR": "/run/mine"}
    assert pulse_addresses(scene(tmp_path, own)) == [Address(path="/run/mine/pulse/native")]
    named = {**own, "PULSE_SERVER": "unix:/a tcp:b"}
    assert [str(address) for address in pulse_addresses(scene(tmp_path, named))] == ["/a", "b:4713"]


def test_doors(tmp_path: Path) -> None:
    path = tmp_path / "native"
    assert knock(Address(path=str(path))) is State.ABSENT
    with listening(path):
        assert knock(Address(path=str(path))) is State.ANSWERS
    assert knock(Address(path=str(path))) is State.REFUSES
    assert knock(Address(path="x" * 200)) is State.REFUSES, "longer than a socket's path can be"
    with port() as number:
        assert knock(Address(host="127.0.0.1", port=number)) is State.ANSWERS
    with tunnel_without_an_end() as number:
        assert knock(Address(host="127.0.0.1", port=number)) is State.HANGS_UP
    assert knock(Address(host="127.0.0.1", port=dead_port())) is State.REFUSES
    assert knock(Address(host="127.0.0.1", port=99_999)) is State.REFUSES


def test_a_name_that_is_looked_up_for_ever_ends_in_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """The time limit of a connection does not hold for finding out the host's address."""

    def hang(*_: object) -> socket.socket:
        time.sleep(1.0)
        raise OSError

    monkeypatch.setattr(socket, "create_connection", hang)
    begun_s = time.monotonic()
    assert knock(Address(host="nowhere", port=1), limit_s=0.05) is State.SILENT
    assert time.monotonic() - begun_s < 0.8


def found(facts: Facts) -> list[Finding]:
    servers = read_servers(facts)
    return [
        *server_findings(servers, facts),
        *ssh_findings(servers, facts),
        *card_findings(servers, facts),
    ]


SSH = {"SSH_CONNECTION": "10.0.0.2 5000 10.0.0.1 22"}
FORWARD = [
    "on your own computer: pactl load-module module-native-protocol-tcp listen=127.0.0.1 auth-anonymous=1",
    "on your own computer: ssh -R 24713:127.0.0.1:4713 gpubox",
    "then here: export PULSE_SERVER=tcp:127.0.0.1:24713",
]


def test_nothing_at_all(tmp_path: Path) -> None:
    findings = found(scene(tmp_path))
    assert {finding.verdict for finding in findings} == {"info"}
    assert {finding.name for finding in findings} == {"PulseAudio", "PipeWire", "SSH", "/dev/snd"}


def test_a_server_of_ones_own(tmp_path: Path) -> None:
    facts = scene(tmp_path, {"XDG_RUNTIME_DIR": str(tmp_path)})
    with listening(tmp_path / "pulse/native"), listening(tmp_path / "pipewire-0"):
        findings = found(facts)
    assert one(findings, "PulseAudio").verdict == one(findings, "PipeWire").verdict == "ok"
    dead = found(facts)
    assert one(dead, "PulseAudio").verdict == one(dead, "PipeWire").verdict == "warn"
    assert "pulseaudio --start" in one(dead, "PulseAudio").remedy
    assert "restart pipewire" in one(dead, "PipeWire").remedy


def test_pipewire_without_its_pulse(tmp_path: Path) -> None:
    with listening(tmp_path / "pipewire-0"):
        findings = found(scene(tmp_path, {"XDG_RUNTIME_DIR": str(tmp_path)}))
    assert "pipewire-pulse" in one(findings, "PulseAudio").remedy


def test_a_server_that_is_named_and_dead(tmp_path: Path) -> None:
    named = {"PULSE_SERVER": f"tcp:127.0.0.1:{dead_port()}"}
    here = one(found(scene(tmp_path, named)), "PULSE_SERVER")
    assert (here.verdict, "unset PULSE_SERVER" in here.remedy) == ("bad", True)
    over_ssh = one(found(scene(tmp_path, {**named, **SSH})), "PULSE_SERVER")
    assert over_ssh.remedy.splitlines() == FORWARD, "the tunnel has broken"


def test_ssh_without_sound_tells_how_to_forward_it(tmp_path: Path) -> None:
    finding = one(found(scene(tmp_path, SSH)), "SSH")
    assert finding.verdict == "warn"
    assert finding.remedy.splitlines() == FORWARD
    assert "others" in finding.what, "the forwarded port is open to all who are logged in"


def test_ssh_with_sound(tmp_path: Path) -> None:
    with port() as number:
        findings = found(scene(tmp_path, {**SSH, "PULSE_SERVER": f"tcp:127.0.0.1:{number}"}))
    assert one(findings, "SSH").verdict == one(findings, "PULSE_SERVER").verdict == "ok"


def test_ssh_to_a_machine_with_a_server_of_its_own(tmp_path: Path) -> None:
    """One would hear nothing, and the machine's own microphone would listen."""
    with listening(tmp_path / "pulse/native"):
        finding = one(found(scene(tmp_path, {**SSH, "XDG_RUNTIME_DIR": str(tmp_path)})), "SSH")
    assert finding.verdict == "warn"
    assert "this machine's own" in finding.what


def test_mosh_is_seen_by_its_server(tmp_path: Path) -> None:
    folder = tmp_path / "proc/77"
    folder.mkdir(parents=True)
    (folder / "stat").write_text("77 (mosh-server) S 1 0")
    finding = one(found(scene(tmp_path)), "SSH")
    assert finding.verdict == "warn"
    assert "mosh cannot" in finding.what


def test_sound_cards(tmp_path: Path) -> None:
    folder = tmp_path / "dev/snd"
    folder.mkdir(parents=True)
    assert one(found(scene(tmp_path)), "/dev/snd").verdict == "info"
    for name in ("pcmC0D0p", "pcmC0D0c", "timer"):
        (folder / name).touch()
    open_to_all = one(found(scene(tmp_path)), "/dev/snd")
    assert (open_to_all.verdict, open_to_all.what[0]) == ("ok", "2")
    closed = ("pcmC0D0c", "pcmC0D0p")
    alone = one(found(scene(tmp_path, closed=closed)), "/dev/snd")
    assert (alone.verdict, alone.remedy) == ("warn", "sudo usermod -aG audio $USER, then log in again")
    with listening(tmp_path / "pulse/native"):
        facts = scene(tmp_path, {"XDG_RUNTIME_DIR": str(tmp_path)}, closed=closed)
        assert one(found(facts), "/dev/snd").verdict == "info", "the server opens them"
