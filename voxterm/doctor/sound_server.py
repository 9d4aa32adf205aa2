"""The ways to a sound server: PulseAudio's protocol (PipeWire speaks it too), SSH, and the sound cards.

What a person has to type to hear a distant machine is in `FORWARD`. PulseAudio and PipeWire both take that
`pactl` line: PulseAudio reads `listen` and `auth-anonymous`, PipeWire's `module-native-protocol-tcp` too.
"""

from __future__ import annotations

import os
import re
import socket
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

from voxterm.doctor.facts import Facts
from voxterm.doctor.finding import Finding, within

PULSE_PORT = 4713
FORWARDED_PORT = 24713

FORWARD = (
    "on your own computer: pactl load-module module-native-protocol-tcp listen=127.0.0.1 auth-anonymous=1\n"
    f"on your own computer: ssh -R {FORWARDED_PORT}:127.0.0.1:{PULSE_PORT} {{host}}\n"
    f"then here: export PULSE_SERVER=tcp:127.0.0.1:{FORWARDED_PORT}"
)
"""The port is open to whoever is logged in on this machine, which `over_ssh` says."""

RESTART = "systemctl --user restart pipewire-pulse; with PulseAudio itself: pulseaudio -k; pulseaudio --start"

CONNECT_S = 1.0
HANG_UP_S = 0.3
"""A tunnel answers at once, and hangs up if nobody is at its other end. A server waits to be spoken to."""

_SERVER = re.compile(r"(?:\{[^}]*\})?(?:(unix|tcp4|tcp6|tcp):)?(.+)", re.DOTALL)


class State(Enum):
    """What became of knocking at a server's door. The values end the sentence "ADDRESS …"."""

    ANSWERS = "answers"
    ABSENT = "is not there"
    REFUSES = "refuses: nobody listens"
    DENIED = "may not be opened by you"
    HANGS_UP = "hangs up: nobody is at the other end of the tunnel"
    SILENT = "does not answer"


@dataclass(frozen=True, slots=True)
class Address:
    """Where a sound server listens: a path, or a host and a port."""

    path: str = ""
    host: str = ""
    port: int = 0

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return self.path or f"{host}:{self.port}"


@dataclass(frozen=True, slots=True)
class Servers:
    """Which sound servers answer."""

    pulse: tuple[tuple[Address, State], ...]
    pipewire: State

    @property
    def pulse_answers(self) -> bool:
        return any(state is State.ANSWERS for _, state in self.pulse)


def read_servers(facts: Facts) -> Servers:
    """Knock at every door; takes a second for each that stays silent."""
    pulse = tuple((address, knock(address)) for address in pulse_addresses(facts))
    pipewire = _runtime_folder(facts, "PIPEWIRE_RUNTIME_DIR") / facts.environ.get(
        "PIPEWIRE_REMOTE", "pipewire-0"
    )
    return Servers(pulse, knock(Address(path=str(pipewire))))


def pulse_addresses(facts: Facts) -> list[Address]:
    """Where a client of PulseAudio looks: PULSE_SERVER alone if it is set, else the user's own socket."""
    if named := facts.environ.get("PULSE_SERVER", "").split():
        return [parse_address(one) for one in named]
    own = facts.environ.get("PULSE_RUNTIME_PATH")
    folder = Path(own) if own else _runtime_folder(facts) / "pulse"
    return [Address(path=str(folder / "native"))]


def parse_address(text: str) -> Address:
    """One server string: [{machine}]unix:/path, /path, [tcp:]host[:port], with IPv6 hosts in brackets."""
    match = _SERVER.fullmatch(text)
    kind, rest = match.groups() if match else ("", text)
    if kind == "unix" or (not kind and rest.startswith("/")):
        return Address(path=rest)
    if rest.startswith("["):
        host, _, port = rest[1:].partition("]")
        port = port.removeprefix(":")
    elif rest.count(":") > 1:
        host, port = rest, ""
    else:
        host, _, port = rest.partition(":")
    return Address(host=host, port=int(port) if port.isdecimal() else PULSE_PORT)


def knock(address: Address, limit_s: float = CONNECT_S) -> State:
    """Connect, say nothing and hang up. Looking up a host's name counts towards the limit."""
    try:
        return within(limit_s, lambda: _connect(address, limit_s))
    except TimeoutError:
        return State.SILENT


def _connect(address: Address, limit_s: float) -> State:
    try:
        if address.path:
            with socket.socket(socket.AF_UNIX) as door:
                door.settimeout(limit_s)
                door.connect(address.path)
        else:
            with socket.create_connection((address.host, address.port), limit_s) as door:
                return _listen(door)
    except (FileNotFoundError, NotADirectoryError, socket.gaierror):
        return State.ABSENT
    except PermissionError:
        return State.DENIED
    except TimeoutError:
        return State.SILENT
    except (OSError, OverflowError):
        return State.REFUSES
    return State.ANSWERS


