"""What memory there is: GPUs as NVML sees them, main memory as Linux tells it, as frozen snapshots.

Nothing here needs torch, and no question is an error: where a library, a driver or a figure is missing,
the answer is empty and `Nvml.unavailable` says why in plain words. All sizes are bytes; a GB is 10^9 of them.
"""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from importlib import import_module
from pathlib import Path
from typing import Any, TypeVar

from voxterm.errors import InputError

GB = 10**9

CUDA_CONTEXT_BYTES = 500_000_000
"""Estimate: a process with torch and cuBLAS on an H100, before its first tensor. Less on small cards."""

LEAST_CAPABILITY = (8, 0)
"""Compute capability from which a GPU computes in bf16: Ampere, 2020."""

_SIZE = re.compile(r"(\d+(?:\.\d+)?)\s*(?:([kmgt])(i)?)?b?", re.IGNORECASE)
_POWERS = {"k": 1, "m": 2, "g": 3, "t": 4}

_Value = TypeVar("_Value")


@dataclass(frozen=True, slots=True)
class Card:
    """A model of GPU, from its maker's data sheet."""

    name: str
    memory_bytes: int
    bandwidth_bytes_s: float
    is_typical: bool = False  # stands for all cards of its size


CARDS: tuple[Card, ...] = (
    Card("H200", 141 * GB, 4.8e12, is_typical=True),
    Card("H100 PCIe", 80 * GB, 2.0e12),
    Card("H100 NVL", 94 * GB, 3.9e12),
    Card("H100", 80 * GB, 3.35e12, is_typical=True),
    Card("A100 80GB", 80 * GB, 2.039e12),
    Card("A100-SXM4-80GB", 80 * GB, 2.039e12),
    Card("A100", 40 * GB, 1.555e12),
    Card("L40S", 48 * GB, 0.864e12, is_typical=True),
    Card("L4", 24 * GB, 0.300e12),
    Card("RTX 5090", 32 * GB, 1.792e12, is_typical=True),
    Card("RTX 4090", 24 * GB, 1.008e12, is_typical=True),
    Card("RTX 4080", 16 * GB, 0.717e12, is_typical=True),
    Card("RTX 4070", 12 * GB, 0.504e12),
    Card("RTX 4060", 8 * GB, 0.272e12, is_typical=True),
    Card("RTX 3090", 24 * GB, 0.936e12),
    Card("RTX 3060", 12 * GB, 0.360e12, is_typical=True),
    Card("RTX 3050 Laptop", 4 * GB, 0.192e12, is_typical=True),
    Card("T4", 16 * GB, 0.320e12),
)
"""The first whose name stands in what NVML calls a GPU is that GPU."""


@dataclass(frozen=True, slots=True)
class GpuInfo:
    """One GPU at one moment. None: it does not say."""

    index: int  # as torch counts: the n-th that CUDA_VISIBLE_DEVICES leaves
    name: str
    total_bytes: int
    free_bytes: int
    used_by_others_bytes: int
    bandwidth_bytes_s: float | None = None
    capability: tuple[int, int] | None = None
    own_bytes: int | None = (
        None  # of this process; None too where its number is another one outside a container
    )
    utilisation_percent: int | None = None
    temperature_c: int | None = None
    power_w: float | None = None

    @property
    def device(self) -> str:
        """As torch names it."""
        return f"cuda:{self.index}"

    @property
    def computes_bf16(self) -> bool:
        return self.capability is None or self.capability >= LEAST_CAPABILITY


@dataclass(frozen=True, slots=True)
class GpuUser:
    """A process that has memory of a GPU. `used_bytes` is None where the driver does not tell."""

    gpu: int  # as NVML counts
    name: str  # of the program, and its process's number
    used_bytes: int | None


@dataclass(frozen=True, slots=True)
class Ram:
    """Main memory. `own_bytes` is what this process holds of it."""

    total_bytes: int
    free_bytes: int
    own_bytes: int


