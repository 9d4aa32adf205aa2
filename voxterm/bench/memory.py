"""What the plan said that the models would take, beside what they took.

Weights, KV cache and codec are as the engines count them; `work`, the graphs and activations, is what was
taken beside them while they were warmed up. Peaks are of all that is held at that moment. On a GPU torch
tells them, and NVML what the whole process takes; on a CPU all is the resident memory of the process, in
which weights that stay in their files count once they were read.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch

from voxterm.bench import ceilings, reply
from voxterm.bench.models import CPU, ORPHEUS, VOXTRAL, Subject, built, limit_memory, take_up
from voxterm.bench.report import Figure
from voxterm.engines.protocols import Samples
from voxterm.gpu import Nvml, read_ram

HELD_AS = {
    VOXTRAL: {"weights": "Voxtral", "kv_cache": "Voxtral cache"},
    ORPHEUS: {"weights": "Orpheus", "kv_cache": "Orpheus cache", "codec": "codec"},
}
"""The parts of the plan, by what the engines call them."""

NO_CEILINGS = ceilings.Ceilings(1.0, 1.0)
"""A turn is taken for its memory, not for its time."""


@dataclass(frozen=True, slots=True)
class Reading:
    """One moment: what is held, what was held at most since the last, and by whom."""

    held_bytes: int
    peak_bytes: int
    process_bytes: int  # as the system counts it


class Gauge:
    """Reads the memory of a device."""

    def __init__(self, device: torch.device) -> None:
        self._device = device
        self._before_bytes = self._used_bytes() if device.type == "cuda" else 0

    def read(self) -> Reading:
        """What it is now. The peak is counted anew from here."""
        process_bytes = max(0, self._used_bytes() - self._before_bytes)
        if self._device.type != "cuda":
            return Reading(process_bytes, process_bytes, process_bytes)
        torch.cuda.synchronize(self._device)
        held_bytes = torch.cuda.memory_reserved(self._device)
        peak_bytes = torch.cuda.max_memory_allocated(self._device)
        torch.cuda.reset_peak_memory_stats(self._device)
        return Reading(held_bytes, peak_bytes, process_bytes)

    def _used_bytes(self) -> int:
        """All that is in use there; on a CPU by this process alone."""
        if self._device.type != "cuda":
            return read_ram().own_bytes
        nvml = Nvml()
        try:
            own = f"cuda:{self._device.index or 0}"
            gpu = next((gpu for gpu in nvml.gpus(os.environ) if gpu.device == own), None)
        finally:
            nvml.close()
        return gpu.total_bytes - gpu.free_bytes if gpu else 0


def measure(given: Subject, clip: Samples) -> dict[str, Figure]:
    """Load what the plan has, warm it up, take a turn where both models are there.

    Raises:
        EngineLoadError: a checkpoint is missing, or it does not fit after all.
    """
    device = given.device
    gauge = Gauge(device)
    limit_memory(given)
    if device.type == "cuda":
        torch.zeros(1, device=device)
    context_bytes = _beside_torch(gauge.read(), device)
    engines: dict[str, Any] = {}
    found: dict[str, Figure] = {}
    try:
        for model in given.plan.load_order:
            engines[model] = built(given, model)
            found |= _loaded(given, model, engines[model], gauge)
        if set(engines) == {VOXTRAL, ORPHEUS}:
            given.tell("taking a turn")
            found |= _figure("turn_peak", _turn_peak(given, engines, clip, gauge))
        whole = gauge.read()
    finally:
        for engine in engines.values():
            engine.close()
    found |= _figure("cuda_context", context_bytes) if context_bytes else {}
    return found | _in_all(given, whole)


def notes(given: Subject) -> list[str]:
    """What a reader of the figures has to know."""
    told = given.notes(given.plan.load_order)
    if given.device.type == CPU:
        told.append("on a CPU work, peaks and whole are the process's: weights may stay in their files")
    return [*told, *given.plan.gives_up]


def compared(name: str, planned_bytes: int, used_bytes: int) -> dict[str, Figure]:
    """Both sizes, and by how much more was used than planned."""
    found = _figure(f"{name}_planned", planned_bytes) | _figure(f"{name}_used", used_bytes)
    if planned_bytes:
        found[f"{name}_deviation"] = Figure([100 * (used_bytes / planned_bytes - 1)], "%")
    return found


def _loaded(given: Subject, model: str, engine: Any, gauge: Gauge) -> dict[str, Figure]:
    """Load and warm up an engine; its parts as planned and as they are."""
    gauge.read()
    given.tell(f"loading {model}")
    take_up(engine)
    load = gauge.read()
    given.tell(f"warming up {model}")
    engine.warm_up()
    warm = gauge.read()
    planned = given.plan.needs[model]
    found: dict[str, Figure] = {}
    for part, held_as in HELD_AS[model].items():
        held: Mapping[str, int] = engine.memory_bytes
        found |= compared(f"{model}_{part}", getattr(planned, f"{part}_bytes"), held[held_as])
    work_bytes = planned.activations_bytes + planned.graphs_bytes
    found |= compared(f"{model}_work", work_bytes, max(0, warm.held_bytes - load.held_bytes))
    return found | _figure(f"{model}_load_peak", load.peak_bytes)


def _turn_peak(given: Subject, engines: dict[str, Any], clip: Samples, gauge: Gauge) -> int:
    """The most that was held while a turn was answered."""
    with reply.Talk(given, engines, NO_CEILINGS) as talk:
        gauge.read()
        talk.turn(clip)
        return gauge.read().peak_bytes


def _in_all(given: Subject, whole: Reading) -> dict[str, Figure]:
    """All models and the process together."""
    use = next(iter(given.plan.uses.values()))
    return compared("whole", use.planned_bytes, whole.process_bytes)


def _beside_torch(reading: Reading, device: torch.device) -> int:
    """The CUDA context: what the process takes beside what torch counts."""
    return max(0, reading.process_bytes - reading.held_bytes) if device.type == "cuda" else 0


def _figure(name: str, size_bytes: int) -> dict[str, Figure]:
    return {f"{name}_mb": Figure([size_bytes / 1e6], "MB")}
