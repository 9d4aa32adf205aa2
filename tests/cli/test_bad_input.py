"""What bad input gets: one line that says what, where and what would be right; never a traceback."""

from __future__ import annotations

import io
import os
import struct
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import soundfile  # type: ignore[import-untyped]

from voxterm.__main__ import main
from voxterm.store import Store

DATA = Path(__file__).parents[2] / "voxterm" / "data"
Failing = Callable[..., SimpleNamespace]


@pytest.fixture(autouse=True)
def own_state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if name.startswith("VOXTERM_"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))


@pytest.fixture
def failing(capsys: pytest.CaptureFixture[str]) -> Failing:
    """Run a command that must fail in one line."""

    def run(*argv: str, code: int = 2) -> SimpleNamespace:
        exit_code = main([str(argument) for argument in argv])
        said = capsys.readouterr()
        assert exit_code == code, said.err
        assert said.out == ""
        lines = said.err.splitlines()
        assert len(lines) == 1, said.err
        assert lines[0].startswith("voxterm: ")
        assert lines[0].isprintable()
        return SimpleNamespace(line=lines[0])

    return run


def wav(samples: int = 16_000, rate_hz: int = 16_000) -> bytes:
    encoded = io.BytesIO()
    tone = 0.1 * np.sin(np.arange(samples) / 10)
    soundfile.write(encoded, tone.astype(np.float32), rate_hz, format="WAV", subtype="PCM_16")
    return encoded.getvalue()


def lying(claimed_bytes: int) -> bytes:
    honest = bytearray(wav())
    place = honest.index(b"data") + 4
    honest[place : place + 4] = struct.pack("<I", claimed_bytes)
    return bytes(honest)


BROKEN = {
    "empty file": b"",
    "no samples": wav(0),
    "truncated": wav()[:20_000],
    "cut in its header": wav()[:30],
    "lying header": lying(10_000_000),
    "no audio": b"To be, or not to be, that is the question.\n" * 50,
    "a picture": b"\x89PNG\r\n\x1a\n" + bytes(500),
}


@pytest.mark.parametrize("command", ["talk", "transcribe", "bench turns"])
@pytest.mark.parametrize("what", BROKEN)
def test_a_broken_recording_names_the_file(what: str, command: str, tmp_path: Path, failing: Failing) -> None:
    file = tmp_path / "clip.wav"
    file.write_bytes(BROKEN[what])
    assert str(file) in failing(*command.split(), file).line


def test_a_missing_recording_and_a_folder(tmp_path: Path, failing: Failing) -> None:
    assert "missing.wav" in failing("talk", tmp_path / "missing.wav").line
    assert str(tmp_path) in failing("talk", tmp_path).line


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("hello\x1b]52;c;aGk=\x07", "U+001B at character 6"),
        ("a" * 100_000, "100,000 characters"),
        ("🙂🎉", "nothing that can be spoken"),
        ("", "nothing that can be spoken"),
        ("  \n ", "nothing that can be spoken"),
    ],
)
def test_a_text_that_cannot_be_spoken(text: str, says: str, tmp_path: Path, failing: Failing) -> None:
    out = tmp_path / "a.wav"
    assert says in failing("say", text, "--out", out).line
    assert not out.exists()


@pytest.mark.parametrize("command", ["say hello --out", f"talk {DATA / 'demo-2.flac'} --out", "demo --out"])
def test_an_output_that_cannot_be_written(command: str, tmp_path: Path, failing: Failing) -> None:
    assert "no-such-folder" in failing(*command.split(), tmp_path / "no-such-folder" / "a.wav").line
    assert str(tmp_path) in failing(*command.split(), tmp_path).line


@pytest.mark.parametrize(
    ("argv", "names"),
    [
        (["config", "--set", "turns.paus_ms=250"], ["turns.paus_ms", "pause_ms"]),
        (["config", "--set", "turns.pause_ms=soon"], ["turns.pause_ms"]),
        (["config", "--set", "turns.pause_ms=-5"], ["turns.pause_ms"]),
        (["config", "--set", "speech.speed=nan"], ["speech.speed"]),
        (["config", "--set", "turns.pause_ms"], ["--set"]),
        (["config", "--config", "/no/such/file.toml"], ["/no/such/file.toml"]),
        (["talk", str(DATA / "demo-2.flac"), "--profile", "embeded"], ["embeded", "embedded"]),
        (["talk", str(DATA / "demo-2.flac"), "--voice", "englsh"], ["englsh", "english"]),
        (["talk", str(DATA / "demo-2.flac"), "--voice", "espeak:zz"], ["zz"]),
        (["transcribe", ""], ["FILE", "empty"]),
        (["transcribe", "a.wav", "b.wav"], ["b.wav", "voxterm transcribe --help"]),
        (["bench", "turns", "x.wav", "--turns", "x"], ["--turns", "whole number"]),
        (["tak", "x.wav"], ["tak"]),
        (["talk"], ["FILE"]),
        (["bench"], ["MEASUREMENT"]),
        (["bench", "turns", "x.wav", "--turns", "0"], ["--turns"]),
        (["export", "20200101-000000-abcd"], ["session", "start one"]),
    ],
)
def test_wrong_usage(argv: list[str], names: list[str], failing: Failing) -> None:
    line = failing(*argv).line
    assert all(name in line for name in names)


@pytest.mark.parametrize("flags", [["--resume", "nope"], ["--voice", "espeak:zz"], ["--voice", "nobody"]])
def test_a_wrong_flag_leaves_the_output_as_it_was(flags: list[str], tmp_path: Path, failing: Failing) -> None:
    out = tmp_path / "keep.wav"
    out.write_bytes(wav())
    failing("talk", DATA / "demo-2.flac", "--out", out, *flags)
    assert out.read_bytes() == wav()


def test_the_answer_is_not_written_over_the_question(tmp_path: Path, failing: Failing) -> None:
    clip = tmp_path / "clip.wav"
    clip.write_bytes(wav())
    (tmp_path / "link.wav").symlink_to(clip)
    assert "link.wav" in failing("talk", clip, "--out", tmp_path / "link.wav").line
    assert clip.read_bytes() == wav()


def test_a_missing_device(failing: Failing, tmp_path: Path) -> None:
    out = tmp_path / "demo.wav"
    assert "loudspeaker" in failing("demo", "--out", out, "--loudspeaker", "no such device", code=1).line
    assert not out.exists()


def test_the_screen_without_a_terminal(failing: Failing) -> None:
    assert "terminal" in failing("run").line


def test_two_programs_on_one_session(tmp_path: Path, failing: Failing) -> None:
    store = Store(tmp_path / "state" / "voxterm")
    session = store.new_session("embedded", {}, "english")
    try:
        line = failing("talk", DATA / "demo-2.flac", "--resume", session.id).line
        assert session.id in line
        assert str(os.getpid()) in line
    finally:
        session.close()
        store.close()


def test_a_state_folder_that_cannot_be_used_is_the_machines_fault(tmp_path: Path, failing: Failing) -> None:
    (tmp_path / "state").write_text("in the way")
    assert "state" in failing("sessions", code=1).line
