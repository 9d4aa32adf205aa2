"""Which model goes where, in which precision and with how much context: the plan, made before anything loads.

Pure. Every combination of what each model may be given is weighed, and of those that fit the best is taken,
so more memory never gives a worse plan. Better is, in this order:

1. the more important model is there. Hearing and answering (Voxtral) come before the voice (Orpheus); a role
   without its model goes to the embedded engines.
2. models on the GPU rather than on the CPU, but for those that suit a CPU. Beside a GPU none goes to the CPU
   that is too slow there: the embedded engines keep up.
3. a voice in real time. A slower one, or a model on a CPU too slow for speech, is taken only where the
   profile was asked for by name, and then with few bits, which are read faster.
4. the least given up, by `ModelNeed.loss` and `CONTEXT_LOSS`: half the context counts 1 and a quarter 5; 8
   bits count 1 for Voxtral and 2 for Orpheus, whose every slip is heard, 4 bits 4 and 5.
   So both models are halved before either is quartered, and Voxtral before Orpheus. A model that suits a
   CPU counts `CPU_LOSS` there: it begins to speak or to write some tenths of a second later.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import product

from voxterm.engines.declared.model import CONTEXT_LOSS
from voxterm.engines.declared.need import ModelNeed, Parts
from voxterm.engines.protocols import Placement, Precision
from voxterm.errors import CheckpointError

GB = 1e9
LADDER: tuple[Precision, ...] = ("float32", "bf16", "int8", "int4")
BITS: Mapping[Precision, int] = {"float32": 32, "bf16": 16, "int8": 8, "int4": 4}
CPU = "cpu"

CPU_LOSS = 3
"""As much as to go from 8 bits to 4, and less than to go from half the context to a quarter."""

MARGIN = 0.03
LEAST_MARGIN_BYTES = 150_000_000
"""Left free: an allocator cannot use every gap, and estimates err."""


@dataclass(frozen=True, slots=True)
class Device:
    """A memory that models can be put into."""

    name: str  # as torch names it
    title: str
    free_bytes: int
    bandwidth_bytes_s: float | None  # what is attained, not what the data sheet says
    process_bytes: int  # taken once, by whatever is put there first

    @property
    def plannable_bytes(self) -> int:
        return self.free_bytes - round(max(self.free_bytes * MARGIN, LEAST_MARGIN_BYTES))


@dataclass(frozen=True, slots=True)
class DeviceUse:
    """What a plan takes of a device."""

    device: Device
    planned_bytes: int  # models and process


@dataclass(frozen=True, slots=True)
class Plan:
    """What is loaded where. A model without a placement is left out: `stand_ins` says who takes its role."""

    profile: str
    placements: Mapping[str, Placement]
    load_order: tuple[str, ...]  # the largest first: what does not fit after all is known soonest
    needs: Mapping[str, Parts]
    uses: Mapping[str, DeviceUse]  # by device
    fits: bool  # every model has a placement
    gives_up: tuple[str, ...]
    tokens_per_s: Mapping[str, float | None]  # the most that reading the weights allows
    stand_ins: Mapping[str, str]
    left_out: Mapping[str, str]  # title of a model without a placement → why
    reason: str
    too_slow: Mapping[str, str] = field(default_factory=dict)  # title of a model with a placement → how slow
    missing: Mapping[str, CheckpointError] = field(default_factory=dict)
    """By checkpoint: why it cannot be loaded."""
    lacking: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """By engine: the packages that are not here. Of models, as in `missing`, those that have a placement."""


@dataclass(frozen=True, slots=True)
class _Option:
    """One way to treat a model; without a device it is left out."""

    need: ModelNeed
    device: Device | None = None
    precision: Precision = "bf16"
    context_step: int = 0

    @property
    def context_tokens(self) -> int:
        return self.need.contexts[self.context_step]

    @property
    def parts(self) -> Parts:
        return self.need.parts(self.precision, self.context_tokens)

    @property
    def tokens_per_s(self) -> float | None:
        speed = self.device.bandwidth_bytes_s if self.device else None
        return self.need.tokens_per_s(self.precision, self.context_tokens, speed)

    @property
    def is_on_cpu(self) -> bool:
        return self.device is not None and self.device.name == CPU

    @property
    def is_slow(self) -> bool:
        """Slower than its role needs. On a CPU a model has to be small, or fast by a rule of its own."""
        if self.is_on_cpu:
            return not self.need.suits_cpu and (self.tokens_per_s or 0.0) < self.need.cpu_tokens_per_s
        needed = self.need.real_time_tokens_per_s
        return needed is not None and self.tokens_per_s is not None and self.tokens_per_s < needed

    @property
    def loss(self) -> int:
        given_up = self.need.loss.get(self.precision, 0) + CONTEXT_LOSS[self.context_step]
        return given_up + CPU_LOSS * (self.is_on_cpu and self.need.suits_cpu)

    @property
    def slowness(self) -> str:
        """How much slower than needed, in words."""
        assert self.device is not None
        speed, needed = self.tokens_per_s, self.need.cpu_tokens_per_s
        if speed is None:
            return f"it is too large to keep up on {self.device.title}"
        return f"{self.device.title} allows at most {speed:.0f} of {needed:.0f} tokens/s"


def make_plan(
    profile: str,
    needs: Sequence[ModelNeed],
    devices: Sequence[Device],
    *,
    precision: Precision = "bf16",
    takes_slow: bool = False,
    without: str = "",
) -> Plan:
    """The best plan that fits; at worst one that loads nothing.

    Args:
        needs: the models of the profile.
        devices: the GPU, if there is one, and the CPU, if models may go there.
        precision: the best that is wanted; what does not fit gets a lower one.
        takes_slow: a slow model is better than the embedded engines; on a CPU only where there is no GPU.
        without: why there is no GPU.
    """
    combinations = product(*(list(_options(need, devices, precision, takes_slow)) for need in needs))
    chosen = min((c for c in combinations if _fits(c)), key=_badness)
    placed = [option for option in chosen if option.device is not None]
    return Plan(
        profile=profile,
        placements={o.need.model: _placement(o) for o in placed},
        load_order=tuple(o.need.model for o in sorted(placed, key=lambda o: -o.parts.weights_bytes)),
        needs={o.need.model: o.parts for o in placed},
        uses={device.name: DeviceUse(device, used) for device, used in _used(chosen).items()},
        fits=len(placed) == len(chosen),
        gives_up=tuple(
            line for option in chosen for line in _given_up(option, chosen, devices, precision, without)
        ),
        tokens_per_s={o.need.model: o.tokens_per_s for o in placed},
        stand_ins={o.need.model: o.need.stand_in for o in chosen if o.device is None},
        left_out={
            o.need.title: _why_not(o.need, chosen, devices, precision, without)
            for o in chosen
            if o.device is None
        },
        reason=_reason(placed, devices, without),
        too_slow={o.need.title: o.slowness for o in placed if o.is_slow},
    )


def _options(
    need: ModelNeed, devices: Sequence[Device], wanted: Precision, takes_slow: bool
) -> Iterator[_Option]:
    yield _Option(need)
    has_gpu = _has_gpu(devices)
    for device in devices:
        may_be_slow = takes_slow and not (has_gpu and device.name == CPU)
        yield from (o for o in _ways(need, device, wanted) if may_be_slow or not o.is_slow)


def _has_gpu(devices: Sequence[Device]) -> bool:
    return any(device.name != CPU for device in devices)


def _ways(need: ModelNeed, device: Device, wanted: Precision) -> Iterator[_Option]:
    """All ways to have a model on a device. A CPU is no faster with quantised weights, so it gets none."""
    ladder = _ladder(need, wanted)
    for precision in ladder[:1] if device.name == CPU else ladder:
        for step in range(len(need.contexts)):
            yield _Option(need, device, precision, step)


def _ladder(need: ModelNeed, wanted: Precision) -> tuple[Precision, ...]:
    """The precisions a model may get, the best first; its least where all are better than wanted."""
    own = tuple(precision for precision in LADDER if precision in need.weights_bytes)
    return tuple(p for p in own if LADDER.index(p) >= LADDER.index(wanted)) or own[-1:]


def _used(options: Sequence[_Option]) -> dict[Device, int]:
    used: dict[Device, int] = {}
    for option in options:
        if option.device is not None:
            used.setdefault(option.device, option.device.process_bytes)
            used[option.device] += option.parts.total_bytes
    return used


def _fits(options: Sequence[_Option]) -> bool:
    return all(used <= device.plannable_bytes for device, used in _used(options).items())


def _badness(options: Sequence[_Option]) -> tuple[float, ...]:
    return (
        sum(option.need.importance for option in options if option.device is None),
        sum(option.is_on_cpu and not option.need.suits_cpu for option in options),
        sum(BITS[option.precision] for option in options if option.device is not None and option.is_slow),
        sum(option.loss for option in options if option.device is not None),
        sum(option.is_on_cpu for option in options),  # of what counts as much, the least on the CPU
    )


def _placement(option: _Option) -> Placement:
    assert option.device is not None
    return Placement(option.device.name, option.precision, option.context_tokens)


def _given_up(
    option: _Option, chosen: Sequence[_Option], devices: Sequence[Device], wanted: Precision, without: str
) -> Iterator[str]:
    """In plain words what this model has less than it could."""
    need = option.need
    if option.device is None:
        why = _why_not(need, chosen, devices, wanted, without)
        yield f"{need.title}: {need.stand_in} in its place, since {why}"
        return
    speed = option.tokens_per_s
    ladder = _ladder(need, wanted)
    if option.precision != ladder[0]:
        better = replace(option, precision=ladder[ladder.index(option.precision) - 1])
        speed_limit = f"{BITS[better.precision]} would allow {better.tokens_per_s or 0:.0f} tokens/s"
        why = speed_limit if better.is_slow else "to fit"
        cost = need.cost.get(option.precision, "")
        bits = f"{BITS[option.precision]} bits for each weight instead of {BITS[ladder[0]]}"
        yield f"{need.title}: {bits} ({why}); {cost}"
    if option.context_step:
        yield (
            f"{need.title}: holds {option.context_tokens} tokens of dialogue instead of {need.contexts[0]}; "
            "what was said earlier is forgotten sooner"
        )
    if option.is_slow and speed is not None:
        yield (
            f"{need.title}: at most {speed:.0f} tokens/s on {option.device.title}, "
            f"where a conversation needs {need.cpu_tokens_per_s:.0f}"
        )
    elif option.is_on_cpu and not need.suits_cpu:
        yield f"{need.title}: runs on the CPU, far slower than on a GPU"
    elif option.is_on_cpu and _has_gpu(devices):
        yield f"{need.title}: runs on the CPU, to fit; it keeps up, but begins some tenths of a second later"


def _why_not(
    need: ModelNeed, chosen: Sequence[_Option], devices: Sequence[Device], wanted: Precision, without: str
) -> str:
    """Why a model is not on the first of these devices."""
    if not devices:
        return without
    device = devices[0]
    least = min(_ways(need, device, wanted), key=lambda option: option.parts.total_bytes)
    needed_bytes = least.parts.total_bytes + device.process_bytes
    usable_bytes = max(0, device.plannable_bytes)
    if needed_bytes > usable_bytes:
        return f"it needs at least {needed_bytes / GB:.1f} GB, and {usable_bytes / GB:.1f} GB can be used"
    if least.is_slow:
        return least.slowness
    others = " and ".join(option.need.title for option in chosen if option.device is not None)
    return f"it does not fit beside {others}"


def _reason(placed: Sequence[_Option], devices: Sequence[Device], without: str) -> str:
    if not placed:
        small = [f"{device.title} is too small or too slow" for device in devices]
        return ", and ".join(([without] if without else []) + small)
    names = " and ".join(f"{option.need.title} {option.precision}" for option in placed)
    places = ", ".join(
        f"{used_bytes / GB:.1f} of the {device.free_bytes / GB:.1f} GB free on {device.title}"
        for device, used_bytes in _used(placed).items()
    )
    return f"{names}: {places}"
