"""All profiles on one machine: what would become of each, and which of them `auto` takes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal, TypeAlias

from voxterm.checkpoints.finding import absent, is_repo
from voxterm.engines.declared.declaration import IMPORTANCE
from voxterm.engines.declared.engines import ENGINES
from voxterm.engines.registry import AUTO, Profile, profile_named
from voxterm.errors import CheckpointError
from voxterm.plan.choice import Plan
from voxterm.plan.here import EMBEDDED, Machine, no_models, plan_of, this_machine
from voxterm.plan.wishes import Wishes

INSTALL_MODELS = "pip install 'voxterm[models]'"
FETCH = "voxterm fetch "
KEEPS_UP = "voxterm --profile auto, which takes what keeps up; `voxterm plan` tells more"

State: TypeAlias = Literal["runs", "unfetched", "uninstalled", "too large", "by name"]
"""In order: ready; its checkpoints are missing; its packages are; no model of it has room, or is fast enough;
it asks a server, so only who names it gets it."""


@dataclass(frozen=True, slots=True)
class Outlook:
    """What would become of a profile on a machine."""

    profile: Profile
    plan: Plan
    state: State
    what: str  # the state in words, and why it is so
    remedy: str = ""  # what to type, a step a line

    @property
    def runs(self) -> bool:
        return self.state == "runs"

    @property
    def embedded(self) -> int:
        """What it counts that embedded engines are in roles of it; the less the better."""
        return sum(
            IMPORTANCE[engine.role]
            for engine in (ENGINES[name] for name in self.profile.engines)
            if engine.is_embedded or (engine.model and engine.name not in self.plan.placements)
        )


def outlooks(
    wishes: Wishes, environ: Mapping[str, str], machine: Machine, *, named: str = "", as_if_here: bool = False
) -> list[Outlook]:
    """What would become of every profile, the best first.

    Args:
        named: the profile that was asked for by its name; without a GPU it may run on a CPU however slow, and
            it may ask a server.
        as_if_here: all packages and checkpoints are taken to be here, as on another machine they may be.
    """
    return [
        _outlook(profile, wishes, environ, machine, is_named=name == named, as_if_here=as_if_here)
        for name, profile in wishes.profiles.items()
    ]


def taken(found: Sequence[Outlook]) -> Outlook | None:
    """The profile that `auto` takes: of those that run the one with the fewest roles left to the embedded
    engines, and of several such the first."""
    return min((one for one in found if one.runs), key=lambda one: one.embedded, default=None)


def plan_for(
    profile: str, wishes: Wishes, environ: Mapping[str, str], machine: Machine | None = None
) -> Plan:
    """What to load for this profile. `auto` takes the best whose packages and checkpoints are all here.

    A role without a placement goes to the embedded engines (`Plan.stand_ins`). A profile that is asked for by
    its name may run on a CPU, however slow, where there is no GPU: `Plan.gives_up` says so.

    Raises:
        ConfigError: no profile has this name.
    """
    machine = machine or this_machine(environ)
    if profile != AUTO:
        return preview(profile, wishes, environ, machine)
    return auto_plan(outlooks(wishes, environ, machine), machine)


def auto_plan(found: Sequence[Outlook], machine: Machine) -> Plan:
    """What `auto` loads, of these profiles."""
    best = taken(found)
    if best and best.plan.placements:
        return best.plan
    with_models = _with_models(found)
    with_room = next((one.plan for one in with_models if one.plan.placements), None)
    missing = with_room.missing if with_room else {}
    return replace(no_models(_why_nothing(with_models, machine)), fits=False, missing=missing)


def playing(plan: Plan, wishes: Wishes) -> Profile:
    """The engines of a plan's profile, with the embedded ones where a model has no place."""
    profile = wishes.profiles[plan.profile]
    return profile.without(
        {engine.name for engine in profile.declared if engine.model} - set(plan.placements)
    )


def preview(profile: str, wishes: Wishes, environ: Mapping[str, str], machine: Machine | None = None) -> Plan:
    """The plan as if all checkpoints were here: those that are not are taken by their published shapes.

    Of `auto` it is the plan of the profile that it would then take.

    Raises:
        ConfigError: no profile has this name.
    """
    machine = machine or this_machine(environ)
    if profile == AUTO:
        found = outlooks(wishes, environ, machine, as_if_here=True)
        best, with_models = taken(found), _with_models(found)
        if best and best.plan.placements:
            return best.plan
        return (
            replace(with_models[0].plan, profile=EMBEDDED) if with_models else no_models(machine.why_no_gpu)
        )
    wanted = profile_named(profile, wishes.profiles)
    plan = plan_of(wanted, wishes, environ, machine, takes_slow=True)
    all_embedded = all(ENGINES[name].is_embedded for name in playing(plan, wishes).engines)
    return replace(plan, profile=EMBEDDED) if all_embedded else plan


