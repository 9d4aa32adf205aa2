"""The watch over the machine, with a fake NVML and a made-up /proc."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

import pytest
from test_gpu import FakeNvml

from voxterm.engines.protocols import PacedEngine, PlacedEngine, Placement
from voxterm.gauges import Gauges, Speed, Watch
from voxterm.gpu import GB, Nvml


class Model:
    """An engine as far as the gauges know one."""

    def __init__(self, held: Mapping[str, int], speeds: Mapping[str, Speed]) -> None:
        self.placement = Placement("cuda:0")
        self.memory_bytes = held
        self.speeds = speeds


class Machine:
    """The files of a system that the gauges read."""

    def __init__(self, root: Path) -> None:
        self.root = root
        (root / "proc").mkdir()
        (root / "proc/meminfo").write_text("MemTotal: 16000000 kB\nMemAvailable: 12000000 kB\n")

    def tick(self, busy: int, idle: int) -> None:
        """`busy` and `idle` ticks since the start, each split in two as Linux does."""
        self.stat(f"cpu  {busy - 1} 0 1 {idle - 1} 1 0 0 0 7 7\ncpu0 1 1 1 1\n")

    def stat(self, text: str) -> None:
        (self.root / "proc/stat").write_text(text)


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


def watch(
    machine: Machine, *engines: object, device: str = "cuda:0", library: FakeNvml | None = None
) -> Watch:
    return Watch(lambda: engines, device, {}, lambda: Nvml(library or FakeNvml()), machine.root)


def test_engines_tell_what_they_hold_and_how_fast_they_are(machine: Machine) -> None:
    voxtral = Model({"Voxtral": 9 * GB}, {"Voxtral": Speed(140.0)})
    orpheus = Model({"Orpheus": 6 * GB, "codec": GB}, {"Orpheus": Speed(310.0, 3.8)})
    gauges = watch(machine, voxtral, object(), orpheus).read()
    assert isinstance(voxtral, PlacedEngine)
    assert isinstance(voxtral, PacedEngine)
    assert gauges.memories[0].holders == {"Voxtral": 9 * GB, "Orpheus": 6 * GB, "codec": GB}
    assert gauges.speeds == {"Voxtral": Speed(140.0), "Orpheus": Speed(310.0, 3.8)}


def test_all_gpus_are_seen_the_one_in_use_first(machine: Machine) -> None:
    library = FakeNvml(free_gb=(10.0, 30.0))
    gauges = watch(machine, Model({"Voxtral": GB}, {}), device="cuda:1", library=library).read()
    assert [shot.gpu and shot.gpu.device for shot in gauges.memories] == ["cuda:1", "cuda:0"]


def test_without_a_gpu_it_is_main_memory(machine: Machine) -> None:
    (shot,) = watch(machine, device="cpu", library=FakeNvml(driver=False)).read().memories
    assert (shot.gpu, shot.total_bytes, shot.free_bytes) == (None, 16_384_000_000, 12_288_000_000)


def test_nvml_is_opened_once_and_not_before_the_first_look(machine: Machine) -> None:
    opened: list[Nvml] = []

    def opens() -> Nvml:
        opened.append(Nvml(FakeNvml()))
        return opened[-1]

    watched = Watch(lambda: (), "cuda:0", {}, opens, machine.root)
    assert opened == []
    watched.read()
    watched.read()
    assert len(opened) == 1


@pytest.mark.parametrize("looks", [0, 1])
def test_once_closed_it_lets_go_of_the_gpus_and_opens_them_no_more(machine: Machine, looks: int) -> None:
    library = FakeNvml()
    watched = watch(machine, library=library)
    for _ in range(looks):
        assert watched.read().memories[0].gpu is not None
    watched.close()
    watched.close()
    assert watched.read().memories[0].gpu is None
    assert library.closed == looks


def test_the_load_is_what_the_cores_did_since_the_last_look(machine: Machine) -> None:
    watched = watch(machine)
    machine.tick(1000, 5000)
    assert watched.read().cpu_percent is None
    machine.tick(1030, 5070)
    assert watched.read().cpu_percent == pytest.approx(30.0)
    assert watched.read().cpu_percent == pytest.approx(30.0), "no tick has passed"
    machine.tick(1130, 5070)
    assert watched.read().cpu_percent == pytest.approx(100.0)


@pytest.mark.parametrize("text", ["", "cpu", "cpu a b c d e f", "intr 1 2 3 4 5 6 7", "\xff\x00"])
def test_where_the_system_tells_no_ticks_its_load_average_does(
    machine: Machine, monkeypatch: pytest.MonkeyPatch, text: str
) -> None:
    machine.stat(text)
    monkeypatch.setattr(os, "getloadavg", lambda: (0.5, 9.0, 9.0))
    monkeypatch.setattr(os, "cpu_count", lambda: 2)
    assert watch(machine).read().cpu_percent == pytest.approx(25.0)
    monkeypatch.setattr(os, "getloadavg", lambda: (50.0, 0.0, 0.0))
    assert watch(machine).read().cpu_percent == 100.0


def test_a_system_that_tells_nothing_is_no_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Windows has neither /proc nor a load average."""
    monkeypatch.delattr(os, "getloadavg")
    watched = Watch(lambda: (), "cpu", {}, lambda: Nvml(FakeNvml(driver=False)), tmp_path)
    gauges = watched.read()
    assert gauges == Gauges(gauges.memories)
    assert gauges.memories[0].total_bytes == 0