@dataclass(frozen=True, slots=True)
class MemorySnapshot:
    """Who holds a memory. Holders, overhead, others and free add up to the total."""

    title: str
    total_bytes: int
    free_bytes: int
    holders: Mapping[str, int]  # model → bytes
    overhead_bytes: int  # this process, beside the models: the CUDA context, what an allocator keeps
    others_bytes: int  # other programs, and what the driver reserves
    gpu: GpuInfo | None  # None: this is main memory


class Nvml:
    """The one reader of NVML. Never raises; give it back with `close`."""

    def __init__(self, library: Any = None) -> None:
        """`library`: what speaks like the module pynvml; the module itself if none is given."""
        self.unavailable = ""
        self._library = library
        try:
            self._library = library or import_module("pynvml")
            self._library.nvmlInit()
        except ImportError:
            self._library = None
            self.unavailable = "the package nvidia-ml-py is not installed"
        except self._library.NVMLError as error:
            self._library = None
            self.unavailable = f"no NVIDIA driver answers ({error})"

    def gpus(self, environ: Mapping[str, str]) -> tuple[GpuInfo, ...]:
        """The GPUs that CUDA may use, none where NVML knows none.

        In CUDA's order where all are of one kind; else its CUDA_DEVICE_ORDER has to be PCI_BUS_ID.
        """
        if self._library is None:
            return ()
        handles = list(self._visible(environ.get("CUDA_VISIBLE_DEVICES")))
        found = tuple(info for i, handle in enumerate(handles) if (info := self._info(i, handle)) is not None)
        if not found:
            hidden = "CUDA_VISIBLE_DEVICES" in environ
            self.unavailable = "CUDA_VISIBLE_DEVICES hides every GPU" if hidden else "the driver sees no GPU"
        return found

    def driver(self) -> str:
        """The driver's version; "" where it does not tell."""
        return "" if self._library is None else str(self._ask(self._library.nvmlSystemGetDriverVersion) or "")

    def users(self, but: int) -> Iterator[GpuUser]:
        """The processes, but that of this number, that compute on any of this machine's GPUs."""
        library = self._library
        for index in range(0 if library is None else self._ask(library.nvmlDeviceGetCount) or 0):
            handle = self._ask(library.nvmlDeviceGetHandleByIndex, index)
            for process in self._ask(library.nvmlDeviceGetComputeRunningProcesses, handle) or ():
                if process.pid != but:
                    path = self._ask(library.nvmlSystemGetProcessName, process.pid)
                    name = str(path).rpartition("/")[2] if path else "process"
                    yield GpuUser(index, f"{name} ({process.pid})", process.usedGpuMemory)

    def close(self) -> None:
        """Let go of the library. May be called twice."""
        if self._library is not None:
            self._ask(self._library.nvmlShutdown)
            self._library = None

    def _visible(self, wanted: str | None) -> Iterator[Any]:
        """Handles in CUDA's order; like CUDA, the first name that is no GPU ends the list."""
        library = self._library
        count = self._ask(library.nvmlDeviceGetCount) or 0
        for name in map(str, range(count)) if wanted is None else wanted.split(","):
            handle = self._handle(name.strip(), count)
            if handle is None:
                return
            yield handle

    def _handle(self, name: str, count: int) -> Any:
        library = self._library
        if name.isdecimal():
            return self._ask(library.nvmlDeviceGetHandleByIndex, int(name))
        if name.startswith("MIG-"):
            return self._ask(library.nvmlDeviceGetHandleByUUID, name)
        every = (self._ask(library.nvmlDeviceGetHandleByIndex, i) for i in range(count))
        return next(
            (h for h in every if name and str(self._ask(library.nvmlDeviceGetUUID, h)).startswith(name)), None
        )

    def _info(self, index: int, handle: Any) -> GpuInfo | None:
        library = self._library
        memory = self._ask(library.nvmlDeviceGetMemoryInfo, handle)
        if memory is None:
            return None
        name = str(self._ask(library.nvmlDeviceGetName, handle) or "GPU without a name")
        use = self._ask(library.nvmlDeviceGetUtilizationRates, handle)
        power_mw = self._ask(library.nvmlDeviceGetPowerUsage, handle)
        processes = self._ask(library.nvmlDeviceGetComputeRunningProcesses, handle) or ()
        own = [p.usedGpuMemory for p in processes if p.pid == os.getpid() and p.usedGpuMemory is not None]
        return GpuInfo(
            index=index,
            name=name,
            total_bytes=memory.total,
            free_bytes=memory.free,
            used_by_others_bytes=max(0, memory.total - memory.free - sum(own)),
            bandwidth_bytes_s=self._bandwidth(handle) or known_bandwidth(name),
            capability=self._ask(library.nvmlDeviceGetCudaComputeCapability, handle),
            own_bytes=sum(own) if own else None,
            utilisation_percent=use.gpu if use is not None else None,
            temperature_c=self._ask(library.nvmlDeviceGetTemperature, handle, library.NVML_TEMPERATURE_GPU),
            power_w=power_mw / 1000 if power_mw is not None else None,
        )

    def _bandwidth(self, handle: Any) -> float | None:
        """Bytes a second: memory clock × bus width, two transfers a clock."""
        library = self._library
        clock_mhz = self._ask(library.nvmlDeviceGetMaxClockInfo, handle, library.NVML_CLOCK_MEM)
        bus_bits = self._ask(library.nvmlDeviceGetMemoryBusWidth, handle)
        return clock_mhz * 1e6 * bus_bits / 8 * 2 if clock_mhz and bus_bits else None

    def _ask(self, question: Callable[..., _Value], *arguments: Any) -> _Value | None:
        """The answer, None where this GPU or driver has none."""
        try:
            return question(*arguments)
        except self._library.NVMLError:
            return None


