"""`voxterm plan` for people and for machines."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from voxterm.cli import run_command
from voxterm.cli.plan import Prospect, print_prospect
from voxterm.engines.declared.need import ModelNeed, Parts
from voxterm.engines.protocols import Placement
from voxterm.gpu import GB, GpuInfo
from voxterm.plan import Machine, PlannedModel, make_plan

Command = Callable[..., str]


@pytest.fixture
def command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Command:
    """Runs `voxterm plan` in a home of its own, without checkpoints; what it printed."""
    for name in ("HOME", "XDG_CONFIG_HOME", "XDG_STATE_HOME", "HF_HOME"):
        monkeypatch.setenv(name, str(tmp_path))

    def run(*argv: str) -> str:
        code = run_command(["plan", *argv])
        said = capsys.readouterr()
        assert code == 0, said.err
        assert said.err == ""
        return said.out

    return run


def document(text: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(text)
    return found


def test_a_size_gives_a_table_and_what_it_gives_up(command: Command) -> None:
    said = command("--gpu-memory", "8GB")
    assert "taken to be as fast as the RTX 4060" in said
    for row in ("weights", "KV cache", "activations", "codec", "graphs", "precision"):
        assert row in said
    assert said.count("gives up  ") == 3
    assert "missing" not in said, "which checkpoints are here says nothing of another machine"
    assert "gives up  nothing" in command("--gpu-memory", "24")


def test_every_line_fits_into_80_cells(command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    """But for what is to be typed, which is never broken."""
    monkeypatch.setenv("COLUMNS", "80")
    for argv in (("--gpu-memory", "8GB"), ()):
        lines = command(*argv).splitlines()
        assert all(len(line) <= 80 for line in lines if "voxterm fetch" not in line), argv


def test_the_weights_of_every_model_in_each_precision(command: Command) -> None:
    rows = [line.split() for line in command().splitlines()]
    heading = next(row for row in rows if row[:3] == ["GB", "of", "weights"])
    assert heading[3:] == ["float32", "bf16", "int8", "int4", "checkpoint"]
    assert ["Voxtral", "18.7", "9.4", "5.3", "3.8", "missing"] in rows


def test_what_becomes_of_every_profile(command: Command) -> None:
    said = command("--gpu-memory", "24GB")
    assert "voxtral-orpheus" in said.partition("profiles, the best first")[2]
    assert "fits: Voxtral bf16 and Orpheus bf16" in " ".join(said.split())
    assert "auto takes voxtral-orpheus: Voxtral bf16" in said
    found = document(command("--gpu-memory", "24GB", "--json"))
    first = found["profiles"][0]
    assert (first["name"], first["state"], first["remedy"]) == ("voxtral-orpheus", "runs", "")
    assert first["placements"]["orpheus"]["precision"] == "bf16"
    assert found["auto"]["profile"] == "voxtral-orpheus"
    assert found["weights"]["voxtral"]["bf16"] > found["weights"]["voxtral"]["int8"]


def test_what_is_missing_here_is_said_of_every_profile(
    command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    machine = Machine(GpuInfo(0, "X", 80 * GB, 80 * GB, 0, None))
    monkeypatch.setattr("voxterm.cli.plan.this_machine", lambda environ: machine)
    said = command()
    assert "voxterm fetch voxtral-orpheus\n" in said
    assert "auto takes embedded: the checkpoint mistralai/Voxtral-Mini-3B-2507 is not" in said
    found = document(command("--json"))
    states = {profile["name"]: profile["state"] for profile in found["profiles"]}
    assert (states["voxtral-orpheus"], states["embedded"]) == ("unfetched", "runs")
    assert found["auto"]["profile"] == "embedded"


def test_the_machine_is_judged_once(command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its memory is measured, which takes time and never comes out the same."""
    asked = []

    def judged(environ: object) -> Machine:
        asked.append(environ)
        return Machine(None, "no GPU")

    monkeypatch.setattr("voxterm.cli.plan.this_machine", judged)
    monkeypatch.setattr("voxterm.plan.profiles.this_machine", lambda environ: pytest.fail("judged once more"))
    command()
    assert len(asked) == 1


def test_five_models_stand_beside_each_other(capsys: pytest.CaptureFixture[str]) -> None:
    """Their titles once made the table wider than the screen."""
    titles = ["Voxtral Realtime", "Whisper", "Local language model", "Orpheus", "Kokoro"]
    names = [f"m{number}" for number in range(5)]
    parts = Parts(18_700_000_000, 1_010_000_000, 310_000_000, 120_000_000, 80_000_000)
    plan = replace(
        make_plan("p", (), ()),
        placements={name: Placement("cuda:0", "float32", 131_072) for name in names},
        needs=dict.fromkeys(names, parts),
        tokens_per_s=dict.fromkeys(names, 1234.5),
    )
    models = [
        PlannedModel(name, ModelNeed(name, title, {"bf16": 9_350_000_000}, {}, (0,), "", 1), {})
        for name, title in zip(names, titles, strict=True)
    ]
    print_prospect(Prospect(Machine(None, "no GPU"), False, plan, models, [], plan))
    lines = capsys.readouterr().out.splitlines()
    assert all(len(line.rstrip()) <= 80 for line in lines)
    assert sum("float32" in line and line.count("float32") == 5 for line in lines) == 1
    assert "…" not in "".join(lines)
    words = {word for line in lines[:4] for word in line.split()}
    assert {"Voxtral", "Realtime", "Local", "language", "Kokoro"} <= words


