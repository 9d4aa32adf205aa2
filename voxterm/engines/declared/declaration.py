"""What the program has to know of an engine to offer it, plan for it and build it, with nothing loaded."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib import metadata
from typing import Any, Literal, TypeAlias

from voxterm.engines.declared.model import Model

Role: TypeAlias = Literal["speech language model", "transcriber", "language model", "synthesizer"]

Version: TypeAlias = Callable[[str], str]
"""The version of an installed package; raises PackageNotFoundError."""

IMPORTANCE: Mapping[Role, int] = {
    "speech language model": 5,
    "language model": 3,
    "transcriber": 2,
    "synthesizer": 1,
}
"""What it counts to have an engine in a role and not the embedded one. An answer that fits what was said is
worth more than good ears alone, and those more than a good voice."""

STAND_INS: Mapping[Role, str] = {
    "speech language model": "PocketSphinx and ELIZA hear and answer",
    "transcriber": "PocketSphinx hears",
    "language model": "ELIZA answers",
    "synthesizer": "eSpeak NG speaks",
}
"""The embedded engine that takes a role, as a sentence."""

MODEL_PACKAGES = ("torch", "transformers", "safetensors", "huggingface-hub")
"""What every engine with a model in torch imports."""


@dataclass(frozen=True, slots=True)
class Declaration:
    """One engine. Its own settings are the section of `EngineSettings` that has its name."""

    name: str  # in profiles
    title: str
    role: Role
    place: str  # "module:name" of what builds it, of its settings and, where it has a model, its placement
    packages: tuple[str, ...] = ()  # beside voxterm's own, as pip takes them
    model: Model | None = None  # what the plan has to find room for
    first_voice: str = ""  # who speaks where no voice was chosen
    has_open_voices: bool = False  # its voices need no file: "espeak:de"
    stand_in: str = ""  # "module:name" of what writes its checkpoint without the weights, for measurements
    codec_stand_in: str = ""  # the same for its codec's
    gives_way_to: str = ""  # the engine in its place where its packages are too old for it
    is_embedded: bool = False  # needs no GPU, no download and no network
    variant: Callable[[Any], Declaration] | None = None  # what its settings make of it, where they change it
    is_remote: bool = False  # its model runs elsewhere, so nobody can tell beforehand whether it answers

    def lacking(self, version: Version = metadata.version) -> tuple[str, ...]:
        """Its packages that are not there, or not in a version that it can use, each with what is there.

        Nothing is imported.
        """
        return tuple(lack for line in self.packages if (lack := _lack(line, version)))


def _lack(line: str, version: Version) -> str:
    """What is wanted and what is there, in words; empty where it will do."""
    from packaging.requirements import Requirement

    wanted = Requirement(line)
    try:
        found = version(wanted.name)
    except metadata.PackageNotFoundError:
        return line
    return "" if wanted.specifier.contains(found, prereleases=True) else f"{line} ({found} is installed)"
