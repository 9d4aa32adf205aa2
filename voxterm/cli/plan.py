"""`voxterm plan`: what each model would get of a GPU's memory, what fits, what that gives up, and what would
become of every profile."""

from __future__ import annotations

import argparse
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass

from rich.console import Console
from rich.table import Table
from rich.text import Text

from voxterm.cli import printing
from voxterm.cli.casting import wishes_of
from voxterm.cli.wiring import settings_of
from voxterm.errors import one_line
from voxterm.gpu import GB, parse_size
from voxterm.plan import (
    LADDER,
    Machine,
    Outlook,
    Plan,
    PlannedModel,
    Wishes,
    auto_plan,
    imagined_machine,
    models_of,
    outlooks,
    preview,
    this_machine,
)

HEADING_CELLS = 11
"""Of a model's column: the titles of five wrap beside each other in 80 cells."""

LEAST_CELLS = 60
PARTS = ("weights", "kv_cache", "activations", "codec", "graphs", "total")


@dataclass(frozen=True, slots=True)
class Prospect:
    """What is shown: the plan of the profile that was asked for, and all profiles beside it."""

    machine: Machine
    is_imagined: bool  # a machine of which only the GPU's size is known
    plan: Plan
    models: Sequence[PlannedModel]  # of all profiles
    outlooks: Sequence[Outlook]
    auto: Plan


def run(arguments: argparse.Namespace) -> int:
    settings = settings_of(arguments)
    size_bytes = parse_size(arguments.gpu_memory) if arguments.gpu_memory is not None else None
    machine = this_machine(os.environ) if size_bytes is None else imagined_machine(size_bytes)
    prospect = prospect_of(settings.profile, wishes_of(settings), machine, is_imagined=size_bytes is not None)
    if arguments.json:
        printing.print_json(_document(prospect))
    else:
        print_prospect(prospect)
    return 0


def prospect_of(profile: str, wishes: Wishes, machine: Machine, *, is_imagined: bool) -> Prospect:
    """The plan of this profile, and what would become of all.

    Raises:
        ConfigError: there is no such profile.
    """
    plan = preview(profile, wishes, os.environ, machine)
    found = outlooks(wishes, os.environ, machine, as_if_here=is_imagined)
    models = {one.name: one for p in wishes.profiles.values() for one in models_of(p, wishes, os.environ)}
    return Prospect(machine, is_imagined, plan, list(models.values()), found, auto_plan(found, machine))


def print_prospect(prospect: Prospect) -> None:
    """The page for people."""
    console = Console(highlight=False)
    _print_wrapped(console, _machine_line(prospect))
    if prospect.plan.placements:
        console.print(_table(prospect))
    _print_labelled(console, list(_lines(prospect)))
    if prospect.models:
        console.print()
        console.print(_weights_table(prospect))
    console.print(Text("\nprofiles, the best first"))
    _print_labelled(console, list(_profile_lines(prospect)))
    _print_wrapped(console, f"auto takes {prospect.auto.profile}: {prospect.auto.reason}")


def _machine_line(prospect: Prospect) -> str:
    gpu = prospect.machine.gpu
    if gpu is None:
        return prospect.machine.why_no_gpu
    speed = f"{gpu.bandwidth_bytes_s / GB:.0f} GB/s" if gpu.bandwidth_bytes_s else "memory of unknown speed"
    if prospect.is_imagined:
        return (
            f"an empty GPU of {gpu.total_bytes / GB:.1f} GB, taken to be as fast as the {gpu.name} ({speed})"
            f"{_ram_beside(prospect.machine)}"
        )
    free = f"{gpu.free_bytes / GB:.1f} of {gpu.total_bytes / GB:.1f} GB free"
    return f"GPU {gpu.index}, {gpu.name}: {free}, {speed}"


def _ram_beside(machine: Machine) -> str:
    return f", beside {machine.ram.free_bytes / GB:.1f} GB of main memory" if machine.ram else ""


def _table(prospect: Prospect) -> Table:
    plan = prospect.plan
    table = Table(box=None, pad_edge=False)
    table.add_column("GB", no_wrap=True)
    titles = {model.name: model.need.title for model in prospect.models}
    for name in plan.placements:
        table.add_column(Text(titles[name]), justify="right", max_width=HEADING_CELLS)
    table.add_row("on", *(place.device for place in plan.placements.values()))
    table.add_row("precision", *(place.precision for place in plan.placements.values()))
    table.add_row("context (tokens)", *(str(place.context_tokens) for place in plan.placements.values()))
    for part in PARTS:
        sizes = (getattr(plan.needs[name], f"{part}_bytes") for name in plan.placements)
        table.add_row(
            part.replace("kv_cache", "KV cache"), *(f"{size_bytes / GB:.2f}" for size_bytes in sizes)
        )
    speeds = (plan.tokens_per_s[name] for name in plan.placements)
    table.add_row("tokens/s, at most", *("?" if s is None else f"{s:.0f}" for s in speeds))
    return table


