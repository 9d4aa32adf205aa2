"""One layer of settings at a time: a TOML file, the variables, the flags, each as a nested table.

Works for any tree of pydantic models; `config` says which. A dotted key ("turns.pause_ms") names a setting,
and a layer knows what to call the place where one stands. A field that is a dict is an open table, whose
entries have names of their own; those stand in files alone. All errors are ConfigError: the place, the key,
what is wrong and what would be right.
"""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, TypeAlias, get_args, get_origin

from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError
from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings, EnvSettingsSource, TomlConfigSettingsSource

from voxterm.errors import ConfigError

NAME = r"^[\w-]+$"
"""What an entry of an open table may be called, like a profile: no dot, since that divides keys."""

STRICT = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)
"""How every model of settings is made."""

VARIABLE_PREFIX = "VOXTERM_"
KEYS_WITH_A_FLAG = (
    "profile",
    "dialogue.persona",
    "speech.voice",
    "speech.speed",
    "audio.microphone",
    "audio.loudspeaker",
)

Origin: TypeAlias = Callable[[str], str]
"""Dotted key → what to call the place it stands in."""


class OfSet(str):
    """The text of `--set KEY=VALUE`: messages blame that, and not the flag that the key may have too."""

    __slots__ = ()


@dataclass(frozen=True, slots=True)
class Layer:
    table: Mapping[str, Any]  # nested, as TOML gives it
    origin: Origin
    lifts_text: bool = False  # a text is read as what its key takes


def file_layer(model: type[BaseSettings], path: Path, origin: str, *, may_be_missing: bool = False) -> Layer:
    """The settings of a TOML file, which messages call `origin`."""
    try:
        if may_be_missing and not path.exists():
            return Layer({}, lambda _: origin)
        if not path.is_file():
            missing = "is not a file" if path.exists() else "there is no such file"
            raise ConfigError(f"{origin}: {missing}", "give the path of a TOML file")
        return Layer(TomlConfigSettingsSource(model, path).toml_data, lambda _: origin)
    except OSError as error:
        raise ConfigError(f"{origin}: cannot be read: {error.strerror}", "check its permissions") from None
    except UnicodeDecodeError as error:
        raise ConfigError(
            f"{origin}: byte {error.start} is not UTF-8", "save the file as UTF-8 text"
        ) from None
    except ValueError as error:  # TOMLDecodeError, of tomllib or of tomli
        raise _syntax_error(path, origin, str(error)) from None


def variable_layer(model: type[BaseSettings], environ: Mapping[str, str]) -> Layer:
    """The settings of the variables `VOXTERM_…`; an unknown one is an error like an unknown key."""
    keys = {variable_name(key): key for key in known_keys(model)}
    ours = {name: environ[name] for name in sorted(environ) if name.startswith(VARIABLE_PREFIX)}
    for name in ours:
        if name not in keys:
            wrong = name.removeprefix(VARIABLE_PREFIX).lower().replace("__", ".")
            nearest = variable_name(_nearest(wrong, list(keys.values())))
            raise ConfigError(f"{name}: there is no such setting", f"the nearest is {nearest}")
    source = EnvSettingsSource(model, env_prefix=VARIABLE_PREFIX, env_nested_delimiter="__")
    source.env_vars = {name.lower(): text for name, text in ours.items()}
    return Layer(source(), variable_name, lifts_text=True)


def flag_layer(model: type[BaseSettings], flags: Mapping[str, object]) -> Layer:
    """The settings of flags, dotted key → value; None stands for a flag that was not given."""
    known = list(known_keys(model))
    given = {key: value for key, value in flags.items() if value is not None}
    for key in given:
        if key not in known:
            what = f"{flag_name(key)}: {key}: there is no such setting"
            raise ConfigError(what, f"the nearest is {_nearest(key, known)}")
    texts = {key: str(value) if isinstance(value, OfSet) else value for key, value in given.items()}
    return Layer(
        nested(texts),
        lambda key: "--set" if isinstance(given.get(key), OfSet) else flag_name(key),
        lifts_text=True,
    )


def flag_name(key: str) -> str:
    """The flag of a dotted key: "speech.voice" → "--voice"; most settings have none but `--set KEY=VALUE`."""
    return f"--{_last(key)}" if key in KEYS_WITH_A_FLAG else "--set"


def variable_name(key: str) -> str:
    """The environment variable of a dotted key: "turns.pause_ms" → "VOXTERM_TURNS__PAUSE_MS"."""
    return VARIABLE_PREFIX + key.replace(".", "__").upper()


