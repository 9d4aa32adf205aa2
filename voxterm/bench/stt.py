"""How fast and how well an engine hears: recordings are fed as a conversation feeds them, 32 ms at a time.

As fast as they are taken, or in the time that speaking takes: then an engine that is busy gets what has come
meanwhile in one go, and what it says is timed as a person would see it. A speech language model is asked for
an answer, which is closed as soon as the transcript is there.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from voxterm.bench.conversation.lines import SPEECH_DBFS, Line, Said, read_lines, read_transcripts
from voxterm.bench.conversation.measurement import SHIPPED
from voxterm.bench.models import Subject, loaded, memory_held, pace
from voxterm.bench.report import Count, Figure
from voxterm.bench.words import steadiness, word_errors, words_of
from voxterm.engines.protocols import HEARING_RATE_HZ, Transcriber, Transcript

ROLES = ("transcriber", "speech language model")

FRAME_SAMPLES = 512

NONSENSE_NOTE = "random weights hear no words, and may not know when to stop: no word error rate"


@dataclass(frozen=True, slots=True)
class Recording:
    """What a person says, and the words of it, where they are known."""

    line: Line
    text: str | None


@dataclass(frozen=True, slots=True)
class Hearing:
    """A recording as it was heard. Times in seconds."""

    recording: Recording
    work_s: float
    wait_s: float  # from the last sample to the transcript
    first_partial_s: float | None  # since the voice began
    partials: tuple[str, ...]
    transcript: str

    @property
    def audio_s(self) -> float:
        return len(self.recording.line.samples) / HEARING_RATE_HZ


def read_recordings(files: Sequence[Path], transcripts: Path | None) -> list[Recording]:
    """Recordings and their words; without files those that are shipped.

    Raises:
        AudioFileError: a recording cannot be read, or is silent.
        InputError: the transcripts cannot be read.
    """
    if not files:
        files, transcripts = sorted(SHIPPED.glob("speech-*.flac")), SHIPPED / "transcripts.tsv"
    known: Mapping[str, Said] = read_transcripts(transcripts) if transcripts else {}
    texts = [known[file.name].text if file.name in known else None for file in files]
    return [Recording(*pair) for pair in zip(read_lines(files, known), texts, strict=True)]


def measure(
    given: Subject, name: str, recordings: Sequence[Recording], *, runs: int, realtime: bool
) -> dict[str, Figure | Count]:
    """Have the engine of this name hear every recording so often.

    Raises:
        EngineError: it failed.
    """
    with loaded(given, [name]) as engines:
        engine = engines[name]
        hearings, paces = [], []
        for run in range(runs):
            for recording in recordings:
                given.tell(f"hearing {recording.line.name}, {run + 1} of {runs}")
                hearings.append(hear(engine, recording, realtime=realtime))
                paces += pace(engine)
        return {
            **figures(hearings, knows_words=not given.is_random(name)),
            "tokens_per_s": Figure(paces, "tokens/s"),
            **memory_held(engine),
        }


def notes(given: Subject, name: str, recordings: Sequence[Recording], *, realtime: bool) -> list[str]:
    """What a reader of the figures has to know."""
    spoken = "in the time that speaking takes" if realtime else "as fast as they are taken"
    names = ", ".join(recording.line.name for recording in recordings)
    return [
        *given.notes([name]),
        *([NONSENSE_NOTE] if given.is_random(name) else []),
        f"{names}: cut to the voice, at {SPEECH_DBFS:.0f} dBFS, fed 32 ms at a time, {spoken}",
    ]


def hear(engine: Any, recording: Recording, *, realtime: bool) -> Hearing:
    """Feed a recording to a Transcriber or a SpeechLanguageModel, and ask what was said."""
    feed = engine.feed if isinstance(engine, Transcriber) else engine.hear
    samples, voice_s = recording.line.samples, recording.line.first / HEARING_RATE_HZ
    partials: list[str] = []
    first_partial_s, work_s, fed = None, 0.0, 0
    engine.begin()
    began_s = time.monotonic()
    while fed < len(samples):
        end = _spoken_until(fed, began_s) if realtime else fed + FRAME_SAMPLES
        asked_s = time.monotonic()
        text = feed(samples[fed:end])
        now_s = time.monotonic()
        work_s += now_s - asked_s
        fed = end
        if text and first_partial_s is None:
            first_partial_s = (now_s - began_s if realtime else fed / HEARING_RATE_HZ) - voice_s
        if text:
            partials.append(text)
    asked_s = time.monotonic()
    transcript, wait_s = _transcript(engine, asked_s)
    return Hearing(recording, work_s + wait_s, wait_s, first_partial_s, tuple(partials), transcript)


def figures(hearings: Sequence[Hearing], *, knows_words: bool) -> dict[str, Figure | Count]:
    """The figures of several recordings. `knows_words`: what was heard is worth comparing."""
    steady = [steadiness(hearing.partials, hearing.transcript) for hearing in hearings]
    first = [hearing.first_partial_s for hearing in hearings if hearing.first_partial_s is not None]
    return {
        "real_time_factor": Figure([hearing.work_s / hearing.audio_s for hearing in hearings], "s/s"),
        "transcript_wait_ms": Figure([1000 * hearing.wait_s for hearing in hearings], "ms"),
        "first_partial_s": Figure(first, "s"),
        "partials": Figure([float(len(hearing.partials)) for hearing in hearings], "texts"),
        "words_changed": Count(sum(s.changed for s in steady), sum(s.shown for s in steady), "words shown"),
        **(_errors(hearings) if knows_words else {}),
        "audio_s": Figure([hearing.audio_s for hearing in hearings], "s"),
    }


def _errors(hearings: Iterable[Hearing]) -> dict[str, Figure | Count]:
    """Over all recordings whose words are known, and that have any."""
    known = [(text, hearing.transcript) for hearing in hearings if (text := hearing.recording.text)]
    errors = sum(word_errors(said, heard) for said, heard in known)
    words = sum(len(words_of(said)) for said, _ in known)
    return {
        "word_errors": Count(errors, words, "words"),
        "word_error_rate": Figure([100 * errors / words] if words else [], "%"),
    }


def _spoken_until(fed: int, began_s: float) -> int:
    """Wait for the next frame; the end of all that has been spoken by then."""
    time.sleep(max(0.0, began_s + (fed + FRAME_SAMPLES) / HEARING_RATE_HZ - time.monotonic()))
    frames = int((time.monotonic() - began_s) * HEARING_RATE_HZ) // FRAME_SAMPLES
    return max(fed + FRAME_SAMPLES, frames * FRAME_SAMPLES)


def _transcript(engine: Any, asked_s: float) -> tuple[str, float]:
    """What was said, and the seconds until that was known. What would follow is not waited for."""
    understood: Any = engine.finish() if isinstance(engine, Transcriber) else engine.answer([])
    with closing(understood):
        for item in understood:
            if isinstance(item, Transcript):
                return item.text, time.monotonic() - asked_s
    return "", time.monotonic() - asked_s
