"""The models of a measurement: put where the plan says, loaded as for a conversation, and let go."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from voxterm.checkpoints import find
from voxterm.config import Settings
from voxterm.engines import registry
from voxterm.engines.declared.engines import ENGINES
from voxterm.engines.protocols import Engine, Placement, Voice
from voxterm.errors import EngineLoadError, EngineMemoryError, InputError
from voxterm.gpu import CUDA_CONTEXT_BYTES, Nvml, read_ram
from voxterm.plan import Machine, Plan, Wishes, plan_for, this_machine
from voxterm.plan.here import measured_bandwidth

if TYPE_CHECKING:
    import torch

VOXTRAL, ORPHEUS, CODEC = "voxtral", "orpheus", "snac"
BOTH = (VOXTRAL, ORPHEUS)
MEASURED = "measured"
"""What the profile of the measured engines is called in their plan."""

CPU = "cpu"
SEED = 0

RANDOM_NOTE = "the weights of {} are random, of the published sizes: speed does not depend on their values"


@dataclass(frozen=True, slots=True)
class Subject:
    """What is measured, and how."""

    settings: Settings
    plan: Plan
    wishes: Wishes
    voice: Voice | None = None
    tell: Callable[[str], None] = lambda part: None  # which part of a measurement now begins

    @property
    def device(self) -> torch.device:
        import torch

        return torch.device(next(iter(self.plan.placements.values())).device)

    def placement(self, model: str) -> Placement:
        """Where a model goes.

        Raises:
            EngineMemoryError: the plan has no place for it.
        """
        if model not in self.plan.placements:
            raise EngineMemoryError(
                f"the memory plan has no place for {model}: {'; '.join(self.plan.gives_up)}",
                "`voxterm plan` shows what fits",
            )
        return self.plan.placements[model]

    def checkpoint(self, model: str) -> str:
        """The name of a model's or codec's checkpoint."""
        return self.wishes.checkpoints[model]

    @property
    def speaker(self) -> Voice:
        """Who speaks, in a measurement of speech."""
        assert self.voice is not None
        return self.voice

    def is_random(self, model: str) -> bool:
        """Whether its weights are drawn, so that it babbles."""
        return not find(self.checkpoint(model)).weights

    def described(self, models: Collection[str]) -> dict[str, str]:
        """Where these models are, and in which precision."""
        places = {model: self.placement(model) for model in models}
        return {
            name: f"{'random weights' if self.is_random(name) else self.checkpoint(name)}, "
            f"{place.precision} on {place.device}, {place.context_tokens} tokens of context"
            for name, place in places.items()
        }

    def notes(self, models: Collection[str]) -> list[str]:
        """What a reader of the figures has to know of these models."""
        random = [model for model in models if self.is_random(model)]
        return [RANDOM_NOTE.format(" and ".join(random))] if random else []


def subject(
    settings: Settings,
    engines: Sequence[str],
    wishes: Wishes,
    device: str | None,
    environ: Mapping[str, str],
    voice: Voice | None = None,
) -> Subject:
    """Plan some engines of the settings, which name a checkpoint for each.

    Args:
        device: "cpu" or "cuda:N"; None: the GPU if there is one.
        voice: who speaks, whatever checkpoint she belongs to.

    Raises:
        InputError: there is no such device.
        EngineLoadError: the installed torch cannot use it.
    """
    wishes = replace(wishes, profiles={MEASURED: registry.Profile(MEASURED, tuple(engines))})
    plan = plan_for(MEASURED, wishes, environ, machine_at(device, environ))
    devices = {placement.device for placement in plan.placements.values()}
    if any(name != CPU for name in devices):
        import torch

        if not torch.cuda.is_available():
            raise EngineLoadError(
                "the installed torch cannot use the GPU", "install torch for CUDA, or give --device cpu"
            )
    own_voice = replace(voice, checkpoint=wishes.checkpoints.get(voice.engine, "")) if voice else None
    return Subject(settings, plan, wishes, own_voice)


def machine_at(device: str | None, environ: Mapping[str, str]) -> Machine:
    """This machine as if it had this device alone.

    Raises:
        InputError: it has no such device.
    """
    if device is None:
        return this_machine(environ)
    if device == CPU:
        return Machine(None, "the CPU was asked for", read_ram(), measured_bandwidth(1))
    nvml = Nvml()
    try:
        gpu = next((gpu for gpu in nvml.gpus(environ) if gpu.device == device), None)
        why = nvml.unavailable
    finally:
        nvml.close()
    if gpu is None:
        raise InputError(f"there is no {device} here{f': {why}' if why else ''}", "give --device cpu")
    return Machine(gpu, ram=read_ram())


def with_stand_ins(settings: Settings, engines: Collection[str], folder: Path) -> Settings:
    """The settings with checkpoints of the published sizes, written there, whose weights are drawn."""
    sections: dict[str, Any] = {}
    for engine in (ENGINES[name] for name in engines):
        if engine.model is None or not engine.stand_in:
            continue
        update = {"checkpoint": _written(engine.stand_in, folder / engine.name)}
        if engine.codec_stand_in:
            update["codec"] = _written(engine.codec_stand_in, folder / engine.model.codec_name)
        sections[engine.name] = getattr(settings.engines, engine.name).model_copy(update=update)
    return settings.model_copy(update={"engines": settings.engines.model_copy(update=sections)})


def _written(place: str, folder: Path) -> str:
    """The folder of a stand-in that "module:name" has written."""
    module, _, name = place.partition(":")
    getattr(import_module(module), name)(folder)
    return str(folder)


@contextmanager
def loaded(given: Subject, models: Collection[str], *, warm: bool = True) -> Iterator[dict[str, Any]]:
    """The engines of these models by name, loaded in the plan's order.

    Args:
        warm: whether they are warmed up, as before a conversation.

    Raises:
        EngineLoadError: a checkpoint is missing or broken, or it does not fit.
    """
    limit_memory(given)
    engines = {model: built(given, model) for model in given.plan.load_order if model in models}
    for model in models:
        given.placement(model)  # refuses one that the plan left out
    try:
        for model, engine in engines.items():
            given.tell(f"loading {model}")
            take_up(engine)
            if warm:
                given.tell(f"warming up {model}")
                engine.warm_up()
        yield engines
    finally:
        for engine in engines.values():
            engine.close()


def take_up(engine: Engine) -> None:
    """Load an engine. Weights that are drawn are the same each time.

    Raises:
        EngineLoadError: a checkpoint is missing or broken, or it does not fit.
    """
    import torch

    torch.manual_seed(SEED)
    engine.load(lambda done, total: None)


def built(given: Subject, model: str) -> Any:
    """The engine of a model, not loaded yet. Measurements look inside it, so it has no narrower type."""
    return registry.build(model, given.settings.engines, given.plan.placements)


def limit_memory(given: Subject) -> None:
    """Hold the process to its limit: torch then refuses what goes beyond, as a smaller GPU would."""
    device = given.device
    if given.wishes.memory_limit_bytes is None or device.type != "cuda":
        return
    import torch

    total_bytes = torch.cuda.get_device_properties(device).total_memory
    share = (given.wishes.memory_limit_bytes - CUDA_CONTEXT_BYTES) / total_bytes
    torch.cuda.set_per_process_memory_fraction(min(max(share, 0.0), 1.0), device)
