"""NVIDIA GPUs, their driver, who uses their memory, and whether the installed PyTorch can."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from voxterm.doctor.facts import Facts
from voxterm.doctor.finding import Finding, Verdict
from voxterm.doctor.packages import Torch
from voxterm.gpu import GB, GpuInfo, GpuUser, Nvml

OLDEST_DRIVERS: Mapping[int, int] = {11: 450, 12: 525, 13: 580}
"""CUDA's major version → the first driver of it. NVIDIA: CUDA Compatibility, table 1."""

CROWDED = 0.25
"""Share of a GPU's memory in other hands from which it is worth a word."""

NVIDIA, DISPLAY = "0x10de", "0x03"
"""A PCI device's vendor, and how the class of displays begins."""

TRIAL_S = 30.0
TRIAL = "import torch; torch.zeros(1, device='cuda').item()"

SEE_USERS = "nvidia-smi lists them; end those that are yours"
INSTALL_DRIVER = (
    "install NVIDIA's driver (Ubuntu: sudo ubuntu-drivers install; Debian: sudo apt install nvidia-driver), "
    "then restart"
)
GIVE_GPU = "give the GPU to the container: docker run --gpus all …"


@dataclass(frozen=True, slots=True)
class Gpus:
    """All that NVML tells."""

    gpus: tuple[GpuInfo, ...]
    why_none: str = ""
    driver: str = ""
    users: tuple[GpuUser, ...] = ()


@dataclass(frozen=True, slots=True)
class Trouble:
    """Why PyTorch cannot use the GPU that is there."""

    what: str
    remedy: str


def read_gpus(environ: Mapping[str, str], own_process: int, library: Any = None) -> Gpus:
    """Ask NVML, or what speaks like the module pynvml."""
    nvml = Nvml(library)
    try:
        gpus = nvml.gpus(environ)
        if not gpus:
            return Gpus((), nvml.unavailable)
        return Gpus(gpus, driver=nvml.driver(), users=tuple(nvml.users(but=own_process)))
    finally:
        nvml.close()


def gpu_findings(found: Gpus, facts: Facts) -> Iterator[Finding]:
    if not found.gpus:
        yield _no_gpu(found, facts)
        return
    yield Finding("gpu", "driver", "ok", f"NVIDIA {found.driver or 'of unknown version'}")
    for gpu in found.gpus:
        yield _gpu_finding(gpu)
    crowded = any(gpu.used_by_others_bytes > CROWDED * gpu.total_bytes for gpu in found.gpus)
    if found.users or crowded:
        used = ", ".join(map(_spoken_user, found.users)) or "by programs that the driver does not name"
        yield Finding("gpu", "used", "warn" if crowded else "info", used, SEE_USERS if crowded else "")


def torch_findings(
    torch: Torch | None, found: Gpus, facts: Facts, *, needs_models: bool
) -> Iterator[Finding]:
    if torch is None:
        return
    name, build = "PyTorch", f"{torch.version} for {f'CUDA {torch.cuda}' if torch.cuda else 'the CPU'}"
    trouble = torch_trouble(torch, found)
    if trouble is None and found.gpus:
        trouble = _failed_trial(facts)
    if trouble is not None:
        verdict: Verdict = "bad" if needs_models else "warn"
        yield Finding("gpu", name, verdict, f"{build}: {trouble.what}", trouble.remedy, blocks=needs_models)
    elif torch.cuda and not found.gpus:
        yield Finding("gpu", name, "info", f"{build}, and no driver answers: it will use the CPU")
    else:
        yield Finding("gpu", name, "ok", build)


def torch_trouble(torch: Torch, found: Gpus) -> Trouble | None:
    """What its build and the driver tell."""
    if not found.gpus:
        return None
    if not torch.cuda:
        remedy = f"pip install --force-reinstall torch=={torch.version.partition('+')[0]}"
        return Trouble("the GPU lies idle", remedy)
    needed = OLDEST_DRIVERS.get(int(torch.cuda.partition(".")[0]))
    has = found.driver.partition(".")[0]
    if needed is not None and has.isdecimal() and int(has) < needed:
        what = f"driver {found.driver} is too old, it takes {needed} or later"
        return Trouble(what, INSTALL_DRIVER)
    return None


def _failed_trial(facts: Facts) -> Trouble | None:
    """Put one number on the GPU, in a process of its own: a sick driver may hang."""
    ran = facts.run([sys.executable, "-c", TRIAL], TRIAL_S)
    if ran.ok:
        return None
    said = [line.strip() for line in ran.error.splitlines() if line.strip()]
    return Trouble(f"the GPU does not compute ({said[-1] if said else 'no reason given'})", "nvidia-smi -q")


def _no_gpu(found: Gpus, facts: Facts) -> Finding:
    if not _has_card(facts):
        return Finding("gpu", "GPU", "info", f"none to use: {found.why_none}")
    what = f"there is an NVIDIA card, but {found.why_none}"
    return Finding("gpu", "GPU", "warn", what, GIVE_GPU if facts.in_container else INSTALL_DRIVER)


def _has_card(facts: Facts) -> bool:
    """Whether the PCI bus has a display of NVIDIA's, driver or not."""
    for device in (facts.root / "sys/bus/pci/devices").glob("*"):
        try:
            vendor, kind = ((device / name).read_text("ascii", "replace") for name in ("vendor", "class"))
        except OSError:
            continue
        if vendor.startswith(NVIDIA) and kind.startswith(DISPLAY):
            return True
    return False


def _gpu_finding(gpu: GpuInfo) -> Finding:
    name = f"GPU {gpu.index}"
    free = f"{gpu.name}, {gpu.free_bytes / GB:.1f} of {gpu.total_bytes / GB:.1f} GB free"
    if gpu.computes_bf16:
        return Finding("gpu", name, "ok", free)
    what = f"{gpu.name} does not compute in bf16, it takes one of 2020 (Ampere) or later"
    return Finding("gpu", name, "warn", what, "voxterm --profile embedded needs none")


def _spoken_user(user: GpuUser) -> str:
    used = "?" if user.used_bytes is None else f"{user.used_bytes / GB:.1f} GB"
    return f"{used} by {user.name} on GPU {user.gpu}"
