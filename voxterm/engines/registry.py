"""Engines by name, and the profiles that say which play together.

An engine's module is imported when it is built.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from difflib import get_close_matches
from importlib import import_module
from typing import TYPE_CHECKING, Any, TypeAlias

from voxterm.engines.cascade import Cascade
from voxterm.engines.declared.declaration import Declaration, Role
from voxterm.engines.declared.engines import ENGINES
from voxterm.errors import ConfigError

if TYPE_CHECKING:
    from voxterm.engines.declared.engine_settings import EngineSettings
    from voxterm.engines.protocols import (
        LanguageModel,
        Placement,
        SpeechLanguageModel,
        SpeechSynthesizer,
        Transcriber,
        TurnDetector,
        VoiceActivityDetector,
    )

VADS: Mapping[str, str] = {
    "silero": "voxterm.engines.silero_vad:SileroVad",
    "webrtc": "voxterm.engines.webrtc_vad:built",
}
TURN_DETECTORS: Mapping[str, str] = {"smart_turn": "voxterm.engines.smart_turn.engine:SmartTurn"}

ORDERS: tuple[tuple[Role, ...], ...] = (
    ("speech language model", "synthesizer"),
    ("transcriber", "language model", "synthesizer"),
)
"""What a profile consists of."""

AUTO = "auto"
"""No profile's name: it takes the best of them."""

Place: TypeAlias = Callable[[str], str]
"""Dotted key → what messages call it."""

EXAMPLE = (
    'write what hears, what answers and what speaks, like ["whisper", "llm", "kokoro"], '
    'or ["voxtral", "orpheus"]'
)

EMBEDDED: Mapping[Role, tuple[str, ...]] = {
    "speech language model": ("pocketsphinx", "eliza"),
    "transcriber": ("pocketsphinx",),
    "language model": ("eliza",),
    "synthesizer": ("espeak",),
}
"""Who takes a role whose engine cannot be had."""


@dataclass(frozen=True, slots=True)
class Profile:
    """Which engines understand and speak. The VAD is the choice of the settings, whatever the profile."""

    name: str
    engines: tuple[str, ...]  # in the order of ORDERS
    second_choices: tuple[str, ...] = ()  # engines that answer when one of those is away
    known: Mapping[str, Declaration] = field(default_factory=lambda: ENGINES, repr=False, compare=False)
    """All engines as the settings have them."""

    @property
    def understanding(self) -> tuple[str, ...]:
        """A speech language model, or a transcriber and a language model."""
        return self.engines[:-1]

    @property
    def synthesizer(self) -> str:
        return self.engines[-1]

    @property
    def declared(self) -> tuple[Declaration, ...]:
        """All of them, second choices included."""
        return tuple(self.known[name] for name in (*self.engines, *self.second_choices))

    @property
    def is_remote(self) -> bool:
        """Whether an engine of it runs elsewhere."""
        return any(engine.is_remote for engine in self.declared)

    def without(self, absent: Collection[str]) -> Profile:
        """The same with the embedded engines in the roles of those that are absent."""

        def able(names: Sequence[str]) -> tuple[str, ...]:
            found = (EMBEDDED[ENGINES[name].role] if name in absent else (name,) for name in names)
            return tuple(one for some in found for one in some)

        return replace(self, engines=able(self.engines), second_choices=able(self.second_choices))


def profiles(
    written: Mapping[str, Sequence[str]], settings: EngineSettings, place: Place = str
) -> dict[str, Profile]:
    """The profiles of the settings by name, the best first.

    Raises:
        ConfigError: one of them names an engine that is not there, or engines that do not go together.
    """
    known = engines_of(settings)
    made = {name: _profile(name, tuple(engines), settings, place) for name, engines in written.items()}
    return {name: replace(profile, known=known) for name, profile in made.items()}


def engines_of(settings: EngineSettings) -> dict[str, Declaration]:
    """All engines by name, as their settings have them: some need other packages with another back end."""
    return {
        name: engine.variant(getattr(settings, name)) if engine.variant else engine
        for name, engine in ENGINES.items()
    }


def profile_named(name: str, known: Mapping[str, Profile], place: str = "") -> Profile:
    """The profile of this name. `place` is what messages call the setting that names it.

    Raises:
        ConfigError: there is none.
    """
    _check("profile", name, known, f"{place}: " if place else "")
    return known[name]


