"""The models of a measurement: put where the plan says, loaded as for a conversation, and let go."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from voxterm.bench.report import Figure
from voxterm.checkpoints import find
from voxterm.config import Settings
from voxterm.engines import registry
from voxterm.engines.declared.engines import ENGINES
from voxterm.engines.protocols import Engine, PacedEngine, PlacedEngine, Placement, Speed, Voice
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
NO_WEIGHTS_NOTE = "{} has no weights that could be drawn: it was measured as it is"


@dataclass(frozen=True, slots=True)
class Subject:
    """What is measured, and how."""

    settings: Settings
    plan: Plan
    wishes: Wishes
    voice: Voice | None = None
    tell: Callable[[str], None] = lambda part: None  # which part of a measurement now begins
    wants_random: bool = False  # weights were to be drawn, where there are any

    @property
    def device(self) -> torch.device:
        """Where the models are; the CPU where there is none."""
        import torch

        return torch.device(next((place.device for place in self.plan.placements.values()), CPU))

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
        """Whether its weights are drawn, so that it babbles; never those of an engine without a model."""
        return model in self.wishes.checkpoints and not find(self.checkpoint(model)).weights

    def described(self, engines: Collection[str]) -> dict[str, str]:
        """Where these engines' models are, and in which precision."""
        return {name: self._described(name) for name in engines}

    def _described(self, name: str) -> str:
        engine = ENGINES[name]
        if engine.model:
            place = self.placement(name)
            weights = "random weights" if self.is_random(name) else self.checkpoint(name)
            where = f"{place.precision} on {place.device}"
            return f"{weights}, {where}, {place.context_tokens} tokens of context"
        if not engine.is_remote:
            return f"{engine.title}, which needs no checkpoint"
        section = getattr(self.settings.engines, name)
        address, _, _ = str(section.base_url).partition("?")  # what follows may be a secret
        return f"{section.model or 'the first model that it lists'} at {address}"

    def notes(self, names: Collection[str]) -> list[str]:
        """What a reader of the figures has to know of these engines and codecs."""
        random = [name for name in names if self.is_random(name)]
        notes = [RANDOM_NOTE.format(" and ".join(random))] if random else []
        fixed = [ENGINES[name].title for name in names if name in ENGINES and not ENGINES[name].model]
        return notes + [NO_WEIGHTS_NOTE.format(title) for title in fixed if self.wants_random]


def subject(
    settings: Settings,
    engines: Sequence[str],
    wishes: Wishes,
    machine: Machine,
    environ: Mapping[str, str],
    voice: Voice | None = None,
) -> Subject:
    """Plan some engines of the settings, which name a checkpoint for each.

    Args:
        machine: `machine_at` the device that is asked for.
        voice: who speaks, whatever checkpoint she belongs to.

    Raises:
        EngineLoadError: the installed torch cannot use its GPU.
    """
    wishes = replace(wishes, profiles={MEASURED: registry.Profile(MEASURED, tuple(engines))})
    plan = plan_for(MEASURED, wishes, environ, machine)
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
    """These engines by name: those with a model loaded in the plan's order, then the others.

    Args:
        warm: whether they are warmed up, as before a conversation.

    Raises:
        EngineLoadError: a checkpoint is missing or broken, or it does not fit.
    """
    limit_memory(given)
    for model in models:
        if ENGINES[model].model:
            given.placement(model)  # refuses one that the plan left out
    order = [*(name for name in given.plan.load_order if name in models), *models]
    engines = {model: built(given, model) for model in dict.fromkeys(order)}
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
    if isinstance(engine, PlacedEngine):
        import torch

        torch.manual_seed(SEED)
    engine.load(lambda done, total: None)


def built(given: Subject, model: str) -> Any:
    """The engine of a model, not loaded yet. Measurements look inside it, so it has no narrower type."""
    return registry.build(model, given.settings.engines, given.plan.placements)


def memory_held(engine: object) -> dict[str, Figure]:
    """What it says that its models hold."""
    held = engine.memory_bytes if isinstance(engine, PlacedEngine) else {}
    return {"memory_mb": Figure([sum(held.values()) / 1e6] if held else [], "MB")}


def pace(engine: object) -> list[float]:
    """The tokens a second that it decoded last, of each of its models that tells."""
    speeds: Mapping[str, Speed] = engine.speeds if isinstance(engine, PacedEngine) else {}
    return [speed.tokens_per_s for speed in speeds.values()]


def limit_memory(given: Subject) -> None:
    """Hold the process to its limit: torch then refuses what goes beyond, as a smaller GPU would."""
    if given.wishes.memory_limit_bytes is None or not given.plan.placements:
        return
    device = given.device
    if device.type != "cuda":
        return
    import torch

    total_bytes = torch.cuda.get_device_properties(device).total_memory
    share = (given.wishes.memory_limit_bytes - CUDA_CONTEXT_BYTES) / total_bytes
    torch.cuda.set_per_process_memory_fraction(min(max(share, 0.0), 1.0), device)
