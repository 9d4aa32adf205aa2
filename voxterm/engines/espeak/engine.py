"""eSpeak NG: speech in more than a hundred languages, at once, with no GPU and no download.

A text is spoken in pieces of a sentence or so, since a piece takes milliseconds and a long text most of a
second. Nothing of the library stays busy between two chunks, so a generator can be closed anywhere, or left.

The pitch flutters a little, as a person's does, and the library does not start it anew: the same text twice
gives the same words at the same times to a few milliseconds, not the same samples.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from difflib import get_close_matches
from unicodedata import category

from voxterm.engines.espeak.library import EspeakLibrary, Speakers, WordEvent, espeak_library
from voxterm.engines.protocols import LoadProgress, SpeechChunk, Voice, WordMark
from voxterm.errors import EngineError, VoiceError

NORMAL_WPM = 175
SLOWEST_WPM, FASTEST_WPM = 80, 450  # what the library takes
SPEED_EXPONENT = (
    0.83  # measured in three languages: at 350 words a minute it speaks 2.3 times as fast as at 175
)
PIECE_CHARS = 200  # about 10 ms of work
CHUNK_S = 0.06

_ENDS = (
    re.compile(r".*[.!?…]['\"”’)\]]*\s|.*[。！？।]", re.DOTALL),  # of a sentence
    re.compile(r".*[,;:–—]\s|.*[，、；：]", re.DOTALL),  # of a clause
    re.compile(r".*\s", re.DOTALL),  # of a word
)

_UNSPOKEN = frozenset({"Cc", "Cf", "Cn", "Co", "Cs", "Sm", "So"})  # control, unassigned, private, …, symbol
_SPOKEN_SYMBOLS = frozenset(
    "\n\t+<=>|~±×÷−√∞≈≠≤≥°℃℉№\u200c\u200d"
)  # the last two shape letters of Hindi and Persian


class Espeak:
    """A `SpeechSynthesizer`. Several may be used at once; they take turns, piece by piece."""

    def __init__(self) -> None:
        self.name = "espeak"
        self.rate_hz = 0
        self._library: EspeakLibrary | None = None
        self._speakers = Speakers((), {})

    def load(self, progress: LoadProgress) -> None:
        """Take up the library and the list of its voices.

        Raises:
            EngineLoadError: the package is missing or broken.
        """
        self._library = espeak_library()
        self.rate_hz = self._library.rate_hz
        self._speakers = self._library.speakers()
        progress(0, 0)

    def warm_up(self) -> None:
        """Nothing is slow the first time."""

    def close(self) -> None:
        """Let go of the library, which stays in memory for as long as the process runs."""
        self._library = None

    def voices(self) -> Sequence[str]:
        """Its tags: "en-us", "de" …. `speak` knows eSpeak's other names too, and variants: "en-us+f3"."""
        return self._speakers.tags

    def speak(self, text: str, voice: Voice, speed: float = 1.0) -> Iterator[SpeechChunk]:
        """Speak a text as plain characters: no markup, and control characters are spaces.

        The rate stays within 80…450 words a minute. A mark runs to the next space or the next mark, so the
        comma after a word is part of it.

        Raises:
            VoiceError: there is no such speaker.
            EngineError: it is not loaded, or the library refused.
        """
        if self._library is None:
            raise EngineError("eSpeak is not loaded", "call load() first")
        speaker = self._identifier(voice.speaker)
        rate_wpm = round(min(max(NORMAL_WPM * speed**SPEED_EXPONENT, SLOWEST_WPM), FASTEST_WPM))
        chunk_samples = round(CHUNK_S * self.rate_hz)
        start, spoken_samples = 0, 0
        for piece in pieces(speakable(text)):
            spoken = self._library.speak(piece, speaker, rate_wpm)
            words = marks(piece, spoken.words, start, spoken_samples, self.rate_hz)
            for at in range(0, len(spoken.samples), chunk_samples):
                yield SpeechChunk(spoken.samples[at : at + chunk_samples], words if at == 0 else ())
            start += len(piece)
            spoken_samples += len(spoken.samples)

    def _identifier(self, speaker: str) -> str:
        name, plus, variant = speaker.partition("+")
        identifier = self._speakers.identifiers.get(name.casefold())
        if identifier is not None and re.fullmatch(r"\w{0,20}", variant, re.ASCII):
            return identifier + plus + variant
        near = get_close_matches(name.casefold(), self._speakers.identifiers, n=3) or ["en-us", "de", "hi"]
        raise VoiceError(f'eSpeak has no voice "{speaker[:60]}"', f"near are {', '.join(near)}")


def speakable(text: str) -> str:
    """The text with a space for each character that the library must not see; every index stays the same.

    It takes byte 1 for the start of a command and byte 0 for the end of the text. And symbols, emoji among
    them, it reads out by their names: nobody wants to hear those, and some overrun a buffer of its own.
    """
    return "".join(c if c in _SPOKEN_SYMBOLS or category(c) not in _UNSPOKEN else " " for c in text)


def pieces(text: str) -> Iterator[str]:
    """Cut a text at the last sentence, else clause, else word that ends within PIECE_CHARS.

    Joined they are the text; what is only white space at its end is left out.
    """
    rest = text.rstrip()
    while len(rest) > PIECE_CHARS:
        found = (pattern.match(rest[:PIECE_CHARS]) for pattern in _ENDS)
        end = next((match.end() for match in found if match), PIECE_CHARS)
        yield rest[:end]
        rest = rest[end:]
    if rest:
        yield rest


def marks(
    piece: str, events: Sequence[WordEvent], start: int, spoken_samples: int, rate_hz: int
) -> tuple[WordMark, ...]:
    """The library's word events as marks into the whole text, of which the piece begins at `start`.

    A number or an emoji is one word here and several events there; the first of them counts.
    """
    begun: list[WordEvent] = []
    end = 0
    for event in events:
        if event.start >= end and piece[event.start : event.start + 1].strip():
            begun.append(event)
            end = event.start + max(1, event.length)
    limits = [*(event.start for event in begun[1:]), len(piece)]
    found: list[WordMark] = []
    for event, limit in zip(begun, limits, strict=False):  # no event at all: one limit is left over
        word = piece[event.start : limit].split(maxsplit=1)[0]
        at_s = (spoken_samples + event.sample) / rate_hz
        found.append(WordMark(start + event.start, start + event.start + len(word), at_s))
    return tuple(found)
