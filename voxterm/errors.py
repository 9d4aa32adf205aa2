"""The error tree. Every error that a person may meet says what is wrong and what would be right.

VoxtermError
├── InputError            wrong usage or input; nothing was started (exit 2)
│   ├── ConfigError       a settings file, variable or flag
│   ├── AudioFileError    a recording that cannot be read
│   ├── TextError         a text that cannot be spoken
│   ├── VoiceError        a voice that is not there, or whose file is broken
│   ├── SessionError      a session that is not there, or is in use
│   └── OutputError       a file that cannot be written
├── DeviceError           a microphone or loudspeaker is missing, gone or refuses (exit 1)
├── EngineError           a model failed (exit 1)
│   └── EngineLoadError   it could not even be loaded
│       ├── CheckpointError       its files are missing, broken or another model's
│       └── EngineMemoryError     it does not fit into the memory that is free
└── StoreError            the database of sessions failed (exit 1)
"""

from __future__ import annotations

from enum import Enum
from typing import ClassVar


class Severity(Enum):
    """How much of the program an error takes with it."""

    WARNING = "warning"  # noted; everything goes on
    TURN = "turn"  # this turn ends; the next one works
    FATAL = "fatal"  # the program cannot go on


class VoxtermError(Exception):
    """What is wrong, where, and the remedy a person can act on. `str()` is one line, fit for a terminal."""

    category: ClassVar[str] = "error"
    exit_code: ClassVar[int] = 1
    severity: ClassVar[Severity] = Severity.TURN

    def __init__(self, what: str, remedy: str = "") -> None:
        self.what = one_line(what)
        self.remedy = one_line(remedy)
        super().__init__(self.what, self.remedy)

    def __str__(self) -> str:
        return f"{self.what}; {self.remedy}" if self.remedy else self.what


class InputError(VoxtermError):
    category = "input"
    exit_code = 2
    severity = Severity.FATAL


class ConfigError(InputError):
    category = "config"


class AudioFileError(InputError):
    category = "audio file"


class TextError(InputError):
    category = "text"


class VoiceError(InputError):
    category = "voice"


class SessionError(InputError):
    category = "session"


class OutputError(InputError):
    category = "output"


class DeviceError(VoxtermError):
    category = "device"


class EngineError(VoxtermError):
    category = "engine"


class EngineLoadError(EngineError):
    severity = Severity.FATAL


class CheckpointError(EngineLoadError):
    category = "checkpoint"


class EngineMemoryError(EngineLoadError):
    category = "memory"


class StoreError(VoxtermError):
    category = "store"
    severity = Severity.WARNING


def as_error(error: Exception, remedy: str = "") -> VoxtermError:
    """Any failure as one that a person can be told of; one of ours is left as it is."""
    if isinstance(error, VoxtermError):
        return error
    return VoxtermError(f"{type(error).__name__}: {error}", remedy)


def one_line(text: str) -> str:
    """The text on one line, control characters shown as escapes and never sent to a terminal."""
    return "".join(c if c.isprintable() else " " if c.isspace() else f"\\x{ord(c):02x}" for c in text).strip()
