"""The plan for this machine, or for one with a GPU of a given size."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace

import numpy as np

from voxterm.checkpoints import Checkpoint, find, read_header
from voxterm.engines.declared.declaration import IMPORTANCE, STAND_INS, Declaration
from voxterm.engines.declared.engines import ENGINES
from voxterm.engines.declared.model import need_of
from voxterm.engines.declared.need import ModelNeed
from voxterm.engines.declared.shapes import Tensors
from voxterm.engines.protocols import Precision
from voxterm.engines.registry import Profile, profile_named
from voxterm.errors import CheckpointError
from voxterm.gpu import CUDA_CONTEXT_BYTES, GpuInfo, Nvml, Ram, limited, most_free, read_ram, typical_gpu
from voxterm.plan.choice import CPU, Device, Plan, make_plan

AUTO = "auto"
EMBEDDED = "embedded"

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
    """By model or codec, like "voxtral" and "snac": a folder or owner/repo, else what was published."""
    profiles: Mapping[str, Profile] = field(default_factory=dict)
    """By name, the best first; `auto` is one of them."""
    lacking: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """By engine: the packages that are missing, so that it cannot run."""


def plan_for(
    profile: str, wishes: Wishes, environ: Mapping[str, str], machine: Machine | None = None
) -> Plan:
    """What to load for this profile. `auto` takes the best whose packages and checkpoints are all here.

    A role without a placement goes to the embedded engines (`Plan.stand_ins`). A profile that is asked for by
    its name may run on a CPU, however slow: `Plan.gives_up` says so.

    Raises:
        ConfigError: no profile has this name.
    """
    if profile != AUTO:
        return preview(profile, wishes, environ, machine)
    machine = machine or this_machine(environ)
    plans = [plan for _, plan in candidates(wishes, environ, machine)]
    able = [plan for plan in plans if plan.placements and not plan.missing and not plan.lacking]
    if able:
        return min(able, key=lambda plan: embedded_roles(wishes.profiles[plan.profile], plan))
    return replace(_nothing(_why_nothing(plans, machine)), fits=False, missing=_missing_of(plans))


def preview(profile: str, wishes: Wishes, environ: Mapping[str, str], machine: Machine | None = None) -> Plan:
    """The plan as if all checkpoints were here: those that are not are taken by their published shapes.

    Of `auto` it is the plan of the first profile for which this machine has room.

    Raises:
        ConfigError: no profile has this name.
    """
    machine = machine or this_machine(environ)
    if profile == AUTO:
        plans = [plan for _, plan in candidates(wishes, environ, machine)]
        first = min(
            (plan for plan in plans if plan.placements),
            key=lambda plan: embedded_roles(wishes.profiles[plan.profile], plan),
            default=None,
        )
        return first or (replace(plans[0], profile=EMBEDDED) if plans else _nothing(machine.why_no_gpu))
    wanted = profile_named(profile, wishes.profiles)
    plan = plan_of(wanted, wishes, environ, machine, takes_slow=True)
    absent = {engine.name for engine in wanted.declared if engine.model} - set(plan.placements)
    all_embedded = all(ENGINES[name].is_embedded for name in wanted.without(absent).engines)
    return replace(plan, profile=EMBEDDED) if all_embedded else plan


def candidates(
    wishes: Wishes, environ: Mapping[str, str], machine: Machine
) -> Iterator[tuple[Profile, Plan]]:
    """The profiles among which `auto` chooses, each with its plan. One that asks a server is none of them:
    whether it answers nobody knows, and what is said would leave this machine unasked."""
    for profile in wishes.profiles.values():
        if not profile.is_remote and any(engine.model for engine in profile.declared):
            yield profile, plan_of(profile, wishes, environ, machine, takes_slow=False)


def plan_of(
    profile: Profile, wishes: Wishes, environ: Mapping[str, str], machine: Machine, *, takes_slow: bool
) -> Plan:
    """The plan of one profile. `takes_slow`: a model that is too slow is better than the embedded engines."""
    engines = tuple(engine for engine in profile.declared if engine.model)
    lacking = {name: wishes.lacking[name] for name in profile.engines if name in wishes.lacking}
    if not engines:
        reason = "it was asked for, and needs no GPU and no download"
        return replace(_nothing(reason), profile=profile.name, lacking=lacking)
    needs, missing = _needs(engines, wishes, environ)
    plan = make_plan(
        profile.name,
        needs,
        _devices(machine, wishes.memory_limit_bytes),
        precision=wishes.precision,
        takes_slow=takes_slow,
        without=machine.why_no_gpu,
        missing=missing,
    )
    return replace(plan, lacking=lacking)


def embedded_roles(profile: Profile, plan: Plan | None) -> int:
    """What it counts that embedded engines are in roles of this profile; the less the better."""
    placed = plan.placements if plan else {}
    return sum(
        IMPORTANCE[engine.role]
        for engine in (ENGINES[name] for name in profile.engines)
        if engine.is_embedded or (engine.model and engine.name not in placed)
    )


def _why_nothing(plans: Sequence[Plan], machine: Machine) -> str:
    """Why `auto` leaves all to the embedded engines: what is the matter with the first that has room here."""
    first = next((plan for plan in plans if plan.placements), None)
    if first is None:
        return plans[0].reason if plans else machine.why_no_gpu
    if first.lacking:
        packages = dict.fromkeys(line for lines in first.lacking.values() for line in lines)
        return f"the packages of {first.profile} are not installed: {', '.join(packages)}"
    return next(iter(first.missing.values()))


def _missing_of(plans: Sequence[Plan]) -> Mapping[str, str]:
    return next((plan.missing for plan in plans if plan.placements), {})


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
    engines: Sequence[Declaration], wishes: Wishes, environ: Mapping[str, str]
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

    for engine in engines:
        model = engine.model
        assert model is not None
        checkpoint = found(wishes.checkpoints.get(model.name, model.checkpoint), model.architectures)
        codec = found(wishes.checkpoints.get(model.codec_name, model.codec), ()) if model.codec else None
        needs.append(
            need_of(
                model,
                STAND_INS[engine.role],
                IMPORTANCE[engine.role],
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
