"""What many tests share: tiny checkpoints, written once a session. Tests that break one work on a copy."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

os.environ.setdefault("OMP_NUM_THREADS", "1")  # tiny models are many times slower on several threads
os.environ["HF_HUB_CACHE"] = str(Path(__file__).parent / "data" / "no checkpoints")  # not this machine's own
if not shutil.which("nvidia-smi"):
    os.environ["TRITON_INTERPRET"] = "1"  # kernels run on the CPU; read when Triton is first imported


@pytest.fixture(scope="session")
def voxtral_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    from tiny import tiny_voxtral

    return tiny_voxtral(tmp_path_factory.mktemp("checkpoints") / "voxtral")


@pytest.fixture(scope="session")
def orpheus_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    from tiny import tiny_orpheus

    return tiny_orpheus(tmp_path_factory.mktemp("checkpoints") / "orpheus")


@pytest.fixture(scope="session")
def snac_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    from tiny import tiny_snac

    return tiny_snac(tmp_path_factory.mktemp("checkpoints") / "snac")


@pytest.fixture(scope="session")
def realtime_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    from tiny_voxtral_realtime import tiny_voxtral_realtime

    return tiny_voxtral_realtime(tmp_path_factory.mktemp("checkpoints") / "voxtral_realtime")


@pytest.fixture(scope="session")
def narrow_realtime_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Its text model looks back over 64 tokens."""
    from tiny_voxtral_realtime import tiny_voxtral_realtime

    return tiny_voxtral_realtime(tmp_path_factory.mktemp("checkpoints") / "narrow", text_window=64)


@pytest.fixture(scope="module")
def one_thread() -> Iterator[None]:
    """Matrices as small as these are quickest without others to wait for."""
    import torch

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="module")
def vocabulary_once() -> Iterator[None]:
    """Voxtral Realtime's vocabulary takes longer to read than all else."""
    from tiny_voxtral_realtime import vocabulary_read_once

    with vocabulary_read_once():
        yield
