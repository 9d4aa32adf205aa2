"""How soon speech begins, how fast it is made, and whether a loudspeaker would ever run dry."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass

from voxterm.bench.models import Subject, loaded, memory_held, pace
from voxterm.bench.playback import Arrival, played
from voxterm.bench.report import Figure
from voxterm.bench.watching import SPEECH_NOTES, watch_speech
from voxterm.engines.declared.engines import ENGINES
from voxterm.engines.protocols import SpeechChunk, SpeechSynthesizer, SpeechTokens, Voice
from voxterm.errors import EngineError

ROLES = ("synthesizer",)

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


def measure(given: Subject, name: str, text: str, runs: int) -> dict[str, Figure]:
    """Have the engine of this name speak the text so often, after one time that is not counted.

    Raises:
        EngineError: it gave no sound.
    """
    with loaded(given, [name]) as engines:
        engine = engines[name]
        watched = watch_speech(name, engine, is_random=given.is_random(name))
        given.tell("speaking, not counted")
        speak(engine, text, given.speaker)
        speeches: list[Speech] = []
        paces: list[float | None] = []
        strays: list[float] = []
        for run in range(runs):
            given.tell(f"speaking, {run + 1} of {runs}")
            before = _strays(engine)
            speeches.append(speak(engine, text, given.speaker))
            paces += [watched.seen.steps_per_s] if watched else pace(engine)
            strays += [float(now - then) for now, then in zip(_strays(engine), before, strict=True)]
        return {
            **figures(speeches, [rate for rate in paces if rate]),
            "stray_tokens": Figure(strays, "tokens"),
            **memory_held(engine),
        }


def notes(given: Subject, name: str) -> list[str]:
    """What a reader of the figures has to know."""
    model = ENGINES[name].model
    codec = [model.codec_name] if model and model.codec_name else []
    return [
        *given.notes([name, *codec]),
        *([SPEECH_NOTES[name]] if name in SPEECH_NOTES and given.is_random(name) else []),
    ]


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


def figures(speeches: list[Speech], tokens_per_s: Sequence[float]) -> dict[str, Figure]:
    """The figures of several speakings. `tokens_per_s`: of an engine that decodes any."""
    playbacks = [played(speech.arrivals) for speech in speeches]

    def ms(values: list[float]) -> Figure:
        return Figure([1000 * value for value in values], "ms")

    return {
        "first_tokens_ms": ms([s.first_tokens_s - s.asked_s for s in speeches if s.first_tokens_s]),
        "time_to_first_audio_ms": ms([s.arrivals[0].at_s - s.asked_s for s in speeches]),
        "real_time_factor": Figure([(s.ended_s - s.asked_s) / s.duration_s for s in speeches], "s/s"),
        "tokens_per_s": Figure(tokens_per_s, "tokens/s"),
        "least_buffered_ms": Figure([playback.least_buffered_ms for playback in playbacks], "ms"),
        "underruns": Figure([float(playback.underruns) for playback in playbacks], "times"),
        "speech_s": Figure([speech.duration_s for speech in speeches], "s"),
    }


def _strays(engine: object) -> list[int]:
    """The tokens that were no sound where they stood, of an engine that counts them."""
    count = getattr(engine, "stray_tokens", None)
    return [] if count is None else [count]
