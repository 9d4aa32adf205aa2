"""`voxterm fetch`, against a server on loopback that speaks what a download needs of the hub's API."""

from __future__ import annotations

import errno
import json
import os
import re
import shutil
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import SimpleNamespace
from urllib.parse import urlsplit

import pytest
from huggingface_hub.constants import DOWNLOAD_CHUNK_SIZE

from voxterm.__main__ import main
from voxterm.checkpoints import fetch, find
from voxterm.errors import CheckpointError

COMMIT = "0123456789abcdef0123456789abcdef01234567"
TOKEN = "hf_secretSecretSecret"
REPO = "somebody/tiny"


@dataclass
class Hub:
    """What the server holds and how it behaves."""

    files: dict[str, bytes] = field(default_factory=dict)
    refusal: tuple[int, str] | None = None  # status and X-Error-Code, for every request
    token: str = ""  # wanted for files; what files there are is told to all
    breaks_once: list[str] = field(default_factory=list)  # files that stop at three quarters
    breaks_always: str = ""
    html: bool = False
    requests: list[tuple[str, str, str]] = field(default_factory=list)  # method, path, Range
    url: str = ""

    def asked_for(self, file: str) -> list[str]:
        """The ranges of the downloads of a file, "" for whole."""
        return [span for method, path, span in self.requests if method == "GET" and path.endswith(f"/{file}")]


