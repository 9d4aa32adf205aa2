"""What many tests share: tiny checkpoints, written once a session. Tests that break one work on a copy."""

from __future__ import annotations

import os
import shutil
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