def _outlook(
    profile: Profile,
    wishes: Wishes,
    environ: Mapping[str, str],
    machine: Machine,
    *,
    is_named: bool,
    as_if_here: bool,
) -> Outlook:
    plan = plan_of(profile, wishes, environ, machine, takes_slow=is_named)
    if all(engine.is_embedded for engine in profile.declared):
        return Outlook(profile, plan, "runs", "needs no GPU, no download and no network")
    if plan.lacking and not as_if_here:
        lacking = dict.fromkeys(line for lines in plan.lacking.values() for line in lines)
        what = f"packages are not installed: {', '.join(lacking)}"
        return Outlook(profile, plan, "uninstalled", f"{_slowly(plan)}{what}", INSTALL_MODELS)
    missing = plan.missing if not as_if_here else {}
    if profile.is_remote and not is_named:
        return Outlook(profile, plan, "by name", _beside_server(plan), _fetching(plan) if missing else "")
    if plan.left_out and not plan.placements:
        return Outlook(profile, plan, "too large", f"does not fit: {_reasons(plan.left_out)}")
    if missing:
        how = f"{_slowly(plan)}and" if plan.too_slow else f"fits ({plan.reason}), but"
        what = f"{how} checkpoints are missing{_without(plan)}"
        return Outlook(profile, plan, "unfetched", what, _mending(plan))
    return Outlook(profile, plan, "runs", f"{_slowly(plan)}{plan.reason}{_without(plan)}")


def _beside_server(plan: Plan) -> str:
    """Of a profile that asks a server; beside that it may have models here."""
    here = [plan.reason] if plan.placements else []
    if plan.left_out:
        here.append(f"too large or too slow here: {' and '.join(plan.left_out)}")
    return "; ".join(["asks a server, so by its name alone", *here])


def _reasons(of_models: Mapping[str, str]) -> str:
    """Models by their titles, each with what is the matter; those of which it is the same together."""
    reasons: dict[str, list[str]] = {}
    for title, why in of_models.items():
        reasons.setdefault(why, []).append(title)
    return "; ".join(f"{' and '.join(titles)}, since {why}" for why, titles in reasons.items())


def _slowly(plan: Plan) -> str:
    """What comes before all else of a profile that was asked for by its name and cannot keep up."""
    return f"too slow for a conversation here: {_reasons(plan.too_slow)}; " if plan.too_slow else ""


def _without(plan: Plan) -> str:
    """Who takes the roles of models that have no place beside the others."""
    if not plan.left_out:
        return ""
    return f"; without {' and '.join(plan.left_out)}: {', '.join(plan.stand_ins.values())}"


def unloadable(plan: Plan, *, is_whole: bool = True) -> CheckpointError | None:
    """All that keeps the models of a plan from being loaded, and what mends it, in one line.

    `is_whole`: all of the profile is to play in a conversation, so that it must keep up.
    """
    not_here = [place for place, error in plan.missing.items() if error.what == absent([place])]
    broken = [error.what for place, error in plan.missing.items() if place not in not_here]
    if not plan.missing:
        return None
    what = "; ".join([*([absent(not_here)] if not_here else []), *broken])
    steps = _fetching(plan, is_whole=is_whole).splitlines()
    remedy = "; ".join(f"run `{step}`" if step.startswith(FETCH) else step for step in steps)
    if is_whole and plan.too_slow:
        return CheckpointError(f"{_slowly(plan)}{what}", f"take --profile auto, or all the same {remedy}")
    return CheckpointError(what, remedy)


def _mending(plan: Plan) -> str:
    """What to do where checkpoints are missing. A download of many gigabytes is not advised for a model that
    could not keep up."""
    return KEEPS_UP if plan.too_slow else _fetching(plan)


def _fetching(plan: Plan, *, is_whole: bool = True) -> str:
    """What gets the checkpoints, a step a line: all of the profile, or those alone that have a place. What is
    wrong with a folder no download mends."""
    places = {place: is_repo(place) for place in plan.missing}
    if plan.fits and is_whole and all(places.values()):
        return f"{FETCH}{plan.profile}"
    return "\n".join(
        f"{FETCH}{place}" if places[place] else error.remedy for place, error in plan.missing.items()
    )


def _with_models(found: Sequence[Outlook]) -> list[Outlook]:
    """Those among which `auto` chooses before it leaves all to the embedded engines. One that asks a server
    is none of them: whether it answers nobody knows, and what is said would leave this machine unasked."""
    return [one for one in found if not one.profile.is_remote and any(e.model for e in one.profile.declared)]


def _why_nothing(found: Sequence[Outlook], machine: Machine) -> str:
    """Why `auto` leaves all to the embedded engines: what is the matter with the first that has room here."""
    first = next((one for one in found if one.plan.placements), None)
    if first is None:
        return found[0].plan.reason if found else machine.why_no_gpu
    if first.state == "uninstalled":
        return f"{first.profile.name}: {first.what}"
    return str(next(iter(first.plan.missing.values())))