def most_free(gpus: tuple[GpuInfo, ...]) -> GpuInfo | None:
    """The GPU to use of several; the first of equals."""
    return max(gpus, key=lambda gpu: gpu.free_bytes, default=None)


def known_bandwidth(name: str) -> float | None:
    """Bytes a second by data sheet, None for a card that is not in the table."""
    words = re.compile(r"[A-Za-z0-9]+")
    spoken = f" {' '.join(words.findall(name))} "
    return next(
        (c.bandwidth_bytes_s for c in CARDS if f" {' '.join(words.findall(c.name))} " in spoken), None
    )


def typical_gpu(memory_bytes: int) -> GpuInfo:
    """An empty GPU of this size that is as fast as the largest typical card of at most this size."""
    typical = sorted((card for card in CARDS if card.is_typical), key=lambda card: card.memory_bytes)
    fitting = [card for card in typical if card.memory_bytes <= memory_bytes * 1.05] or typical[:1]
    card = fitting[-1]
    return GpuInfo(0, card.name, memory_bytes, memory_bytes, 0, card.bandwidth_bytes_s, LEAST_CAPABILITY)


def limited(gpu: GpuInfo, limit_bytes: int | None) -> GpuInfo:
    """The GPU as a process sees it that may use no more than the limit."""
    return gpu if limit_bytes is None else replace(gpu, free_bytes=min(gpu.free_bytes, limit_bytes))


def snapshots(
    holders: Mapping[str, int], gpus: Sequence[GpuInfo], ram: Ram, device: str = "cuda:0"
) -> tuple[MemorySnapshot, ...]:
    """Who holds which memory: first that of the device, then those of the other GPUs.

    Where none of the GPUs is the device, main memory is first. `holders`: model → bytes, as the engines count
    them; all of it lies on the device. It counts as this process's, even where NVML cannot tell which process
    is this one.
    """
    used = next((gpu for gpu in gpus if gpu.device == device), None)
    first = _of_gpu(used, holders) if used else _of_ram(ram, holders)
    return (first, *(_of_gpu(gpu, {}) for gpu in gpus if gpu is not used))


