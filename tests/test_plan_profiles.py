"""What would become of every profile on a machine, and which of them `auto` takes, with made up engines."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import pytest

from voxterm.engines.declared.declaration import Declaration, Role
from voxterm.engines.declared.engine_settings import EngineSettings
from voxterm.engines.declared.engines import ENGINES
from voxterm.engines.declared.model import Model, Sizes
from voxterm.engines.protocols import Precision
from voxterm.engines.registry import profiles
from voxterm.gpu import GB, Ram
from voxterm.plan import (
    Machine,
    Outlook,
    Wishes,
    imagined_machine,
    outlooks,
    plan_for,
    playing,
    preview,
    taken,
    unloadable,
)

NO_GPU = Machine(None, "there is no GPU to use", Ram(16 * GB, 12 * GB, 0), 20e9)
GPU = imagined_machine(24 * GB)


def sizes(config: Mapping[str, Any]) -> Sizes:
    return Sizes(is_tied=False, head=None)


def model_of(name: str, parameters: int, cpu_parameters: int = 0, precision: Precision = "bf16") -> Model:
    """A model that is one vector of so many numbers, unless a config names another size."""
    return Model(
        name=name,
        title=name.title(),
        checkpoint=f"someone/{name}",
        architectures=(),
        config={"parameters": parameters},
        context_tokens=0,
        loss={precision: 0},
        cost={},
        cpu_parameters=cpu_parameters,
        sizes=sizes,
        tensors=lambda config: [("numbers", (config["parameters"],))],
    )


def declared(name: str, role: Role, model: Model | None = None, **more: Any) -> Declaration:
    return Declaration(name=name, title=name.title(), role=role, place="nowhere:nothing", model=model, **more)


@pytest.fixture(autouse=True)
def engines(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ears that come in sizes, a model too large for any CPU, a small voice, and a server."""
    known = cast("dict[str, Declaration]", ENGINES)
    for engine in (
        declared("ears", "transcriber", model_of("ears", 800_000_000, cpu_parameters=100_000_000)),
        declared("brain", "language model", model_of("brain", 4_000_000_000)),
        declared("mouth", "synthesizer", model_of("mouth", 80_000_000, 100_000_000, "float32")),
        declared("server", "language model", is_remote=True),
    ):
        monkeypatch.setitem(known, engine.name, engine)


PROFILES = {
    "best": ["ears", "brain", "mouth"],
    "remote": ["ears", "server", "mouth"],
    "light": ["pocketsphinx", "eliza", "mouth"],
    "embedded": ["pocketsphinx", "eliza", "espeak"],
}


@pytest.fixture
def nowhere(tmp_path: Path) -> dict[str, str]:
    return {"HF_HOME": str(tmp_path / "empty")}


def wishes(folder: Path | None = None, here: Mapping[str, int] | None = None, **more: Any) -> Wishes:
    """`here`: the models that are on this machine, and how many numbers each has."""
    places = {}
    for name, parameters in (here or {}).items():
        assert folder is not None
        place = folder / name
        place.mkdir()
        config = {"parameters": parameters, "voxterm_random_weights": True}
        (place / "config.json").write_text(json.dumps(config), encoding="utf-8")
        places[name] = str(place)
    return Wishes(profiles=profiles(PROFILES, EngineSettings()), checkpoints=places, **more)


def by_name(found: list[Outlook]) -> dict[str, Outlook]:
    return {one.profile.name: one for one in found}


def test_small_models_run_on_a_cpu_and_auto_takes_them(tmp_path: Path, nowhere: dict[str, str]) -> None:
    """`auto` once took the embedded engines wherever one checkpoint of a profile was not here, even that of a
    model that would not have been loaded."""
    here = wishes(tmp_path, {"ears": 70_000_000, "mouth": 80_000_000})
    plan = plan_for("auto", here, nowhere, NO_GPU)
    assert (plan.profile, set(plan.placements), dict(plan.missing)) == ("best", {"ears", "mouth"}, {})
    assert playing(plan, here).engines == ("ears", "eliza", "mouth")
    assert "ELIZA answers" in plan.gives_up[0]
    found = by_name(outlooks(here, nowhere, NO_GPU))
    assert found["best"].runs
    assert "without Brain: ELIZA answers" in found["best"].what


