"""GPUs, drivers and builds of PyTorch that do not go together."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from scenes import one, scene

from voxterm.doctor.facts import Ran
from voxterm.doctor.finding import Finding
from voxterm.doctor.gpus import Gpus, gpu_findings, read_gpus, torch_findings
from voxterm.doctor.packages import Torch
from voxterm.gpu import GB, GpuInfo, GpuUser

H100 = GpuInfo(0, "NVIDIA H100 80GB HBM3", 80 * GB, 79 * GB, 1 * GB, 3.35e12, (9, 0))
CUDA_13, CPU_ONLY = Torch("2.13.0", "13.0"), Torch("2.13.0+cpu", "")


class RefusedError(Exception):
    pass


@dataclass
class TellingNvml:
    """Speaks like pynvml: one H100 that process 41 uses, and process 77, which is us."""

    driver: bool = True
    names_processes: bool = True
    NVMLError = RefusedError
    NVML_CLOCK_MEM = 2
    NVML_TEMPERATURE_GPU = 0

    def __getattr__(self, name: str) -> Any:
        users = [SimpleNamespace(pid=41, usedGpuMemory=30 * GB), SimpleNamespace(pid=77, usedGpuMemory=GB)]
        answers = {
            "nvmlInit": None if self.driver else RefusedError("Driver Not Loaded"),
            "nvmlShutdown": None,
            "nvmlDeviceGetCount": 1,
            "nvmlDeviceGetHandleByIndex": 0,
            "nvmlDeviceGetMemoryInfo": SimpleNamespace(total=80 * GB, free=48 * GB),
            "nvmlDeviceGetName": "NVIDIA H100 80GB HBM3",
            "nvmlDeviceGetComputeRunningProcesses": users,
            "nvmlDeviceGetCudaComputeCapability": (9, 0),
            "nvmlSystemGetDriverVersion": "580.65.06",
            "nvmlSystemGetProcessName": "/usr/bin/python3" if self.names_processes else RefusedError("no"),
        }
        if not name.startswith("nvml"):
            raise AttributeError(name)

        def answer(*_: Any) -> Any:
            told = answers.get(name, RefusedError("Not Supported"))
            if isinstance(told, RefusedError):
                raise told
            return told

        return answer


def test_what_nvml_tells() -> None:
    found = read_gpus({}, 77, TellingNvml())
    assert found.driver == "580.65.06"
    assert found.users == (GpuUser(0, "python3 (41)", 30 * GB),), "our own process is no other"
    assert read_gpus({}, 77, TellingNvml(names_processes=False)).users[0].name == "process (41)"
    assert "Driver Not Loaded" in read_gpus({}, 77, TellingNvml(driver=False)).why_none


def test_memory_in_other_hands_is_named(tmp_path: Path) -> None:
    findings = list(gpu_findings(read_gpus({}, 77, TellingNvml()), scene(tmp_path)))
    assert one(findings, "driver").verdict == one(findings, "GPU 0").verdict == "ok"
    used = one(findings, "used")
    assert used.verdict == "warn"
    assert "30.0 GB by python3 (41)" in used.what
    assert "nvidia-smi" in used.remedy
    little = Gpus((H100,), driver="580.65", users=(GpuUser(0, "Xorg (3)", None),))
    assert one(gpu_findings(little, scene(tmp_path)), "used").verdict == "info"


def test_a_gpu_that_is_too_old(tmp_path: Path) -> None:
    old = Gpus((replace(H100, name="Tesla T4", capability=(7, 5)),), driver="580.65")
    finding = one(gpu_findings(old, scene(tmp_path)), "GPU 0")
    assert finding.verdict == "warn"
    assert "bf16" in finding.what


def no_gpu(root: Path) -> Finding:
    (finding,) = gpu_findings(Gpus((), "no NVIDIA driver answers"), scene(root))
    return finding


def test_no_gpu_is_no_fault_but_a_card_without_a_driver_is(tmp_path: Path) -> None:
    assert no_gpu(tmp_path).verdict == "info"
    card = tmp_path / "sys/bus/pci/devices/0000:01:00.0"
    card.mkdir(parents=True)
    (card / "vendor").write_text("0x10de\n")
    (card / "class").write_text("0x040300\n")
    assert no_gpu(tmp_path).verdict == "info", "its sound device alone"
    (card / "class").write_text("0x030000\n")
    assert "driver" in no_gpu(tmp_path).remedy
    assert no_gpu(tmp_path).verdict == "warn"
    (tmp_path / ".dockerenv").touch()
    assert "--gpus all" in no_gpu(tmp_path).remedy


def torch_on(driver: str, torch: Torch, root: Path, trial: Ran, needs_models: bool = True) -> Finding:
    gpus = Gpus((H100,) if driver else (), "no driver", driver)
    facts = scene(root, answers={"": trial})
    (finding,) = torch_findings(torch, gpus, facts, needs_models=needs_models)
    return finding


RUNS = Ran(0, "", "")


@pytest.mark.parametrize(
    ("driver", "torch", "trial", "expected"),
    [
        ("580.65.06", CUDA_13, RUNS, ("ok", "for CUDA 13.0", "")),
        ("570.124", CUDA_13, RUNS, ("bad", "takes 580", "driver")),
        ("525.60", Torch("2.13.0", "12.8"), RUNS, ("ok", "12.8", "")),
        ("580.65", CPU_ONLY, RUNS, ("bad", "idle", "pip install --force-reinstall torch==2.13.0")),
        ("", CUDA_13, RUNS, ("info", "no driver", "")),
        ("", CPU_ONLY, RUNS, ("ok", "the CPU", "")),
        ("580.65", CUDA_13, Ran(1, "", "Traceback\nRuntimeError: error 802\n"), ("bad", "802", "nvidia-smi")),
        ("580.65", CUDA_13, Ran(None, "", "no answer within 30 s"), ("bad", "30 s", "nvidia-smi")),
    ],
)  # fmt: skip
def test_torch_and_the_driver(
    driver: str, torch: Torch, trial: Ran, expected: tuple[str, str, str], tmp_path: Path
) -> None:
    verdict, says, remedy = expected
    found = torch_on(driver, torch, tmp_path, trial)
    assert found.verdict == verdict, found
    assert says in found.what
    assert remedy in found.remedy
    assert found.blocks is (verdict == "bad")


def test_a_torch_that_nobody_needs_blocks_nothing(tmp_path: Path) -> None:
    found = torch_on("450.1", CUDA_13, tmp_path, RUNS, needs_models=False)
    assert (found.verdict, found.blocks) == ("warn", False)
    assert list(torch_findings(None, Gpus(()), scene(tmp_path), needs_models=True)) == []
