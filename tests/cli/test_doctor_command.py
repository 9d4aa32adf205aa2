"""`voxterm doctor` as a whole: the page, the document, the exit code, and machines on which all is wrong."""

from __future__ import annotations

import argparse
import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from voxterm.cli import doctor
from voxterm.cli.casting import wishes_of
from voxterm.config import Settings
from voxterm.doctor.examination import Asked, examine
from voxterm.doctor.facts import Facts, Ran
from voxterm.doctor.packages import Lack, Packages
from voxterm.errors import ConfigError
from voxterm.gpu import GB, Ram
from voxterm.plan import Machine, Wishes

Command = Callable[..., tuple[int, str]]
ARGUMENTS = {"config": None, "json": False, "no_sound": True, "set": None, "profile": None}


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("HOME", "XDG_CONFIG_HOME", "XDG_STATE_HOME", "XDG_RUNTIME_DIR", "HF_HOME"):
        monkeypatch.setenv(name, str(tmp_path))
    monkeypatch.setenv("COLUMNS", "80")
    for name in ("PULSE_SERVER", "SSH_CONNECTION", "SSH_TTY", "SSH_CLIENT", "TMUX"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path


@pytest.fixture
def command(home: Path, capsys: pytest.CaptureFixture[str]) -> Command:
    """Runs `voxterm doctor` in a home of its own; its exit code and what it printed."""

    def run(**arguments: object) -> tuple[int, str]:
        code = doctor.run(argparse.Namespace(**{**ARGUMENTS, **arguments}))
        said = capsys.readouterr()
        assert said.err == ""
        return code, said.out

    return run


def test_this_machine_as_it_is(command: Command) -> None:
    """No GPU and no sound device are no reason not to run."""
    begun_s = time.monotonic()
    code, page = command(profile="embedded")
    assert time.monotonic() - begun_s < 20
    lines = page.splitlines()
    assert code == 0, page
    assert lines[-1] == "voxterm can run with the profile embedded"
    assert len(lines) <= 45
    assert [line for line in lines if line in ("program", "gpu", "models", "sound", "terminal")] == [
        "program", "gpu", "models", "sound", "terminal"
    ]  # fmt: skip
    assert all(len(line) <= 80 for line in lines if "→" not in line)


def test_the_document(command: Command) -> None:
    code, said = command(profile="embedded", json=True)
    document: dict[str, Any] = json.loads(said)
    assert code == 0
    assert set(document) == {"profile", "can_run", "findings"}
    assert document["can_run"] is True
    assert document["profile"] == "embedded"
    for finding in document["findings"]:
        assert finding["verdict"] in ("ok", "warn", "bad", "info")
        assert finding["remedy"] or finding["verdict"] in ("ok", "info"), finding


def test_a_chosen_profile_that_cannot_run(command: Command) -> None:
    code, page = command(profile="voxtral-orpheus")
    assert code == 1
    assert "→ voxterm fetch mistralai/Voxtral-Mini-3B-2507" in page or "→ pip install" in page
    assert page.splitlines()[-1].startswith(
        "voxterm cannot run with the profile voxtral-orpheus yet: first, "
    )


def test_broken_settings_are_a_finding_and_the_flags_still_hold(home: Path, command: Command) -> None:
    own = home / "voxterm/config.toml"
    own.parent.mkdir()
    own.write_text("profile = [")
    code, said = command(json=True, profile="embedded")
    document = json.loads(said)
    (settings,) = [finding for finding in document["findings"] if finding["name"] == "settings"]
    assert settings["verdict"] == "bad"
    assert str(own) in settings["what"]
    assert document["profile"] == "embedded"
    assert code == 1, "voxterm would not start"
    own.write_text('[turns]\npause_ms = "soon"\n')
    assert "pause_ms" in command()[1]


def test_a_wrong_flag_is_wrong_usage(command: Command) -> None:
    with pytest.raises(ConfigError, match="--set"):
        command(set=["turns.paus_ms=1"])


def test_an_unknown_profile(command: Command) -> None:
    code, page = command(profile="embeded")
    assert code == 2, "wrong input"
    assert 'did you mean "embedded"?' in page
    assert page.count("✗") == 1


def test_a_wrong_engine_in_a_profile_is_told_once(command: Command, home: Path) -> None:
    """It was told as one of voices, and after it that there is no such profile."""
    config = home / "own.toml"
    config.write_text('[profiles]\nmine = ["pocketsphinx", "elisa", "espeak"]\n')
    code, page = command(profile="mine", config=config)
    assert code != 0
    assert page.count("✗") == 1
    assert "✗ voices" not in page
    assert '"elisa"' in page


def test_what_is_wrong_with_profiles_is_told_as_that(tmp_path: Path) -> None:
    def refuse(settings: Settings) -> Wishes:
        raise ConfigError('profiles.mine: there is no engine "elisa"', 'did you mean "eliza"?')

    asked = Asked(Settings(profile="mine"), refuse, machine=lambda _: Machine(None))
    report = examine(asked, Facts({}, root=tmp_path, run=lambda *_: Ran(1, "", "")))
    bad = [finding.name for finding in report.findings if finding.blocks]
    assert bad == ["profiles"], "and not that the profile is not there"


def test_a_slow_profile_by_name_is_not_sent_to_the_download_first(tmp_path: Path) -> None:
    settings = Settings(profile="voxtral-orpheus")
    slow = Machine(None, "there is no GPU", Ram(64 * GB, 64 * GB, 0), 10e9)
    asked = Asked(settings, wishes_of, machine=lambda _: slow)
    environ = {"HF_HOME": str(tmp_path)}
    report = examine(asked, Facts(environ, root=tmp_path, run=lambda *_: Ran(1, "", "")))
    (finding,) = [finding for finding in report.findings if finding.name == "voxtral-orpheus"]
    assert finding.what.startswith("too slow for a conversation here: Voxtral")
    assert "voxterm fetch" not in finding.remedy


def test_a_token_is_never_printed(command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_TOKEN", "hf_verysecret")
    for as_json in (False, True):
        assert "verysecret" not in command(json=as_json, profile="voxtral-orpheus")[1]


def test_names_of_others_are_no_markup_and_no_control(
    command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TERM", "[red]x[/red]\x1b]0;title\x07")
    page = command()[1]
    assert "[red]x[/red]" in page
    assert "\x1b" not in page


def test_a_dead_sound_server_in_the_way(command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as door:
        number = door.getsockname()[1]
    monkeypatch.setenv("PULSE_SERVER", f"tcp:127.0.0.1:{number}")
    monkeypatch.setenv("SSH_CONNECTION", "1 2 3 4")
    begun_s = time.monotonic()
    code, page = command(profile="embedded")
    assert time.monotonic() - begun_s < 20
    assert code == 0, "typing and recordings need no sound"
    assert "→ on your own computer: ssh -R 24713:127.0.0.1:4713 " in page


def test_a_missing_package_is_named_by_what_needs_none(
    command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(doctor, "read_packages", lambda: Packages([Lack("numpy>=1.26", "")], None))
    code, said = command()
    assert code == 1
    assert "→ pip install 'numpy>=1.26'" in said
    assert json.loads(command(json=True)[1])["can_run"] is False


def test_a_package_that_does_not_load(command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "voxterm.cli.doctor_page", None)
    code, said = command()
    assert code == 1
    assert "does not load" in said


def test_what_looks_for_packages_imports_none() -> None:
    program = "import sys, voxterm.cli.doctor; print([*{'numpy', 'rich', 'pydantic'} & set(sys.modules)])"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def fail(*_: object) -> Any:
    raise RuntimeError("all is lost")


def test_checks_that_all_raise_give_a_page(tmp_path: Path) -> None:
    asked = Asked(
        Settings(),
        fail,
        machine=fail,
        gpus=fail,
        packages=fail,
        torch=fail,
        terminal=fail,
    )
    facts = Facts({}, root=tmp_path, run=fail, may=fail)
    report = examine(asked, facts)
    assert report.profile == "embedded"
    lost = [finding for finding in report.findings if "all is lost" in finding.what]
    assert {finding.group for finding in lost} == {"program", "gpu", "models", "sound", "terminal"}
    assert all(finding.remedy for finding in lost)


def test_sound_is_tried_only_where_there_are_devices_and_it_is_wanted(tmp_path: Path) -> None:
    device = {
        "name": "x",
        "hostapi": 0,
        "max_input_channels": 1,
        "max_output_channels": 1,
        "default_samplerate": 48000.0,
    }
    devices = {
        "version": "V19",
        "devices": [device],
        "apis": [{"name": "ALSA"}],
        "default": [0, 0],
    }

    def tried(with_sound: bool, document: object) -> int:
        times = 0

        def count() -> None:
            nonlocal times
            times += 1

        asked = Asked(
            Settings(),
            lambda _: Wishes(),
            with_sound=with_sound,
            before_sound=count,
            machine=lambda _: Machine(None),
        )
        examine(asked, Facts({}, root=tmp_path, run=lambda *_: Ran(0, json.dumps(document), "")))
        return times

    assert tried(True, devices) == 1
    assert tried(False, devices) == 0
    assert tried(True, {**devices, "devices": []}) == 0


@pytest.mark.devices
def test_in_a_room_the_microphone_hears_the_tone(home: Path) -> None:
    from room import open_room, require_room

    require_room()
    program = (
        "import argparse, sys; from voxterm.cli import doctor;"
        f"sys.exit(doctor.run(argparse.Namespace(**{ {**ARGUMENTS, 'json': True, 'no_sound': False}!r})))"
    )
    with open_room() as room:
        room.hear_loudspeaker()
        environment = {**room.environment, "PYTHONPATH": os.pathsep.join(sys.path)}
        with room.record() as recording:
            done = subprocess.run(
                [sys.executable, "-c", program],
                env=environment,
                capture_output=True,
                text=True,
                timeout=90,
                check=False,
            )
    found = {finding["name"]: finding for finding in json.loads(done.stdout)["findings"]}
    assert found["PULSE_SERVER"]["verdict"] == "ok"
    assert found["level"]["verdict"] == "ok", found["level"]
    assert "48000 Hz" in found["level"]["what"]
    assert found["tone"]["verdict"] == "ok", found["tone"]
    assert found["echo"]["remedy"] == "use headphones"
    assert float(abs(recording.speaker).max()) == pytest.approx(0.1, rel=0.1), "calm: -20 dBFS"


def test_a_server_is_asked_before_it_is_said_that_the_profile_runs(command: Command, home: Path) -> None:
    config = home / "own.toml"
    config.write_text(
        '[profiles]\nmine = ["pocketsphinx", "openai", "espeak"]\n'
        '[engines.openai]\nbase_url = "http://127.0.0.1:9/v1"\ntries = 1\n'
    )
    code, page = command(profile="mine", config=config)
    assert code == 1
    assert "no server answers at http://127.0.0.1:9/v1" in " ".join(page.split())
    config.write_text(config.read_text() + 'second_choice = "eliza"\n')
    code, page = command(profile="mine", config=config)
    assert code == 0, "another answers while it is away"
    assert "no server answers" in " ".join(page.split())


def test_a_persona_that_is_not_there_is_found(command: Command, home: Path) -> None:
    config = home / "own.toml"
    config.write_text('[dialogue]\npersona = "tuter"\n')
    code, page = command(profile="embedded", config=config)
    assert code == 1
    assert '"tuter"' in page
    assert "tutor" in page
