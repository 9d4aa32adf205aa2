"""What `talk` says at its end: it has failed where a turn was not answered, not where something gave way."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from chat_server import ChatServer, says, status

from voxterm.__main__ import main
from voxterm.cli import printing
from voxterm.conversation import Cast
from voxterm.events import Remark, Trouble, TurnFinished
from voxterm.headless import Talked

CLIP = str(Path(__file__).parents[2] / "voxterm" / "data" / "demo-2.flac")
TURN = TurnFinished(1, "hello", "That is good.", "That is good.", False, False, 0.0, 1.0, 2.0, {})

Told = tuple[int, str, str]


@pytest.fixture
def talk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., Told]:
    """`voxterm talk` with a server: exit code, standard output, standard error."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))

    def run(url: str, second_choice: str = "") -> Told:
        config = tmp_path / "mine.toml"
        config.write_text(
            '[profiles]\nmine = ["pocketsphinx", "openai", "espeak"]\n[engines.openai]\nmodel = "tiny"\n'
            f'base_url = "{url}"\nsecond_choice = "{second_choice}"\ntries = 1\n'
        )
        code = main(["talk", CLIP, "--config", str(config), "--profile", "mine"])
        return code, *capsys.readouterr()

    return run


def test_a_server_that_gives_way_is_said_and_no_failure(talk: Callable[..., Told]) -> None:
    with ChatServer() as server:
        server.play(*[status(500)] * 9)
        code, out, err = talk(server.url, "eliza")
    assert "eliza answers meanwhile" in err
    assert "voxterm  " in out
    assert code == 0


def test_a_turn_that_is_not_answered_is_a_failure(talk: Callable[..., Told]) -> None:
    with ChatServer() as server:
        server.play(*[status(400)] * 9)
        code, _, err = talk(server.url)
    assert "voxterm: turn 1: " in err
    assert code == 1


def test_a_turn_that_is_answered_at_once_is_no_failure(talk: Callable[..., Told]) -> None:
    with ChatServer() as server:
        server.play(*[says("Good day.")] * 9)
        assert talk(server.url)[::2] == (0, "")


@pytest.mark.parametrize(
    ("talked", "has_failed"),
    [
        (Talked([TURN], [Trouble("there is no voice", "espeak speaks", "voice")]), False),
        (Talked([], [Trouble("no room for orpheus", "espeak speaks", "plan")]), False),
        (Talked([TURN], [Trouble("the disk is full", "make room", "store", turn=1)]), True),
        (Talked([], [Trouble("silero failed", "set turns.vad to another", "engine")]), True),
    ],
)
def test_what_is_of_no_turn_fails_only_where_nothing_was_heard(talked: Talked, has_failed: bool) -> None:
    assert talked.has_failed == has_failed


def test_what_happened_is_said_in_its_order(capsys: pytest.CaptureFixture[str]) -> None:
    failed, answers = Trouble("openai failed", "eliza answers meanwhile", "engine"), Remark("openai answers")
    printing.print_told(Talked([TURN], [failed, answers, Trouble("it broke off", "", "engine", turn=2)]))
    assert capsys.readouterr().err.splitlines() == [
        "voxterm: openai failed; eliza answers meanwhile",
        "voxterm: openai answers",
        "voxterm: turn 2: it broke off",
    ]


@pytest.mark.parametrize(
    ("reply", "heard", "line"),
    [
        ("That is good.", "", " voxterm  That is good."),
        ("That is good.", "That", " voxterm  That is good."),
        ("That is good.", "That is good.", " voxterm  That is good."),
    ],
)
def test_a_reply_stands_behind_its_speaker(
    reply: str, heard: str, line: str, capsys: pytest.CaptureFixture[str]
) -> None:
    turn = TurnFinished(1, "hello", reply, heard, True, False, 0.0, 1.0, 2.0, {})
    profile: Any = SimpleNamespace(profile="mine", reason="asked for", names=dict)
    printing.print_talk(cast(Cast, profile), Talked([turn]))
    assert line in capsys.readouterr().out.splitlines()
