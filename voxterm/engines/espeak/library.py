"""The eSpeak NG library through ctypes: the one place that knows its C interface.

The library is one for the whole process, keeps its voice and rate in global variables and is not safe to use
from two threads. So there is one `EspeakLibrary`, taken by `espeak_library()`, initialised once and never
terminated, and one lock around every call. ctypes gives the GIL free while the library works.
"""

from __future__ import annotations

import ctypes
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from itertools import count, takewhile
from typing import Any

import numpy as np

from voxterm.engines.protocols import Samples
from voxterm.errors import EngineError, EngineLoadError, VoiceError

# Constants of speak_lib.h.
AUDIO_OUTPUT_SYNCHRONOUS = 2
CHARS_UTF8 = 1
END_PAUSE = 0x1000  # the pause that belongs after a sentence, also at the end of the text
POS_CHARACTER = 1
RATE = 1
EVENT_END, EVENT_WORD = 0, 1
PHONEMES_IPA = 0x02
PHONEMES_TIE = 0x80  # the character from bit 8 on joins what is one phoneme

TIE = "\u0361"


class _EventId(ctypes.Union):
    _fields_ = [("number", ctypes.c_int), ("name", ctypes.c_char_p), ("string", ctypes.c_char * 8)]


class _Event(ctypes.Structure):
    _fields_ = [
        ("type", ctypes.c_int),
        ("unique_identifier", ctypes.c_uint),
        ("text_position", ctypes.c_int),  # in characters, from 1
        ("length", ctypes.c_int),  # in characters
        ("audio_position", ctypes.c_int),  # ms
        ("sample", ctypes.c_int),
        ("user_data", ctypes.c_void_p),
        ("id", _EventId),
    ]


class _Voice(ctypes.Structure):
    _fields_ = [
        ("name", ctypes.c_char_p),
        ("languages", ctypes.POINTER(ctypes.c_char)),  # (priority byte, string, NUL) …, NUL
        ("identifier", ctypes.c_char_p),
        ("gender", ctypes.c_ubyte),
        ("age", ctypes.c_ubyte),
        ("variant", ctypes.c_ubyte),
        ("xx1", ctypes.c_ubyte),
        ("score", ctypes.c_int),
        ("spare", ctypes.c_void_p),
    ]


_Callback = ctypes.CFUNCTYPE(
    ctypes.c_int, ctypes.POINTER(ctypes.c_short), ctypes.c_int, ctypes.POINTER(_Event)
)


@dataclass(frozen=True, slots=True)
class WordEvent:
    """A word begins: `length` characters from `start` (from 0), at a sample of the speech."""

    start: int
    length: int
    sample: int


@dataclass(frozen=True, slots=True)
class Spoken:
    samples: Samples  # (N,)
    words: tuple[WordEvent, ...]


@dataclass(frozen=True, slots=True)
class Speakers:
    """The main language tag of each voice, sorted; and the identifier for each name, in lower case."""

    tags: tuple[str, ...]
    identifiers: Mapping[str, str]