def _weights_table(prospect: Prospect) -> Table:
    """Every model that a profile has, at each of its precisions."""
    table = Table(box=None, pad_edge=False)
    table.add_column("GB of weights")
    precisions = [one for one in LADDER if any(one in model.need.weights_bytes for model in prospect.models)]
    for precision in precisions:
        table.add_column(precision, justify="right", no_wrap=True)
    if not prospect.is_imagined:  # which checkpoints are here says nothing of another machine
        table.add_column("checkpoint", no_wrap=True)
    for model in prospect.models:
        weights_bytes = model.need.weights_bytes
        sizes = (f"{weights_bytes[p] / GB:.1f}" if p in weights_bytes else "–" for p in precisions)
        here = () if prospect.is_imagined else ("missing" if model.missing else "here",)
        table.add_row(Text(model.need.title), *sizes, *here)
    return table


def _print_labelled(console: Console, lines: Sequence[tuple[str, str]]) -> None:
    """Labels, and beside each its text. What has no label is to be typed, and stands on one line."""
    cells = max((len(label) for label, _ in lines), default=0) + 2
    for label, text in lines:
        if label:
            _print_wrapped(console, text, one_line(label).ljust(cells))
        else:
            console.print(Text(" " * cells + one_line(text)), soft_wrap=True)


def _print_wrapped(console: Console, text: str, label: str = "") -> None:
    """A text that wraps below itself."""
    for line in Text(one_line(text)).wrap(console, max(console.width, LEAST_CELLS) - len(label)):
        console.print(Text(label + line.plain.rstrip()), soft_wrap=True)
        label = " " * len(label)


def _lines(prospect: Prospect) -> Iterator[tuple[str, str]]:
    plan = prospect.plan
    yield "profile", plan.profile + ("" if plan.gives_up else f": {plan.reason}")
    for use in plan.uses.values():
        used = f"{use.planned_bytes / GB:.1f} of the {use.device.free_bytes / GB:.1f} GB free"
        own = f"{use.device.process_bytes / GB:.1f} of them for the process itself"
        yield "takes", f"{use.device.title}: {used}, {own}"
    if plan.load_order:
        yield "loads", ", then ".join(plan.load_order)
    for line in plan.gives_up or ("nothing",):
        yield "gives up", line
    if not prospect.is_imagined:
        for error in plan.missing.values():
            yield "missing", str(error)


def _profile_lines(prospect: Prospect) -> Iterator[tuple[str, str]]:
    for outlook in prospect.outlooks:
        verdict = ("fits: " if prospect.is_imagined else "runs: ") if outlook.runs else ""
        yield outlook.profile.name, verdict + outlook.what
        for step in outlook.remedy.splitlines():
            yield "", step


def _document(prospect: Prospect) -> dict[str, object]:
    """The plan for machines: sizes in bytes, speeds in tokens a second."""
    plan, gpu = prospect.plan, prospect.machine.gpu
    return {
        "profile": plan.profile,
        "fits": plan.fits,
        "reason": plan.reason,
        "gpu": None if gpu is None else {**asdict(gpu), "imagined": prospect.is_imagined},
        "models": {
            name: {
                **asdict(place),
                **asdict(plan.needs[name]),
                "total_bytes": plan.needs[name].total_bytes,
                "tokens_per_s": plan.tokens_per_s[name],
            }
            for name, place in plan.placements.items()
        },
        "devices": {
            name: {**asdict(use.device), "planned_bytes": use.planned_bytes}
            for name, use in plan.uses.items()
        },
        "load_order": list(plan.load_order),
        "stand_ins": dict(plan.stand_ins),
        "gives_up": list(plan.gives_up),
        "missing": {place: str(error) for place, error in plan.missing.items()},
        "weights": {model.name: dict(model.need.weights_bytes) for model in prospect.models},
        "profiles": [_outlook_document(outlook) for outlook in prospect.outlooks],
        "auto": {"profile": prospect.auto.profile, "reason": prospect.auto.reason},
    }


def _outlook_document(outlook: Outlook) -> Mapping[str, object]:
    return {
        "name": outlook.profile.name,
        "engines": list(outlook.profile.engines),
        "state": outlook.state,
        "what": outlook.what,
        "remedy": outlook.remedy,
        "placements": {name: asdict(place) for name, place in outlook.plan.placements.items()},
    }
