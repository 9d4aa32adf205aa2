"""What every measurement says: its figures, on which machine, by which command."""

from __future__ import annotations

import os
import platform
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.table import Table
from rich.text import Text

from voxterm import __version__
from voxterm.latency import percentile


@dataclass(frozen=True, slots=True)
class Figure:
    """Readings of one kind. A single reading is its own median."""

    readings: Sequence[float]
    unit: str


def document(bench: str, argv: Sequence[str], figures: Mapping[str, Figure]) -> dict[str, object]:
    """`{"bench", "machine", "command", "figures": {name: {"p50", "p95", "n", "unit"}}}`"""
    return {
        "bench": bench,
        "machine": machine(),
        "command": shlex.join(["voxterm", *argv]),
        "figures": {
            name: {
                "p50": round(percentile(figure.readings, 50), 3),
                "p95": round(percentile(figure.readings, 95), 3),
                "n": len(figure.readings),
                "unit": figure.unit,
            }
            for name, figure in figures.items()
            if figure.readings
        },
    }


def machine() -> dict[str, object]:
    """Where it was measured."""
    return {
        "processor": _processor(),
        "cores": os.cpu_count(),
        "system": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
        "voxterm": __version__,
    }


def print_table(found: Mapping[str, object]) -> None:
    """The document for people."""
    figures = found["figures"]
    assert isinstance(figures, dict)
    table = Table("figure", "p50", "p95", "n", "unit")
    for column in table.columns[1:4]:
        column.justify = "right"
    for name, figure in figures.items():
        table.add_row(name, f"{figure['p50']:.1f}", f"{figure['p95']:.1f}", str(figure["n"]), figure["unit"])
    console = Console(highlight=False)
    console.print(Text(str(found["command"])))
    console.print(table)
    console.print(", ".join(f"{name} {value}" for name, value in machine().items()), style="dim")


def _processor() -> str:
    """The model's name where the system tells it."""
    try:
        with Path("/proc/cpuinfo").open(encoding="utf-8", errors="replace") as info:
            for line in info:
                if line.startswith("model name"):
                    return line.partition(":")[2].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()
