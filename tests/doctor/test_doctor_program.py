"""Python, packages, settings and the folder of sessions."""

from __future__ import annotations

from importlib import metadata
from importlib.metadata import PackageNotFoundError
from pathlib import Path

import pytest
from scenes import one, scene

from voxterm.config import SessionSettings, Settings
from voxterm.doctor import packages as of_packages
from voxterm.doctor.finding import Finding
from voxterm.doctor.packages import (
    Packages,
    package_findings,
    python_findings,
    read_packages,
    read_torch,
)
from voxterm.doctor.program import sessions_findings, settings_finding
from voxterm.errors import ConfigError

WANTED = [
    "numpy>=1.26",
    "textual>=8.0",
    "tomli>=2.0; python_version < '3'",
    "torch==2.13.0; extra == 'models'",
    "mistral-common[audio]>=1.8.5; extra == 'models'",
    "pytest>=8.3; extra == 'dev'",
]
RIGHT = {"numpy": "2.1", "textual": "8.2.0", "torch": "2.13.0+cu130", "mistral-common": "1.9"}


def installed(versions: dict[str, str]) -> Packages:
    def version(name: str) -> str:
        try:
            return versions[name]
        except KeyError:
            raise PackageNotFoundError(name) from None

    return read_packages(WANTED, version)


def test_all_packages_in_place() -> None:
    findings = list(package_findings(installed(RIGHT), needs_models=True))
    assert [finding.verdict for finding in findings] == ["ok", "ok"]
    assert "2" in one(findings, "packages").what, "tomli is for other Pythons, pytest for development"


def test_a_missing_package_blocks_and_an_old_one_does_not() -> None:
    findings = list(package_findings(installed({**RIGHT, "textual": "7.9"}), needs_models=False))
    old = one(findings, "packages")
    assert (old.verdict, old.blocks, old.remedy) == ("warn", False, "pip install 'textual>=8.0'")
    assert "7.9" in old.what
    lacking = {name: version for name, version in RIGHT.items() if name != "numpy"}
    missing = one(package_findings(installed(lacking), needs_models=False), "packages")
    assert (missing.verdict, missing.blocks, missing.remedy) == ("bad", True, "pip install 'numpy>=1.26'")


@pytest.mark.parametrize(("needs", "verdict"), [(True, "bad"), (False, "info")])
def test_packages_of_the_models_matter_where_the_models_do(needs: bool, verdict: str) -> None:
    lacking = {"numpy": "2.1", "textual": "8.2"}
    found = one(package_findings(installed(lacking), needs_models=needs), "of models")
    assert (found.verdict, found.blocks) == (verdict, needs)
    assert found.remedy == "pip install 'voxterm[models]'"
    assert "mistral-common[audio]" in found.what
    wrong = one(package_findings(installed({**RIGHT, "torch": "2.12"}), needs_models=needs), "of models")
    assert (wrong.verdict, wrong.remedy) == ("warn", "pip install 'torch==2.13.0'")


def test_without_metadata_there_is_a_word_and_no_error() -> None:
    (found,) = package_findings(Packages(None, None), needs_models=False)
    assert (found.verdict, found.remedy) == ("warn", "make install")
    assert read_packages(["numpy>=1"]).models is None


@pytest.mark.parametrize(("found", "verdict"), [("3.9.1", "bad"), ("3.12.1", "ok"), ("3.14.0", "bad")])
def test_the_python(found: str, verdict: str) -> None:
    (finding,) = python_findings(">=3.10,<3.14", found)
    assert finding.verdict == verdict
    assert finding.blocks is (verdict == "bad")


@pytest.mark.parametrize(
    ("line", "cuda"),
    [("cuda: Optional[str] = '13.0'", "13.0"), ("cuda: Optional[str] = None", ""), ("cuda = '12.8'", "12.8")],
)
def test_the_build_of_torch_is_read_and_not_imported(
    line: str, cuda: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "version.py").write_text(f"__version__ = '2.13.0'\n{line}\nhip: Optional[str] = None\n")

    class Found:
        origin = str(tmp_path / "__init__.py")

    monkeypatch.setattr(of_packages, "find_spec", lambda name: Found)
    monkeypatch.setattr(metadata, "version", lambda name: "2.13.0")
    torch = read_torch()
    assert torch is not None
    assert torch.cuda == cuda
    monkeypatch.setattr(of_packages, "find_spec", lambda name: None)
    assert read_torch() is None


def test_broken_settings_block_and_say_what_to_do(tmp_path: Path) -> None:
    facts = scene(tmp_path, {"XDG_CONFIG_HOME": str(tmp_path)})
    found = settings_finding(facts, None, ConfigError("config.toml, line 2: no", "write it so"))
    assert (found.verdict, found.blocks, found.remedy) == ("bad", True, "write it so")
    assert "line 2" in found.what
    whole = settings_finding(facts, None, None)
    assert whole.verdict == "ok"
    own = tmp_path / "voxterm/config.toml"
    own.parent.mkdir()
    own.touch()
    assert settings_finding(facts, None, None).what.endswith("voxterm/config.toml")


def sessions(folder: Path, root: Path, closed: str = "", keep: bool = True) -> Finding:
    settings = Settings(sessions=SessionSettings(folder=str(folder), keep=keep))
    (found,) = sessions_findings(settings, scene(root, closed=[closed]))
    return found


def test_the_folder_of_sessions(tmp_path: Path) -> None:
    assert sessions(tmp_path / "not/yet/there", tmp_path).verdict == "ok"
    assert not (tmp_path / "not").exists(), "it only looks"
    closed = sessions(tmp_path / "mine", tmp_path, closed=tmp_path.name)
    assert (closed.verdict, closed.blocks) == ("bad", True)
    assert "sessions.folder" in closed.remedy
    assert sessions(tmp_path / "mine", tmp_path, closed=tmp_path.name, keep=False).blocks is False
    (tmp_path / "file").write_text("in the way")
    assert sessions(tmp_path / "file/state", tmp_path).verdict == "bad"
