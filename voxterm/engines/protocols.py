"""The roles that an engine can have, as the conversation knows them.

An engine is synchronous, knows nothing of asyncio and is used from one thread at a time: `load`, `warm_up`,
its verbs, `close`. Verbs that take time are plain generators. Whoever drives one may close it between two
items; the engine must then be ready for the next call as if the generator had never run.

Samples are float32 mono in [−1, 1]. What a microphone hears comes at 16 kHz; speech leaves at the
synthesizer's own `rate_hz`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal, Protocol, TypeAlias, runtime_checkable

import numpy as np
from numpy.typing import NDArray

Samples: TypeAlias = NDArray[np.float32]  # (N,)

HEARING_RATE_HZ = 16_000
"""The rate at which every VAD, transcriber and speech language model hears."""

SLOWEST, FASTEST = 0.5, 2.0
"""Speeds of speech: beyond them its parts are heard twice, or not at all."""

LoadProgress: TypeAlias = Callable[[int, int], None]
"""Called with (bytes done, bytes in all); 0 in all where the size is not known."""


@dataclass(frozen=True, slots=True)
class Message:
    """One line of the dialogue as the models must see it. A system message, where there is one, is the first:
    who answers, and how."""

    role: Literal["system", "user", "assistant"]
    text: str


@dataclass(frozen=True, slots=True)
class AudioEncoded:
    """The samples of the turn have been taken in; nothing is decoded yet."""


@dataclass(frozen=True, slots=True)
class Ending:
    """How probable it is, 0 to 1, that the person's sentence ends with the words heard so far."""

    probability: float


@dataclass(frozen=True, slots=True)
class Transcript:
    """What the person said in this turn, whole. Empty: no words were heard."""

    text: str


@dataclass(frozen=True, slots=True)
class Delta:
    """The next piece of the reply's text. An empty one says that nothing has come yet: from engines that wait
    for others, so that they can be closed meanwhile."""

    text: str


@dataclass(frozen=True, slots=True)
class ReplyComplete:
    """No Delta follows, though the transcript may: from engines that decode both side by side."""


@dataclass(frozen=True, slots=True)
class Notice:
    """Something that a person must know though the work goes on: what, and the remedy. Each is a sentence
    without its full stop, as in `errors.VoxtermError`. An engine gives it with every answer for which it
    holds; the same is told once."""

    what: str
    remedy: str = ""
    category: str = "engine"
    is_trouble: bool = True  # False: good news


Replied: TypeAlias = Delta | Notice
"""What a language model gives while it answers."""

Understood: TypeAlias = AudioEncoded | Ending | Transcript | Delta | ReplyComplete | Notice


@dataclass(frozen=True, slots=True)
class WordMark:
    """The word `text[start:end]` of what is spoken begins `at_s` seconds after that text's first sample."""

    start: int
    end: int
    at_s: float


@dataclass(frozen=True, slots=True)
class SpeechTokens:
    """The first speech tokens of a text are there, their sound not yet. Not from engines without tokens."""


@dataclass(frozen=True, slots=True)
class SpeechChunk:
    """The next samples of a text's speech. `words` are the marks known by now, each given once, in order.

    An engine that cannot tell where its words are gives none; the conversation then estimates.
    """

    samples: Samples  # (N,) at the synthesizer's rate_hz
    words: tuple[WordMark, ...] = ()


Spoken: TypeAlias = SpeechTokens | SpeechChunk


@dataclass(frozen=True, slots=True)
class Voice:
    """A voice of the catalogue. `speaker` is what the engine itself calls it."""

    name: str
    engine: str
    language: str  # BCP 47, like "en" or "en-US"
    speaker: str
    description: str = ""
    checkpoint: str = ""  # of an engine with several: the one that has this speaker
    tags: tuple[str, ...] = ()  # what it can do beside words, as it stands in a text: "<laugh>"


Precision: TypeAlias = Literal["float32", "bf16", "int8", "int4"]
"""What a model's weights are kept in; int8 and int4 are computed in bf16."""


PRECISIONS: tuple[Precision, ...] = ("float32", "bf16", "int8", "int4")
"""From the most bits to the fewest."""

SHORTEST_CONTEXT_TOKENS = 1024
"""30 seconds of speech are 375 tokens, and something has to be left of the dialogue."""


@dataclass(frozen=True, slots=True)
class Placement:
    """Where a model lives, in which precision, and how much dialogue it must hold."""

    device: str = "cpu"  # as torch names it: "cuda:0", "cpu"
    precision: Precision = "bf16"
    context_tokens: int = 4096  # prompt and answer together, for each row of the KV cache

    def smaller(self, offered: Sequence[Precision] = PRECISIONS) -> Placement | None:
        """What to try where this did not fit after all: fewer bits, then a shorter context; None: nothing.

        `offered`: what the weights can be kept in.
        """
        fewer = [one for one in offered if PRECISIONS.index(one) > PRECISIONS.index(self.precision)]
        if fewer:
            return replace(self, precision=fewer[0])
        halved = self.context_tokens // 2
        return replace(self, context_tokens=halved) if halved >= SHORTEST_CONTEXT_TOKENS else None


