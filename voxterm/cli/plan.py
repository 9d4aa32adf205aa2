"""`voxterm plan`: what each model would get of a GPU's memory, what fits, and what that gives up."""

from __future__ import annotations

import argparse
import os
from dataclasses import asdict

from rich.console import Console
from rich.table import Table
from rich.text import Text

from voxterm.cli import printing
from voxterm.cli.casting import wishes_of
from voxterm.cli.wiring import settings_of
from voxterm.errors import one_line
from voxterm.gpu import GB, parse_size
from voxterm.plan import Machine, Plan, imagined_machine, preview, this_machine


def run(arguments: argparse.Namespace) -> int:
    settings = settings_of(arguments)
    size_bytes = parse_size(arguments.gpu_memory) if arguments.gpu_memory is not None else None
    machine = this_machine(os.environ) if size_bytes is None else imagined_machine(size_bytes)
    plan = preview(settings.profile, wishes_of(settings), os.environ, machine)
    if arguments.json:
        printing.print_json(_document(plan, machine, imagined=size_bytes is not None))
        return 0
    console = Console(highlight=False)
    console.print(_machine_line(machine, imagined=size_bytes is not None), soft_wrap=True)
    if plan.placements:
        console.print(_table(plan))
    for line in _lines(plan, imagined=size_bytes is not None):
        console.print(Text(one_line(line)), soft_wrap=True)
    return 0


def _machine_line(machine: Machine, imagined: bool) -> Text:
    gpu = machine.gpu
    if gpu is None:
        return Text(one_line(machine.why_no_gpu))
    speed = f"{gpu.bandwidth_bytes_s / GB:.0f} GB/s" if gpu.bandwidth_bytes_s else "memory of unknown speed"
    if imagined:
        return Text(
            f"an empty GPU of {gpu.total_bytes / GB:.1f} GB, taken to be as fast as the {gpu.name} ({speed})"
        )
    free = f"{gpu.free_bytes / GB:.1f} of {gpu.total_bytes / GB:.1f} GB free"
    return Text(one_line(f"GPU {gpu.index}, {gpu.name}: {free}, {speed}"))


def _table(plan: Plan) -> Table:
    table = Table("GB", *plan.needs, box=None, pad_edge=False)
    for column in table.columns[1:]:
        column.justify = "right"
    table.add_row("on", *(place.device for place in plan.placements.values()))
    table.add_row("precision", *(place.precision for place in plan.placements.values()))
    table.add_row("context (tokens)", *(str(place.context_tokens) for place in plan.placements.values()))
    for part in ("weights", "kv_cache", "activations", "codec", "graphs", "total"):
        sizes = (getattr(need, f"{part}_bytes") for need in plan.needs.values())
        table.add_row(
            part.replace("kv_cache", "KV cache"), *(f"{size_bytes / GB:.2f}" for size_bytes in sizes)
        )
    table.add_row(
        "tokens/s, at most", *("?" if s is None else f"{s:.0f}" for s in plan.tokens_per_s.values())
    )
    return table


def _lines(plan: Plan, imagined: bool) -> list[str]:
    uses = [
        f"{use.device.title}: {use.planned_bytes / GB:.1f} of the {use.device.free_bytes / GB:.1f} GB free, "
        f"{use.device.process_bytes / GB:.1f} of them for the process itself"
        for use in plan.uses.values()
    ]
    order = [f"loaded in this order: {', '.join(plan.load_order)}"] if plan.load_order else []
    outcome = [f"profile {plan.profile}" + ("" if plan.gives_up else f": {plan.reason}")]
    missing = [] if imagined else [f"missing   {what}" for what in plan.missing.values()]
    given_up = [f"gives up  {line}" for line in plan.gives_up] or ["gives up nothing"]
    return [*outcome, *uses, *order, *given_up, *missing]


def _document(plan: Plan, machine: Machine, imagined: bool) -> dict[str, object]:
    """The plan for machines: sizes in bytes, speeds in tokens a second."""
    gpu = machine.gpu
    return {
        "profile": plan.profile,
        "fits": plan.fits,
        "reason": plan.reason,
        "gpu": None if gpu is None else {**asdict(gpu), "imagined": imagined},
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
        "missing": dict(plan.missing),
    }