def known_keys(model: type[BaseModel], prefix: str = "") -> Iterator[str]:
    """The dotted key of every setting, in the order of the models; not of what open tables hold."""
    for name, field in model.model_fields.items():
        section = _section_of(field)
        if section is not None:
            yield from known_keys(section, f"{prefix}{name}.")
        elif _entry_of(field) is None:
            yield prefix + name


def _sections(model: type[BaseModel], prefix: str = "") -> Iterator[tuple[str, bool]]:
    """(dotted key, whether it is an open table) of every section and open table."""
    for name, field in model.model_fields.items():
        section = _section_of(field)
        if section is not None or _entry_of(field) is not None:
            yield prefix + name, section is None
        if section is not None:
            yield from _sections(section, f"{prefix}{name}.")


def values_of(settings: BaseModel, prefix: str = "") -> Iterator[tuple[str, Any]]:
    """(dotted key, value) of every setting, the entries of open tables among them."""
    for name in type(settings).model_fields:
        value = getattr(settings, name)
        entries = value.items() if isinstance(value, dict) else [("", value)]
        for entry, held in entries:
            key = f"{prefix}{name}.{entry}" if entry else prefix + name
            if isinstance(held, BaseModel):
                yield from values_of(held, f"{key}.")
            else:
                yield key, held


def checked_values(model: type[BaseModel], layer: Layer) -> Iterator[tuple[str, Any]]:
    """(dotted key, value as its field takes it) for all of a layer, in the layer's order.

    What depends on two keys is not checked here: the other may stand in another layer.
    """
    known = _Known(list(known_keys(model)), dict(_sections(model)))
    for key, kind, raw in _leaves(model, layer.table, layer.origin, known):
        yield key, _checked(kind, raw, f"{layer.origin(key)}: {key}", layer.lifts_text)


def nested(flat: Mapping[str, object]) -> dict[str, Any]:
    """{"turns.pause_ms": 1} → {"turns": {"pause_ms": 1}}. An empty table takes nothing from its place."""
    tree: dict[str, Any] = {}
    for key, value in flat.items():
        *sections, name = key.split(".")
        branch = tree
        for section in sections:
            branch = branch.setdefault(section, {})
        if value == {}:
            branch.setdefault(name, {})
        else:
            branch[name] = value
    return tree


def shown(value: object) -> str:
    """A value as TOML writes it; tables, and lists of anything but texts, only by their kind."""
    if value is None:
        return "not set"
    if isinstance(value, dict):
        return "a table"
    if isinstance(value, list):
        of_texts = value and all(isinstance(one, str) for one in value)
        return f"[{', '.join(map(shown, value))}]" if of_texts else "a list"
    return json.dumps(value, ensure_ascii=False) if isinstance(value, bool | str) else str(value)


@dataclass(frozen=True, slots=True)
class _Known:
    keys: list[str]
    sections: Mapping[str, bool]  # whether it is an open table

    def advice(self, wrong: str, raw: object) -> str:
        """For a key that nobody knows: a table is meant for a section, or for an entry of an open table."""
        if not isinstance(raw, dict) or not self.sections:
            return f"the nearest is {_nearest(wrong, [*self.keys, *self.sections])}"
        section = _nearest(wrong, list(self.sections))
        entry = next((f".{name}" for name, held in raw.items() if isinstance(held, dict)), "")
        return f"the nearest is {section}{entry if self.sections[section] else ''}"


def _syntax_error(path: Path, origin: str, message: str) -> ConfigError:
    """tomllib ends its message with "(at line 3, column 5)" or "(at end of document)"."""
    found = re.search(r" *\(at (?:line (\d+), column \d+|end of document)\)$", message)
    line = found[1] if found and found[1] else len(path.read_text("utf-8").splitlines())
    what = message[: found.start()] if found else message
    return ConfigError(
        f"{origin}, line {line}: this is not TOML: {what}", 'a setting is written key = "value"'
    )


def _leaves(
    model: type[BaseModel], table: Mapping[str, Any], origin: Origin, known: _Known, prefix: str = ""
) -> Iterator[tuple[str, Any, Any]]:
    """(dotted key, the type it takes, its raw value) for every value in a table, in the table's order."""
    for name, raw in table.items():
        key = prefix + name
        field = model.model_fields.get(name)
        if field is None:
            raise ConfigError(f"{origin(key)}: {key}: there is no such setting", known.advice(key, raw))
        section, entry = _section_of(field), _entry_of(field)
        if section is None and entry is None:
            yield key, Annotated[field.annotation, field], raw
        elif not isinstance(raw, dict):
            what = f"{origin(key)}: {key} is {_short(raw)}, but it is a section"
            raise ConfigError(what, f"write [{key}] and its settings below it")
        elif section is not None:
            yield from _leaves(section, raw, origin, known, f"{key}.")
        else:
            yield from _entries(entry, raw, origin, key)


