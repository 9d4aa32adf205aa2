"""What the machine does while voxterm runs: memory by holder, load, heat, and how fast the models decode."""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from voxterm.engines.protocols import PacedEngine, PlacedEngine, Speed
from voxterm.gpu import GpuInfo, MemorySnapshot, Nvml, read_ram, snapshots

__all__ = ["Gauges", "Speed", "Watch"]

_IDLE = (3, 4)  # of the figures in /proc/stat: idle, and waiting for a disk
_ALL = 8  # what guests use is in the first eight already


@dataclass(frozen=True, slots=True)
class Gauges:
    """A glance at the machine, about once a second."""

    memories: tuple[MemorySnapshot, ...]  # the one in use first: that of a GPU, or main memory
    cpu_percent: float | None = None  # of all cores together; None: not known yet
    speeds: Mapping[str, Speed] = field(default_factory=dict)  # by model


class Watch:
    """Reads the gauges, from one thread at a time or from several. Nothing is opened before the first look.

    What cannot be read is left out; why a GPU is not there, `gpu.Nvml.unavailable` tells.
    """

    def __init__(
        self,
        engines: Callable[[], Iterable[object]],
        device: str,
        environ: Mapping[str, str],
        open_nvml: Callable[[], Nvml] = Nvml,
        root: Path = Path("/"),
    ) -> None:
        """`engines` gives those under way, of which some may be placed and paced; What is held
        elsewhere than on `device` is not told."""
        self._engines = engines
        self._device = device
        self._environ = environ
        self._open_nvml = open_nvml
        self._root = root
        self._nvml: Nvml | None = None
        self._closed = False
        self._cpu = _CpuLoad(root)
        self._reading = threading.Lock()

    def read(self) -> Gauges:
        """How it is now. Blocks for some milliseconds."""
        holders: dict[str, int] = {}
        speeds: dict[str, Speed] = {}
        for engine in self._engines():
            if isinstance(engine, PlacedEngine) and engine.placement.device == self._device:
                holders.update(engine.memory_bytes)
            if isinstance(engine, PacedEngine):
                speeds.update(engine.speeds)
        with self._reading:
            memories = snapshots(holders, self._gpus(), read_ram(self._root), self._device)
            return Gauges(memories, self._cpu.percent(), speeds)

    def close(self) -> None:
        """Let go of the GPUs. May be called twice; whoever reads afterwards sees main memory alone."""
        with self._reading:
            self._closed = True
            if self._nvml:
                self._nvml.close()

    def _gpus(self) -> tuple[GpuInfo, ...]:
        if self._closed:
            return ()
        if self._nvml is None:
            self._nvml = self._open_nvml()
        return self._nvml.gpus(self._environ)


class _CpuLoad:
    """How busy all cores together were since the last look."""

    def __init__(self, root: Path) -> None:
        self._stat = root / "proc/stat"
        self._before: tuple[int, int] | None = None  # ticks since the start: busy, in all
        self._percent: float | None = None

    def percent(self) -> float | None:
        """0 to 100; None at the first look, and where the system does not tell."""
        now = self._ticks()
        if now is None:
            return _load_percent()
        if self._before is not None and (passed := now[1] - self._before[1]) > 0:
            self._percent = min(100.0, max(0.0, 100 * (now[0] - self._before[0]) / passed))
        self._before = now
        return self._percent

    def _ticks(self) -> tuple[int, int] | None:
        with contextlib.suppress(OSError, ValueError):
            with self._stat.open(encoding="ascii", errors="replace") as lines:
                name, *figures = next(lines, "").split()
            ticks = [int(figure) for figure in figures[:_ALL]]
            if name == "cpu" and len(ticks) > max(_IDLE):
                return sum(ticks) - sum(ticks[at] for at in _IDLE), sum(ticks)
        return None


def _load_percent() -> float | None:
    """Without /proc: how many programs wanted a core in the last minute, beside how many cores there are."""
    try:
        return min(100.0, 100 * os.getloadavg()[0] / (os.cpu_count() or 1))
    except (OSError, AttributeError):  # Windows has no such figure
        return None
