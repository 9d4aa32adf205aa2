"""What is asked of a plan, and the models of a profile by that: what each needs, and which files are here."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from voxterm.checkpoints import Checkpoint, find, read_header
from voxterm.checkpoints.finding import CONVERTED, is_repo
from voxterm.engines.declared.declaration import IMPORTANCE, STAND_INS, Declaration
from voxterm.engines.declared.model import need_of
from voxterm.engines.declared.need import ModelNeed
from voxterm.engines.declared.shapes import Tensors
from voxterm.engines.protocols import Precision
from voxterm.engines.registry import Profile
from voxterm.errors import CheckpointError


@dataclass(frozen=True, slots=True)
class Wishes:
    """What is asked of a plan."""

    precision: Precision = "bf16"  # at best
    context_tokens: Mapping[str, int] = field(default_factory=dict)  # by model; else the model's own
    memory_limit_bytes: int | None = None  # of GPU memory, for this process
    checkpoints: Mapping[str, str] = field(default_factory=dict)
    """By model or codec, like "voxtral" and "snac": a folder or owner/repo, else what was published."""
    profiles: Mapping[str, Profile] = field(default_factory=dict)
    """By name, the best first; `auto` is one of them."""
    written: Mapping[str, str] = field(default_factory=dict)
    """By model or codec: the setting that names its checkpoint. What a voice brings stands in none."""
    lacking: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """By engine: the packages that are missing, so that it cannot run."""


@dataclass(frozen=True, slots=True)
class PlannedModel:
    """A model of a profile."""

    name: str  # its engine's
    need: ModelNeed
    missing: Mapping[str, CheckpointError]  # checkpoint or codec → why it cannot be loaded


def models_of(profile: Profile, wishes: Wishes, environ: Mapping[str, str]) -> list[PlannedModel]:
    """The models of a profile, by their checkpoints where those are here, else by the published shapes."""
    return [_planned(engine, wishes, environ) for engine in profile.declared if engine.model]


def found_by(
    wishes: Wishes, name: str, place: str, architectures: tuple[str, ...], environ: Mapping[str, str]
) -> Checkpoint:
    """The checkpoint of a model or codec on this machine.

    Raises:
        CheckpointError: it cannot be loaded. Of a folder it names the setting, since nothing can be fetched.
    """
    try:
        return find(place, architectures, environ)
    except CheckpointError as error:
        if is_repo(place) or name not in wishes.written:
            raise
        raise CheckpointError(f"{wishes.written[name]}: {error.what}", error.remedy) from error


def _planned(engine: Declaration, wishes: Wishes, environ: Mapping[str, str]) -> PlannedModel:
    model = engine.model
    assert model is not None
    missing: dict[str, CheckpointError] = {}

    def found(name: str, published: str, architectures: tuple[str, ...]) -> Checkpoint | None:
        place = wishes.checkpoints.get(name, published)
        try:
            return found_by(wishes, name, place, architectures, environ)
        except CheckpointError as error:
            missing[place] = error
            return None

    checkpoint = found(model.name, model.checkpoint, model.architectures)
    codec = found(model.codec_name, model.codec, ()) if model.codec else None
    need = need_of(
        model,
        STAND_INS[engine.role],
        IMPORTANCE[engine.role],
        config=checkpoint.config if checkpoint else None,
        tensors=_stored(checkpoint) if checkpoint else None,
        codec_bytes=codec.weight_bytes if codec and codec.weights else None,
        context_tokens=wishes.context_tokens.get(model.name),
    )
    return PlannedModel(engine.name, need, missing)


def _stored(checkpoint: Checkpoint) -> Tensors | None:
    """The tensors that its files hold; None where there are no files, or only torch could tell.

    Of a model for CTranslate2 they are all as one, in the 16 bits a number in which such files are written.
    """
    if [path.name for path in checkpoint.weights] == [CONVERTED]:
        return [("all", (checkpoint.weight_bytes // 2,))]
    if not checkpoint.weights or any(path.suffix != ".safetensors" for path in checkpoint.weights):
        return None
    return [(name, stored.shape) for path in checkpoint.weights for name, stored in read_header(path).items()]
