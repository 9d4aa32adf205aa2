"""What each profile needs and whether it can run here, and which checkpoints are in the cache."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from voxterm.checkpoints import Checkpoint, find
from voxterm.checkpoints.finding import hub_cache, is_offline, is_repo, repo_folder
from voxterm.doctor.finding import Finding, Verdict
from voxterm.doctor.gpus import Trouble
from voxterm.doctor.packages import INSTALL_MODELS
from voxterm.doctor.program import existing_part, spoken
from voxterm.engines.declared.declaration import Declaration
from voxterm.engines.declared.engines import ENGINES
from voxterm.engines.declared.model import need_of
from voxterm.engines.registry import Profile
from voxterm.errors import CheckpointError
from voxterm.gpu import GB
from voxterm.plan import AUTO, EMBEDDED, Machine, Plan, Wishes, embedded_roles, plan_of, preview


@dataclass(frozen=True, slots=True)
class Chosen:
    """The profile of the settings, and what it asks of a plan."""

    profile: str
    wishes: Wishes

    @property
    def needs_models(self) -> bool:
        """Whether it is one of speech models, asked for by its name."""
        profile = self.wishes.profiles.get(self.profile)
        return profile is not None and bool(_models(profile))


@dataclass(frozen=True, slots=True)
class ProfileState:
    """One profile on this machine."""

    name: str
    runs: bool
    embedded: int  # `plan.embedded_roles`
    finding: Finding


def profile_states(
    chosen: Chosen, machine: Machine, environ: Mapping[str, str], *, torch: Trouble | None
) -> list[ProfileState]:
    """Every profile, the best first. `torch`: why PyTorch cannot use the GPU.

    Raises:
        ConfigError: the chosen profile does not exist.
    """
    preview(chosen.profile, chosen.wishes, environ, machine)  # refuses an unknown name
    states = []
    for name, profile in chosen.wishes.profiles.items():
        if all(engine.is_embedded for engine in profile.declared):
            finding = Finding("models", name, "ok", "needs no GPU, no download and no network")
            states.append(ProfileState(name, True, embedded_roles(profile, None), finding))
            continue
        is_chosen = chosen.profile == name
        plan = plan_of(profile, chosen.wishes, environ, machine, takes_slow=is_chosen)
        trouble = _trouble(profile, plan, torch=torch)
        finding = _profile_finding(profile, plan, trouble, chosen)
        runs = trouble is None and (is_chosen or not profile.is_remote)
        states.append(ProfileState(name, runs, embedded_roles(profile, plan), finding))
    return states


def profile_that_runs(chosen: str, states: Sequence[ProfileState]) -> str:
    """The profile that voxterm would take now; the chosen one, where it was chosen by its name."""
    able = [state for state in states if state.runs]
    best = min(able, key=lambda state: state.embedded, default=None)
    return chosen if chosen != AUTO else best.name if best else EMBEDDED


def _models(profile: Profile) -> list[Declaration]:
    return [engine for engine in profile.declared if engine.model]


def _trouble(profile: Profile, plan: Plan, *, torch: Trouble | None) -> Trouble | None:
    """The first reason why a profile cannot run."""
    models = _models(profile)
    needs = " and ".join(engine.title for engine in models)
    if plan.lacking:
        lacking = dict.fromkeys(line for lines in plan.lacking.values() for line in lines)
        return Trouble(f"packages are not installed: {', '.join(lacking)}", INSTALL_MODELS)
    if models and not plan.placements:
        return Trouble(f"{needs}: {plan.reason}", "voxterm --profile embedded; `voxterm plan` tells more")
    if torch is not None and any(place.device != "cpu" for place in plan.placements.values()):
        return torch
    if plan.missing:
        remedy = f"voxterm fetch {profile.name}"
        return Trouble(f"fits ({plan.reason}), but checkpoints are missing", remedy)
    return None


def _profile_finding(profile: Profile, plan: Plan, trouble: Trouble | None, chosen: Chosen) -> Finding:
    name = profile.name
    if trouble is not None:
        is_chosen = chosen.profile == name
        on_gpu = any(place.device != "cpu" for place in plan.placements.values())
        is_first = next(iter(chosen.wishes.profiles)) == name
        warns = chosen.profile == AUTO and on_gpu and is_first
        verdict: Verdict = "bad" if is_chosen else "warn" if warns else "info"
        remedy = "" if verdict == "info" else trouble.remedy
        return Finding("models", name, verdict, trouble.what, remedy, blocks=is_chosen)
    if plan.gives_up:
        what = f"{plan.reason}; gives up: {'; '.join(plan.gives_up)}"
        return Finding("models", name, "warn", what, "voxterm plan")
    if profile.is_remote and chosen.profile != name:
        return Finding("models", name, "info", f"asks a server, so by its name alone; {plan.reason}")
    return Finding("models", name, "ok", plan.reason)


def checkpoint_findings(chosen: Chosen, environ: Mapping[str, str], *, wanted: bool) -> Iterator[Finding]:
    """`wanted`: the first profile could run, were its checkpoints here."""
    missing_bytes = 0
    profile = chosen.profile if chosen.needs_models else next(iter(chosen.wishes.profiles), "")
    needed = _needed(chosen.wishes.profiles[profile]) if profile else ()
    for model, place in chosen.wishes.checkpoints.items():
        found = _found(model, place, environ)
        if isinstance(found, Checkpoint):
            yield Finding("models", model, "ok", f"{place}, {found.weight_bytes / GB:.1f} GB")
            continue
        begun_bytes, is_needed = _begun_bytes(place, environ), model in needed
        missing_bytes += max(0, _published_bytes(model) - begun_bytes) if is_needed else 0
        blocks, is_wanted = chosen.needs_models and is_needed, wanted and is_needed
        yield _missing_finding(model, found, begun_bytes, chosen, blocks=blocks, wanted=is_wanted)
    yield from _hub_findings(environ, missing_bytes, wanted=wanted)


def _found(model: str, place: str, environ: Mapping[str, str]) -> Checkpoint | CheckpointError:
    try:
        return find(place, _architectures(model), environ)
    except CheckpointError as error:
        return error


def _needed(profile: Profile) -> set[str]:
    """The names of the models and codecs of a profile."""
    models = [engine.model for engine in profile.declared if engine.model]
    return {name for model in models for name in (model.name, model.codec_name) if name}


def _missing_finding(
    model: str, error: CheckpointError, begun_bytes: int, chosen: Chosen, *, blocks: bool, wanted: bool
) -> Finding:
    begun = f" ({begun_bytes / GB:.1f} GB of it are)" if begun_bytes else ""
    verdict: Verdict = "bad" if blocks else "warn" if wanted or begun_bytes else "info"
    fetch = f"voxterm fetch {chosen.wishes.checkpoints[model]}"
    mends = fetch if fetch in error.remedy else error.remedy
    remedy = "" if verdict == "info" else mends
    what = error.what.removeprefix("the checkpoint ") + begun
    return Finding("models", model, verdict, what, remedy, blocks=blocks)


def _architectures(name: str) -> tuple[str, ...]:
    """What the config of a model may call itself; that of a codec says nothing."""
    model = ENGINES[name].model if name in ENGINES else None
    return model.architectures if model else ()


def _begun_bytes(place: str, environ: Mapping[str, str]) -> int:
    """What a download that broke off has left in the cache."""
    if not is_repo(place):
        return 0
    blobs = repo_folder(place, environ) / "blobs"
    try:
        return sum(path.stat().st_size for path in blobs.iterdir())
    except OSError:
        return 0


def _published_bytes(name: str) -> int:
    """About what a checkpoint takes on the disk: its weights in bf16."""
    models = [engine.model for engine in ENGINES.values() if engine.model]
    for model in models:
        if model.name == name:
            need = need_of(model, "", 0)
            return need.weights_bytes.get("bf16") or min(need.weights_bytes.values())
    return next((model.codec_bytes for model in models if model.codec_name == name), 0)


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
