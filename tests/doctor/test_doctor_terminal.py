"""Terminals that can do little, and what makes them do more."""

from __future__ import annotations

from pathlib import Path

import pytest
from scenes import one, scene

from voxterm.doctor.facts import Ran
from voxterm.doctor.finding import Finding
from voxterm.doctor.terminal import SMALLEST, terminal_findings

GOOD = {"TERM": "xterm-256color", "COLORTERM": "truecolor", "LANG": "de_DE.UTF-8"}


def found(
    root: Path, size: tuple[int, int] | None = (120, 40), *, tmux: Ran | None = None, **environ: str
) -> list[Finding]:
    facts = scene(root, {**GOOD, **environ}, {"tmux show-options -sv escape-time": tmux} if tmux else {})
    return list(terminal_findings(facts, size))


def test_a_good_terminal(tmp_path: Path) -> None:
    findings = found(tmp_path)
    assert {finding.verdict for finding in findings} == {"ok", "info"}
    assert one(findings, "TERM").verdict == one(findings, "size").verdict == "ok"
    assert "when the screen starts" in one(findings, "keys").what


def test_the_smallest_size_is_the_screens() -> None:
    from voxterm.tui.main_screen import MIN_HEIGHT, MIN_WIDTH

    assert SMALLEST == (MIN_WIDTH, MIN_HEIGHT)


@pytest.mark.parametrize(("size", "verdict"), [((50, 14), "ok"), ((49, 14), "warn"), ((50, 13), "warn")])
def test_the_size(size: tuple[int, int], verdict: str, tmp_path: Path) -> None:
    assert one(found(tmp_path, size), "size").verdict == verdict


def test_no_terminal_at_all(tmp_path: Path) -> None:
    findings = found(tmp_path, None)
    assert one(findings, "terminal").verdict == "info"
    assert not [finding for finding in findings if finding.name == "size"]


@pytest.mark.parametrize(
    ("term", "colorterm", "verdict", "says"),
    [
        ("dumb", "", "warn", "no screen"),
        ("", "truecolor", "warn", "not set"),
        ("xterm", "", "info", "16 colours"),
        ("screen-256color", "", "ok", "256"),
        ("xterm", "24bit", "ok", "16 million"),
    ],
)
def test_colours(term: str, colorterm: str, verdict: str, says: str, tmp_path: Path) -> None:
    kind = one(found(tmp_path, TERM=term, COLORTERM=colorterm), "TERM")
    assert kind.verdict == verdict
    assert says in kind.what


@pytest.mark.parametrize(
    ("environ", "verdict"),
    [
        ({"LANG": "C.utf8"}, "ok"),
        ({"LANG": "C"}, "warn"),
        ({"LANG": ""}, "warn"),
        ({"LC_ALL": "POSIX"}, "warn"),
        ({"LANG": "C", "LC_CTYPE": "en_GB.UTF-8"}, "ok"),
        ({"LANG": "ca_ES.UTF-8@valencia"}, "ok"),
    ],
)
def test_letters(environ: dict[str, str], verdict: str, tmp_path: Path) -> None:
    facts = scene(tmp_path, {**GOOD, **environ})
    assert one(terminal_findings(facts, (120, 40)), "letters").verdict == verdict


def test_tmux_that_waits_after_escape(tmp_path: Path) -> None:
    slow = one(found(tmp_path, TMUX="/tmp/tmux,1,0", tmux=Ran(0, "500\n", "")), "tmux")
    assert slow.verdict == "warn"
    assert "tmux set -s escape-time 10" in slow.remedy
    assert one(found(tmp_path, TMUX="/t", tmux=Ran(0, "50\n", "")), "tmux").verdict == "ok"
    assert one(found(tmp_path, TMUX="/t", tmux=Ran(1, "", "no server")), "tmux").verdict == "info"
    assert one(found(tmp_path, STY="123.tty"), "screen").verdict == "info"