def build_vad(name: str, settings: EngineSettings) -> VoiceActivityDetector:
    """The VAD of this name, not loaded yet.

    Raises:
        ConfigError: none has this name.
    """
    _check("VAD", name, VADS)
    vad: VoiceActivityDetector = _built(VADS[name], getattr(settings, f"{name}_vad", None))
    return vad


def build_detector(name: str, settings: EngineSettings) -> TurnDetector | None:
    """The turn detector of this name, not loaded yet; None for "none".

    Raises:
        ConfigError: none has this name.
    """
    if name == "none":
        return None
    _check("turn detector", name, (*TURN_DETECTORS, "none"))
    detector: TurnDetector = _built(TURN_DETECTORS[name], getattr(settings, name, None))
    return detector


def build_understanding(
    profile: Profile, settings: EngineSettings, placements: Mapping[str, Placement]
) -> SpeechLanguageModel:
    """What hears and answers in this profile, not loaded yet."""
    if len(profile.understanding) == 1:
        model: SpeechLanguageModel = build(profile.understanding[0], settings, placements)
        return model
    hears, answers = profile.understanding
    transcriber: Transcriber = build(hears, settings, placements)
    language_model: LanguageModel = build(answers, settings, placements)
    for name in profile.second_choices:
        from voxterm.engines.second_choice import SecondChoice

        language_model = SecondChoice(language_model, build(name, settings, placements))
    return Cascade(transcriber, language_model)


def build_synthesizer(
    profile: Profile, settings: EngineSettings, placements: Mapping[str, Placement]
) -> SpeechSynthesizer:
    """What speaks in this profile, not loaded yet."""
    synthesizer: SpeechSynthesizer = build(profile.synthesizer, settings, placements)
    return synthesizer


def build_embedded_voice() -> SpeechSynthesizer:
    """The synthesizer that is there everywhere, not loaded yet."""
    synthesizer: SpeechSynthesizer = _built(ENGINES[EMBEDDED["synthesizer"][0]].place, None)
    return synthesizer


def build(name: str, settings: EngineSettings, placements: Mapping[str, Placement]) -> Any:
    """One engine by its name, not loaded yet: what its role is, nobody can tell from here."""
    engine = ENGINES[name]
    own = getattr(settings, name, None)
    return _built(engine.place, own, *([placements[name]] if engine.model else []))


def _built(place: str, section: object | None, *placement: Placement) -> Any:
    """What "module:name" makes of a placement, where there is a model, and of settings, where it has any."""
    module, _, name = place.partition(":")
    return getattr(import_module(module), name)(*placement, *([] if section is None else [section]))


def _profile(name: str, engines: tuple[str, ...], settings: EngineSettings, place_of: Place) -> Profile:
    place = place_of(f"profiles.{name}")
    if name == AUTO:
        what = f'{place}: the name "{AUTO}" is reserved: it takes the best of the profiles'
        raise ConfigError(what, "give the profile another name")
    for engine in engines:
        _check("engine", engine, ENGINES, f"{place}: ")
    roles = tuple(ENGINES[engine].role for engine in engines)
    if roles not in ORDERS:
        found = ", ".join(f"{engine} is a {role}" for engine, role in zip(engines, roles, strict=True))
        raise ConfigError(f"{place} makes no conversation: {found or 'it is empty'}", EXAMPLE)
    return Profile(name, engines, tuple(_second_choices(engines, settings, place_of)))


def _second_choices(engines: tuple[str, ...], settings: EngineSettings, place_of: Place) -> list[str]:
    found = []
    for name in engines:
        second = getattr(getattr(settings, name, None), "second_choice", "")
        if not second:
            continue
        place = place_of(f"engines.{name}.second_choice")
        role = ENGINES[name].role
        able = [one.name for one in ENGINES.values() if one.role == role and one.name != name]
        if second not in able:
            what = f'{place}: "{second}" cannot stand in for {name}'
            raise ConfigError(what, f"name one of {', '.join(able)}")
        found.append(second)
    return found


def _check(what: str, name: str, known: Collection[str], place: str = "") -> None:
    if name not in known:
        near = get_close_matches(name, known, n=1)
        remedy = f'did you mean "{near[0]}"?' if near else f"there are {', '.join(known)}"
        raise ConfigError(f'{place}there is no {what} "{name}"', remedy)
