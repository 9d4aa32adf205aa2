"""Which profile can run, and which checkpoints are here, half here or not here."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest
from chat_server import ChatServer
from scenes import one

from voxterm.doctor.finding import Finding
from voxterm.doctor.gpus import Trouble
from voxterm.doctor.models import (
    Chosen,
    ProfileState,
    checkpoint_findings,
    profile_states,
    profile_that_runs,
    profile_wanted,
    remote_findings,
)
from voxterm.engines.declared import voxtral
from voxterm.engines.declared.engine_settings import EngineSettings
from voxterm.engines.declared.openai import OpenAiSettings
from voxterm.engines.openai.engine import OpenAiLanguageModel
from voxterm.engines.registry import profiles
from voxterm.errors import ConfigError
from voxterm.gpu import GB, Ram
from voxterm.plan import Machine, Wishes, imagined_machine

NO_GPU = Machine(None, "there is no GPU to use")
PROFILES = profiles(
    {"voxtral-orpheus": ["voxtral", "orpheus"], "embedded": ["pocketsphinx", "eliza", "espeak"]},
    EngineSettings(),
)
BIG = imagined_machine(80 * GB)
REPOS = {"voxtral": "someone/voxtral", "orpheus": "someone/orpheus", "snac": "someone/snac"}


@pytest.fixture
def here(voxtral_folder: Path, orpheus_folder: Path, snac_folder: Path) -> Wishes:
    """All checkpoints are on this machine."""
    folders = {"voxtral": voxtral_folder, "orpheus": orpheus_folder, "snac": snac_folder}
    return Wishes(profiles=PROFILES, checkpoints={name: str(folder) for name, folder in folders.items()})


def states(
    profile: str, wishes: Wishes, machine: Machine, *, torch: Trouble | None = None
) -> tuple[ProfileState, str]:
    """The profile of models, and the profile that would run."""
    chosen = Chosen(profile, wishes)
    found = profile_states(chosen, machine, {}, torch=torch)
    assert [state.name for state in found] == ["voxtral-orpheus", "embedded"]
    assert found[1].runs, "the embedded one always does"
    return found[0], profile_that_runs(profile, found)


def test_all_there(here: Wishes) -> None:
    for profile in ("auto", "voxtral-orpheus"):
        models, runs = states(profile, here, BIG)
        assert (models.runs, models.finding.verdict, runs) == (True, "ok", "voxtral-orpheus")
    assert states("embedded", here, BIG)[1] == "embedded"


def test_a_profile_that_nobody_chose_blocks_nothing(here: Wishes) -> None:
    models, runs = states("auto", here, NO_GPU)
    assert (models.runs, models.finding.verdict, models.finding.blocks, runs) == (
        False, "info", False, "embedded"
    )  # fmt: skip
    assert "does not fit" in models.finding.what
    embedded = profile_states(Chosen("auto", here), NO_GPU, {}, torch=None)[1].finding
    assert (embedded.verdict, embedded.what) == ("ok", "taken by auto: there is no GPU to use")


@pytest.mark.parametrize("machine", [NO_GPU, imagined_machine(1 * GB)])
def test_one_that_was_chosen_and_does_not_fit(
    machine: Machine,
) -> None:
    published = Wishes(profiles=PROFILES, checkpoints=REPOS)
    models, runs = states("voxtral-orpheus", published, machine)
    assert (models.runs, models.finding.verdict, models.finding.blocks) == (False, "bad", True)
    assert "voxterm plan" in models.finding.remedy
    assert runs == "voxtral-orpheus"


def test_what_is_missing_is_said_in_its_order(here: Wishes) -> None:
    absent = Wishes(profiles=PROFILES, checkpoints=REPOS)
    lacking = replace(absent, lacking={"orpheus": ("snac",)})
    no_packages, _ = states("voxtral-orpheus", lacking, BIG)
    assert "snac" in no_packages.finding.what
    assert no_packages.finding.remedy == "pip install 'voxterm[models]'"
    idle = Trouble("the GPU lies idle", "pip install torch")
    broken, _ = states("voxtral-orpheus", absent, BIG, torch=idle)
    assert broken.finding.what == "the GPU lies idle"
    unfetched, _ = states("voxtral-orpheus", absent, BIG)
    assert unfetched.finding.remedy == "voxterm fetch voxtral-orpheus"
    assert unfetched.finding.blocks
    waiting, runs = states("auto", absent, BIG)
    assert (waiting.finding.verdict, waiting.finding.blocks, runs) == ("warn", False, "embedded")


def test_what_is_given_up_is_said(here: Wishes) -> None:
    models, runs = states("auto", here, imagined_machine(900_000_000))
    assert (models.runs, runs) == (True, "voxtral-orpheus")
    assert (models.finding.verdict, models.finding.remedy) == ("warn", "voxterm plan")
    assert "gives up: " in models.finding.what


def test_a_gpu_that_lies_idle_is_worth_a_word_only_where_no_model_runs(here: Wishes) -> None:
    absent = Wishes(profiles=PROFILES, checkpoints=REPOS)
    assert profile_wanted(profile_states(Chosen("auto", absent), BIG, {}, torch=None)) == "voxtral-orpheus"
    assert profile_wanted(profile_states(Chosen("auto", here), BIG, {}, torch=None)) == ""
    assert profile_wanted(profile_states(Chosen("embedded", absent), BIG, {}, torch=None)) == ""


def test_of_a_profile_that_does_not_play_what_it_gives_up_is_no_warning(here: Wishes) -> None:
    small = imagined_machine(900_000_000)
    models, _ = states("embedded", here, small)
    assert (models.finding.verdict, models.finding.remedy) == ("info", "")


def test_an_unknown_profile(here: Wishes) -> None:
    with pytest.raises(ConfigError, match="embeded"):
        states("embeded", here, BIG)


def looked_at(
    wishes: Wishes, environ: dict[str, str], profile: str = "auto", wanted: str = "voxtral-orpheus"
) -> list[Finding]:
    return list(checkpoint_findings(Chosen(profile, wishes), environ, wanted=wanted))


def test_checkpoints_that_are_here(here: Wishes, tmp_path: Path) -> None:
    findings = looked_at(here, {"HF_HOME": str(tmp_path), "HF_TOKEN": "hf_secret"})
    assert [finding.verdict for finding in findings] == ["ok"] * 4
    cache = one(findings, "cache")
    assert "by HF_HOME" in cache.what
    assert "HF_TOKEN is set" in cache.what
    assert not any("secret" in finding.what for finding in findings)


@pytest.mark.parametrize(
    ("profile", "wanted", "verdict"),
    [
        ("voxtral-orpheus", "", "bad"),
        ("auto", "voxtral-orpheus", "warn"),
    ],
)
def test_checkpoints_that_are_not(profile: str, wanted: str, verdict: str, tmp_path: Path) -> None:
    findings = looked_at(
        Wishes(profiles=PROFILES, checkpoints=REPOS), {"HF_HUB_CACHE": str(tmp_path)}, profile, wanted
    )
    for model, repo in REPOS.items():
        found = one(findings, model)
        assert (found.verdict, found.blocks) == (verdict, profile == "voxtral-orpheus")
        assert repo in found.what
        assert found.remedy == f"voxterm fetch {repo}"
    assert "not fetched" not in [finding.name for finding in findings]


@pytest.mark.parametrize("profile", ["auto", "embedded"])
def test_checkpoints_that_nobody_needs_are_told_together(profile: str, tmp_path: Path) -> None:
    """With a line for each the page was longer than a screen."""
    published = {"voxtral": voxtral.MODEL.checkpoint, "orpheus": "someone/orpheus"}
    wishes = Wishes(profiles=PROFILES, checkpoints=published)
    environ = {"HF_HUB_CACHE": str(tmp_path), "HF_HUB_OFFLINE": "1"}
    findings = looked_at(wishes, environ, profile, wanted="")
    assert [finding.name for finding in findings] == ["not fetched", "cache"]
    assert findings[0].what.startswith("voxtral (9.4 GB), orpheus: `voxterm fetch")
    assert not any(finding.remedy for finding in findings)


def test_a_download_that_broke_off(tmp_path: Path) -> None:
    """It would be said to be missing, although most of it is there."""
    repo = tmp_path / "models--someone--voxtral"
    snapshot = repo / "snapshots" / "0123"
    for folder in (snapshot, repo / "refs", repo / "blobs"):
        folder.mkdir(parents=True)
    (repo / "refs/main").write_text("0123")
    (snapshot / "config.json").write_text('{"architectures": ["VoxtralForConditionalGeneration"]}')
    with (repo / "blobs/abc.incomplete").open("wb") as file:
        file.truncate(3 * GB)  # a hole: nothing is written
    findings = looked_at(
        Wishes(profiles=PROFILES, checkpoints=REPOS), {"HF_HUB_CACHE": str(tmp_path)}, wanted=""
    )
    found = one(findings, "voxtral")
    assert (found.verdict, found.remedy) == ("warn", "voxterm fetch someone/voxtral")
    assert "3.0 GB of it are" in found.what


def test_a_disk_that_is_too_small_and_a_hub_that_may_not_be_asked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=2 * GB))
    environ = {"HF_HUB_CACHE": str(tmp_path), "HF_HUB_OFFLINE": "1"}
    findings = looked_at(Wishes(profiles=PROFILES, checkpoints=REPOS), environ)
    cache = one(findings, "cache")
    assert cache.verdict == "warn"
    assert "HF_HOME" in cache.remedy
    assert one(findings, "hub").remedy == "unset HF_HUB_OFFLINE"


def partly(tmp_path: Path) -> tuple[Wishes, dict[str, str]]:
    """A profile of which only the voice has a place on a CPU; nothing is fetched."""
    known = profiles({"voxtral-kokoro": ["voxtral", "kokoro"]}, EngineSettings())
    places = {"voxtral": "someone/voxtral", "kokoro": "someone/kokoro"}
    return Wishes(profiles=known, checkpoints=places), {"HF_HUB_CACHE": str(tmp_path)}


ON_CPU = Machine(None, "there is no GPU", Ram(8 * GB, 8 * GB, 0), 10e9)


def test_who_reads_the_page_fetches_nothing_that_has_no_place(tmp_path: Path) -> None:
    """It said that the profile fits: all of it would have brought 9 GB for nothing."""
    wishes, environ = partly(tmp_path)
    chosen = Chosen("auto", wishes)
    found = profile_states(chosen, ON_CPU, environ, torch=None)
    assert found[0].finding.what == "not fetched; without Voxtral"
    outlooks = [state.outlook for state in found]
    findings = list(checkpoint_findings(chosen, environ, wanted="", found=outlooks))
    told = one(findings, "not fetched").what
    assert "voxterm fetch PROFILE" not in told
    assert (
        told
        == "kokoro: `voxterm plan` tells what to fetch for a profile; too large or too slow here: voxtral"
    )


def test_a_model_without_a_place_is_not_needed(tmp_path: Path) -> None:
    wishes, environ = partly(tmp_path)
    chosen = Chosen("voxtral-kokoro", wishes)
    small = Machine(None, "there is no GPU", Ram(4 * GB, 4 * GB, 0), 10e9)
    (state,) = profile_states(chosen, small, environ, torch=None)
    assert state.finding.remedy == "voxterm fetch someone/kokoro"
    findings = list(checkpoint_findings(chosen, environ, wanted="", found=[state.outlook]))
    assert [finding.name for finding in findings if finding.blocks] == ["kokoro"]


def test_a_folder_that_is_not_there_is_a_matter_of_the_setting(tmp_path: Path) -> None:
    wishes, environ = partly(tmp_path)
    gone = replace(
        wishes,
        checkpoints={**wishes.checkpoints, "kokoro": "/nope"},
        written={"kokoro": "engines.kokoro.checkpoint"},
    )
    chosen = Chosen("voxtral-kokoro", gone)
    found = profile_states(chosen, BIG, environ, torch=None)
    findings = list(checkpoint_findings(chosen, environ, wanted="", found=[found[0].outlook]))
    kokoro = one(findings, "kokoro")
    assert kokoro.what == "engines.kokoro.checkpoint: there is no folder /nope"
    assert kokoro.remedy.startswith("name the folder")
    assert "fetch voxtral-kokoro" not in found[0].finding.remedy
    assert "/nope" not in found[0].finding.remedy


def test_the_model_of_a_server_is_named() -> None:
    with ChatServer(models=["llama3", "qwen"]) as server:
        engine = OpenAiLanguageModel(OpenAiSettings(base_url=server.url))
        (found,) = remote_findings(Chosen("mine", Wishes()), "openai", lambda: engine)
    assert (found.verdict, found.what) == ("ok", "the server answers, and has llama3")
