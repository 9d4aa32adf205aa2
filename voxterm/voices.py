"""The catalogue of voices, read from a folder with one TOML file for each.

A file that is broken is a problem of its own: it is named, and the other voices are there all the same.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from voxterm.engines.protocols import Voice
from voxterm.errors import VoiceError

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

KEYS = tuple(field.name for field in fields(Voice))
REQUIRED = frozenset(KEYS) - {"description"}
OPEN_ENGINES = ("espeak",)
"""Engines whose voices need no file: `espeak:de` is eSpeak's own voice for German."""


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
        if colon and speaker and engine in OPEN_ENGINES:
            return Voice(name, engine, language=speaker, speaker=speaker)
        near = get_close_matches(name, self.voices, n=3) or sorted(self.voices)[:5]
        raise VoiceError(f'there is no voice "{name}"', f"near are {', '.join(near)}" if near else "")

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
    return Voice(**values)


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
        elif not isinstance(value, str):
            yield f"{key} is {value!r}", f'a text is right, such as {key} = "…"', key
        elif key in REQUIRED and not value.strip():
            yield f"{key} is empty", f"give the voice its {key}", key
    for key in KEYS:
        if key in REQUIRED and key not in values:
            yield f'the key "{key}" is missing', f'add a line {key} = "…"', key
    if ":" in str(values.get("name", "")):
        yield "the name holds a colon", "that is for engine:speaker; choose another name", "name"


def _problem(path: Path, what: str, remedy: str, line: int | None = None) -> VoiceError:
    return VoiceError(f"{path}{f', line {line}' if line else ''}: {what}", remedy)


def _line_of(text: str, key: str) -> int | None:
    """The line, from 1, on which a key is given a value."""
    pattern = re.compile(rf"""\s*\[?\s*["']?{re.escape(key)}["']?\s*[=.\]]""")
    numbered = enumerate(text.splitlines(), start=1)
    return next((number for number, line in numbered if pattern.match(line)), None)
