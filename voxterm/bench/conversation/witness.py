"""What is kept for the judge: what was said, what left the loudspeaker, what voxterm told and had spoken."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from voxterm.bench.conversation.person import Said
from voxterm.conversation import Cast
from voxterm.engines.protocols import (
    Delta,
    LoadProgress,
    Message,
    Samples,
    SpeechChunk,
    SpeechLanguageModel,
    SpeechSynthesizer,
    Spoken,
    Understood,
    Voice,
    WordMark,
)
from voxterm.events import Event

PASSAGE = (
    "There was once a man who kept bees at the edge of a small town.",
    "Every morning he walked out to them before the sun was up.",
    "He said that they knew the weather better than the newspaper did.",
    "In the spring they went to the apple trees behind the church.",
    "In the summer they flew as far as the river and came back yellow.",
    "Nobody in the town ever bought sugar while he was alive.",
    "His daughter learned to read from the labels on the jars.",
    "When the winter was long he brought them water and a little honey.",
    "They never stung him, or so he told the children who asked.",
    "One day a stranger came and wanted to buy all of them.",
    "He offered more money than the house was worth.",
)
"""What a scripted reply says, sentence by sentence."""


@dataclass(frozen=True, slots=True)
class Told:
    """An event, and when it was told."""

    at_s: float
    event: Event


@dataclass(frozen=True, slots=True)
class Speech:
    """What the synthesizer made of a text, as far as it was asked for it."""

    asked_s: float
    text: str
    samples: Samples  # (N,) at `rate_hz`
    rate_hz: int
    words: tuple[WordMark, ...]


@dataclass(slots=True)
class Record:
    """Everything that happened in a scene, on one time line that begins at 0 s."""

    scene: str
    said: list[Said] = field(default_factory=list)
    told: list[Told] = field(default_factory=list)
    speeches: list[Speech] = field(default_factory=list)
    loudspeaker: Samples = field(default_factory=lambda: np.zeros(0, np.float32))  # (N,), from 0 s on
    loudspeaker_hz: int = 0
    begins_s: float = 0.0  # of the time line, on the clock of the conversation: in whose times events speak


def watched(cast: Cast, now_s: Callable[[], float], speeches: list[Speech], reply_sentences: int) -> Cast:
    """The same cast, what its synthesizer makes written down, its replies scripted where that is wanted."""
    understanding = cast.understanding
    if reply_sentences:
        understanding = ScriptedReplies(understanding, reply_sentences)
    return replace(
        cast,
        understanding=understanding,
        synthesizer=WatchedSynthesizer(cast.synthesizer, now_s, speeches),
    )


class WatchedSynthesizer:
    """A `SpeechSynthesizer` that keeps what it gave."""

    def __init__(
        self, synthesizer: SpeechSynthesizer, now_s: Callable[[], float], speeches: list[Speech]
    ) -> None:
        self.name = synthesizer.name
        self._synthesizer = synthesizer
        self._now_s = now_s
        self._speeches = speeches

    @property
    def rate_hz(self) -> int:
        return self._synthesizer.rate_hz

    @rate_hz.setter
    def rate_hz(self, rate_hz: int) -> None:
        self._synthesizer.rate_hz = rate_hz

    def load(self, progress: LoadProgress) -> None:
        self._synthesizer.load(progress)

    def warm_up(self) -> None:
        self._synthesizer.warm_up()

    def close(self) -> None:
        self._synthesizer.close()

    def voices(self) -> Sequence[str]:
        return self._synthesizer.voices()

    def speak(self, text: str, voice: Voice, speed: float = 1.0) -> Iterator[Spoken]:
        asked_s = self._now_s()
        chunks: list[Samples] = [np.zeros(0, np.float32)]
        words: list[WordMark] = []
        try:
            for item in self._synthesizer.speak(text, voice, speed):
                if isinstance(item, SpeechChunk):
                    chunks.append(item.samples)
                    words += item.words
                yield item
        finally:
            self._speeches.append(Speech(asked_s, text, np.concatenate(chunks), self.rate_hz, tuple(words)))


class ScriptedReplies:
    """A `SpeechLanguageModel` that hears as another does, and says a passage when that one would answer."""

    def __init__(self, model: SpeechLanguageModel, sentences: int) -> None:
        self.name = model.name
        self._model = model
        self._sentences = sentences
        self._next = 0

    def load(self, progress: LoadProgress) -> None:
        self._model.load(progress)

    def warm_up(self) -> None:
        self._model.warm_up()

    def close(self) -> None:
        self._model.close()

    def begin(self) -> None:
        self._model.begin()

    def hear(self, samples: Samples) -> str | None:
        return self._model.hear(samples)

    def answer(self, history: Sequence[Message]) -> Iterator[Understood]:
        replied = False
        for item in self._model.answer(history):
            if not isinstance(item, Delta):
                yield item
            elif item.text and not replied:
                replied = True
                yield Delta(self._passage())
        if replied:
            self._next += self._sentences

    def answer_text(self, history: Sequence[Message], text: str) -> Iterator[Delta]:
        yield Delta(self._passage())

    def _passage(self) -> str:
        return " ".join(PASSAGE[(self._next + index) % len(PASSAGE)] for index in range(self._sentences))