class Answer(BaseHTTPRequestHandler):
    hub: Hub
    protocol_version = "HTTP/1.1"

    def do_HEAD(self) -> None:
        self._answer()

    def do_GET(self) -> None:
        self._answer()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name is given
        """Nothing on stderr."""

    def _answer(self) -> None:
        hub, path = self.hub, urlsplit(self.path).path
        hub.requests.append((self.command, path, self.headers.get("Range", "")))
        gated = "/resolve/" in path and hub.token and self.headers["Authorization"] != f"Bearer {hub.token}"
        if hub.refusal or gated:
            status, code = hub.refusal or (401, "GatedRepo")
            self._send(b"", status, {"X-Error-Code": code} if code else {})
        elif hub.html:
            self._send(b"<html>log in to this network</html>")
        elif file := re.fullmatch(rf"/{REPO}/resolve/\w+/(.*)", path):
            self._send_file(file[1])
        elif path == f"/api/models/{REPO}/tree/{COMMIT}":
            self._send([{"type": "file", "path": n, "size": len(b), "oid": n} for n, b in hub.files.items()])
        else:
            siblings = [{"rfilename": name, "size": len(body)} for name, body in hub.files.items()]
            self._send({"id": REPO, "sha": COMMIT, "siblings": siblings})

    def _send_file(self, name: str) -> None:
        body = self.hub.files[name]
        span = re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range", ""))
        begin = int(span[1]) if span else 0
        headers = {"X-Repo-Commit": COMMIT, "ETag": f'"{name}-{len(body)}"'}
        if span:
            headers["Content-Range"] = f"bytes {begin}-{len(body) - 1}/{len(body)}"
        breaks = self.command == "GET" and name in (*self.hub.breaks_once, self.hub.breaks_always)
        if breaks and name in self.hub.breaks_once:
            self.hub.breaks_once.remove(name)
        self._send(body[begin:], 206 if span else 200, headers, breaks)

    def _send(
        self, body: object, status: int = 200, headers: dict[str, str] | None = None, breaks: bool = False
    ) -> None:
        encoded = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.send_response(status)
        for name, value in {**(headers or {}), "Content-Length": str(len(encoded))}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(encoded[: len(encoded) * 3 // 4] if breaks else encoded)
        self.close_connection = breaks


@pytest.fixture
def hub(snac_folder: Path) -> Iterator[Hub]:
    hub = Hub({file.name: file.read_bytes() for file in snac_folder.iterdir()})
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("AnswerOfThisHub", (Answer,), {"hub": hub}))
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    hub.url = f"http://127.0.0.1:{server.server_port}"
    yield hub
    server.shutdown()
    server.server_close()
    thread.join(10)


@pytest.fixture(autouse=True)
def environ(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if name.startswith(("VOXTERM_", "HF_", "HUGGING")) or name.lower().endswith("_proxy"):
            monkeypatch.delenv(name)
    for name in ("XDG_STATE_HOME", "XDG_CONFIG_HOME", "HF_HOME"):
        monkeypatch.setenv(name, str(tmp_path / name))
    monkeypatch.setattr("time.sleep", lambda seconds: None)  # the hub's library waits between its tries


@pytest.fixture
def at_hub(hub: Hub, tmp_path: Path) -> dict[str, str]:
    return {"HF_ENDPOINT": hub.url, "HF_HOME": str(tmp_path / "HF_HOME")}


def failure(call: Callable[[], object]) -> str:
    with pytest.raises(CheckpointError) as caught:
        call()
    assert str(caught.value).isprintable()
    assert TOKEN not in str(caught.value)
    return str(caught.value)


def test_fetches_what_loading_needs_and_finds_it(hub: Hub, at_hub: dict[str, str]) -> None:
    seen: list[tuple[int, int]] = []
    fetched = fetch(REPO, lambda done, total: seen.append((done, total)), at_hub)
    size = sum(map(len, hub.files.values()))
    assert fetched.downloaded_bytes == size
    assert fetched.checkpoint == find(REPO, environ=at_hub)
    assert seen[0] == (0, size)
    assert seen[-1] == (size, size)
    assert seen == sorted(seen)


def test_what_is_there_is_not_fetched_again(hub: Hub, at_hub: dict[str, str]) -> None:
    fetch(REPO, environ=at_hub)
    hub.requests.clear()
    seen: list[tuple[int, int]] = []
    assert fetch(REPO, lambda done, total: seen.append((done, total)), at_hub).downloaded_bytes == 0
    assert seen == []
    assert [path for _, path, _ in hub.requests] == [f"/api/models/{REPO}"]


def test_a_second_copy_and_the_states_of_training_stay_on_the_hub(
    hub: Hub, at_hub: dict[str, str], orpheus_folder: Path
) -> None:
    needed = {file.name: file.read_bytes() for file in orpheus_folder.iterdir()}
    left = (
        "consolidated.safetensors", "pytorch_model.bin", "optimizer.pt", "training_args.bin", "README.md",
        "model.fp32-00001-of-00002.safetensors", "runs/model.safetensors", "params.json", "code.py",
    )  # fmt: skip
    hub.files = {**needed, **dict.fromkeys(left, b"x")}
    checkpoint = fetch(REPO, environ=at_hub).checkpoint
    assert {file.name for file in checkpoint.folder.rglob("*")} == needed.keys()


def test_weights_in_a_pth_come_with_the_voices_beside_them(hub: Hub, at_hub: dict[str, str]) -> None:
    weights = hub.files.pop("pytorch_model.bin")
    needed = {**hub.files, "model-v1_0.pth": weights, "voices/anna.pt": b"voice", "voices/bert.pt": b"voice"}
    hub.files = {**needed, "samples/anna.wav": b"x", "eval/other.pth": b"x", "voices/old/carl.pt": b"x"}
    checkpoint = fetch(REPO, environ=at_hub).checkpoint
    assert [path.name for path in checkpoint.weights] == ["model-v1_0.pth"]
    fetched = {str(file.relative_to(checkpoint.folder)) for file in checkpoint.folder.rglob("*.*")}
    assert fetched == needed.keys()


def test_a_model_for_ctranslate2_comes_with_its_vocabulary(hub: Hub, at_hub: dict[str, str]) -> None:
    weights = hub.files.pop("pytorch_model.bin")
    needed = {**hub.files, "model.bin": weights, "vocabulary.json": b"[]", "preprocessor_config.json": b"{}"}
    hub.files = {**needed, "README.md": b"x"}
    checkpoint = fetch(REPO, environ=at_hub).checkpoint
    assert [path.name for path in checkpoint.weights] == ["model.bin"]
    assert {file.name for file in checkpoint.folder.rglob("*.*")} == needed.keys()


def test_a_connection_that_breaks_off_is_taken_up_where_it_broke(
    hub: Hub, at_hub: dict[str, str], orpheus_folder: Path
) -> None:
    hub.files = {file.name: file.read_bytes() for file in orpheus_folder.iterdir()}
    hub.breaks_once = ["model.safetensors"]
    seen: list[tuple[int, int]] = []
    checkpoint = fetch(REPO, lambda done, total: seen.append((done, total)), at_hub).checkpoint
    assert hub.asked_for("model.safetensors") == ["", f"bytes={DOWNLOAD_CHUNK_SIZE}-"]
    assert checkpoint.weights[0].read_bytes() == hub.files["model.safetensors"]
    assert seen == sorted(seen)
    assert seen[-1][0] == seen[-1][1]


def test_a_fetch_after_a_broken_one_keeps_the_files_that_are_whole(
    hub: Hub, at_hub: dict[str, str], voxtral_folder: Path
) -> None:
    hub.files = {file.name: file.read_bytes() for file in voxtral_folder.iterdir()}
    last = "model-00002-of-00002.safetensors"
    hub.breaks_always = last
    assert failure(lambda: fetch(REPO, environ=at_hub)).startswith("the connection to the hub failed for")
    whole = {name for name in hub.files if name != last and hub.asked_for(name)}
    hub.breaks_always = ""
    hub.requests.clear()
    fetched = fetch(REPO, environ=at_hub)
    assert "config.json" in whole
    assert {name for name in hub.files if hub.asked_for(name)} == hub.files.keys() - whole
    assert fetched.downloaded_bytes == sum(len(hub.files[name]) for name in hub.files.keys() - whole)


def test_the_token_is_sent_and_a_gate_without_one_is_explained(hub: Hub, at_hub: dict[str, str]) -> None:
    hub.token = TOKEN
    assert failure(lambda: fetch(REPO, environ=at_hub)) == (
        f"{REPO} is given only to those who accept its licence;"
        f" accept it at https://huggingface.co/{REPO} and set HF_TOKEN to a token of that account"
    )
    assert fetch(REPO, environ={**at_hub, "HF_TOKEN": f"{TOKEN}\n"}).downloaded_bytes > 0


@pytest.mark.parametrize(
    ("refusal", "said"),
    [
        ((401, "RepoNotFound"), f"the hub does not give {REPO} to you"),
        ((401, ""), f"the hub does not give {REPO} to you"),
        ((403, ""), f"the hub does not give {REPO} to you"),
        ((403, "GatedRepo"), f"{REPO} is given only to those who accept its licence"),
        ((404, "RepoNotFound"), f"the hub has no {REPO}; check the name"),
        ((429, ""), "too many requests"),
        ((500, ""), f"the hub answers 500 for {REPO}; try again later"),
    ],
)
def test_a_refusal_says_what_to_do(
    hub: Hub, at_hub: dict[str, str], refusal: tuple[int, str], said: str
) -> None:
    hub.refusal = refusal
    assert said in failure(lambda: fetch(REPO, environ={**at_hub, "HF_TOKEN": TOKEN}))


def test_a_login_page_in_place_of_the_hub(hub: Hub, at_hub: dict[str, str]) -> None:
    hub.html = True
    assert failure(lambda: fetch(REPO, environ=at_hub)).startswith(f"what answers for {REPO} is not the hub")


def test_no_network_and_no_wish_for_one(hub: Hub, at_hub: dict[str, str]) -> None:
    nowhere = {**at_hub, "HF_ENDPOINT": "http://127.0.0.1:9"}
    assert failure(lambda: fetch(REPO, environ=nowhere)).startswith(
        f"the connection to the hub failed for {REPO};"
    )
    assert failure(lambda: fetch(REPO, environ={**at_hub, "HF_HUB_OFFLINE": "1"})) == (
        f"HF_HUB_OFFLINE is set, so {REPO} cannot be fetched; unset it"
    )
    assert hub.requests == []


def test_a_token_that_cannot_be_sent_is_not_repeated(at_hub: dict[str, str]) -> None:
    said = failure(lambda: fetch(REPO, environ={**at_hub, "HF_TOKEN": f"{TOKEN}é"}))
    assert said == "HF_TOKEN holds characters that no token has; set it again"


def test_a_disk_that_is_too_small_is_said_before_anything_is_fetched(
    hub: Hub, at_hub: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda path: SimpleNamespace(free=1000))
    said = failure(lambda: fetch(REPO, environ=at_hub))
    assert "GB left; make room, or point HF_HOME to a larger disk" in said
    assert hub.asked_for("config.json") == []


@pytest.mark.parametrize(
    ("number", "said"),
    [
        (errno.ENOSPC, f"the disk is full before {REPO} is whole; make room"),
        (errno.EACCES, f"{REPO} cannot be kept: /there: Permission denied; point HF_HOME"),
    ],
)
def test_a_disk_that_refuses(
    at_hub: dict[str, str], monkeypatch: pytest.MonkeyPatch, number: int, said: str
) -> None:
    def refuse(*arguments: object, **options: object) -> None:
        raise OSError(number, os.strerror(number), "/there")

    monkeypatch.setattr("huggingface_hub.snapshot_download", refuse)
    assert failure(lambda: fetch(REPO, environ=at_hub)).startswith(said)


def test_what_cannot_be_loaded_is_not_fetched(hub: Hub, at_hub: dict[str, str]) -> None:
    hub.files = {"config.json": b"{}", "model.gguf": b"x", "consolidated.safetensors": b"x"}
    assert "holds no weights that can be loaded" in failure(lambda: fetch(REPO, environ=at_hub))
    assert hub.asked_for("config.json") == []


@pytest.mark.parametrize("name", ["tiny", "/tmp", "a/b/c", ""])
def test_a_name_that_is_no_repository(name: str, at_hub: dict[str, str]) -> None:
    assert "cannot be fetched; name owner/repo" in failure(lambda: fetch(name, environ=at_hub))
    assert "allows no name like a/b--c" in failure(lambda: fetch("a/b--c", environ=at_hub))


# The command


@pytest.fixture
def command(at_hub: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in at_hub.items():
        monkeypatch.setenv(name, value)


@pytest.mark.usefixtures("command")
def test_fetches_one_and_says_where_it_is(hub: Hub, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["fetch", REPO]) == 0
    said = capsys.readouterr()
    assert said.out.startswith(f"{REPO}: fetched, 0.00 GB in ")
    assert said.out.endswith(f"{COMMIT}\n")
    assert said.err == ""
    assert main(["fetch", REPO]) == 0
    assert capsys.readouterr().out.startswith(f"{REPO}: there already, ")


@pytest.mark.usefixtures("command")
def test_fetches_all_of_a_profile_though_one_fails(
    hub: Hub, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def checkpoints_of(profile: str, settings: object) -> tuple[str, ...]:
        return {"pair": ("wrong--name/x", REPO), "embedded": ()}[profile]

    monkeypatch.setattr("voxterm.cli.fetch.checkpoints_of", checkpoints_of)
    assert main(["fetch", "pair"]) == 1
    said = capsys.readouterr()
    assert said.out.startswith(f"{REPO}: fetched")
    assert said.err.splitlines() == ["voxterm: the hub allows no name like wrong--name/x; name owner/repo"]
    assert main(["fetch", "--profile", "embedded"]) == 0
    assert capsys.readouterr().out == "embedded needs no checkpoint\n"


@pytest.mark.usefixtures("command")
def test_a_terminal_sees_a_bar_of_bytes(
    hub: Hub, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "120")
    assert main(["fetch", REPO]) == 0
    drawn = capsys.readouterr().err
    assert REPO in drawn
    assert "kB" in drawn or "MB" in drawn


@pytest.mark.usefixtures("command")
def test_a_folder_is_no_name_to_fetch(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    for wanted in (str(tmp_path), "./x", "a/b/c"):
        assert main(["fetch", wanted]) == 2, "wrong input"
        said = capsys.readouterr().err
        assert said.startswith(f"voxterm: {wanted} cannot be fetched; name a profile, or owner/repo")


@pytest.mark.usefixtures("command")
def test_a_profile_with_a_checkpoint_in_a_folder_is_fetched(
    hub: Hub, snac_folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The folder of the settings was said to be no name that can be fetched, though all was there."""
    places = (str(snac_folder), REPO)
    monkeypatch.setattr("voxterm.cli.fetch.checkpoints_of", lambda profile, settings: places)
    assert main(["fetch", "pair"]) == 0
    said = capsys.readouterr()
    assert said.out.startswith(f"{snac_folder}: there already, ")
    assert f"{REPO}: fetched" in said.out