def _listen(door: socket.socket) -> State:
    door.settimeout(HANG_UP_S)
    try:
        return State.ANSWERS if door.recv(1) else State.HANGS_UP
    except TimeoutError:
        return State.ANSWERS


def server_findings(servers: Servers, facts: Facts) -> Iterator[Finding]:
    named = facts.environ.get("PULSE_SERVER", "").strip()
    name = "PULSE_SERVER" if named else "PulseAudio"
    states = "; ".join(f"{address} {state.value}" for address, state in servers.pulse)
    if servers.pulse_answers:
        yield Finding("sound", name, "ok", states)
    elif named:
        yield Finding("sound", name, "bad", states, _reconnect(facts, servers))
    elif servers.pulse[0][1] is State.ABSENT:
        has_pipewire = servers.pipewire is State.ANSWERS
        remedy = "sudo apt install pipewire-pulse && systemctl --user start pipewire-pulse"
        yield Finding(
            "sound", name, "warn" if has_pipewire else "info", states, remedy if has_pipewire else ""
        )
    else:
        yield Finding("sound", name, "warn", states, RESTART)
    yield _pipewire_finding(servers.pipewire)


def _reconnect(facts: Facts, servers: Servers) -> str:
    if is_over_ssh(facts) and any(address.host for address, _ in servers.pulse):
        return FORWARD.format(host=facts.host)
    return "unset PULSE_SERVER, or start the server that it names"


def _pipewire_finding(state: State) -> Finding:
    if state is State.ANSWERS:
        return Finding("sound", "PipeWire", "ok", "its socket answers")
    if state is State.ABSENT:
        return Finding("sound", "PipeWire", "info", "no socket")
    return Finding(
        "sound", "PipeWire", "warn", f"its socket {state.value}", "systemctl --user restart pipewire"
    )


def is_over_ssh(facts: Facts) -> bool:
    return any(facts.environ.get(name) for name in ("SSH_CONNECTION", "SSH_TTY", "SSH_CLIENT"))


def ssh_findings(servers: Servers, facts: Facts) -> Iterator[Finding]:
    """Whether the sound of the computer in front of the person reaches this one."""
    over_mosh = "mosh-server" in facts.ancestors()
    if not (is_over_ssh(facts) or over_mosh):
        yield Finding("sound", "SSH", "info", "not over SSH")
        return
    how = "over mosh" if over_mosh else "over SSH"
    if any(address.host and state is State.ANSWERS for address, state in servers.pulse):
        yield Finding("sound", "SSH", "ok", f"{how}, with the sound of your own computer")
        return
    if servers.pulse_answers:
        what = f"{how}: what sounds here is this machine's own sound server, not your computer's"
    else:
        what = f"{how}, and the sound of your own computer is not forwarded"
    beside = ", which mosh cannot: keep that ssh open beside it" if over_mosh else ""
    what += f"{beside} (others who are logged in here could use it too)"
    yield Finding("sound", "SSH", "warn", what, FORWARD.format(host=facts.host))


def card_findings(servers: Servers, facts: Facts) -> Iterator[Finding]:
    """/dev/snd. A sound server that answers has its own access, so it may stay closed then."""
    folder = facts.root / "dev/snd"
    cards = sorted(path for path in folder.glob("pcm*"))
    if not cards:
        what = "holds no sound card" if folder.is_dir() else "not there: this machine has no sound card"
        in_container = " (in a container: --device /dev/snd gives it one)" if facts.in_container else ""
        yield Finding("sound", "/dev/snd", "info", what + in_container)
        return
    closed = [path.name for path in cards if not facts.may(path, os.R_OK | os.W_OK)]
    if not closed:
        yield Finding("sound", "/dev/snd", "ok", f"{len(cards)} devices, open to you")
        return
    what = f"{len(closed)} of {len(cards)} devices are closed to you"
    if servers.pulse_answers:
        yield Finding("sound", "/dev/snd", "info", f"{what}, but the sound server opens them for you")
    else:
        yield Finding("sound", "/dev/snd", "warn", what, "sudo usermod -aG audio $USER, then log in again")


def _runtime_folder(facts: Facts, variable: str = "XDG_RUNTIME_DIR") -> Path:
    named = facts.environ.get(variable) or facts.environ.get("XDG_RUNTIME_DIR")
    return Path(named) if named else facts.root / "run/user" / str(facts.user_id)
