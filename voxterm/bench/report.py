"""What every measurement says: its figures, on which machine, by which command."""

from __future__ import annotations

import os
import platform
import shlex
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from voxterm import __version__
from voxterm.errors import one_line
from voxterm.gpu import GB, Nvml
from voxterm.latency import percentile

PACKAGES = ("torch", "triton", "transformers", "onnxruntime")
"""Whose release a figure depends on."""


@dataclass(frozen=True, slots=True)
class Figure:
    """Readings of one kind. A single reading is its own median."""

    readings: Sequence[float]
    unit: str

    @property
    def chances(self) -> int:
        return len(self.readings)

    def document(self) -> dict[str, object]:
        return {
            "p50": round(percentile(self.readings, 50), 3),
            "p95": round(percentile(self.readings, 95), 3),
            "n": len(self.readings),
            "unit": self.unit,
        }


@dataclass(frozen=True, slots=True)
class Count:
    """How often something happened, of so many times that it could have."""

    count: int
    chances: int
    unit: str  # of the chances

    def document(self) -> dict[str, object]:
        return {"count": self.count, "n": self.chances, "unit": self.unit}


def document(
    bench: str,
    argv: Sequence[str],
    figures: Mapping[str, Figure | Count],
    models: Mapping[str, str] | None = None,
    notes: Sequence[str] = (),
) -> dict[str, object]:
    """`{"bench", "machine", "command", "models", "notes", "figures": {name: {"p50", "p95", "n", "unit"}}}`

    A count has `count` in place of `p50` and `p95`. `models`: where each was, and in which precision.
    `notes`: what else a reader has to know.
    """
    return {
        "bench": bench,
        "machine": machine(),
        "command": shlex.join(["voxterm", *argv]),
        "models": dict(models or {}),
        "notes": list(notes),
        "figures": told(figures),
    }


def told(figures: Mapping[str, Figure | Count]) -> dict[str, dict[str, object]]:
    """The figures as the document has them; none of what was never measured."""
    return {name: figure.document() for name, figure in figures.items() if figure.chances}


def machine() -> dict[str, object]:
    """Where it was measured."""
    return {
        "processor": _processor(),
        "cores": os.cpu_count(),
        "system": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
        "voxterm": __version__,
        **_packages(),
        **_gpu(),
    }


def print_table(found: Mapping[str, object]) -> None:
    """The document for people."""
    figures = found["figures"]
    assert isinstance(figures, dict)
    table = Table("figure", "p50", "p95", "n", "unit")
    for column in table.columns[1:4]:
        column.justify = "right"
    for name, figure in figures.items():
        table.add_row(name, *_numbers(figure), str(figure["n"]), figure["unit"])
    console = Console(highlight=False)
    console.print(Text(str(found["command"])))
    console.print(table)
    for line in _told(found):
        console.print(Text(one_line(line)), style="dim", soft_wrap=True)


def _numbers(figure: Mapping[str, Any]) -> tuple[str, str]:
    """Median and 95th percentile, or the count."""
    if "count" in figure:
        return str(figure["count"]), ""
    digits = 3 if 0 < abs(figure["p50"]) < 1 else 1
    return f"{figure['p50']:.{digits}f}", f"{figure['p95']:.{digits}f}"


def _told(found: Mapping[str, object]) -> list[str]:
    """The models, the notes and the machine, a line each."""
    models, notes, here = found["models"], found["notes"], found["machine"]
    assert isinstance(models, dict)
    assert isinstance(notes, list)
    assert isinstance(here, dict)
    lines = [*(f"{name}: {place}" for name, place in models.items()), *map(str, notes)]
    return [*lines, ", ".join(f"{name} {value}" for name, value in here.items())]


def _packages() -> dict[str, str]:
    """Releases of what is installed; CUDA's where torch is in use."""
    found = {}
    for name in PACKAGES:
        with suppress(PackageNotFoundError):
            found[name] = version(name)
    torch = sys.modules.get("torch")
    if torch is not None and torch.version.cuda:
        found["cuda"] = torch.version.cuda
    return found


def _gpu() -> dict[str, str]:
    """The GPUs that may be used, and their driver; nothing where there are none."""
    nvml = Nvml()
    try:
        gpus = nvml.gpus(os.environ)
        if not gpus:
            return {}
        import pynvml  # type: ignore[import-untyped]

        names = ", ".join(f"{gpu.name} ({gpu.total_bytes / GB:.0f} GB)" for gpu in gpus)
        return {"gpu": names, "driver": str(pynvml.nvmlSystemGetDriverVersion())}
    finally:
        nvml.close()


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
