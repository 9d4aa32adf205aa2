"""Settings: typed, validated, and each with the place it came from.

Layers, later wins: the shipped `config.toml`, the user's `config.toml` in the system's folder for settings,
the file of `--config`, variables `VOXTERM_SECTION__KEY`, flags. A key that nobody knows, a value of the
wrong type and a value that cannot be are errors in whichever layer they stand, even where a later one
overrides them. TOML values and typed flags must have the right type; variables and flags that are text are
read as what the key takes.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Literal, TypeAlias

import platformdirs
from pydantic import Field, PrivateAttr, ValidationError, model_validator
from pydantic_core import PydanticCustomError
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from voxterm.config_layers import (
    NAME,
    Layer,
    checked_values,
    file_layer,
    flag_layer,
    nested,
    shown,
    values_of,
    variable_layer,
)
from voxterm.engines.declared.engine_settings import EngineSettings
from voxterm.engines.declared.section import Section, Text
from voxterm.errors import ConfigError

SHIPPED = "config.toml"
DEFAULT = "default"
"""The origin of what no layer sets."""
DEFAULT_PROMPT = "You are a friendly partner in a conversation. If something was unclear, ask."

MAY_BE_SHOWN: Mapping[str, str] = {"key_variable": r"[A-Z_][A-Z0-9_]*", "base_url": r"[^@]*"}
"""What a key of `[engines.openai]` looks like where no secret stands in its place. Keys of many servers could
be names of variables but for their small letters."""
NOT_SHOWN = "not shown: it may hold the key itself"

PROFILES: dict[str, list[str]] = {
    "voxtral-orpheus": ["voxtral", "orpheus"],
    "voxtral-kokoro": ["voxtral", "kokoro"],
    "whisper-llm-orpheus": ["whisper", "llm", "orpheus"],
    "whisper-llm-kokoro": ["whisper", "llm", "kokoro"],
    "realtime-llm-orpheus": ["voxtral_realtime", "llm", "orpheus"],
    "realtime-llm-kokoro": ["voxtral_realtime", "llm", "kokoro"],
    "whisper-openai-orpheus": ["whisper", "openai", "orpheus"],
    "whisper-openai-kokoro": ["whisper", "openai", "kokoro"],
    "realtime-openai-orpheus": ["voxtral_realtime", "openai", "orpheus"],
    "realtime-openai-kokoro": ["voxtral_realtime", "openai", "kokoro"],
    "embedded": ["pocketsphinx", "eliza", "espeak"],
}

Device: TypeAlias = Annotated[Annotated[int, Field(ge=0)] | Text, Field(union_mode="left_to_right")]
MemorySize: TypeAlias = Annotated[
    str, Field(pattern=r"^([0-9]+(\.[0-9]+)? ?([KMGTkmgt]i?)?[Bb]?)?$", examples=["8GB"])
]
Name: TypeAlias = Annotated[str, Field(pattern=NAME)]
ReplyLength: TypeAlias = Literal["short", "medium", "long"]
Probability: TypeAlias = Annotated[float, Field(ge=0.0, le=1.0)]


class AudioSettings(Section):
    """Devices by name, part of a name, or number."""

    microphone: Device = "default"
    loudspeaker: Device = "default"
    echo: Literal["auto", "cancel", "half_duplex", "off"] = "auto"
    noise_suppression: bool = False
    gain_control: bool = False


class TurnSettings(Section):
    """What is speech, and when a turn is over. `config.toml` says why each has its value."""

    mode: Literal["open", "push_to_talk"] = "open"
    vad: Literal["silero", "webrtc"] = "silero"
    speech_threshold: Probability = 0.5
    silence_threshold: Probability = 0.35
    pre_roll_ms: int = Field(default=600, ge=300, le=2000)
    min_speech_ms: int = Field(default=96, ge=32, le=1000)
    pause_ms: int = Field(default=96, ge=64, le=2000)
    detector: Literal["smart_turn", "none"] = "smart_turn"
    finished_silence_ms: int = Field(default=200, ge=100, le=5000)
    unfinished_silence_ms: int = Field(default=800, ge=100, le=5000)
    end_silence_ms: int = Field(default=700, ge=100, le=5000)
    take_back_ms: int = Field(default=1000, ge=0, le=5000)
    yield_ms: int = Field(default=64, ge=32, le=2000)
    barge_in_ms: int = Field(default=640, ge=32, le=5000)
    max_turn_s: int = Field(default=120, ge=5, le=600)

    @model_validator(mode="after")
    def _in_order(self) -> TurnSettings:
        if self.silence_threshold > self.speech_threshold:
            names = {"key": "silence_threshold", "other": "speech_threshold"}
            raise PydanticCustomError("order", "{key} may not be above {other}", names)
        if self.end_silence_ms <= self.pause_ms:
            names = {"key": "end_silence_ms", "other": "pause_ms"}
            raise PydanticCustomError("order", "{key} must be more than {other}", names)
        if self.unfinished_silence_ms < self.finished_silence_ms:
            names = {"key": "unfinished_silence_ms", "other": "finished_silence_ms"}
            raise PydanticCustomError("order", "{key} may not be below {other}", names)
        return self


class PersonaSettings(Section):
    """What is empty or not set is as for all: the system prompt, the voice that speaks, and so on."""

    description: str = ""
    prompt: str = ""
    style: str = ""
    voice: str = ""
    speed: float | None = Field(default=None, ge=0.5, le=2.0)
    reply_length: ReplyLength | None = None
    language: Text | None = None


class DialogueSettings(Section):
    """What whoever answers is told. The personas that voxterm brings stand in `config.toml` alone."""

    system_prompt: str = DEFAULT_PROMPT
    persona: str = ""  # empty: the system prompt alone
    reply_length: ReplyLength = "short"
    language: Text = "auto"
    memory_turns: int = Field(default=200, ge=1, le=10_000)
    personas: dict[Name, PersonaSettings] = Field(default_factory=dict)


class SpeechSettings(Section):
    voice: Text = "auto"
    speed: float = Field(default=1.0, ge=0.5, le=2.0)
    follow_language: bool = True


class SessionSettings(Section):
    keep: bool = True
    keep_audio: bool = False
    folder: str = ""  # empty: the system's folder for state


class ScreenSettings(Section):
    theme: Text = "textual-dark"
    watch_loop: bool = False


class GpuSettings(Section):
    """What the models may have of the GPU; `voxterm plan` shows what they make of it."""

    memory: MemorySize = ""  # such as "8GB"; empty: all that is free
    precision: Literal["auto", "bf16", "int8", "int4"] = "auto"


@dataclass(frozen=True, slots=True)
class _Origins:
    """No part of what settings are: those of two places are equal."""

    of: Mapping[str, str] = field(default_factory=dict, compare=False)


class Settings(BaseSettings):
    """All settings. `Settings()` holds the documented defaults and reads no file and no variable."""

    model_config = SettingsConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)

    profile: Text = "auto"
    profiles: dict[Name, list[Text]] = PROFILES
    audio: AudioSettings = AudioSettings()
    gpu: GpuSettings = GpuSettings()
    turns: TurnSettings = TurnSettings()
    dialogue: DialogueSettings = DialogueSettings()
    speech: SpeechSettings = SpeechSettings()
    sessions: SessionSettings = SessionSettings()
    screen: ScreenSettings = ScreenSettings()
    engines: EngineSettings = EngineSettings()
    _origins: _Origins = PrivateAttr(default_factory=_Origins)

    def place(self, key: str) -> str:
        """What messages call a setting: its dotted key, and before it the file, variable or flag."""
        origin = self._origins.of.get(key, DEFAULT)
        return key if origin == DEFAULT else f"{origin}: {key}"

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Only what is passed: the layers are read by `load_settings`, which remembers their origin."""
        return (init_settings,)


