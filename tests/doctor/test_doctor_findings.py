"""A check that raises or hangs takes no other with it."""

from __future__ import annotations

import threading
import time
from pathlib import Path

from scenes import scene

from voxterm.doctor.facts import run_program
from voxterm.doctor.finding import Findings
from voxterm.errors import ConfigError, DeviceError


def test_a_check_that_raises_becomes_a_finding() -> None:
    findings = Findings()
    assert findings.look("sound", "card", lambda: 1 // 0, 7) == 7
    (finding,) = findings.found
    assert finding.verdict == "warn"
    assert "ZeroDivisionError" in finding.what
    assert finding.remedy


def test_a_check_that_hangs_is_left_behind() -> None:
    findings, release = Findings(), threading.Event()
    begun_s = time.monotonic()
    assert findings.look("sound", "card", release.wait, True, limit_s=0.05)
    assert time.monotonic() - begun_s < 2.0
    assert "no answer" in findings.found[0].what
    release.set()


def test_errors_of_our_own_keep_their_words_and_wrong_input_blocks() -> None:
    findings = Findings()

    def missing() -> None:
        raise DeviceError("no microphone", "plug one in")

    def wrong() -> None:
        raise ConfigError("no such profile", "there are two")

    findings.look("sound", "a", missing, None)
    findings.look("models", "b", wrong, None)
    device, config = findings.found
    assert (device.verdict, device.what, device.remedy, device.blocks) == (
        "bad", "no microphone", "plug one in", False
    )  # fmt: skip
    assert (config.verdict, config.blocks) == ("bad", True)


def test_programs_end_in_time_and_a_missing_one_is_no_error() -> None:
    ran = run_program(["sh", "-c", "echo out; echo err >&2; exit 3"], 5.0)
    assert (ran.code, ran.output, ran.error, ran.ok) == (3, "out\n", "err\n", False)
    begun_s = time.monotonic()
    assert run_program(["sleep", "30"], 0.1).code is None
    assert time.monotonic() - begun_s < 5.0
    assert run_program(["no-such-program-here"], 1.0).code is None


def test_ancestors_are_read_to_the_root_and_odd_names_confuse_nothing(tmp_path: Path) -> None:
    for process_id, name, parent in ((77, "a) S 5 (b", 50), (50, "mosh-server", 1)):
        folder = tmp_path / f"proc/{process_id}"
        folder.mkdir(parents=True)
        (folder / "stat").write_text(f"{process_id} ({name}) S {parent} 0 0")
    assert list(scene(tmp_path).ancestors()) == ["a) S 5 (b", "mosh-server"]
