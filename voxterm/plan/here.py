"""The plan for this machine, or for one with a GPU of a given size."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from difflib import get_close_matches

import numpy as np

from voxterm.checkpoints import Checkpoint, find, read_header
from voxterm.engines.protocols import Precision
from voxterm.errors import CheckpointError, ConfigError
from voxterm.gpu import CUDA_CONTEXT_BYTES, GpuInfo, Nvml, Ram, limited, most_free, read_ram, typical_gpu
from voxterm.plan.choice import CPU, Device, Plan, make_plan
from voxterm.plan.models import MODELS, ModelNeed, need_of
from voxterm.plan.shapes import Tensors

AUTO = "auto"
EMBEDDED = "embedded"
PROFILES: Mapping[str, tuple[str, ...]] = {"voxtral-orpheus": ("voxtral", "orpheus"), EMBEDDED: ()}
"""The models of each profile; `auto` is the first, or what is left of it."""

ATTAINED = 0.9
"""Share of a data sheet's bandwidth that can be had: 3.0 of 3.35 TB/s measured as a copy on an H100."""

CPU_PROCESS_BYTES = 700_000_000
"""Estimate: the process with torch loaded."""

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


@dataclass(frozen=True, slots=True)
class Wishes:
    """What is asked of a plan."""

    precision: Precision = "bf16"  # at best
    context_tokens: Mapping[str, int] = field(default_factory=dict)  # by model; else the model's own
    memory_limit_bytes: int | None = None  # of GPU memory, for this process
    checkpoints: Mapping[str, str] = field(default_factory=dict)
    """By "voxtral", "orpheus" and "snac": a folder or owner/repo, else what was published."""


def plan_for(
    profile: str, wishes: Wishes, environ: Mapping[str, str], machine: Machine | None = None
) -> Plan:
    """What to load for this profile. With `auto` nothing, where a checkpoint is missing.

    A role without a placement goes to the embedded engines (`Plan.stand_ins`). A profile that is asked for by
    its name may run on a CPU, however slow: `Plan.gives_up` says so.

    Raises:
        ConfigError: no profile has this name.
    """
    plan = preview(profile, wishes, environ, machine)
    if profile == AUTO and plan.missing:
        return replace(_nothing(next(iter(plan.missing.values()))), fits=False, missing=plan.missing)
    return plan


def preview(profile: str, wishes: Wishes, environ: Mapping[str, str], machine: Machine | None = None) -> Plan:
    """The plan as if all checkpoints were here: those that are not are taken by their published shapes."""
    if profile not in (AUTO, *PROFILES):
        near = get_close_matches(profile, (AUTO, *PROFILES), n=1)
        remedy = f'did you mean "{near[0]}"?' if near else f"there are {', '.join((AUTO, *PROFILES))}"
        raise ConfigError(f'there is no profile "{profile}"', remedy)
    if profile == EMBEDDED:
        return _nothing("it was asked for, and needs no GPU and no download")
    name = next(iter(PROFILES)) if profile == AUTO else profile
    machine = machine or this_machine(environ)
    needs, missing = _needs(PROFILES[name], wishes, environ)
    plan = make_plan(
        name,
        needs,
        _devices(machine, wishes.memory_limit_bytes),
        precision=wishes.precision,
        takes_slow=profile != AUTO,
        without=machine.why_no_gpu,
        missing=missing,
    )
    return plan if plan.placements else replace(plan, profile=EMBEDDED)


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
    """A machine with an empty GPU of this size, as fast as a typical one."""
    return Machine(typical_gpu(memory_bytes))


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


def _needs(
    names: tuple[str, ...], wishes: Wishes, environ: Mapping[str, str]
) -> tuple[list[ModelNeed], dict[str, str]]:
    """What each model needs, and which checkpoints cannot be loaded, and why."""
    needs: list[ModelNeed] = []
    missing: dict[str, str] = {}

    def found(place: str, architectures: tuple[str, ...]) -> Checkpoint | None:
        try:
            return find(place, architectures, environ)
        except CheckpointError as error:
            missing[place] = str(error)
            return None

    for model in (MODELS[name] for name in names):
        checkpoint = found(wishes.checkpoints.get(model.name, model.checkpoint), model.architectures)
        codec = found(wishes.checkpoints.get(model.codec_name, model.codec), ()) if model.codec else None
        needs.append(
            need_of(
                model,
                config=checkpoint.config if checkpoint else None,
                tensors=_stored(checkpoint) if checkpoint else None,
                codec_bytes=codec.weight_bytes if codec and codec.weights else None,
                context_tokens=wishes.context_tokens.get(model.name),
            )
        )
    return needs, missing


def _stored(checkpoint: Checkpoint) -> Tensors | None:
    """The tensors that its files hold; None where there are no files, or only torch could tell."""
    if not checkpoint.weights or any(path.suffix != ".safetensors" for path in checkpoint.weights):
        return None
    return [(name, stored.shape) for path in checkpoint.weights for name, stored in read_header(path).items()]


def _nothing(reason: str) -> Plan:
    return make_plan(EMBEDDED, (), (), without=reason)
