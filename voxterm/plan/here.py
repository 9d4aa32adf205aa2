"""The plan for this machine, or for one with a GPU of a given size."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace

import numpy as np

from voxterm.engines.registry import Profile
from voxterm.gpu import CUDA_CONTEXT_BYTES, GpuInfo, Nvml, Ram, limited, most_free, read_ram, typical_gpu
from voxterm.plan.choice import CPU, Device, Plan, make_plan
from voxterm.plan.wishes import Wishes, models_of

EMBEDDED = "embedded"

ATTAINED = 0.9
"""Share of a data sheet's bandwidth that can be had: 3.0 of 3.35 TB/s measured as a copy on an H100."""

CPU_PROCESS_BYTES = 700_000_000
"""Estimate: the process with torch loaded."""

IMAGINED_RAM_BYTES = 8_000_000_000
"""Main memory that is taken to be free on a machine of which only the GPU is known."""

PROBE_BYTES = 32_000_000
"""For each thread: more than a core's cache holds."""

PROBE_THREADS = 16
"""They saturate the memory of one socket."""


@dataclass(frozen=True, slots=True)
class Machine:
    """Where models could run."""

    gpu: GpuInfo | None
    why_no_gpu: str = ""  # in plain words
    ram: Ram | None = None  # None: not to be planned with
    ram_bandwidth_bytes_s: float | None = None  # not measured where there is a GPU


def plan_of(
    profile: Profile, wishes: Wishes, environ: Mapping[str, str], machine: Machine, *, takes_slow: bool
) -> Plan:
    """The plan of one profile. `takes_slow`: a model that is too slow is better than the embedded engines."""
    models = models_of(profile, wishes, environ)
    if models:
        plan = make_plan(
            profile.name,
            [model.need for model in models],
            _devices(machine, wishes.memory_limit_bytes),
            precision=wishes.precision,
            takes_slow=takes_slow,
            without=machine.why_no_gpu,
        )
    else:
        needs = "and needs no GPU and no download"
        needs = f"asks a server, {needs} here" if profile.is_remote else needs
        plan = replace(no_models(f"it was asked for, {needs}"), profile=profile.name)
    placed = [model for model in models if model.name in plan.placements]
    playing = [one.name for one in profile.declared if one.name in plan.placements or not one.model]
    return replace(
        plan,
        missing={place: error for model in placed for place, error in model.missing.items()},
        lacking={name: wishes.lacking[name] for name in playing if name in wishes.lacking},
    )


def no_models(reason: str) -> Plan:
    """The plan that loads nothing, and why."""
    return make_plan(EMBEDDED, (), (), without=reason)


def this_machine(environ: Mapping[str, str]) -> Machine:
    """Its GPU with most free memory, its main memory, and how fast that is read."""
    nvml = Nvml()
    try:
        gpus = nvml.gpus(environ)
        able = tuple(gpu for gpu in gpus if gpu.computes_bf16)
        gpu = most_free(able)
        why = nvml.unavailable
        if gpu is None and gpus:
            why = f"{gpus[0].name} does not compute in bf16: it takes a GPU of 2020 (Ampere) or later"
        if gpu is None:
            why = f"there is no GPU to use: {why}"
            return Machine(None, why, read_ram(), measured_bandwidth(min(os.cpu_count() or 1, PROBE_THREADS)))
        return Machine(gpu, ram=read_ram())
    finally:
        nvml.close()


def imagined_machine(memory_bytes: int) -> Machine:
    """A machine with an empty GPU of this size, as fast as a typical one, and some main memory."""
    ram = Ram(IMAGINED_RAM_BYTES, IMAGINED_RAM_BYTES, 0)
    return Machine(typical_gpu(memory_bytes), ram=ram)


def measured_bandwidth(threads: int) -> float:
    """Bytes a second that all cores together read from main memory. Takes some hundredths of a second."""
    parts = [np.ones(PROBE_BYTES // 8, np.float64) for _ in range(threads)]
    with ThreadPoolExecutor(threads) as pool:
        begin_s = time.perf_counter()
        list(pool.map(np.max, parts))  # numpy lets go of the GIL meanwhile
        return threads * PROBE_BYTES / max(time.perf_counter() - begin_s, 1e-9)


def _devices(machine: Machine, limit_bytes: int | None) -> tuple[Device, ...]:
    devices = []
    if machine.gpu is not None:
        gpu = limited(machine.gpu, limit_bytes)
        speed = gpu.bandwidth_bytes_s * ATTAINED if gpu.bandwidth_bytes_s else None
        devices.append(Device(gpu.device, gpu.name, gpu.free_bytes, speed, CUDA_CONTEXT_BYTES))
    if machine.ram is not None:
        devices.append(
            Device(CPU, "the CPU", machine.ram.free_bytes, machine.ram_bandwidth_bytes_s, CPU_PROCESS_BYTES)
        )
    return tuple(devices)