def test_large_ears_stay_away_from_a_cpu(tmp_path: Path, nowhere: dict[str, str]) -> None:
    here = wishes(tmp_path, {"ears": 800_000_000, "mouth": 80_000_000})
    plan = plan_for("auto", here, nowhere, NO_GPU)
    assert playing(plan, here).engines == ("pocketsphinx", "eliza", "mouth")
    assert dict.fromkeys(("Ears", "Brain"), "it is too large to keep up on the CPU") == plan.left_out, (
        "of models that decode no tokens no speed is told"
    )


def test_of_profiles_that_leave_as_much_to_the_embedded_engines_the_first(
    tmp_path: Path, nowhere: dict[str, str]
) -> None:
    here = wishes(tmp_path, {"mouth": 80_000_000})
    assert plan_for("auto", here, nowhere, NO_GPU).profile == "best"
    less = replace(here, profiles={name: here.profiles[name] for name in ("light", "best", "embedded")})
    assert plan_for("auto", less, nowhere, NO_GPU).profile == "light"


def test_what_is_not_here_keeps_a_profile_from_auto_and_says_what_gets_it(
    tmp_path: Path, nowhere: dict[str, str]
) -> None:
    partly = wishes(tmp_path, {"mouth": 80_000_000})
    found = by_name(outlooks(partly, nowhere, GPU))
    assert (found["best"].state, found["best"].remedy) == ("unfetched", "voxterm fetch best")
    assert plan_for("auto", partly, nowhere, GPU).profile == "light"
    nothing = wishes()
    on_cpu = by_name(outlooks(nothing, nowhere, NO_GPU))
    assert on_cpu["best"].remedy == "voxterm fetch someone/mouth", "the others would not be loaded"
    plan = plan_for("auto", nothing, nowhere, NO_GPU)
    assert (plan.profile, list(plan.missing)) == ("embedded", ["someone/mouth"])
    assert "someone/mouth" in plan.reason


def test_packages_that_are_missing(nowhere: dict[str, str]) -> None:
    lacking = wishes(lacking={"brain": ("torch", "tokens"), "server": ("http",)})
    found = by_name(outlooks(lacking, nowhere, GPU))
    assert found["best"].state == found["remote"].state == "uninstalled"
    assert "torch, tokens" in found["best"].what
    assert by_name(outlooks(lacking, nowhere, NO_GPU))["best"].state == "unfetched", "it would not play"
    assert by_name(outlooks(lacking, nowhere, GPU, as_if_here=True))["best"].runs


def test_a_server_is_asked_by_its_name_alone(tmp_path: Path, nowhere: dict[str, str]) -> None:
    here = wishes(tmp_path, {"ears": 800_000_000, "mouth": 80_000_000})
    found = by_name(outlooks(here, nowhere, GPU))
    assert (found["remote"].state, found["remote"].runs) == ("by name", False)
    assert "Ears bf16" in found["remote"].what
    slow = by_name(outlooks(here, nowhere, NO_GPU))["remote"]
    assert "too large or too slow here: Ears" in slow.what
    named = by_name(outlooks(here, nowhere, NO_GPU, named="remote"))["remote"]
    assert named.runs
    assert set(named.plan.placements) == {"ears", "mouth"}, "however slow"
    assert plan_for("auto", here, nowhere, GPU).profile == "light"


def test_reasons_that_are_the_same_are_said_once(nowhere: dict[str, str]) -> None:
    found = by_name(outlooks(wishes(), nowhere, Machine(None, "there is no GPU")))
    assert found["best"].what == "does not fit: Ears and Brain and Mouth, since there is no GPU"
    best = taken(list(found.values()))
    assert best is not None
    assert best.profile.name == "embedded"


