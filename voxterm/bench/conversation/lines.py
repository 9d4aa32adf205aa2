"""What a person says: samples, words, and the true first and last sample of the voice.

The truth about where speech begins and ends is found in the clean recording by its level alone, by the rule
that `conversation.tape` has for the end of speech.
"""

from __future__ import annotations

import csv
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from voxterm.audio.resample import resample
from voxterm.audio.wav import read_audio
from voxterm.conversation.tape import (
    SPEECH_END_ABOVE_NOISE_DB,
    SPEECH_END_BELOW_PEAK_DB,
    SPEECH_END_WINDOW_S,
)
from voxterm.engines.protocols import (
    HEARING_RATE_HZ,
    Samples,
    SpeechChunk,
    SpeechSynthesizer,
    Voice,
    WordMark,
)
from voxterm.errors import AudioFileError, InputError

SPEECH_DBFS = -23.0
"""The level of all speech, over its voiced parts: what EBU R 128 has for speech that is broadcast."""

MARGIN_S = 0.1
"""What is left of a recording before and after the voice."""

BEFORE_WORD_WINDOWS = 15
"""How far before a word the quietest place between it and the one before is looked for: 0.15 s."""

WINDOW_SAMPLES = round(SPEECH_END_WINDOW_S * HEARING_RATE_HZ)


@dataclass(frozen=True, slots=True)
class Line:
    """Something a person lets be heard: words, or a noise that is none (then `words` is 0)."""

    name: str
    samples: Samples  # (N,) at 16 kHz
    first: int  # the first voiced sample
    end: int  # the index after the last voiced sample
    words: int
    made: bool  # by a synthesizer

    @property
    def voice(self) -> Samples:
        """Without what lies before and after it. (M,)"""
        return self.samples[self.first : self.end]


def line_of(name: str, samples: Samples, words: int, *, made: bool) -> Line:
    """Bring speech or a noise to its level, and cut it to its voice with a little around it.

    Raises:
        AudioFileError: there is nothing in it.
    """
    first, end = voiced_span(samples)
    if first == end:
        raise AudioFileError(f"{name} is silent", "give recordings of a person who speaks")
    margin = round(MARGIN_S * HEARING_RATE_HZ)
    begin = max(0, first - margin)
    cut = samples[begin : end + margin]
    gain = 10 ** (SPEECH_DBFS / 20) / active_rms(cut)
    return Line(name, (cut * gain).astype(np.float32), first - begin, end - begin, words, made)


def window_levels(samples: Samples) -> Samples:
    """The RMS of each 10 ms. (N // 160,)"""
    whole = len(samples) // WINDOW_SAMPLES
    windows = samples[: whole * WINDOW_SAMPLES].reshape(whole, WINDOW_SAMPLES)
    levels: Samples = np.sqrt(np.mean(np.square(windows), axis=1))
    return levels


def voiced_span(samples: Samples) -> tuple[int, int]:
    """The first voiced sample and the index after the last one, to 10 ms; equal where there is none."""
    levels = window_levels(samples)
    if not len(levels) or levels.max() == 0:
        return 0, 0
    loud = np.flatnonzero(levels > _threshold(levels))
    return int(loud[0]) * WINDOW_SAMPLES, (int(loud[-1]) + 1) * WINDOW_SAMPLES


def active_rms(samples: Samples) -> float:
    """The RMS of the voiced windows."""
    levels = window_levels(samples)
    voiced = levels[levels > _threshold(levels)]
    return float(np.sqrt(np.mean(np.square(voiced))))


def _threshold(levels: Samples) -> float:
    quiet = levels.max() * 10 ** (-SPEECH_END_BELOW_PEAK_DB / 20)
    noise = np.percentile(levels, 10) * 10 ** (SPEECH_END_ABOVE_NOISE_DB / 20)
    return float(max(quiet, min(noise, levels.max() / 2)))  # a noise without a pause has no floor


@dataclass(frozen=True, slots=True)
class Said:
    """What is said in a recording, as far as it is known."""

    text: str = "words"
    ends_s: float = math.inf  # where noise takes over that the level cannot tell from the voice


def read_lines(files: Sequence[Path], transcripts: Mapping[str, Said]) -> list[Line]:
    """Recordings as lines. One that has no transcript is taken to hold words all the same.

    Raises:
        AudioFileError: a file cannot be read, or is silent.
    """
    lines = []
    for file in files:
        said = transcripts.get(file.name, Said())
        samples = read_audio(file)
        end = min(len(samples), said.ends_s * HEARING_RATE_HZ)
        lines.append(line_of(file.stem, samples[: round(end)], len(said.text.split()), made=False))
    return lines


def read_transcripts(file: Path) -> dict[str, Said]:
    """A TSV with a heading and the columns file and text; ends_s too, where a recording has to be cut.

    Raises:
        InputError: it cannot be read, has no such columns, or a time that is none.
    """
    try:
        with file.open(encoding="utf-8", newline="") as opened:
            rows = list(csv.DictReader(opened, delimiter="\t", quoting=csv.QUOTE_NONE))
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{file}: {error}", "give a TSV file with the columns file and text") from None
    if not rows or not {"file", "text"} <= set(rows[0]):
        raise InputError(f"{file} has no columns file and text", "its first line must name them")
    try:
        return {
            str(row["file"]): Said(str(row["text"] or ""), float(row.get("ends_s") or math.inf))
            for row in rows
        }
    except ValueError as error:
        raise InputError(f"{file}: ends_s: {error}", "give seconds, or leave it empty") from None


def spoken_line(synthesizer: SpeechSynthesizer, speaker: str, text: str, pause_s: float) -> Line:
    """A text, spoken as one sentence; where it has a `|` its voice pauses for so long.

    Raises:
        VoiceError, EngineError: it cannot be spoken.
    """
    before, bar, after = text.partition("|")
    said = before + after
    chunks: list[Samples] = []
    marks: list[WordMark] = []
    for item in synthesizer.speak(said, Voice(speaker, synthesizer.name, "en", speaker)):
        if isinstance(item, SpeechChunk):
            chunks.append(item.samples)
            marks += item.words
    samples = resample(np.concatenate(chunks), synthesizer.rate_hz, HEARING_RATE_HZ)
    if bar:
        at_s = next(mark.at_s for mark in marks if mark.start >= len(before))
        samples = _with_pause(samples, round(at_s * HEARING_RATE_HZ), pause_s)
    return line_of(said, samples, len(said.split()), made=True)


def _with_pause(samples: Samples, near: int, pause_s: float) -> Samples:
    """So much silence before the word that begins near here, in place of what silence there was."""
    levels = window_levels(samples)
    quiet = levels < _threshold(levels)
    word = near // WINDOW_SAMPLES
    earliest = max(0, word - BEFORE_WORD_WINDOWS)
    begin = earliest + int(np.argmin(levels[earliest : word + 1]))
    end = begin
    while begin > 0 and quiet[begin - 1]:
        begin -= 1
    while end < len(quiet) and quiet[end]:
        end += 1
    silence = np.zeros(round(pause_s * HEARING_RATE_HZ), np.float32)
    return np.concatenate([samples[: begin * WINDOW_SAMPLES], silence, samples[end * WINDOW_SAMPLES :]])
