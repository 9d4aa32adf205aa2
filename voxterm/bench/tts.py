"""How soon speech begins, how fast it is made, and whether a loudspeaker would ever run dry."""

from __future__ import annotations

import time
from dataclasses import dataclass

from voxterm.bench.models import CODEC, ORPHEUS, Subject, loaded
from voxterm.bench.playback import Arrival, played
from voxterm.bench.report import Figure
from voxterm.bench.watching import SPEECH_NOTE, Seen, watch_orpheus
from voxterm.engines.protocols import SpeechChunk, SpeechSynthesizer, SpeechTokens, Voice
from voxterm.errors import EngineError

MODELS = (ORPHEUS,)

TEXT = (
    "It has never been surpassed, and I do not think it ever will be. Shall I tell you how it was made, or "
    "would you rather hear who made it?"
)


@dataclass(frozen=True, slots=True)
class Speech:
    """One speaking of a text."""

    asked_s: float
    first_tokens_s: float | None
    arrivals: list[Arrival]
    ended_s: float

    @property
    def duration_s(self) -> float:
        return sum(arrival.duration_s for arrival in self.arrivals)


def measure(given: Subject, text: str, runs: int) -> dict[str, Figure]:
    """Speak the text so often, after one time that is not counted.

    Raises:
        EngineError: it gave no sound.
    """
    with loaded(given, MODELS) as engines:
        engine = engines[ORPHEUS]
        watched = watch_orpheus(engine, is_random=given.is_random(ORPHEUS))
        speak(engine, text, given.speaker)
        speeches, seen, strays = [], [], []
        for run in range(runs):
            given.tell(f"speaking, {run + 1} of {runs}")
            before = engine.stray_tokens
            speeches.append(speak(engine, text, given.speaker))
            seen.append(watched.seen)
            strays.append(float(engine.stray_tokens - before))
        return figures(speeches, seen) | {"stray_tokens": Figure(strays, "tokens")}


def notes(given: Subject) -> list[str]:
    """What a reader of the figures has to know."""
    return [*given.notes((ORPHEUS, CODEC)), *([SPEECH_NOTE] if given.is_random(ORPHEUS) else [])]


def speak(engine: SpeechSynthesizer, text: str, voice: Voice) -> Speech:
    """Speak a text, each chunk taken as soon as it is there.

    Raises:
        EngineError: it gave no sound.
    """
    asked_s, first_tokens_s = time.monotonic(), None
    arrivals = []
    for item in engine.speak(text, voice):
        now_s = time.monotonic()
        if isinstance(item, SpeechTokens):
            first_tokens_s = now_s
        elif isinstance(item, SpeechChunk):
            arrivals.append(Arrival(now_s, len(item.samples) / engine.rate_hz))
    if not arrivals:
        raise EngineError("there is nothing to say in that text", "give one with words in it")
    return Speech(asked_s, first_tokens_s, arrivals, time.monotonic())


def figures(speeches: list[Speech], seen: list[Seen]) -> dict[str, Figure]:
    """The figures of several speakings. `seen`: of the decode loop, in each the last piece of the text."""
    playbacks = [played(speech.arrivals) for speech in speeches]

    def ms(values: list[float]) -> Figure:
        return Figure([1000 * value for value in values], "ms")

    return {
        "first_tokens_ms": ms([s.first_tokens_s - s.asked_s for s in speeches if s.first_tokens_s]),
        "time_to_first_audio_ms": ms([s.arrivals[0].at_s - s.asked_s for s in speeches]),
        "real_time_factor": Figure([(s.ended_s - s.asked_s) / s.duration_s for s in speeches], "s/s"),
        "tokens_per_s": Figure([rate for one in seen if (rate := one.steps_per_s)], "tokens/s"),
        "least_buffered_ms": Figure([playback.least_buffered_ms for playback in playbacks], "ms"),
        "underruns": Figure([float(playback.underruns) for playback in playbacks], "times"),
        "speech_s": Figure([speech.duration_s for speech in speeches], "s"),
    }