class EspeakLibrary:
    """The initialised library. Take it from `espeak_library()`, never make a second one."""

    def __init__(self, library: ctypes.CDLL, rate_hz: int) -> None:
        self.rate_hz = rate_hz
        self._library = library
        self._lock = threading.Lock()
        self._speaker = ""
        self._pcm: list[bytes] = []
        self._words: list[WordEvent] = []
        self._callback = _Callback(self._take)  # kept here: the library holds only its address
        library.espeak_SetSynthCallback(self._callback)

    def speak(self, text: str, speaker: str, rate_wpm: int) -> Spoken:
        """Speak a short text, whole, with the pause that belongs after it.

        Raises:
            VoiceError: there is no such speaker.
            EngineError: the library refused.
        """
        encoded = text.encode() + b"\0"
        with self._lock:
            self._choose(speaker)
            self._library.espeak_SetParameter(RATE, rate_wpm, 0)
            self._pcm, self._words = [], []
            refused = self._library.espeak_Synth(
                encoded, len(encoded), 0, POS_CHARACTER, 0, CHARS_UTF8 | END_PAUSE, None, None
            )
            pcm, words = b"".join(self._pcm), tuple(self._words)
        if refused:
            raise EngineError(f"eSpeak refused a text of {len(text)} characters (error {refused})")
        return Spoken(np.frombuffer(pcm, dtype=np.int16).astype(np.float32) / 32768.0, words)

    def phonemes(self, text: str, speaker: str, ipa: bool = True) -> str:
        """A short text as phonemes, words apart by spaces; the library leaves punctuation out.

        `ipa`: in that alphabet, with a TIE inside a phoneme of several characters; else in eSpeak's own.

        Raises:
            VoiceError: there is no such speaker.
        """
        mode = PHONEMES_IPA | PHONEMES_TIE | ord(TIE) << 8 if ipa else 0
        rest = ctypes.c_char_p(text.encode())
        clauses: list[str] = []
        with self._lock:
            self._choose(speaker)
            while rest.value is not None:  # each call takes a clause, and moves the pointer behind it
                clause = self._library.espeak_TextToPhonemes(ctypes.byref(rest), CHARS_UTF8, mode)
                clauses.append((clause or b"").decode())
        return " ".join(" ".join(clauses).split())

    def speakers(self) -> Speakers:
        """The voices that the library has."""
        tags: set[str] = set()
        offered: list[tuple[int, str, str]] = []  # (priority, name, identifier), the lowest priority wins
        with self._lock:
            listed = self._library.espeak_ListVoices(None)
            for voice in takewhile(bool, (listed[i] for i in count())):
                identifier = voice.contents.identifier.decode()
                languages = _languages(voice.contents.languages)
                tags.add(languages[0][1])
                names = [*languages, (0, voice.contents.name.decode()), (0, identifier)]
                offered += [(priority, name.casefold(), identifier) for priority, name in names]
        best_last = sorted(offered, reverse=True)
        return Speakers(tuple(sorted(tags)), {name: identifier for _, name, identifier in best_last})

    def _choose(self, speaker: str) -> None:
        if speaker == self._speaker:
            return
        self._speaker = ""
        if self._library.espeak_SetVoiceByName(speaker.encode()):
            raise VoiceError(f'eSpeak cannot load its voice "{speaker}"', "choose another voice")
        self._speaker = speaker

    def _take(self, pcm: Any, size_samples: int, events: Any) -> int:
        """The library's callback: copy what it has, and let it go on."""
        if pcm and size_samples > 0:
            self._pcm.append(ctypes.string_at(pcm, 2 * size_samples))
        at = 0
        while events[at].type != EVENT_END:
            event = events[at]
            if event.type == EVENT_WORD:
                self._words.append(WordEvent(event.text_position - 1, event.length, event.sample))
            at += 1
        return 0


@cache
def espeak_library() -> EspeakLibrary:
    """The library of this process, initialised the first time. Call it from one thread at first.

    Raises:
        EngineLoadError: the package, its library or its data is missing or broken.
    """
    remedy = "reinstall espeakng-loader"
    try:
        import espeakng_loader  # type: ignore[import-untyped]

        library = ctypes.CDLL(espeakng_loader.get_library_path())
        data = espeakng_loader.get_data_path()
    except (ImportError, OSError, RuntimeError) as error:
        raise EngineLoadError(f"eSpeak NG cannot be loaded: {error}", remedy) from error
    _declare(library)
    rate_hz = library.espeak_Initialize(AUDIO_OUTPUT_SYNCHRONOUS, 0, data.encode(), 0)
    if rate_hz <= 0:
        raise EngineLoadError(f"eSpeak NG cannot use its data in {data}", remedy)
    return EspeakLibrary(library, rate_hz)


def _declare(library: ctypes.CDLL) -> None:
    c_int, c_uint, c_char_p = ctypes.c_int, ctypes.c_uint, ctypes.c_char_p
    library.espeak_Initialize.argtypes = [c_int, c_int, c_char_p, c_int]
    library.espeak_SetSynthCallback.argtypes = [_Callback]
    library.espeak_SetSynthCallback.restype = None
    library.espeak_SetVoiceByName.argtypes = [c_char_p]
    library.espeak_SetParameter.argtypes = [c_int, c_int, c_int]
    library.espeak_ListVoices.argtypes = [ctypes.POINTER(_Voice)]
    library.espeak_ListVoices.restype = ctypes.POINTER(ctypes.POINTER(_Voice))
    library.espeak_TextToPhonemes.argtypes = [ctypes.POINTER(c_char_p), c_int, c_int]
    library.espeak_TextToPhonemes.restype = c_char_p
    library.espeak_Synth.argtypes = [
        c_char_p,
        ctypes.c_size_t,
        c_uint,
        c_int,
        c_uint,
        c_uint,
        ctypes.POINTER(c_uint),
        ctypes.c_void_p,
    ]


def _languages(packed: Any) -> list[tuple[int, str]]:
    """Priority and tag of each (priority byte, string, NUL) …, NUL."""
    found: list[tuple[int, str]] = []
    at = 0
    while packed[at] != b"\0":
        tag = ctypes.string_at(ctypes.addressof(packed.contents) + at + 1)
        found.append((ord(packed[at]), tag.decode()))
        at += len(tag) + 2
    return found