class Engine(Protocol):
    """What all engines share."""

    name: str

    def load(self, progress: LoadProgress) -> None:
        """Take up models and memory.

        Raises:
            EngineLoadError: a file, package or device is missing; its remedy says which.
        """
        ...

    def warm_up(self) -> None:
        """Do once what makes the first real call slow."""
        ...

    def close(self) -> None:
        """Give back everything. May be called twice, and after a failed load."""
        ...


@runtime_checkable
class EngineOfParts(Protocol):
    """An engine that is made of others, which it loads and closes."""

    @property
    def parts(self) -> Sequence[Engine]: ...


def parts_of(engine: object) -> tuple[object, ...]:
    """The engines that one is made of, theirs in their place; itself where it is not made of others."""
    if not isinstance(engine, EngineOfParts):
        return (engine,)
    return tuple(leaf for part in engine.parts for leaf in parts_of(part))


@runtime_checkable
class PlacedEngine(Protocol):
    """An engine whose model has been given a place in memory, and that can be given another."""

    placement: Placement
    """Where `load` puts the model; to be changed only while it is not loaded."""

    @property
    def memory_bytes(self) -> Mapping[str, int]:
        """What it holds on its device, by what holds it; nothing before `load`. For any thread."""
        ...


@dataclass(frozen=True, slots=True)
class Speed:
    """How fast a model decoded its last answer, or decodes the one under way. Its prefill does not count."""

    tokens_per_s: float
    times_real_time: float | None = None  # of speech at its own speed; None: what it decodes is no speech


@runtime_checkable
class PacedEngine(Protocol):
    """An engine that measures how fast it decodes."""

    @property
    def speeds(self) -> Mapping[str, Speed]:
        """By model; nothing before the first answer. For any thread."""
        ...


@runtime_checkable
class VoiceActivityDetector(Engine, Protocol):
    frame_samples: int
    """How many samples at 16 kHz `probability` takes, no more and no less."""

    def probability(self, frame: Samples) -> float:
        """The probability in [0, 1] that somebody speaks in this frame. Keeps state from frame to frame."""
        ...

    def reset(self) -> None:
        """Forget the frames so far."""
        ...


@runtime_checkable
class TurnDetector(Engine, Protocol):
    """Tells by the sound of it, with no words, whether a person has finished."""

    def probability(self, turn: Samples) -> float:
        """The probability in [0, 1] that the turn is over: (N,) from its beginning to now, pause included."""
        ...


@runtime_checkable
class Transcriber(Engine, Protocol):
    def begin(self) -> None:
        """A new turn: forget what was fed."""
        ...

    def feed(self, samples: Samples) -> str | None:
        """Take the next samples (any number) of the turn; the text so far, None where it has not changed."""
        ...

    def finish(self) -> Iterator[AudioEncoded | Ending | Transcript]:
        """Transcribe what was fed since `begin`: AudioEncoded, an Ending where it can tell, one Transcript.

        More may be fed afterwards, and `finish` called again: it then speaks for all of it.
        """
        ...


@runtime_checkable
class LanguageModel(Engine, Protocol):
    def reply(self, history: Sequence[Message]) -> Iterator[Replied]:
        """Answer the last message of the history, which is the user's.

        Raises:
            EngineError: it failed, or the last message is too long for it.
        """
        ...


@runtime_checkable
class ExpectantEngine(Protocol):
    """A language model that can make ready for a question that somebody is about to ask."""

    def expect(self) -> None:
        """Somebody speaks: do now what would make the answer late. Short, and raises nothing."""
        ...


class RemoteEngine(Engine, Protocol):
    """An engine whose model runs elsewhere."""

    @property
    def model(self) -> str:
        """What the server calls the model that it asks; "" before `load`."""
        ...


@runtime_checkable
class SpeechLanguageModel(Engine, Protocol):
    """Hears and answers. `Cascade` makes one out of a Transcriber and a LanguageModel."""

    def begin(self) -> None:
        """A new turn: forget the samples of the last."""
        ...

    def hear(self, samples: Samples) -> str | None:
        """Take the next samples of the turn; the text so far, or None where it has not changed."""
        ...

    def answer(self, history: Sequence[Message]) -> Iterator[Understood]:
        """Understand what was heard since `begin` and answer it: AudioEncoded, one Transcript, Delta….

        One that can tell gives an Ending too, as soon as it knows it.

        `history` is the dialogue before this turn. May be called in a pause, closed, and called again after
        more was heard. Deltas may come before the Transcript, since both may be decoded at once, but only
        where it is certain that words were heard: beside an empty Transcript there is no Delta.
        """
        ...

    def answer_text(self, history: Sequence[Message], text: str) -> Iterator[Replied]:
        """Answer a line that was typed. What was heard in an open turn stays as it is."""
        ...


@runtime_checkable
class SpeechSynthesizer(Engine, Protocol):
    rate_hz: int
    """The rate of its samples; known after `load`."""

    def voices(self) -> Sequence[str]:
        """The speakers it knows, as `Voice.speaker` names them; known after `load`."""
        ...

    def speak(self, text: str, voice: Voice, speed: float = 1.0) -> Iterator[Spoken]:
        """Speak a text. `speed` 2.0 takes half the time.

        Raises:
            VoiceError: it has no such speaker.
            EngineError: it failed.
        """
        ...