def _of_ram(ram: Ram, holders: Mapping[str, int]) -> MemorySnapshot:
    return _snapshot("RAM", ram.total_bytes, ram.free_bytes, ram.own_bytes, holders, None)


def _of_gpu(gpu: GpuInfo, holders: Mapping[str, int]) -> MemorySnapshot:
    own_bytes = gpu.own_bytes
    if own_bytes is None:
        own_bytes = sum(holders.values()) + CUDA_CONTEXT_BYTES * bool(holders)
    return _snapshot(gpu.name, gpu.total_bytes, gpu.free_bytes, own_bytes, holders, gpu)


def read_ram(root: Path = Path("/")) -> Ram:
    """Main memory, of which a control group may allow less; zeros where the system does not tell."""
    info: dict[str, int] = {}
    for line in _lines(root / "proc/meminfo"):
        name, _, rest = line.partition(":")
        number = rest.split()[:1]
        if number and number[0].isdecimal():
            info[name] = int(number[0]) * 1024
    pages = " ".join(_lines(root / "proc/self/statm")).split()[1:2]
    group = root / "sys/fs/cgroup"
    limit = next((int(line) for line in _lines(group / "memory.max") if line.isdecimal()), None)
    total_bytes, free_bytes = info.get("MemTotal", 0), info.get("MemAvailable", 0)
    own_bytes = int(pages[0]) * os.sysconf("SC_PAGE_SIZE") if pages else 0
    if limit is not None:
        total_bytes = min(total_bytes, limit)
        free_bytes = max(0, min(free_bytes, limit - _used_in(group)))
    return Ram(total_bytes, free_bytes, own_bytes)


def _used_in(group: Path) -> int:
    """What the processes of a control group hold, without the files that could be let go of."""
    used = next((int(line) for line in _lines(group / "memory.current") if line.isdecimal()), 0)
    stat = dict(line.split(maxsplit=1) for line in _lines(group / "memory.stat") if " " in line)
    kept = stat.get("inactive_file", "0")
    return used - int(kept) if kept.isdecimal() else used


def parse_size(text: str) -> int:
    """Bytes of "8GB", "8 GiB", "7.5g", "500MB"; a bare number is GB. GB are 10^9 bytes, GiB 2^30.

    Raises:
        InputError: it is no size.
    """
    match = _SIZE.fullmatch(text.strip())
    if match is not None:
        number, unit, binary = match.groups()
        power = _POWERS[(unit or "g").lower()]
        size_bytes = round(float(number) * float(1024 if binary else 1000) ** power)
        if size_bytes > 0:
            return size_bytes
    raise InputError(f'"{text}" is no size of memory', "write it like 8GB, 8GiB or 500MB")


def _snapshot(
    title: str,
    total_bytes: int,
    free_bytes: int,
    own_bytes: int,
    holders: Mapping[str, int],
    gpu: GpuInfo | None,
) -> MemorySnapshot:
    used_bytes = max(0, total_bytes - free_bytes)
    fitted: dict[str, int] = {}
    for name, size_bytes in holders.items():  # read a moment apart, so held and used may disagree
        fitted[name] = min(size_bytes, used_bytes - sum(fitted.values()))
    held_bytes = sum(fitted.values())
    overhead_bytes = max(0, min(own_bytes, used_bytes) - held_bytes)
    others_bytes = used_bytes - held_bytes - overhead_bytes
    return MemorySnapshot(
        title, total_bytes, total_bytes - used_bytes, fitted, overhead_bytes, others_bytes, gpu
    )


def _lines(file: Path) -> list[str]:
    with contextlib.suppress(OSError):
        return file.read_text(encoding="ascii", errors="replace").splitlines()
    return []
