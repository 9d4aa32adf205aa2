"""A machine to ssh to that is this one: an sshd of the test's own on the loopback.

Its keys, settings and log lie in a folder of the test; nobody but the user who runs the test gets in.
It does without PAM, so that it needs no root, and no session manager ends what a login leaves behind.

    with open_host(tmp_path, {"HOME": str(tmp_path)}) as host:
        subprocess.run([*host.login(), "uname"])

Tests that use it call `require_ssh()` first, which skips them where OpenSSH is not installed.
"""

from __future__ import annotations

import contextlib
import getpass
import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

import psutil  # type: ignore[import-untyped]
import pytest

_PATIENCE_S = 15.0
_TOOLS = ("sshd", "ssh", "ssh-keygen")
_PATH = os.pathsep.join((os.environ.get("PATH", os.defpath), "/usr/sbin", "/usr/local/sbin"))
"""sshd is where the path of an ordinary user does not go."""

_SERVER = """
ListenAddress 127.0.0.1
Port {port}
HostKey {folder}/host_key
PidFile {folder}/sshd.pid
AuthorizedKeysFile {folder}/user_key.pub
PasswordAuthentication no
KbdInteractiveAuthentication no
PermitRootLogin prohibit-password
StrictModes no
UsePAM no
UseDNS no
PrintMotd no
PrintLastLog no
PermitUserRC no
LogLevel VERBOSE
SetEnv {variables}
"""
_CLIENT = (
    "StrictHostKeyChecking=no",
    "IdentitiesOnly=yes",
    "BatchMode=yes",
    "LogLevel=ERROR",
)


def require_ssh() -> None:
    """Skip the test that calls this where there is no OpenSSH."""
    missing = [name for name in _TOOLS if shutil.which(name, path=_PATH) is None]
    if missing:
        pytest.skip(f"needs OpenSSH, client and server; not installed: {', '.join(missing)}")


@contextlib.contextmanager
def open_host(folder: Path, environment: Mapping[str, str]) -> Iterator[SshHost]:
    """A host that lets the user in when it is entered, and is gone with all its connections when it is left.

    `environment` is what a login finds set. With a HOME of the test's own it reads no settings of a person.
    """
    host = SshHost(folder, environment)
    try:
        host.start()
        yield host
    finally:
        host.kill()


class SshHost:
    """An sshd and the way in. Use `open_host()` to make one."""

    def __init__(self, folder: Path, environment: Mapping[str, str]) -> None:
        self._folder = folder
        self._environment = environment
        self._log = folder / "sshd.log"
        self._port = _free_port()
        self._daemon: psutil.Popen | None = None

    def start(self) -> None:
        """Start it; returns when it takes connections."""
        for key in ("host_key", "user_key"):
            make_key = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(self._folder / key)]
            subprocess.run(make_key, check=True)
        settings = self._folder / "sshd_config"
        variables = " ".join(f'"{name}={value}"' for name, value in self._environment.items())
        settings.write_text(_SERVER.format(port=self._port, folder=self._folder, variables=variables))
        if os.geteuid() == 0:
            Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)  # where it jails itself while it knows nobody
        sshd = shutil.which("sshd", path=_PATH)
        assert sshd  # which wants to be called by its whole name
        with self._log.open("wb") as log:
            self._daemon = psutil.Popen([sshd, "-D", "-e", "-f", str(settings)], stderr=log)
        until_s = time.monotonic() + _PATIENCE_S
        while not self._answers():
            assert time.monotonic() < until_s, f"sshd does not start: {self.log()}"
            time.sleep(0.05)

    def login(self) -> list[str]:
        """The command that a person in a terminal would type, without what it shall run there."""
        settings = [*_CLIENT, f"UserKnownHostsFile={self._folder / 'known_hosts'}"]
        options = [word for setting in settings for word in ("-o", setting)]
        way = ["-F", "/dev/null", "-i", str(self._folder / "user_key"), "-p", str(self._port)]
        return ["ssh", "-tt", *way, *options, f"{getpass.getuser()}@127.0.0.1"]

    def drop_connections(self) -> None:
        """Take every connection away without a word, at both ends."""
        for process in [*self._ends_here(), *self._clients()]:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.send_signal(signal.SIGKILL)

    def kill(self) -> None:
        """Take the host away, and whoever is logged in."""
        self.drop_connections()
        if self._daemon is not None:
            self._daemon.kill()
            self._daemon.wait(_PATIENCE_S)
        self._daemon = None

    def log(self) -> str:
        """The last that sshd had to say."""
        return self._log.read_text(errors="replace")[-2000:]

    def _ends_here(self) -> list[psutil.Process]:
        if self._daemon is None:
            return []
        below = self._daemon.children(recursive=True)
        return [process for process in below if process.name().startswith("sshd")]

    def _clients(self) -> list[psutil.Process]:
        key = str(self._folder / "user_key")
        every = psutil.process_iter(["name", "cmdline"])
        return [one for one in every if one.info["name"] == "ssh" and key in (one.info["cmdline"] or ())]

    def _answers(self) -> bool:
        with socket.socket() as door:
            return door.connect_ex(("127.0.0.1", self._port)) == 0


def _free_port() -> int:
    with socket.socket() as door:
        door.bind(("127.0.0.1", 0))
        port: int = door.getsockname()[1]
    return port
