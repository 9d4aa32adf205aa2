"""The catalogue of voices, read from a folder of TOML files.

A file is one voice, or holds several: each is a `[[voice]]` table, and what they share stands above them. A
voice that is broken is a problem of its own, named with its file and line; the others, those of the same file
too, are there all the same. Only a file that is not TOML gives none.
"""

from __future__ import annotations

import re
import sys
import unicodedata
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import MISSING, dataclass, fields
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from voxterm.engines.declared.engines import ENGINES
from voxterm.engines.protocols import Voice
from voxterm.errors import VoiceError
from voxterm.language import primary

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

KEYS = tuple(field.name for field in fields(Voice))
REQUIRED = frozenset(field.name for field in fields(Voice) if field.default is MISSING)
LISTS = frozenset({"tags"})
SPEAKING = tuple(engine.name for engine in ENGINES.values() if engine.role == "synthesizer")
TAG = re.compile(r"<[a-z_]+>")
LANGUAGE = re.compile(r"[A-Za-z]{2,3}(-[A-Za-z0-9]{1,8})*")
"""A BCP 47 tag; those of four letters and more without a hyphen are possible, and nobody has any."""
AUTO = "auto"
NAMED = 8
"""How many of those that there are an error names."""

TABLES = "voice"
"""The key of a file's tables, where it holds several voices."""

EACH_BEGINS = f"begin each voice with a line [[{TABLES}]]"

_TABLE_LINE = re.compile(rf"""\s*\[\[\s*["']?{TABLES}["']?\s*\]\]""")
_HEAD = re.compile(r"\s*\[")
_PLACE = re.compile(r" \(at (?:line (\d+), column \d+|end of document)\)$")


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
        taken: set[str] = set()
        for path in sorted(folder.glob("*.toml")):
            for found in read_voices(path):
                if isinstance(found, VoiceError):
                    problems.append(found)
                elif same_name(found.name) in taken:
                    what = f'there is a voice "{found.name}" already'
                    problems.append(VoiceError(f"{path}: {what}", "rename one of the two"))
                else:
                    taken.add(same_name(found.name))
                    voices[found.name] = found
        return cls(voices, tuple(problems))

    def find(self, name: str) -> Voice:
        """The voice of this name, however its letters are composed and capitalised; or `espeak:LANGUAGE`.

        Raises:
            VoiceError: there is none; the remedy names the nearest.
        """
        wanted = same_name(name)
        for voice in self.voices.values():
            if same_name(voice.name) == wanted:
                return voice
        engine, colon, speaker = name.partition(":")
        if colon and speaker and engine in ENGINES and ENGINES[engine].has_open_voices:
            return Voice(name, engine, language=speaker, speaker=speaker)
        near = get_close_matches(name, self.voices, n=3)
        remedy = f"near are {', '.join(near)}" if near else "`voxterm voices` lists those that there are"
        raise VoiceError(f'there is no voice "{name}"', remedy)

    def voice_for(self, name: str, engine: str) -> tuple[Voice, str]:
        """The voice of this name, or the one that stands in for it on this engine; and then why, in words.

        `auto` is the engine's own first voice. A voice of another engine gives way to one of its language.

        Raises:
            VoiceError: there is no such voice, or the engine does not know its language.
        """
        own = self.for_engine(engine)
        if name == AUTO:
            return self._first(engine, own)
        voice = self.find(name)
        if voice.engine == engine:
            return voice, ""
        exact = (other for other in own if other.language == voice.language)
        near = (other for other in own if primary(other.language) == primary(voice.language))
        other = next(exact, None) or next(near, None)
        if other is None:
            names = ", ".join(other.name for other in own[:5])
            raise VoiceError(
                f'{engine} speaks no {voice.language}, the language of the voice "{name}"',
                f"choose a voice of {engine}, such as {names}",
            )
        return other, f'the voice "{name}" is one of {voice.engine}; {other.name} speaks in its place'

    def _first(self, engine: str, own: Sequence[Voice]) -> tuple[Voice, str]:
        """The engine's first voice, or the first one that is there; and then why, in words."""
        first = ENGINES[engine].first_voice
        if first in self.voices or not own:
            return self.find(first), ""
        return own[0], f'there is no voice "{first}"; {own[0].name} speaks in its place'

    def for_engine(self, engine: str) -> tuple[Voice, ...]:
        """The voices of one engine, in the order of their files."""
        return tuple(voice for voice in self.voices.values() if voice.engine == engine)

    def chosen(self, language: str = "", engine: str = "") -> tuple[Voice, ...]:
        """The voices of a language and an engine, "" for all: "hi" is "hi-IN" too, and a region or a script
        that nobody speaks is the language.

        Raises:
            VoiceError: there is no such engine, or nobody speaks the language; the remedy names the nearest.
        """
        if engine and engine not in SPEAKING:
            raise VoiceError(f'there is no engine "{engine}" that speaks', _nearest(engine, SPEAKING))
        of_engine = self.for_engine(engine) if engine else tuple(self.voices.values())
        wanted = (language, primary(language))
        some = (tuple(voice for voice in of_engine if _is_of(voice.language, one)) for one in wanted)
        found = next(filter(None, some), ())
        if language and not found:
            named = (voice.language for voice in of_engine if same_name(voice.name) == same_name(language))
            near = next(named, None)
            remedy = f'did you mean "{near}"?' if near else _nearest(language, _languages(of_engine))
            who = f"{engine} speaks no" if engine else "nobody speaks"
            raise VoiceError(f'{who} "{language}"', remedy)
        return found