def test_machines_get_bytes(command: Command) -> None:
    found = document(command("--gpu-memory", "8GiB", "--json"))
    assert found["gpu"]["total_bytes"] == 8 << 30
    assert found["gpu"]["imagined"] is True
    assert found["profile"] == "voxtral-orpheus"
    assert found["fits"] is True
    assert set(found["models"]) == {"voxtral", "orpheus"} == set(found["load_order"])
    parts = ("weights_bytes", "kv_cache_bytes", "activations_bytes", "codec_bytes", "graphs_bytes")
    for model in found["models"].values():
        assert model["precision"] == "int4"
        assert model["total_bytes"] == sum(model[part] for part in parts)
    planned_bytes = sum(model["total_bytes"] for model in found["models"].values())
    device = found["devices"]["cuda:0"]
    assert device["planned_bytes"] == planned_bytes + device["process_bytes"] < 8 << 30


def test_too_small_a_gpu_is_the_embedded_profile(command: Command) -> None:
    named = ("--gpu-memory", "1GB", "--profile", "voxtral-orpheus")
    found = document(command(*named, "--json"))
    assert (found["profile"], found["fits"], found["models"]) == ("embedded", False, {})
    assert len(found["gives_up"]) == 2
    assert "profile   embedded" in command(*named)


def test_what_suits_a_cpu_goes_there_beside_a_gpu_that_is_full(command: Command) -> None:
    """Kokoro was given up for eSpeak NG, although it keeps up on a CPU."""
    said = command("--gpu-memory", "6GB", "--profile", "voxtral-kokoro")
    assert "beside 8.0 GB of main memory" in said
    assert "gives up  Kokoro: runs on the CPU" in said
    places = {}
    for size in ("1GB", "4GB", "6GB"):
        found = document(command("--gpu-memory", size, "--json"))
        places[size] = (found["profile"], {name: model["device"] for name, model in found["models"].items()})
    assert places == {
        "1GB": ("voxtral-kokoro", {"kokoro": "cpu"}),
        "4GB": ("whisper-llm-kokoro", {"llm": "cuda:0", "kokoro": "cpu"}),
        "6GB": ("voxtral-kokoro", {"voxtral": "cuda:0", "kokoro": "cpu"}),
    }


def test_of_a_server_it_says_that_one_is_asked(command: Command, tmp_path: Path) -> None:
    config = tmp_path / "own.toml"
    config.write_text('[profiles]\nmine = ["pocketsphinx", "openai", "espeak"]\n')
    said = command("--config", str(config), "--profile", "mine")
    assert "profile   mine: it was asked for, asks a server, and needs no GPU" in said


def test_without_a_size_it_is_this_machine(command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    seen = GpuInfo(1, "NVIDIA [bold]X[/]", 80 * GB, 60 * GB, 20 * GB, None)
    monkeypatch.setattr("voxterm.cli.plan.this_machine", lambda environ: Machine(seen))
    said = command()
    assert "GPU 1, NVIDIA [bold]X[/]: 60.0 of 80.0 GB free, memory of unknown speed" in said
    assert "cuda:1" in said
    assert said.count("\nmissing   ") == 3
    found = document(command("--json"))
    assert found["gpu"]["imagined"] is False
    assert found["models"]["orpheus"]["tokens_per_s"] is None


def test_without_a_gpu_it_says_so(command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("voxterm.cli.plan.this_machine", lambda environ: Machine(None, "there is no GPU"))
    said = command()
    assert said.startswith("there is no GPU\nprofile   embedded\n")
    assert "eSpeak NG" in said
    assert document(command("--json"))["gpu"] is None


def test_the_profile_of_the_settings_is_planned(command: Command) -> None:
    assert "gives up  nothing" in command("--gpu-memory", "8GB", "--profile", "embedded")


@pytest.mark.parametrize(
    ("argv", "remedy"),
    [
        (("--gpu-memory", "8 gigs"), "write it like 8GB"),
        (("--gpu-memory", ""), "write it like 8GB"),
        (("--gpu-memory",), "voxterm plan --help"),
        (("--profile", "voxtral-orpheos"), "voxtral-orpheus"),
    ],
)
def test_what_is_wrong_is_one_line(
    argv: tuple[str, ...],
    remedy: str,
    command: Command,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert run_command(["plan", *argv]) == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.count("\n") == 1
    assert remedy in said.err


def test_planning_does_not_load_torch(command: Command) -> None:
    """It must answer at once, and where no model's packages are installed."""
    import subprocess

    program = (
        "import sys; from voxterm.cli import run_command; run_command(['plan', '--gpu-memory', '8GB']); "
        "sys.exit(any(name in sys.modules for name in ('torch', 'transformers', 'textual')))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