@dataclass(frozen=True, slots=True)
class Loaded:
    """The settings, and for each dotted key the file, variable or flag that set it ("default": none did)."""

    settings: Settings
    origins: dict[str, str]


@dataclass(frozen=True, slots=True)
class _Value:
    value: Any
    origin: str


def load_settings(
    config_file: Path | None, flags: Mapping[str, object], environ: Mapping[str, str]
) -> Loaded:
    """Read all layers.

    Args:
        config_file: the file of `--config`, if any; it must be there.
        flags: dotted key → value, like {"speech.voice": "german"}; None stands for a flag that was not given.
        environ: the environment; only `VOXTERM_…` and `XDG_CONFIG_HOME` are looked at.

    Raises:
        ConfigError: the first thing that is wrong, by layer, then by place in it.
    """
    values = {key: _Value(value, DEFAULT) for key, value in values_of(Settings())}
    for layer in _layers(config_file, flags, environ):
        for key, value in checked_values(Settings, layer):
            values.pop(key, None)  # so that the dict stays in the order of the layers
            values[key] = _Value(value, layer.origin(key))
    try:
        settings = Settings(**nested({key: found.value for key, found in values.items()}))
    except ValidationError as error:
        raise _conflict(error, values) from None
    default = _Value(None, DEFAULT)  # of what an entry of an open table leaves out
    origins = {key: values.get(key, default).origin for key, _ in values_of(settings)}
    settings._origins = _Origins(origins)
    return Loaded(settings, origins)