def same_name(name: str) -> str:
    """The same for all spellings of a name that a person cannot tell apart, or only by capitals."""
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", name.strip()).casefold())


def voices_folder() -> Path:
    """Where the shipped voices are: inside an installed package, else beside it, in a checkout."""
    package = Path(__file__).parent
    installed = package / "voices"
    return installed if installed.is_dir() else package.parent / "voices"


def read_voices(path: Path) -> list[Voice | VoiceError]:
    """The voices of a file in their order, and in the place of one that is broken what is wrong with it."""
    try:
        text = path.read_text(encoding="utf-8")
        values = tomllib.loads(text)
    except UnicodeDecodeError as error:
        line = error.object.count(b"\n", 0, error.start) + 1
        return [_problem(path, "this is no UTF-8", "write it as UTF-8 text", line)]
    except OSError as error:
        return [VoiceError(f"{path}: cannot be read: {error}", "let it be read, or take it away")]
    except tomllib.TOMLDecodeError as error:
        return [_not_toml(path, text, str(error))]
    if TABLES not in values:
        return [_voice(path, values, text.splitlines(), 1)]
    return _voices_of_tables(path, values, text.splitlines())


def _voices_of_tables(path: Path, values: dict[str, Any], lines: Sequence[str]) -> list[Voice | VoiceError]:
    """Those of a file with several. What stands above them holds for all; what is wrong there is left out."""
    tables = values.pop(TABLES)
    if not isinstance(tables, list) or not all(isinstance(table, dict) for table in tables):
        return [_problem(path, f"{TABLES} is no list of tables", EACH_BEGINS, _line_of(lines, TABLES))]
    faults = list(_value_faults(values))
    found: list[Voice | VoiceError] = [
        _problem(path, what, remedy, _line_of(lines, key)) for what, remedy, key in faults
    ]
    wrong = {key: values.pop(key) for *_, key in faults if key in values}
    may_lack = any(not isinstance(value, dict | list) for value in wrong.values())  # for what was left out
    begins = [at for at, line in enumerate(lines) if _TABLE_LINE.match(line)]
    begins = begins if len(begins) == len(tables) else [0] * len(tables)  # they are written in another way
    for table, begin in zip(tables, begins, strict=True):
        whole = {**values, **table}
        if not may_lack or whole.keys() >= REQUIRED:
            found.append(_voice(path, whole, lines[begin : _end(lines, begin)], begin + 1))
    return found


