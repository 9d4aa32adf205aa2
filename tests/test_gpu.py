"""Memory as NVML and Linux tell it, with a fake NVML that answers, refuses and lacks."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from voxterm.errors import InputError
from voxterm.gpu import (
    CUDA_CONTEXT_BYTES,
    GB,
    MemorySnapshot,
    Nvml,
    Ram,
    known_bandwidth,
    limited,
    most_free,
    parse_size,
    read_ram,
    snapshots,
    typical_gpu,
)


class FakeError(Exception):
    pass


@dataclass
class FakeNvml:
    """Speaks like pynvml. GPUs by NVML's index; `refuses` names the questions that it has no answer to."""

    free_gb: tuple[float, ...] = (60.0,)
    names: tuple[str, ...] = ("NVIDIA H100 80GB HBM3",)
    capability: tuple[int, int] = (9, 0)
    own_gb: float = 0.0
    refuses: frozenset[str] = frozenset()
    driver: bool = True
    NVMLError = FakeError
    NVML_CLOCK_MEM = 2
    NVML_TEMPERATURE_GPU = 0
    closed: int = field(default=0)

    def nvmlInit(self) -> None:  # noqa: N802
        if not self.driver:
            raise FakeError("Driver Not Loaded")

    def nvmlShutdown(self) -> None:  # noqa: N802
        self.closed += 1

    def nvmlDeviceGetHandleByIndex(self, index: int) -> int:  # noqa: N802
        if index >= len(self.free_gb):
            raise FakeError("Invalid Argument")
        return index

    def nvmlDeviceGetHandleByUUID(self, name: str) -> int:  # noqa: N802
        return int(name.removeprefix("MIG-"))

    def __getattr__(self, name: str) -> Any:
        def answer(*arguments: Any) -> Any:
            if name in self.refuses:
                raise FakeError("Not Supported")
            return self._answers(*arguments)[name]

        if not name.startswith("nvml"):
            raise AttributeError(name)
        return answer

    def _answers(self, handle: int = 0, *_: Any) -> dict[str, Any]:
        free_bytes = round(self.free_gb[handle] * GB)
        own = SimpleNamespace(pid=os.getpid(), usedGpuMemory=round(self.own_gb * GB))
        other = SimpleNamespace(pid=1, usedGpuMemory=5 * GB)
        return {
            "nvmlDeviceGetCount": len(self.free_gb),
            "nvmlDeviceGetUUID": f"GPU-{handle}abc",
            "nvmlDeviceGetMemoryInfo": SimpleNamespace(
                total=80 * GB, free=free_bytes, used=80 * GB - free_bytes
            ),
            "nvmlDeviceGetName": self.names[handle % len(self.names)],
            "nvmlDeviceGetUtilizationRates": SimpleNamespace(gpu=41),
            "nvmlDeviceGetPowerUsage": 212_500,
            "nvmlDeviceGetTemperature": 64,
            "nvmlDeviceGetComputeRunningProcesses": [other, own] if self.own_gb else [other],
            "nvmlDeviceGetCudaComputeCapability": self.capability,
            "nvmlDeviceGetMaxClockInfo": 2619,
            "nvmlDeviceGetMemoryBusWidth": 5120,
        }


def test_a_gpu_tells_all_that_it_can() -> None:
    nvml = Nvml(FakeNvml(own_gb=12.0))
    (gpu,) = nvml.gpus({})
    assert (gpu.index, gpu.device, gpu.name) == (0, "cuda:0", "NVIDIA H100 80GB HBM3")
    assert (gpu.total_bytes, gpu.free_bytes, gpu.own_bytes) == (80 * GB, 60 * GB, 12 * GB)
    assert gpu.used_by_others_bytes == 8 * GB
    assert (gpu.utilisation_percent, gpu.temperature_c, gpu.power_w) == (41, 64, 212.5)
    assert gpu.bandwidth_bytes_s == pytest.approx(3.35e12, rel=0.01)
    assert nvml.unavailable == ""


def test_what_a_gpu_refuses_to_tell_is_left_out() -> None:
    refused = {
        "nvmlDeviceGetUtilizationRates",
        "nvmlDeviceGetPowerUsage",
        "nvmlDeviceGetTemperature",
        "nvmlDeviceGetComputeRunningProcesses",
        "nvmlDeviceGetMemoryBusWidth",
        "nvmlDeviceGetCudaComputeCapability",
    }
    (gpu,) = Nvml(FakeNvml(refuses=frozenset(refused))).gpus({})
    assert (gpu.utilisation_percent, gpu.temperature_c, gpu.power_w, gpu.own_bytes) == (None,) * 4
    assert gpu.bandwidth_bytes_s == 3.35e12, "then by the name of the card"
    assert gpu.computes_bf16, "not known to be too old"


def test_a_gpu_that_does_not_tell_its_memory_is_none() -> None:
    nvml = Nvml(FakeNvml(refuses=frozenset({"nvmlDeviceGetMemoryInfo"})))
    assert nvml.gpus({}) == ()
    assert nvml.unavailable


