"""Python and the packages that voxterm asks for, by what its own metadata says: nothing is imported.

PyTorch's build is read from its `version.py`, since importing it takes seconds.
"""

from __future__ import annotations

import platform
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path

from voxterm.doctor.finding import Finding, Verdict

MODELS = "models"
"""The extra with the packages of the speech models."""

INSTALL_MODELS = "pip install 'voxterm[models]'"

_CUDA = re.compile(r"^cuda\b[^=\n]*= *'([\d.]+)'", re.MULTILINE)

Version = Callable[[str], str]
"""The version of an installed package; raises PackageNotFoundError."""


@dataclass(frozen=True, slots=True)
class Lack:
    """A package that is not there (`found` is empty) or has a version that voxterm was not made for."""

    wanted: str  # as pip takes it
    found: str


@dataclass(frozen=True, slots=True)
class Packages:
    """The state of all packages. None: voxterm's metadata does not tell."""

    base: Sequence[Lack] | None
    models: Sequence[Lack] | None
    base_count: int = 0
    models_count: int = 0

    @property
    def lacks_models(self) -> bool:
        return self.models is not None and any(not lack.found for lack in self.models)


@dataclass(frozen=True, slots=True)
class Torch:
    """The build of PyTorch that is installed. `cuda` is empty where it only knows the CPU."""

    version: str
    cuda: str


def read_packages(requirements: Sequence[str] | None = None, version: Version = metadata.version) -> Packages:
    """Compare what is installed with what is asked for (voxterm's own requirements, if none are given)."""
    from packaging.requirements import Requirement

    try:
        asked = metadata.requires("voxterm") or [] if requirements is None else requirements
    except metadata.PackageNotFoundError:
        return Packages(None, None)
    parsed = [Requirement(line) for line in asked]
    base = [r for r in parsed if r.marker is None or r.marker.evaluate({"extra": ""})]
    extra = [r for r in parsed if r not in base and r.marker and r.marker.evaluate({"extra": MODELS})]
    return Packages(_lacks(base, version), _lacks(extra, version) if extra else None, len(base), len(extra))


def _lacks(requirements: Sequence[object], version: Version) -> list[Lack]:
    from packaging.requirements import Requirement

    lacks = []
    for one in requirements:
        assert isinstance(one, Requirement)
        extras = f"[{','.join(sorted(one.extras))}]" if one.extras else ""
        wanted = f"{one.name}{extras}{one.specifier}"
        try:
            found = version(one.name)
        except metadata.PackageNotFoundError:
            lacks.append(Lack(wanted, ""))
            continue
        if not one.specifier.contains(found, prereleases=True):
            lacks.append(Lack(wanted, found))
    return lacks


def python_findings(wanted: str | None = None, found: str | None = None) -> Iterator[Finding]:
    """Whether this Python is one that voxterm runs on; both are read where they are not given."""
    from packaging.specifiers import SpecifierSet

    found = found or platform.python_version()
    where = f"{found}, {platform.system()} {platform.release()}, {platform.machine()}"
    try:
        wanted = wanted if wanted is not None else metadata.metadata("voxterm")["Requires-Python"]
    except metadata.PackageNotFoundError:
        wanted = ""
    if SpecifierSet(wanted or "").contains(found, prereleases=True):
        yield Finding("program", "Python", "ok", where)
        return
    remedy = "make it anew with another Python: python3.12 -m venv .venv"
    yield Finding("program", "Python", "bad", f"{where}, where {wanted} is needed", remedy, blocks=True)


def package_findings(packages: Packages, *, needs_models: bool) -> Iterator[Finding]:
    """`needs_models`: the chosen profile is one of the speech models."""
    if packages.base is None:
        what = "voxterm itself is not installed, so its packages cannot be compared"
        yield Finding("program", "packages", "warn", what, "make install")
        return
    if packages.base:
        yield from (_lack_finding("packages", lack, blocks=not lack.found) for lack in packages.base)
    else:
        yield Finding("program", "packages", "ok", f"all {packages.base_count} in versions that fit")
    yield from _models_findings(packages, needs_models=needs_models)


def _models_findings(packages: Packages, *, needs_models: bool) -> Iterator[Finding]:
    name = "of models"
    if packages.models is None:
        what = "voxterm was installed before it knew of them"
        yield Finding("program", name, "warn", what, "make install")
    elif packages.lacks_models:
        missing = ", ".join(lack.wanted for lack in packages.models if not lack.found)
        what = f"not installed: {missing}"
        verdict: Verdict = "bad" if needs_models else "info"
        yield Finding("program", name, verdict, what, INSTALL_MODELS, blocks=needs_models)
    elif packages.models:
        yield from (_lack_finding(name, lack, blocks=False) for lack in packages.models)
    else:
        yield Finding("program", name, "ok", f"all {packages.models_count} in versions that fit")


def _lack_finding(name: str, lack: Lack, *, blocks: bool) -> Finding:
    what = f"{lack.found} where {lack.wanted} is asked for" if lack.found else f"{lack.wanted} is missing"
    verdict: Verdict = "bad" if blocks else "warn"
    return Finding("program", name, verdict, what, f"pip install '{lack.wanted}'", blocks=blocks)


def read_torch() -> Torch | None:
    """The installed PyTorch, not imported; None where there is none."""
    found = find_spec("torch")
    if found is None or found.origin is None:
        return None
    text = (Path(found.origin).parent / "version.py").read_text("utf-8", "replace")
    cuda = _CUDA.search(text)
    return Torch(metadata.version("torch"), cuda[1] if cuda else "")
