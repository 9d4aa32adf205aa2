"""What each profile needs and whether it can run here, and which checkpoints are in the cache."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from voxterm.checkpoints import Checkpoint
from voxterm.checkpoints.finding import hub_cache, is_offline, is_repo, repo_folder
from voxterm.doctor.finding import Finding, Verdict
from voxterm.doctor.gpus import Trouble
from voxterm.doctor.program import existing_part, spoken
from voxterm.engines.declared.engines import ENGINES
from voxterm.engines.declared.model import Model, need_of
from voxterm.engines.protocols import RemoteEngine
from voxterm.engines.registry import Profile, profile_named
from voxterm.errors import CheckpointError, VoxtermError
from voxterm.gpu import GB
from voxterm.plan import AUTO, EMBEDDED, Machine, Outlook, State, Wishes, auto_plan, outlooks, taken
from voxterm.plan.wishes import found_by

IN_SHORT: Mapping[State, str] = {
    "unfetched": "fits, but its checkpoints are missing",
    "uninstalled": "fits, but its packages are not installed",
    "too large": "does not fit: too large or too slow here",
    "by name": "asks a server, so by its name alone",
}
PARTLY: Mapping[State, str] = {"unfetched": "not fetched", "uninstalled": "not installed"}


@dataclass(frozen=True, slots=True)
class Chosen:
    """The profile of the settings, and what it asks of a plan."""

    profile: str
    wishes: Wishes

    @property
    def needs_models(self) -> bool:
        """Whether it is one of speech models, asked for by its name."""
        profile = self.wishes.profiles.get(self.profile)
        return profile is not None and any(engine.model for engine in profile.declared)

    @property
    def servers(self) -> list[str]:
        """The engines of it that run elsewhere, where it was asked for by its name."""
        profile = self.wishes.profiles.get(self.profile)
        return [engine.name for engine in profile.declared if engine.is_remote] if profile else []

    @property
    def has_second_choice(self) -> bool:
        """Whether another engine answers where a server does not."""
        profile = self.wishes.profiles.get(self.profile)
        return profile is not None and bool(profile.second_choices)


@dataclass(frozen=True, slots=True)
class ProfileState:
    """One profile on this machine, and how the page tells of it."""

    outlook: Outlook
    finding: Finding

    @property
    def name(self) -> str:
        return self.outlook.profile.name

    @property
    def runs(self) -> bool:
        return self.outlook.runs


def profile_states(
    chosen: Chosen, machine: Machine, environ: Mapping[str, str], *, torch: Trouble | None
) -> list[ProfileState]:
    """Every profile, the best first. `torch`: why PyTorch cannot use the GPU.

    Raises:
        ConfigError: the chosen profile does not exist.
    """
    if chosen.profile != AUTO:
        profile_named(chosen.profile, chosen.wishes.profiles)  # refuses an unknown name
    found = outlooks(chosen.wishes, environ, machine, named=chosen.profile)
    found = [_with_torch(one, torch) if torch else one for one in found]
    wanted = _wanted_by_auto(found) if chosen.profile == AUTO else None
    plays = _that_runs(chosen.profile, found)
    why = auto_plan(found, machine).reason if chosen.profile == AUTO else ""
    return [ProfileState(one, _finding(one, chosen.profile, plays, wanted, why)) for one in found]


def profile_that_runs(chosen: str, states: Sequence[ProfileState]) -> str:
    """The profile that voxterm would take now; the chosen one, where it was chosen by its name."""
    return _that_runs(chosen, [state.outlook for state in states])


def profile_wanted(states: Sequence[ProfileState]) -> str:
    """The profile that `auto` would take on the GPU, were it mended; "": there is none, or a model runs."""
    return next((state.name for state in states if state.finding.verdict == "warn" and not state.runs), "")


def _that_runs(chosen: str, found: Sequence[Outlook]) -> str:
    best = taken(found)
    return chosen if chosen != AUTO else best.profile.name if best else EMBEDDED


def _with_torch(outlook: Outlook, trouble: Trouble) -> Outlook:
    """What is wrong with PyTorch comes before checkpoints: with them the model would not run either."""
    if not _on_gpu(outlook) or outlook.state in ("uninstalled", "too large"):
        return outlook
    return replace(outlook, state="uninstalled", what=trouble.what, remedy=trouble.remedy)


def _wanted_by_auto(found: Sequence[Outlook]) -> Outlook | None:
    """The first profile that has room on the GPU but does not run, where `auto` is left with no model."""
    best = taken(found)
    if best and best.plan.placements:
        return None
    return next((one for one in found if _on_gpu(one) and not (one.runs or one.profile.is_remote)), None)


def _on_gpu(outlook: Outlook) -> bool:
    return any(place.device != "cpu" for place in outlook.plan.placements.values())


def _finding(outlook: Outlook, chosen: str, plays: str, wanted: Outlook | None, why_auto: str) -> Finding:
    """What is wrong with a profile matters if it was chosen, or if `auto` wants it; what it gives up, if it
    plays. `voxterm plan` has the details of the others."""
    name, what, given_up = outlook.profile.name, outlook.what, outlook.plan.gives_up
    if not outlook.runs and (chosen == name or outlook is wanted):
        verdict: Verdict = "bad" if chosen == name else "warn"
        mends = outlook.remedy or "voxterm --profile embedded; `voxterm plan` tells more"
        return Finding("models", name, verdict, what, mends, blocks=chosen == name)
    if not outlook.runs:
        return Finding("models", name, "info", _in_short(outlook))
    if name != plays:
        return Finding("models", name, "info" if given_up else "ok", what)
    if chosen == AUTO:
        what = f"taken by auto: {what if outlook.plan.placements else why_auto}"
    if given_up:
        return Finding("models", name, "warn", f"{what}; gives up: {'; '.join(given_up)}", "voxterm plan")
    return Finding("models", name, "ok", what)


def _in_short(outlook: Outlook) -> str:
    """Who reads that a profile fits fetches all of it: of one that does not, only a part would be loaded."""
    left_out = " and ".join(outlook.plan.left_out)
    if left_out and outlook.state in PARTLY:
        return f"{PARTLY[outlook.state]}; without {left_out}"
    return IN_SHORT[outlook.state]


def remote_findings(chosen: Chosen, name: str, build: Callable[[], RemoteEngine]) -> Iterator[Finding]:
    """Whether a server answers, by an engine that asks it."""
    engine = build()
    try:
        engine.load(lambda done_bytes, total_bytes: None)
    except VoxtermError as error:
        blocks = not chosen.has_second_choice
        yield Finding("models", name, "bad" if blocks else "warn", error.what, error.remedy, blocks=blocks)
    else:
        yield Finding("models", name, "ok", f"the server answers, and has {engine.model}")
    finally:
        engine.close()


def checkpoint_findings(
    chosen: Chosen, environ: Mapping[str, str], *, wanted: str, found: Sequence[Outlook] = ()
) -> Iterator[Finding]:
    """`wanted`: `profile_wanted`; `found`: what would become of each profile, where that is known."""
    missing_bytes = 0
    absent: list[str] = []
    profile = chosen.profile if chosen.needs_models else wanted
    left_out = {one.profile.name: _left_out(one) for one in found}
    needed = _needed(chosen.wishes.profiles[profile]) - left_out.get(profile, set()) if profile else set()
    for model, place in chosen.wishes.checkpoints.items():
        checkpoint = _found(chosen, model, place, environ)
        if isinstance(checkpoint, Checkpoint):
            yield Finding("models", model, "ok", f"{place}, {checkpoint.weight_bytes / GB:.1f} GB")
            continue
        if model not in needed and is_repo(place) and not repo_folder(place, environ).exists():
            absent.append(model)
            continue
        begun_bytes = _begun_bytes(place, environ)
        missing_bytes += max(0, _published_bytes(model) - begun_bytes) if model in needed else 0
        blocks = chosen.needs_models and model in needed
        yield _missing_finding(model, checkpoint, begun_bytes, chosen, blocks=blocks, wanted=model in needed)
    if absent:
        yield Finding("models", "not fetched", "info", _not_fetched(chosen, absent, found))
    yield from _hub_findings(environ, missing_bytes, wanted=bool(wanted))


def _not_fetched(chosen: Chosen, absent: Sequence[str], found: Sequence[Outlook]) -> str:
    """Those that have a place in a profile, and what gets them; then those that have none in any."""
    placed = {name for one in found for name in _needed(one.profile) - _left_out(one)}
    useless = {name for one in found for name in _left_out(one)} - placed
    sizes = {model: f"{model}{_size(model, chosen.wishes.checkpoints[model])}" for model in absent}
    useful, idle = (
        ", ".join(size for model, size in sizes.items() if (model in useless) == is_useless)
        for is_useless in (False, True)
    )
    if any(_left_out(one) for one in found):
        gets = "`voxterm plan` tells what to fetch for a profile"  # all of one would bring what has no place
    else:
        gets = "`voxterm fetch PROFILE` gets those of a profile"
    parts = [f"{useful}: {gets}"] if useful else []
    return "; ".join([*parts, *([f"too large or too slow here: {idle}"] if idle else [])])


def _found(
    chosen: Chosen, model: str, place: str, environ: Mapping[str, str]
) -> Checkpoint | CheckpointError:
    try:
        return found_by(chosen.wishes, model, place, _architectures(chosen, model), environ)
    except CheckpointError as error:
        return error


def _needed(profile: Profile) -> set[str]:
    """The names of the models and codecs of a profile."""
    return _named([engine.model for engine in profile.declared if engine.model])


def _left_out(outlook: Outlook) -> set[str]:
    """Those of a profile that have no place, so that they would not be loaded."""
    models = [engine.model for engine in outlook.profile.declared if engine.model]
    return _named([model for model in models if model.name not in outlook.plan.placements])


def _named(models: Sequence[Model]) -> set[str]:
    return {name for model in models for name in (model.name, model.codec_name) if name}


def _missing_finding(
    model: str, error: CheckpointError, begun_bytes: int, chosen: Chosen, *, blocks: bool, wanted: bool
) -> Finding:
    place = chosen.wishes.checkpoints[model]
    begun = f" ({begun_bytes / GB:.1f} GB of it are)" if begun_bytes else _size(model, place)
    verdict: Verdict = "bad" if blocks else "warn" if wanted or begun_bytes else "info"
    fetch = f"voxterm fetch {place}"
    mends = fetch if fetch in error.remedy else error.remedy
    remedy = "" if verdict == "info" else mends
    what = error.what.removeprefix("the checkpoint ") + begun
    return Finding("models", model, verdict, what, remedy, blocks=blocks)


def _architectures(chosen: Chosen, name: str) -> tuple[str, ...]:
    """What the config of a model may call itself; that of a codec says nothing."""
    known = next(iter(chosen.wishes.profiles.values())).known if chosen.wishes.profiles else ENGINES
    model = known[name].model if name in known else None
    return model.architectures if model else ()


def _size(name: str, place: str) -> str:
    """About how large it is, where that is known beforehand."""
    models = [engine.model for engine in ENGINES.values() if engine.model]
    known = {place for model in models for place in (model.checkpoint, model.codec)}
    return f" ({_published_bytes(name) / GB:.1f} GB)" if place in known else ""


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