def test_old_gpus_do_not_compute_in_bf16() -> None:
    (gpu,) = Nvml(FakeNvml(capability=(7, 5))).gpus({})
    assert not gpu.computes_bf16


def test_without_a_driver_there_is_a_reason_and_no_error() -> None:
    nvml = Nvml(FakeNvml(driver=False))
    assert nvml.gpus({}) == ()
    assert "Driver Not Loaded" in nvml.unavailable
    nvml.close()


def test_without_the_package_there_is_a_reason_and_no_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "pynvml", None)
    nvml = Nvml()
    assert nvml.gpus({}) == ()
    assert "nvidia-ml-py" in nvml.unavailable


def test_close_lets_go_once() -> None:
    library = FakeNvml()
    nvml = Nvml(library)
    nvml.close()
    nvml.close()
    assert library.closed == 1
    assert nvml.gpus({}) == ()


@pytest.mark.parametrize(
    ("visible", "free_gb"),
    [
        (None, [10, 20, 30]),
        ("2,0", [30, 10]),
        ("GPU-1", [20]),
        (" 1 , 2", [20, 30]),
        ("1,-1,2", [20]),  # like CUDA, what comes after an invalid one is not seen
        ("0,7,1", [10]),
        ("", []),
        ("-1", []),
        ("GPU-x", []),
        ("MIG-2", [30]),
    ],
)
def test_cuda_visible_devices_is_honoured(visible: str | None, free_gb: list[int]) -> None:
    """The n-th that is left is what torch calls cuda:n, not NVML's own number."""
    nvml = Nvml(FakeNvml(free_gb=(10.0, 20.0, 30.0)))
    gpus = nvml.gpus({} if visible is None else {"CUDA_VISIBLE_DEVICES": visible})
    assert [gpu.free_bytes // GB for gpu in gpus] == free_gb
    assert [gpu.device for gpu in gpus] == [f"cuda:{i}" for i in range(len(gpus))]
    assert bool(nvml.unavailable) == (not gpus)


def test_of_several_gpus_the_one_with_most_free_memory_is_used() -> None:
    gpus = Nvml(FakeNvml(free_gb=(10.0, 30.0, 20.0))).gpus({})
    best = most_free(gpus)
    assert best is not None
    assert best.device == "cuda:1"
    assert most_free(()) is None


def test_a_limit_lowers_what_is_free_and_never_raises_it() -> None:
    (gpu,) = Nvml(FakeNvml()).gpus({})
    assert limited(gpu, 8 * GB).free_bytes == 8 * GB
    assert limited(gpu, 70 * GB).free_bytes == 60 * GB
    assert limited(gpu, None) is gpu


@pytest.mark.parametrize(
    ("name", "bandwidth"),
    [
        ("NVIDIA H100 80GB HBM3", 3.35e12),
        ("NVIDIA H100 PCIe", 2.0e12),
        ("NVIDIA H200", 4.8e12),
        ("NVIDIA A100-SXM4-40GB", 1.555e12),
        ("NVIDIA A100-SXM4-80GB", 2.039e12),
        ("NVIDIA A100 80GB PCIe", 2.039e12),
        ("NVIDIA L40S", 0.864e12),
        ("NVIDIA L4", 0.3e12),
        ("NVIDIA GeForce RTX 4090", 1.008e12),
        ("Tesla T4", 0.32e12),
        ("NVIDIA L40", None),
        ("Quadro GV100", None),
    ],
)
def test_bandwidth_by_name(name: str, bandwidth: float | None) -> None:
    """ "L4" must not be found in "L40", nor "A100" with 40 GB be taken for the one with 80."""
    assert known_bandwidth(name) == bandwidth


@pytest.mark.parametrize(
    ("gb", "name"),
    [(2, "RTX 3050 Laptop"), (8, "RTX 4060"), (10, "RTX 4060"), (24, "RTX 4090"), (500, "H200")],
)
def test_a_size_alone_stands_for_a_typical_card(gb: int, name: str) -> None:
    gpu = typical_gpu(gb * GB)
    assert gpu.name == name
    assert gpu.free_bytes == gpu.total_bytes == gb * GB


@pytest.mark.parametrize(
    ("text", "size_bytes"),
    [
        ("8GB", 8 * GB),
        ("8 gb", 8 * GB),
        ("8GiB", 8 << 30),
        ("8g", 8 * GB),
        ("80", 80 * GB),
        ("7.5GB", 7_500_000_000),
        ("500MB", 500_000_000),
        ("512MiB", 512 << 20),
        (" 1T ", 10**12),
        ("24gib", 24 << 30),
    ],
)
def test_sizes(text: str, size_bytes: int) -> None:
    assert parse_size(text) == size_bytes


@pytest.mark.parametrize("text", ["", "GB", "-8GB", "0", "0GB", "8XB", "8 G B", "1e9", "nan", "8GB!", "8i"])
def test_what_is_no_size_is_said_plainly(text: str) -> None:
    with pytest.raises(InputError, match="like 8GB"):
        parse_size(text)


MAIN = Ram(32 * GB, 20 * GB, 2 * GB)


def snapshot(held: Mapping[str, int], library: FakeNvml) -> MemorySnapshot:
    """Of the memory that cuda:0 is."""
    return snapshots(held, Nvml(library).gpus({}), MAIN)[0]


@given(
    free_gb=st.floats(0, 80),
    own_gb=st.floats(0, 90),
    held=st.dictionaries(st.sampled_from(["voxtral", "orpheus", "snac"]), st.integers(0, 90 * GB)),
)
def test_a_snapshot_adds_up_to_the_total(free_gb: float, own_gb: float, held: dict[str, int]) -> None:
    """Whatever NVML and the engines say, read a moment apart, a gauge drawn from it is exactly full."""
    shot = snapshot(held, FakeNvml(free_gb=(free_gb,), own_gb=own_gb))
    parts = [*shot.holders.values(), shot.overhead_bytes, shot.others_bytes, shot.free_bytes]
    assert sum(parts) == shot.total_bytes == 80 * GB
    assert min(parts) >= 0
    assert set(shot.holders) == set(held)


def test_a_snapshot_parts_the_process_from_others() -> None:
    held = {"voxtral": 10 * GB, "orpheus": 6 * GB}
    shot = snapshot(held, FakeNvml(own_gb=17.0))
    assert (shot.holders, shot.overhead_bytes, shot.others_bytes) == (held, 1 * GB, 3 * GB)
    assert shot.gpu is not None
    assert shot.gpu.utilisation_percent == 41


def test_in_a_container_the_models_are_this_process() -> None:
    """NVML knows processes by their numbers outside; a context is then counted beside the models."""
    shot = snapshot({"voxtral": 10 * GB}, FakeNvml())
    assert shot.overhead_bytes == CUDA_CONTEXT_BYTES
    assert shot.others_bytes == 10 * GB - CUDA_CONTEXT_BYTES
    assert snapshot({}, FakeNvml()).overhead_bytes == 0


def test_without_a_gpu_a_snapshot_is_of_main_memory() -> None:
    """The process's own share is split: what a model holds, and Python with all else."""
    shot = snapshot({"voxtral": GB}, FakeNvml(driver=False))
    assert (shot.title, shot.gpu) == ("RAM", None)
    assert (shot.total_bytes, shot.free_bytes) == (32 * GB, 20 * GB)
    assert (shot.holders, shot.overhead_bytes, shot.others_bytes) == ({"voxtral": GB}, GB, 10 * GB)


def test_of_several_gpus_the_one_in_use_comes_first_and_alone_has_holders() -> None:
    gpus = Nvml(FakeNvml(free_gb=(10.0, 30.0, 20.0))).gpus({})
    shots = snapshots({"voxtral": 5 * GB}, gpus, MAIN, "cuda:1")
    assert [shot.gpu and shot.gpu.index for shot in shots] == [1, 0, 2]
    assert [dict(shot.holders) for shot in shots] == [{"voxtral": 5 * GB}, {}, {}]
    assert [shot.others_bytes for shot in shots[1:]] == [70 * GB, 60 * GB]
    assert [shot.overhead_bytes for shot in shots[1:]] == [0, 0]


def test_where_models_are_in_main_memory_it_comes_before_the_gpus() -> None:
    shots = snapshots({"voxtral": GB}, Nvml(FakeNvml()).gpus({}), MAIN, "cpu")
    assert [shot.title for shot in shots] == ["RAM", "NVIDIA H100 80GB HBM3"]
    assert [dict(shot.holders) for shot in shots] == [{"voxtral": GB}, {}]


def test_main_memory_is_what_the_control_group_allows(tmp_path: Path) -> None:
    """In a container Linux tells the memory of the whole machine."""
    for file, text in {
        "proc/meminfo": "MemTotal:  16000000 kB\nMemAvailable:   12000000 kB\nHugePages_Total: 0\n",
        "proc/self/statm": "5000 1000 500 1 0 800 0\n",
        "sys/fs/cgroup/memory.max": "max\n",
    }.items():
        (tmp_path / file).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / file).write_text(text)
    free = read_ram(tmp_path)
    assert (free.total_bytes, free.free_bytes) == (16_000_000 * 1024, 12_000_000 * 1024)
    assert free.own_bytes == 1000 * os.sysconf("SC_PAGE_SIZE")
    (tmp_path / "sys/fs/cgroup/memory.max").write_text("4000000000\n")
    bound = read_ram(tmp_path)
    assert (bound.total_bytes, bound.free_bytes) == (4 * GB, 4 * GB)
    (tmp_path / "sys/fs/cgroup/memory.current").write_text("3000000000\n")
    (tmp_path / "sys/fs/cgroup/memory.stat").write_text("anon 1\ninactive_file 1000000000\n")
    assert read_ram(tmp_path).free_bytes == 2 * GB, "files that were read once can go"


def test_a_system_that_tells_nothing_has_no_memory_to_plan_with(tmp_path: Path) -> None:
    ram = read_ram(tmp_path)
    assert (ram.total_bytes, ram.free_bytes, ram.own_bytes) == (0, 0, 0)
