"""`voxterm export --format svg`, on sessions that were stored before."""

from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from turn_scenes import hesitant, ordinary

from voxterm.__main__ import main
from voxterm.store import Store, TurnRecord, utc_now


@pytest.fixture(autouse=True)
def session(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """Three turns, the first without a time line."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    store = Store(tmp_path / "state" / "voxterm")
    kept = store.new_session("embedded", {}, "english")
    for timeline in (None, hesitant(), ordinary()):
        turn = TurnRecord(started_at=utc_now(), transcript="How high?", reply="High.", heard_reply="High.")
        number = kept.add_turn(turn)
        if timeline:
            kept.add_timeline(number, timeline)
    kept.close()
    store.close()
    return kept.id


def drawn(out: str) -> list[str]:
    """All texts of a picture."""
    return ["".join(text.itertext()) for text in ET.fromstring(out).iter("{http://www.w3.org/2000/svg}text")]


def test_the_last_turn_is_drawn_on_standard_output(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["export", "--format", "svg"]) == 0
    texts = drawn(capsys.readouterr().out)
    assert {"Turn 3", "How high?", "290 ms", "0.5"} <= {*texts}


def test_a_turn_is_named_and_written_to_a_file(session: str, tmp_path: Path) -> None:
    out = tmp_path / "turn.svg"
    argv = ["export", session, "--format", "svg", "--turn", "2", "--out", str(out)]
    assert main([*argv, "--set", "turns.speech_threshold=0.6"]) == 0
    texts = drawn(out.read_text(encoding="utf-8"))
    assert {"Turn 2", "581 ms", "0.6"} <= {*texts}


@pytest.mark.parametrize(
    ("argv", "said"),
    [
        (["--format", "svg", "--turn", "9"], "has no turn 9; it has turns 1 to 3"),
        (["--format", "svg", "--turn", "1"], "has no time line; turns that have one: 2, 3"),
        (["--format", "svg", "--turn", "0"], "'0' is no whole number from 1 on"),
        (["--turn", "2"], "--turn 2 says nothing of a md file; it goes with --format svg"),
    ],
)
def test_what_cannot_be_drawn_is_said_in_one_line(
    argv: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["export", *argv]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert said in captured.err
    assert captured.err.count("\n") == 1