def _end(lines: Sequence[str], begin: int) -> int:
    """Where the next table begins."""
    return next((at for at in range(begin + 1, len(lines)) if _HEAD.match(lines[at])), len(lines))


def _voice(
    path: Path, values: Mapping[str, Any], lines: Sequence[str], first_line: int
) -> Voice | VoiceError:
    """The voice of these lines of a file, or the first thing that is wrong with it."""
    for what, remedy, key in _faults(values):
        return _problem(path, what, remedy, first_line + (_line_of(lines, key) or 1) - 1)
    lists = {key: tuple(values[key]) for key in LISTS & values.keys()}
    return Voice(**{**values, **lists})


def _not_toml(path: Path, text: str, error: str) -> VoiceError:
    place = _PLACE.search(error)
    line = int(place[1]) if place and place[1] else len(text.splitlines()) if place else None
    what = error[: place.start()] if place else error
    return _problem(path, f"not valid TOML: {what}", 'write lines such as name = "english"', line)


def _is_of(language: str, wanted: str) -> bool:
    """Whether a BCP 47 language is the wanted one, or one of its regions or scripts."""
    return not wanted or f"{language}-".casefold().startswith(f"{wanted}-".casefold())


def _languages(voices: Sequence[Voice]) -> list[str]:
    """Each once, those with most voices first."""
    return [language for language, _ in Counter(primary(voice.language) for voice in voices).most_common()]


def _nearest(name: str, known: Collection[str]) -> str:
    near = get_close_matches(name, known, n=1)
    more = f" and {len(known) - NAMED} more" if len(known) > NAMED else ""
    return f'did you mean "{near[0]}"?' if near else f"there are {', '.join(list(known)[:NAMED])}{more}"


def _faults(values: Mapping[str, Any]) -> Iterator[tuple[str, str, str]]:
    """What is wrong with a voice, what would be right, and the key it is about."""
    yield from _value_faults(values)
    for key in KEYS:
        if key in REQUIRED and key not in values:
            yield f'the key "{key}" is missing', f'add a line {key} = "…"', key
    if ":" in str(values.get("name", "")):
        yield "the name holds a colon", "that is for engine:speaker; choose another name", "name"


def _value_faults(values: Mapping[str, Any]) -> Iterator[tuple[str, str, str]]:
    """The same of what stands there alone."""
    for key, value in values.items():
        if key not in KEYS:
            yield f'unknown key "{key}"', _key_remedy(key, value), key
        elif key in LISTS:
            yield from ((*fault, key) for fault in _tag_faults(key, value))
        elif not isinstance(value, str):
            yield f"{key} is {value!r}", f'a text is right, such as {key} = "…"', key
        elif key in REQUIRED and not value.strip():
            yield f"{key} is empty", f"give the voice its {key}", key
        elif key == "language" and not LANGUAGE.fullmatch(value):
            yield f'there is no language "{value}"', 'a BCP 47 tag is right, such as "en" or "pt-BR"', key
        elif key == "name" and same_name(value) == AUTO:
            yield f'the name "{AUTO}" is reserved', "it is the engine's first voice; choose another", key
        elif key == "engine" and value not in SPEAKING:
            yield f'there is no engine "{value}" that speaks', _nearest(value, SPEAKING), key
        elif key == "checkpoint" and not value.strip():
            yield "checkpoint is empty", "name a folder or owner/repository, or leave the line out", key


def _key_remedy(key: str, value: Any) -> str:
    if isinstance(value, list) and get_close_matches(key, [TABLES], n=1):
        return EACH_BEGINS
    near = get_close_matches(key, KEYS, n=1)
    return f'did you mean "{near[0]}"?' if near else f"there are {', '.join(KEYS)}"


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


def _line_of(lines: Sequence[str], key: str) -> int | None:
    """The line, from 1, on which a key is given a value."""
    pattern = re.compile(rf"""\s*\[{{0,2}}\s*["']?{re.escape(key)}["']?\s*[=.\]]""")
    return next((number for number, line in enumerate(lines, start=1) if pattern.match(line)), None)
