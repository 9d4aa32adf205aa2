"""What each profile needs and whether it can run here, and which checkpoints are in the cache."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from voxterm.checkpoints import find
from voxterm.checkpoints.finding import hub_cache, is_offline, is_repo, repo_folder
from voxterm.doctor.finding import Finding, Verdict
from voxterm.doctor.gpus import Trouble
from voxterm.doctor.packages import INSTALL_MODELS
from voxterm.doctor.program import existing_part, spoken
from voxterm.errors import CheckpointError
from voxterm.gpu import GB
from voxterm.plan import AUTO, EMBEDDED, MODELS, PROFILES, Machine, Plan, Wishes, need_of, preview


@dataclass(frozen=True, slots=True)
class Chosen:
    """The profile of the settings, and what it asks of a plan."""

    profile: str
    wishes: Wishes

    @property
    def needs_models(self) -> bool:
        return bool(PROFILES.get(self.profile))


@dataclass(frozen=True, slots=True)
class ProfileState:
    """One profile on this machine."""

    name: str
    runs: bool
    finding: Finding


def profile_states(
    chosen: Chosen, machine: Machine, environ: Mapping[str, str], *, has_packages: bool, torch: Trouble | None
) -> list[ProfileState]:
    """Every profile, the best first. `torch`: why PyTorch cannot use the GPU.

    Raises:
        ConfigError: the chosen profile does not exist.
    """
    preview(chosen.profile, chosen.wishes, environ, machine)  # refuses an unknown name
    states = []
    for name, models in PROFILES.items():
        if not models:
            finding = Finding("models", name, "ok", "needs no GPU, no download and no network")
            states.append(ProfileState(name, True, finding))
            continue
        plan = preview(name if chosen.profile == name else AUTO, chosen.wishes, environ, machine)
        trouble = _trouble(name, plan, has_packages=has_packages, torch=torch)
        finding = _profile_finding(name, plan, trouble, chosen)
        states.append(ProfileState(name, trouble is None, finding))
    return states


def profile_that_runs(chosen: str, states: Sequence[ProfileState]) -> str:
    """The profile that voxterm would take now; the chosen one, where it was chosen by its name."""
    return chosen if chosen != AUTO else next((s.name for s in states if s.runs), EMBEDDED)


def _trouble(name: str, plan: Plan, *, has_packages: bool, torch: Trouble | None) -> Trouble | None:
    """The first reason why a profile of models cannot run."""
    needs = " and ".join(MODELS[model].title for model in PROFILES[name])
    if not has_packages:
        return Trouble(f"{needs}: their packages are not installed", INSTALL_MODELS)
    if not plan.placements:
        return Trouble(f"{needs}: {plan.reason}", "voxterm --profile embedded; `voxterm plan` tells more")
    if torch is not None and any(place.device != "cpu" for place in plan.placements.values()):
        return torch
    if plan.missing:
        return Trouble(f"fits ({plan.reason}), but checkpoints are missing", f"voxterm fetch {name}")
    return None


def _profile_finding(name: str, plan: Plan, trouble: Trouble | None, chosen: Chosen) -> Finding:
    if trouble is not None:
        is_chosen = chosen.profile == name
        on_gpu = any(place.device != "cpu" for place in plan.placements.values())
        verdict: Verdict = "bad" if is_chosen else "warn" if chosen.profile == AUTO and on_gpu else "info"
        remedy = "" if verdict == "info" else trouble.remedy
        return Finding("models", name, verdict, trouble.what, remedy, blocks=is_chosen)
    if plan.gives_up:
        what = f"{plan.reason}; gives up: {'; '.join(plan.gives_up)}"
        return Finding("models", name, "warn", what, "voxterm plan")
    return Finding("models", name, "ok", plan.reason)


def checkpoint_findings(chosen: Chosen, environ: Mapping[str, str], *, wanted: bool) -> Iterator[Finding]:
    """`wanted`: the profile of models could run, were its checkpoints here."""
    missing_bytes = 0
    for model, place in chosen.wishes.checkpoints.items():
        architectures = MODELS[model].architectures if model in MODELS else ()
        try:
            found = find(place, architectures, environ)
        except CheckpointError as error:
            begun_bytes = _begun_bytes(place, environ)
            missing_bytes += max(0, _published_bytes(model) - begun_bytes)
            yield _missing_finding(model, error, begun_bytes, chosen, wanted=wanted)
        else:
            what = f"{place}, {found.weight_bytes / GB:.1f} GB"
            yield Finding("models", model, "ok", what)
    yield from _hub_findings(environ, missing_bytes, wanted=wanted)


def _missing_finding(
    model: str, error: CheckpointError, begun_bytes: int, chosen: Chosen, *, wanted: bool
) -> Finding:
    begun = f" ({begun_bytes / GB:.1f} GB of it are)" if begun_bytes else ""
    verdict: Verdict = "bad" if chosen.needs_models else "warn" if wanted or begun_bytes else "info"
    fetch = f"voxterm fetch {chosen.wishes.checkpoints[model]}"
    mends = fetch if fetch in error.remedy else error.remedy
    remedy = "" if verdict == "info" else mends
    what = error.what.removeprefix("the checkpoint ") + begun
    return Finding("models", model, verdict, what, remedy, blocks=chosen.needs_models)


def _begun_bytes(place: str, environ: Mapping[str, str]) -> int:
    """What a download that broke off has left in the cache."""
    if not is_repo(place):
        return 0
    blobs = repo_folder(place, environ) / "blobs"
    try:
        return sum(path.stat().st_size for path in blobs.iterdir())
    except OSError:
        return 0


def _published_bytes(model: str) -> int:
    """About what a checkpoint takes on the disk: its weights in bf16."""
    if model in MODELS:
        return need_of(MODELS[model]).weights_bytes["bf16"]
    return next((one.codec_bytes for one in MODELS.values() if one.codec_name == model), 0)


def _hub_findings(environ: Mapping[str, str], missing_bytes: int, *, wanted: bool) -> Iterator[Finding]:
    cache = hub_cache(environ).absolute()
    place = existing_part(cache)
    free_bytes = shutil.disk_usage(place).free
    token = "HF_TOKEN is set" if environ.get("HF_TOKEN", "").strip() else "HF_TOKEN is not set"
    from_variable = ", by HF_HOME" if environ.get("HF_HOME") and _is_below(cache, environ["HF_HOME"]) else ""
    what = f"{spoken(cache)}{from_variable}, {free_bytes / GB:.1f} GB free; {token}"
    if free_bytes < missing_bytes:
        what += f"; {missing_bytes / GB:.1f} GB are still to come"
        remedy = "export HF_HOME=FOLDER with one on a larger disk"
        yield Finding("models", "cache", "warn" if wanted else "info", what, remedy if wanted else "")
    else:
        yield Finding("models", "cache", "ok", what)
    if missing_bytes and is_offline(environ):
        what = "HF_HUB_OFFLINE is set, so nothing can be fetched"
        yield Finding("models", "hub", "warn", what, "unset HF_HUB_OFFLINE")


def _is_below(path: Path, folder: str) -> bool:
    return path.is_relative_to(os.path.abspath(os.path.expanduser(folder)))  # noqa: PTH100, PTH111
