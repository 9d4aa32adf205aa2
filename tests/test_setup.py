"""What a clean checkout promises: a quick `--help`, a lock for all, a Makefile that does as it says."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

ROOT = Path(__file__).parent.parent
HEAVY = {
    "torch",
    "transformers",
    "textual",
    "numpy",
    "pydantic",
    "rich",
    "sounddevice",
    "onnxruntime",
    "nltk",
}
TARGETS = {"help", "run", "install", "test", "check", "lock", "clean"}


def project() -> dict[str, Any]:
    table: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    return table


def distribution(requirement: str) -> str:
    """The name before bounds, extras and markers, as package indexes compare names."""
    name = re.match(r"[\w.-]+", requirement)
    assert name, requirement
    return re.sub(r"[-_.]+", "-", name[0]).lower()


def make(*arguments: str) -> subprocess.CompletedProcess[str]:
    clean = {
        name: value for name, value in os.environ.items() if not name.startswith(("MAKE", "MFLAGS", "ARGS"))
    }
    return subprocess.run(
        ["make", "--no-print-directory", *arguments],
        cwd=ROOT,
        env=clean,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


class TestImports:
    @pytest.mark.parametrize("command", ["--help", "--version"])
    def test_help_loads_nothing_heavy(self, command: str) -> None:
        """A person who asks for help should not wait for a deep-learning library."""
        script = (
            "import sys\n"
            "from voxterm.__main__ import main\n"
            "try:\n"
            "    main(sys.argv[1:])\n"
            "except SystemExit:\n"
            "    pass\n"
            "print('MODULES', *{name.partition('.')[0] for name in sys.modules})\n"
        )
        done = subprocess.run(
            [sys.executable, "-c", script, command],
            capture_output=True,
            text=True,
            timeout=60,
            check=True,
            cwd=ROOT,
        )
        shown, _, modules = done.stdout.rpartition("MODULES")
        assert shown.strip()
        assert set(modules.split()) & HEAVY == set()

    def test_settings_load_no_numbers_and_no_screen(self) -> None:
        script = "import sys, voxterm.config; print(*{name.partition('.')[0] for name in sys.modules})"
        done = subprocess.run(
            [sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=True, cwd=ROOT
        )
        assert set(done.stdout.split()) & (HEAVY - {"pydantic"}) == set()

    def test_importing_the_settings_reads_no_environment(self) -> None:
        """Nothing happens at import time: a wrong variable is an error of a command, not of an import."""
        wrong = {**os.environ, "VOXTERM_NO_SUCH_SETTING": "1"}
        done = subprocess.run(
            [sys.executable, "-c", "import voxterm.config; voxterm.config.Settings()"],
            env=wrong, capture_output=True, text=True, timeout=60, check=False, cwd=ROOT,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr


class TestLock:
    @pytest.fixture
    def lock(self) -> str:
        return (ROOT / "requirements.lock").read_text("utf-8")

    @pytest.fixture
    def pinned(self, lock: str) -> set[str]:
        lines = [line for line in lock.splitlines() if line and not line.lstrip().startswith("#")]
        assert all("==" in line for line in lines)
        return {distribution(line) for line in lines}

    def test_pins_every_dependency(self, pinned: set[str]) -> None:
        extras = project()["optional-dependencies"]
        wanted = {
            distribution(one) for one in [*project()["dependencies"], *extras["models"], *extras["dev"]]
        }
        assert wanted - pinned == {"voxterm"}

    def test_every_pin_lies_within_its_bound(self, lock: str) -> None:
        """A bound that was raised without `make lock` would make the install fail."""
        packaging = pytest.importorskip("packaging.requirements")
        extras = project()["optional-dependencies"]
        named = [*project()["dependencies"], *(one for extra in extras.values() for one in extra)]
        for text in (one for one in named if distribution(one) != "voxterm"):
            wanted = packaging.Requirement(text)
            versions = re.findall(rf"^{re.escape(distribution(text))}==(\S+)", lock, re.MULTILINE)
            assert versions, text
            assert all(wanted.specifier.contains(version) for version in versions), text

    def test_pins_torch_as_the_project_does(self, lock: str) -> None:
        """Every release of torch brings its own CUDA."""
        assert "torch==2.13.0" in project()["optional-dependencies"]["models"]
        assert re.search(r"^torch==2\.13\.0$", lock, re.MULTILINE)

    def test_names_no_host(self, lock: str) -> None:
        assert "://" not in lock
        assert "--index-url" not in lock


class TestMakefile:
    def test_alone_it_prints_every_target(self) -> None:
        done = make()
        assert done.returncode == 0
        assert set(re.findall(r"^  make (\w+)", done.stdout, re.MULTILINE)) == TARGETS

    @pytest.mark.parametrize("target", sorted(TARGETS))
    def test_every_target_is_there(self, target: str) -> None:
        done = make("--dry-run", target)
        assert done.returncode == 0, done.stderr

    def test_run_takes_arguments(self) -> None:
        assert (
            make("--dry-run", "run", "ARGS=talk --profile embedded")
            .stdout.rstrip()
            .endswith(".venv/bin/voxterm talk --profile embedded")
        )

    def test_run_without_a_terminal_is_the_demo(self) -> None:
        assert "else exec .venv/bin/voxterm demo; fi" in make("--dry-run", "run").stdout

    def test_ci_runs_the_checks_and_the_tests(self) -> None:
        script = ROOT / ".ci" / "run"
        assert os.access(script, os.X_OK)
        assert re.findall(r"^make (\w+)$", script.read_text("utf-8"), re.MULTILINE) == ["check", "test"]


class TestPackage:
    def test_names_its_command(self) -> None:
        assert project()["scripts"]["voxterm"] == "voxterm.__main__:main"

    def test_has_its_licence_whole(self) -> None:
        text = (ROOT / "LICENSE").read_text("utf-8")
        assert "Apache License" in text
        assert "APPENDIX: How to apply the Apache License to your work." in text
        assert project()["license"] == "Apache-2.0"
