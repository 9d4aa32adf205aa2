"""The page of `voxterm doctor` as a terminal shows it, as a picture."""

from __future__ import annotations

import argparse
import io

import pytest
from pytest_textual_snapshot import SVGImageExtension  # type: ignore[import-untyped]
from rich.console import Console
from rich.text import Text
from small_svg import smaller
from syrupy.assertion import SnapshotAssertion

from voxterm.cli import doctor_page
from voxterm.doctor.examination import Report
from voxterm.doctor.finding import Finding

CELLS = 96

FOUND = (
    Finding("program", "Python", "ok", "3.12.3, Linux 6.8.0, x86_64"),
    Finding("program", "packages", "ok", "all 14 in versions that fit"),
    Finding(
        "program",
        "settings",
        "bad",
        "turns.pause_ms in ~/.config/voxterm/config.toml: Input should be a valid number",
        "voxterm config show",
        blocks=True,
    ),
    Finding("gpu", "GPU 0", "ok", "NVIDIA H100 80GB HBM3, 61.2 of 79.6 GB free, computes in bf16"),
    Finding(
        "gpu", "memory", "warn", "17.8 GB by python (4242) on GPU 0", "end it, if it is yours: kill 4242"
    ),
    Finding("gpu", "PyTorch", "ok", "2.13.0 for CUDA 13.0, and the driver 580.65 runs it"),
    Finding("models", "voxtral-orpheus", "warn", "its checkpoints are not all here", "voxterm fetch orpheus"),
    Finding("models", "embedded", "ok", "needs no GPU, no download and no network"),
    Finding("models", "voxtral", "ok", "mistralai/Voxtral-Mini-3B-2507, 9.4 GB"),
    Finding("sound", "PortAudio", "ok", "V19.6.0, 2 devices"),
    Finding(
        "sound",
        "SSH",
        "bad",
        "over SSH, and the sound of your own computer is not forwarded: what sounds here is heard here",
        "pactl load-module module-native-protocol-tcp port=4713 auth-ip-acl=127.0.0.1\n"
        "ssh -R 24713:127.0.0.1:4713 gpubox",
    ),
    Finding("sound", "PipeWire", "info", "no socket"),
    Finding("terminal", "letters", "ok", "UTF-8 (LANG=C.UTF-8)"),
)


@pytest.mark.parametrize("can_run", [True, False], ids=["can-run", "cannot-run"])
def test_the_page(
    can_run: bool,
    snapshot: SnapshotAssertion,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name, value in {"TERM": "xterm-256color", "FORCE_COLOR": "1", "COLUMNS": f"{CELLS}"}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("NO_COLOR", raising=False)
    report = Report("embedded", tuple(finding for finding in FOUND if not (can_run and finding.blocks)))
    monkeypatch.setattr(doctor_page, "examine", lambda asked, facts: report)
    arguments = argparse.Namespace(config=None, json=False, no_sound=True, set=None, profile=None)
    assert doctor_page.examine_and_print(arguments) == (0 if can_run else 1)
    assert smaller(pictured(capsys.readouterr().out)) == snapshot.use_extension(SVGImageExtension)


def pictured(page: str) -> str:
    console = Console(record=True, width=CELLS, file=io.StringIO(), force_terminal=True, highlight=False)
    console.print(Text.from_ansi(page))
    return console.export_svg(title="voxterm doctor", unique_id="terminal-1")
