"""Engines and sounds for tests of the coordinator: real threads, real samples, no models.

A person is a tone; the fake VAD hears its level. The fake voice speaks each word as 100 ms of another tone,
so that what was heard can be counted.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Sequence

import numpy as np

from voxterm.clock import SkippingClock
from voxterm.engines.protocols import (
    AudioEncoded,
    Delta,
    LoadProgress,
    Message,
    ReplyComplete,
    Samples,
    SpeechChunk,
    Spoken,
    Transcript,
    Understood,
    Voice,
    WordMark,
)
from voxterm.errors import EngineError, EngineMemoryError, VoiceError

HEARING_HZ = 16_000
WORD_S = 0.1
VOICE = Voice("fake", "tone", "en", "tone")


def speech(seconds: float, level: float = 0.3) -> Samples:
    """A person speaking: a square wave, no sample of which is near zero. (N,) at 16 kHz"""
    time_s = np.arange(round(seconds * HEARING_HZ)) / HEARING_HZ
    return np.where(np.sin(2 * np.pi * 220 * time_s) >= 0, level, -level).astype(np.float32)


def silence(seconds: float) -> Samples:
    return np.zeros(round(seconds * HEARING_HZ), np.float32)


def said(*parts: float) -> Samples:
    """Speech and silence in turn, in seconds, beginning with silence."""
    return np.concatenate([speech(s) if i % 2 else silence(s) for i, s in enumerate(parts)])


class HurriedClock(SkippingClock):
    """Time runs five times as fast while somebody works: an engine that takes long is soon done."""

    def now(self) -> float:
        return time.monotonic() * 5 + self._skipped_s

    def take(self, seconds: float) -> None:
        """On an engine's thread: work for so long."""
        time.sleep(seconds / 5)


class _Fake:
    name = "fake"

    def __init__(self) -> None:
        self.loaded = False
        self.closed = 0

    def load(self, progress: LoadProgress) -> None:
        self.loaded = True
        progress(1, 1)

    def warm_up(self) -> None:
        """Nothing is slow here."""

    def close(self) -> None:
        self.closed += 1


class LevelVad(_Fake):
    name = "level"
    frame_samples = 512

    def probability(self, frame: Samples) -> float:
        assert len(frame) == self.frame_samples
        return 1.0 if float(np.abs(frame).max()) > 0.05 else 0.0

    def reset(self) -> None:
        """It remembers nothing."""


class Listener(_Fake):
    """Transcribes the length of what it heard, and answers with the lines it was given, in order."""

    name = "listener"

    def __init__(self, *replies: str) -> None:
        super().__init__()
        self.replies = list(replies) or ["one two three four"]
        self.heard: list[Samples] = []
        self.turns: list[Samples] = []  # of every answer that was asked for: what had been heard
        self.histories: list[tuple[Message, ...]] = []
        self.fails_next = 0
        self.closed_early = 0
        self.answered = 0

    def begin(self) -> None:
        self.heard = []

    def hear(self, samples: Samples) -> str | None:
        self.heard.append(samples)
        return f"{self._heard_s():.1f}…"

    def answer(self, history: Sequence[Message]) -> Iterator[Understood]:
        if self.fails_next:
            self.fails_next -= 1
            raise EngineError("the listener fell asleep", "wake it")
        self.turns.append(np.concatenate(self.heard))
        self.histories.append(tuple(history))
        yield AudioEncoded()
        voiced_s = float(np.count_nonzero(np.abs(self.turns[-1]) > 0.01)) / HEARING_HZ
        if voiced_s < 0.15:
            yield Transcript("")
            return
        yield Transcript(f"{self._heard_s():.1f} seconds")
        yield from self._reply()

    def answer_text(self, history: Sequence[Message], text: str) -> Iterator[Delta]:
        self.histories.append((*history, Message("user", text)))
        yield from self._reply()

    def _reply(self) -> Iterator[Delta]:
        reply = self.replies[min(self.answered, len(self.replies) - 1)]
        try:
            for index, word in enumerate(reply.split()):
                yield Delta(f" {word}" if index else word)
            self.answered += 1
        except GeneratorExit:
            self.closed_early += 1
            raise

    def _heard_s(self) -> float:
        return sum(map(len, self.heard)) / HEARING_HZ


class EarlyListener(Listener):
    """Replies at once, and transcribes when it is let."""

    def __init__(self, *replies: str) -> None:
        super().__init__(*replies)
        self.may_transcribe = threading.Event()

    def answer(self, history: Sequence[Message]) -> Iterator[Understood]:
        self.turns.append(np.concatenate(self.heard))
        self.histories.append(tuple(history))
        yield AudioEncoded()
        yield from self._reply()
        yield ReplyComplete()
        self.may_transcribe.wait(timeout=30)
        yield Transcript(f"{self._heard_s():.1f} seconds")


class ToneVoice(_Fake):
    """100 ms of tone for every word, and for every tag, a chunk each, its mark with it."""

    name = "tone"
    rate_hz = 24_000

    def __init__(self, fails_on: str = "\0") -> None:
        super().__init__()
        self.spoken: list[str] = []
        self._fails_on = fails_on

    def voices(self) -> Sequence[str]:
        return ["tone"]

    def speak(self, text: str, voice: Voice, speed: float = 1.0) -> Iterator[Spoken]:
        if voice.speaker != VOICE.speaker:
            raise VoiceError(f"there is no voice {voice.speaker}", "take tone")
        self.spoken.append(text)
        if self._fails_on in text:
            raise EngineError("the voice is hoarse", "give it tea")
        word_samples = round(WORD_S * self.rate_hz / speed)
        tone = 0.3 * np.sin(2 * np.pi * 440 * np.arange(word_samples) / self.rate_hz)
        start = 0
        for index, word in enumerate(text.split()):
            start = text.index(word, start)
            mark = WordMark(start, start + len(word), index * WORD_S / speed)
            start += len(word)
            yield SpeechChunk(tone.astype(np.float32), (mark,))


class SwappingVoice(ToneVoice):
    """Has one checkpoint at a time: another voice loads its own in place of it, if it is there at all."""

    def __init__(self, *there: str) -> None:
        super().__init__()
        self.there = there
        self.held = ""
        self.loads: list[str] = []
        self.said: list[tuple[str, str, float]] = []  # the voice, what it said, how fast
        self.may_load = threading.Event()
        self.may_load.set()

    def speak(self, text: str, voice: Voice, speed: float = 1.0) -> Iterator[Spoken]:
        if voice.checkpoint != self.held:
            self.held = ""
            self.may_load.wait(timeout=30)
            self.loads.append(voice.checkpoint)
            if voice.checkpoint not in self.there:
                raise EngineMemoryError(f"{voice.checkpoint} does not fit", "take a smaller one")
            self.held = voice.checkpoint
        self.said.append((voice.name, text, speed))
        yield from super().speak(text, VOICE, speed)