def test_a_model_without_the_usual_precision_can_be_left_out(nowhere: dict[str, str]) -> None:
    """Its speed in bf16 was asked for, which it does not have."""
    plan = preview("light", wishes(), nowhere, Machine(None, "there is no GPU"))
    assert plan.gives_up == ("Mouth: eSpeak NG speaks in its place, since there is no GPU",)


def test_a_machine_that_may_have_all_is_planned_for_the_best(nowhere: dict[str, str]) -> None:
    plan = preview("auto", wishes(), nowhere, GPU)
    assert (plan.profile, set(plan.placements)) == ("best", {"ears", "brain", "mouth"})
    assert len(plan.missing) == 3


def test_one_by_name_that_cannot_keep_up_says_so_first(tmp_path: Path, nowhere: dict[str, str]) -> None:
    """It said that it fits, and sent the person to a download of many gigabytes."""
    named = by_name(outlooks(wishes(), nowhere, NO_GPU, named="best"))["best"]
    assert named.state == "unfetched"
    assert named.what.startswith(
        "too slow for a conversation here: Ears and Brain, since it is too large to keep up on the CPU; "
    )
    assert "voxterm fetch" not in named.remedy
    here = wishes(tmp_path, {"ears": 800_000_000, "brain": 4_000_000_000, "mouth": 80_000_000})
    runs = by_name(outlooks(here, nowhere, NO_GPU, named="best"))["best"]
    assert runs.runs
    assert runs.what.startswith("too slow for a conversation here: Ears and Brain")
    on_gpu = by_name(outlooks(here, nowhere, GPU, named="best"))["best"]
    assert on_gpu.what.startswith("Ears bf16")


def test_all_that_is_missing_is_one_line(tmp_path: Path, nowhere: dict[str, str]) -> None:
    """Of models that are loaded side by side the first that failed was named, now one and now another."""
    whole = unloadable(plan_for("best", wishes(), nowhere, GPU))
    assert str(whole) == (
        "the checkpoints someone/ears, someone/brain and someone/mouth are not on this machine; "
        "run `voxterm fetch best`"
    )
    assert unloadable(plan_for("light", wishes(tmp_path, {"mouth": 80_000_000}), nowhere, GPU)) is None
    part = unloadable(plan_for("best", wishes(), nowhere, imagined_machine(4 * GB)))
    assert str(part) == (
        "the checkpoints someone/ears and someone/mouth are not on this machine; "
        "run `voxterm fetch someone/ears`; run `voxterm fetch someone/mouth`"
    ), "no model without room is fetched"
    slow = unloadable(plan_for("best", wishes(), nowhere, NO_GPU))
    assert slow is not None
    assert slow.what.startswith("too slow for a conversation here: ")
    assert slow.remedy.endswith("run `voxterm fetch best`")
    speaking = unloadable(plan_for("light", wishes(), nowhere, NO_GPU), is_whole=False)
    assert speaking is not None
    assert speaking.remedy == "run `voxterm fetch someone/mouth`"


def test_what_is_wrong_with_a_folder_is_not_to_be_fetched(tmp_path: Path, nowhere: dict[str, str]) -> None:
    places = {"ears": str(tmp_path / "gone"), "brain": "someone/brain"}
    asked = replace(wishes(), checkpoints=places, written={"ears": "engines.ears.checkpoint"})
    found = by_name(outlooks(asked, nowhere, GPU))["best"]
    assert found.remedy.splitlines() == [
        "name the folder of a checkpoint, or owner/repo of the Hugging Face hub",
        "voxterm fetch someone/brain",
        "voxterm fetch someone/mouth",
    ]
    error = unloadable(found.plan)
    assert error is not None
    assert f"engines.ears.checkpoint: there is no folder {tmp_path}/gone" in error.what


def test_of_a_server_it_is_said_that_it_is_asked(nowhere: dict[str, str]) -> None:
    known = profiles({"mine": ["pocketsphinx", "server", "espeak"]}, EngineSettings())
    assert "asks a server" in plan_for("mine", Wishes(profiles=known), nowhere, NO_GPU).reason