def describe(loaded: Loaded) -> list[tuple[str, str, str]]:
    """(dotted key, value as TOML would write it, origin) for every setting, in the order of config.toml."""
    values = dict(values_of(without_secrets(loaded.settings)))
    return [(key, shown(values[key]), origin) for key, origin in loaded.origins.items()]


def without_secrets(settings: Settings) -> Settings:
    """The same, fit to be printed and shared: a key that was put where none belongs is left out."""
    openai = settings.engines.openai
    hidden = {
        name: NOT_SHOWN
        for name, pattern in MAY_BE_SHOWN.items()
        if not re.fullmatch(pattern, getattr(openai, name))
    }
    engines = settings.engines.model_copy(update={"openai": openai.model_copy(update=hidden)})
    return settings.model_copy(update={"engines": engines})


def shipped_file() -> Path:
    """The documented defaults: in the package of a wheel, or at the root of a checkout."""
    package = Path(__file__).parent
    in_wheel = package / SHIPPED
    return in_wheel if in_wheel.is_file() else package.parent / SHIPPED


def user_file(environ: Mapping[str, str]) -> Path:
    """Where a person keeps their own settings; the file need not be there."""
    xdg = Path(environ.get("XDG_CONFIG_HOME", ""))
    folder = xdg / "voxterm" if xdg.is_absolute() else platformdirs.user_config_path("voxterm", False)
    return folder / "config.toml"


def _layers(
    config_file: Path | None, flags: Mapping[str, object], environ: Mapping[str, str]
) -> Iterator[Layer]:
    own = user_file(environ)
    yield file_layer(Settings, shipped_file(), SHIPPED)
    yield file_layer(Settings, own, str(own), may_be_missing=True)
    if config_file is not None:
        yield file_layer(Settings, config_file, str(config_file))
    yield variable_layer(Settings, environ)
    yield flag_layer(Settings, flags)


def _conflict(error: ValidationError, values: Mapping[str, _Value]) -> ConfigError:
    """Two settings that do not go together: the one that was set last is named first."""
    problem = error.errors()[0]
    section = ".".join(str(part) for part in problem["loc"])
    pair = {f"{section}.{problem['ctx'][name]}" for name in ("key", "other")}
    other, key = (name for name in values if name in pair)
    return ConfigError(
        f"{values[key].origin}: {key} is {shown(values[key].value)} while {other} is "
        f"{shown(values[other].value)} ({values[other].origin})",
        problem["msg"],
    )