def _entries(
    entry: Any, table: Mapping[str, Any], origin: Origin, place: str
) -> Iterator[tuple[str, Any, Any]]:
    """As `_leaves`, for an open table whose entries are all of one type."""
    for name, raw in table.items():
        key = f"{place}.{name}"
        if not re.fullmatch(NAME, name):
            what = f"{origin(key)}: {place} has an entry {json.dumps(name, ensure_ascii=False)}"
            raise ConfigError(what, "name it by letters, digits, - and _")
        if not (isinstance(entry, type) and issubclass(entry, BaseModel)):
            yield key, entry, raw
        elif raw == {}:
            yield key, dict[str, Any], raw  # it is there, though nothing stands in it
        elif isinstance(raw, dict):
            known = _Known([f"{key}.{one}" for one in known_keys(entry)], {})
            yield from _leaves(entry, raw, origin, known, f"{key}.")
        else:
            what = f"{origin(key)}: {key} is {_short(raw)}, but it is a section"
            raise ConfigError(what, f"write [{key}] and its settings below it")


def _section_of(field: FieldInfo) -> type[BaseModel] | None:
    kind = field.annotation
    return kind if isinstance(kind, type) and issubclass(kind, BaseModel) else None


def _entry_of(field: FieldInfo) -> Any:
    """What the entries of an open table are; None for any other field."""
    return get_args(field.annotation)[1] if get_origin(field.annotation) is dict else None


def _checked(kind: Any, raw: Any, place: str, lifts_text: bool) -> Any:
    adapter: TypeAdapter[Any] = TypeAdapter(kind, config=STRICT)
    try:
        if lifts_text and isinstance(raw, str):
            return _lifted(adapter, raw)
        return adapter.validate_python(raw)
    except ValidationError as error:
        schema = adapter.json_schema()
        if isinstance(raw, list) and "items" in schema:
            at = int(error.errors()[0]["loc"][0])
            what = f"{place}: item {at + 1} is {_short(raw[at])}"
            raise ConfigError(what, f"each takes {_takes(schema['items'])}") from None
        raise ConfigError(f"{place} is {_short(raw)}", f"it takes {_takes(schema)}") from None


def _lifted(adapter: TypeAdapter[Any], text: str) -> Any:
    """A text as what its key takes. A choice among numbers is found only as the number that it is."""
    try:
        return adapter.validate_strings(text)
    except ValidationError:
        with suppress(ValueError):  # one of pydantic's is a ValueError too
            return adapter.validate_python(json.loads(text))
        raise


def _takes(schema: Mapping[str, Any]) -> str:
    """What a key takes, in words, from the JSON schema of its type."""
    if "anyOf" in schema:
        return " or ".join(_takes(one) for one in schema["anyOf"] if one["type"] != "null")
    if "enum" in schema:
        return " or ".join(shown(one) for one in schema["enum"])
    words = {
        "array": "a list of texts",
        "integer": "a whole number",
        "number": "a number",
        "boolean": "true or false",
        "string": "a text",
    }
    word = words[schema["type"]]
    if "maximum" in schema:
        return f"{word} from {schema['minimum']} to {schema['maximum']}"
    if "minimum" in schema:
        return f"{word} of at least {schema['minimum']}"
    if "examples" in schema:
        return f"{word} such as {shown(schema['examples'][0])}"
    return f"{word} that is not empty" if "minLength" in schema else word


def _short(value: object) -> str:
    text = shown(value)
    return text if len(text) <= 60 else f"{text[:59]}…"


def _nearest(wrong: str, known: list[str]) -> str:
    """A key of that name elsewhere, the only one of the section that shares a word, or the most similar."""
    same_name = [key for key in known if _last(key) == _last(wrong) and key != wrong]
    section, words = wrong.rpartition(".")[0], set(_last(wrong).split("_"))
    beside = (key for key in known if key.rpartition(".")[0] == section)
    sharing = [key for key in beside if words.intersection(_last(key).split("_"))]
    close = same_name or (sharing if len(sharing) == 1 else [])
    return (close or difflib.get_close_matches(wrong, known, n=1, cutoff=0.0))[0]


def _last(key: str) -> str:
    return key.rsplit(".", maxsplit=1)[-1]
