"""The catalogue of voices, read from a folder with one TOML file for each.

A file that is broken is a problem of its own: it is named, and the other voices are there all the same.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator, Mapping
from dataclasses import MISSING, dataclass, fields
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from voxterm.engines.declared.engines import ENGINES
from voxterm.engines.protocols import Voice
from voxterm.errors import VoiceError

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

KEYS = tuple(field.name for field in fields(Voice))
REQUIRED = frozenset(field.name for field in fields(Voice) if field.default is MISSING)
LISTS = frozenset({"tags"})
TAG = re.compile(r"<[a-z_]+>")
AUTO = "auto"


@dataclass(frozen=True, slots=True)
class Catalogue:
    """The voices by name, and what was wrong with the files that gave none."""

    voices: Mapping[str, Voice]
    problems: tuple[VoiceError, ...] = ()

    @classmethod
    def read(cls, folder: Path) -> Catalogue:
        """Read every `*.toml` of a folder, in the order of their names.

        Raises:
            VoiceError: the folder is not there. What is wrong with a file is in `problems`.
        """
        if not folder.is_dir():
            raise VoiceError(f"there is no folder of voices {folder}", "reinstall voxterm")
        voices: dict[str, Voice] = {}
        problems: list[VoiceError] = []
        for path in sorted(folder.glob("*.toml")):
            found = _voice_or_problem(path)
            if isinstance(found, VoiceError):
                problems.append(found)
            elif found.name in voices:
                what = f'another file has a voice "{found.name}"'
                problems.append(_problem(path, what, "rename one of the two"))
            else:
                voices[found.name] = found
        return cls(voices, tuple(problems))

    def find(self, name: str) -> Voice:
        """The voice of this name, or `espeak:LANGUAGE`.

        Raises:
            VoiceError: there is none; the remedy names the nearest.
        """
        if name in self.voices:
            return self.voices[name]
        engine, colon, speaker = name.partition(":")
        if colon and speaker and engine in ENGINES and ENGINES[engine].has_open_voices:
            return Voice(name, engine, language=speaker, speaker=speaker)
        near = get_close_matches(name, self.voices, n=3) or sorted(self.voices)[:5]
        raise VoiceError(f'there is no voice "{name}"', f"near are {', '.join(near)}" if near else "")

    def voice_for(self, name: str, engine: str) -> tuple[Voice, str]:
        """The voice of this name, or the one that stands in for it on this engine; and then why, in words.

        `auto` is the engine's own first voice. A voice of another engine gives way to one of its language.

        Raises:
            VoiceError: there is no such voice, or the engine does not know its language.
        """
        if name == AUTO:
            return self.find(ENGINES[engine].first_voice), ""
        voice = self.find(name)
        if voice.engine == engine:
            return voice, ""
        own = self.for_engine(engine)
        exact = (other for other in own if other.language == voice.language)
        near = (other for other in own if _primary(other.language) == _primary(voice.language))
        other = next(exact, None) or next(near, None)
        if other is None:
            names = ", ".join(other.name for other in own[:5])
            raise VoiceError(
                f'{engine} speaks no {voice.language}, the language of the voice "{name}"',
                f"choose a voice of {engine}, such as {names}",
            )
        return other, f'the voice "{name}" is one of {voice.engine}; {other.name} speaks in its place'

    def for_engine(self, engine: str) -> tuple[Voice, ...]:
        """The voices of one engine, in the order of their files."""
        return tuple(voice for voice in self.voices.values() if voice.engine == engine)


def voices_folder() -> Path:
    """Where the shipped voices are: inside an installed package, else beside it, in a checkout."""
    package = Path(__file__).parent
    installed = package / "voices"
    return installed if installed.is_dir() else package.parent / "voices"


def read_voice(path: Path) -> Voice:
    """The voice of one file.

    Raises:
        VoiceError: it cannot be read, or a key is unknown, missing or of the wrong type.
    """
    try:
        text = path.read_text(encoding="utf-8")
        values = tomllib.loads(text)
    except (OSError, UnicodeDecodeError) as error:
        raise VoiceError(f"{path}: cannot be read: {error}", "give it as a file of UTF-8 text") from error
    except tomllib.TOMLDecodeError as error:
        raise VoiceError(
            f"{path}: not valid TOML: {error}", 'write lines such as name = "english"'
        ) from error
    for what, remedy, key in _faults(values):
        raise _problem(path, what, remedy, _line_of(text, key))
    lists = {key: tuple(values[key]) for key in LISTS & values.keys()}
    return Voice(**(values | lists))


def _primary(language: str) -> str:
    """The language without its region: "en" of "en-US"."""
    return language.partition("-")[0].lower()


def _voice_or_problem(path: Path) -> Voice | VoiceError:
    try:
        return read_voice(path)
    except VoiceError as problem:
        return problem


def _faults(values: Mapping[str, Any]) -> Iterator[tuple[str, str, str]]:
    """What is wrong, what would be right, and the key it is about."""
    for key, value in values.items():
        if key not in KEYS:
            near = get_close_matches(key, KEYS, n=1)
            remedy = f'did you mean "{near[0]}"?' if near else f"there are {', '.join(KEYS)}"
            yield f'unknown key "{key}"', remedy, key
        elif key in LISTS:
            yield from ((*fault, key) for fault in _tag_faults(key, value))
        elif not isinstance(value, str):
            yield f"{key} is {value!r}", f'a text is right, such as {key} = "…"', key
        elif key in REQUIRED and not value.strip():
            yield f"{key} is empty", f"give the voice its {key}", key
        elif key == "checkpoint" and not value.strip():
            yield "checkpoint is empty", "name a folder or owner/repository, or leave the line out", key
    for key in KEYS:
        if key in REQUIRED and key not in values:
            yield f'the key "{key}" is missing', f'add a line {key} = "…"', key
    if ":" in str(values.get("name", "")):
        yield "the name holds a colon", "that is for engine:speaker; choose another name", "name"


def _tag_faults(key: str, value: Any) -> Iterator[tuple[str, str]]:
    """What is wrong with a list of tags, and what would be right."""
    if not isinstance(value, list):
        yield f"{key} is {value!r}", f'a list of texts is right, such as {key} = ["<laugh>"]'
        return
    for tag in value:
        if not isinstance(tag, str) or not TAG.fullmatch(tag):
            yield f"{key} holds {tag!r}", 'a tag is one lower-case word in angle brackets, such as "<laugh>"'


def _problem(path: Path, what: str, remedy: str, line: int | None = None) -> VoiceError:
    return VoiceError(f"{path}{f', line {line}' if line else ''}: {what}", remedy)


def _line_of(text: str, key: str) -> int | None:
    """The line, from 1, on which a key is given a value."""
    pattern = re.compile(rf"""\s*\[?\s*["']?{re.escape(key)}["']?\s*[=.\]]""")
    numbered = enumerate(text.splitlines(), start=1)
    return next((number for number, line in numbered if pattern.match(line)), None)
