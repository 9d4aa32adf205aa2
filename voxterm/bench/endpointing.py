"""Labelled pauses: what words and sound said at each, and how well waits made of that tell pauses from ends.

A recording holds one utterance. A pause inside it is unfinished and the silence after it finished, unless
labels say otherwise: a recording may end in the middle of a sentence, and one may hold several. The evidence
is taken when a pause has lasted `pause_ms`, as in a conversation.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass, replace
from itertools import pairwise
from pathlib import Path

import numpy as np

from voxterm.audio.wav import read_audio
from voxterm.bench.hesitations import people
from voxterm.config import TurnSettings
from voxterm.conversation import Cast
from voxterm.conversation.loading import load_engine
from voxterm.engines import registry
from voxterm.engines.protocols import (
    HEARING_RATE_HZ,
    Ending,
    Samples,
    SpeechLanguageModel,
    Transcript,
    TurnDetector,
    VoiceActivityDetector,
)
from voxterm.errors import InputError

SILENCE_AFTER_S = 1.5
"""Put after each recording: longer than any wait."""

SAME_PAUSE_S = 0.15
"""A label is that of the pause which begins so near to its time: noise moves where speech is heard to end."""

LABELS: Mapping[str, bool | None] = {"finished": True, "unfinished": False, "unclear": None}
_LABEL = re.compile(rf"([^\t]+)\t(\d+(?:\.\d+)?)\t({'|'.join(LABELS)})")


@dataclass(frozen=True, slots=True)
class Pause:
    """A silence of at least `pause_ms`. `length_ms` is None for the one after which no more was said.

    `finished`: whether the sentence was; None where people would not agree.
    """

    recording: str
    at_s: float  # of the last speech
    length_ms: float | None
    finished: bool | None
    words: float | None
    sound: float | None


@dataclass(frozen=True, slots=True)
class Judges:
    """The engines that give evidence, loaded. Without a detector there is none by sound."""

    vad: VoiceActivityDetector
    understanding: SpeechLanguageModel
    detector: TurnDetector | None


@contextmanager
def judges_of(cast: Cast) -> Iterator[Judges]:
    """The engines of the cast that judge, loaded; closed afterwards.

    Raises:
        EngineLoadError: one of them cannot be loaded.
    """
    with ExitStack() as things:
        for engine in filter(None, (cast.vad, cast.understanding, cast.detector)):
            things.callback(engine.close)
            load_engine(engine, lambda event: None)
        yield Judges(cast.vad, cast.understanding, cast.detector)


def said_in(files: Sequence[Path]) -> Iterator[tuple[str, Samples]]:
    """Name and samples of each recording.

    Raises:
        AudioFileError: one of them cannot be read.
    """
    for file in files:
        yield file.stem, read_audio(file)


def hesitating() -> Iterator[tuple[str, Samples]]:
    """Name and samples of sentences with silences put in, spoken by eSpeak NG."""
    synthesizer = registry.build_embedded_voice()
    load_engine(synthesizer, lambda event: None)
    yield from people(synthesizer)


def with_noise(said: Iterable[tuple[str, Samples]], below_db: Sequence[int]) -> Iterator[tuple[str, Samples]]:
    """Each of them as it is, then in noise so many decibels below it."""
    for name, samples in said:
        yield name, samples
        for db in below_db:
            yield f"{name} + noise at {db} dB", in_noise(samples, db)


def pauses_in(name: str, samples: Samples, judges: Judges, turns: TurnSettings) -> list[Pause]:
    """The pauses of one utterance (N,) at 16 kHz, its end last."""
    size = judges.vad.frame_samples
    silence = np.zeros(round(SILENCE_AFTER_S * HEARING_RATE_HZ), np.float32)
    frames = _framed(np.concatenate([samples, silence]), size)
    judges.vad.reset()
    voiced = [judges.vad.probability(frame) for frame in frames]
    judges.understanding.begin()
    noticed = -(-turns.pause_ms * HEARING_RATE_HZ // (1000 * size))  # frames
    pauses, heard = list[Pause](), 0
    for begin, length in silences(voiced, turns, noticed):
        so_far = frames[: begin + noticed].reshape(-1)
        judges.understanding.hear(so_far[heard:])
        heard = len(so_far)
        length_ms = None if length is None else length * size * 1000 / HEARING_RATE_HZ
        words = _ending(judges.understanding)
        sound = judges.detector.probability(so_far) if judges.detector else None
        pauses.append(Pause(name, begin * size / HEARING_RATE_HZ, length_ms, length is None, words, sound))
    return pauses


def silences(voiced: Sequence[float], turns: TurnSettings, noticed: int) -> Iterator[tuple[int, int | None]]:
    """Each silence of at least `noticed` frames after speech: with which frame it begins and how many it
    lasts, None for the last.

    As in the turn machine, speech begins at `speech_threshold` and goes on down to `silence_threshold`.
    """
    spoken = list[int]()  # the frames with speech
    for number, probability in enumerate(voiced):
        speaking = bool(spoken) and number - spoken[-1] <= noticed
        threshold = turns.silence_threshold if speaking else turns.speech_threshold
        if probability >= threshold:
            spoken.append(number)
    for last, following in pairwise(spoken):
        if following - last > noticed:
            yield last + 1, following - last - 1
    if spoken:
        yield spoken[-1] + 1, None


def in_noise(samples: Samples, below_db: float, seed: int = 0) -> Samples:
    """The samples in white noise so many decibels below them, which goes on after their end. (N + tail,)"""
    rms = float(np.sqrt(np.mean(samples**2)))
    tail = round(SILENCE_AFTER_S * HEARING_RATE_HZ)
    noise = np.random.default_rng(seed).normal(0.0, rms * 10 ** (-below_db / 20), len(samples) + tail)
    noise[: len(samples)] += samples
    return noise.astype(np.float32)


def read_labels(file: Path) -> dict[str, dict[float, bool | None]]:
    """By the recording's name and time in seconds: finished, unfinished or None, from a TSV with a line
    `name, seconds, finished | unfinished | unclear` for each label.

    Raises:
        InputError: it cannot be read, or a line is none of that form.
    """
    labels = dict[str, dict[float, bool | None]]()
    try:
        lines = file.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"cannot read {file}: {error}", "give a TSV file of labels") from error
    for number, line in enumerate(lines, start=1):
        found = _LABEL.fullmatch(line)
        if found is None:
            remedy = f"write a name, seconds and one of {', '.join(LABELS)}, with tabs between"
            raise InputError(f"{file}, line {number}: no label", remedy)
        labels.setdefault(found[1], {})[float(found[2])] = LABELS[found[3]]
    return labels


def labelled(pauses: Sequence[Pause], labels: Mapping[str, Mapping[float, bool | None]]) -> list[Pause]:
    """The pauses with their labels, each of which is for the pauses near its time, whatever the noise."""
    found = list(pauses)
    for number, pause in enumerate(found):
        for at_s, label in labels.get(speech_of(pause), {}).items():
            if abs(pause.at_s - at_s) <= SAME_PAUSE_S:
                found[number] = replace(pause, finished=label)
    return found


def speech_of(pause: Pause) -> str:
    """The name of the recording without the noise that was mixed into it."""
    return pause.recording.partition(" + ")[0]


def read_pauses(file: Path) -> list[Pause]:
    """The pauses in a document that this measurement wrote with --json.

    Raises:
        InputError: it is no such document.
    """
    try:
        return [Pause(**pause) for pause in json.loads(file.read_text(encoding="utf-8"))["pauses"]]
    except (OSError, ValueError, KeyError, TypeError) as error:
        remedy = "give what `voxterm bench endpointing --json` wrote"
        raise InputError(f"{file} holds no pauses: {error}", remedy) from error


def as_json(pauses: Sequence[Pause]) -> list[dict[str, object]]:
    """What `read_pauses` reads."""
    return [
        {key: round(value, 4) if isinstance(value, float) else value for key, value in asdict(pause).items()}
        for pause in pauses
    ]


def _framed(samples: Samples, size: int) -> Samples:
    """(N,) → (N // size, size)"""
    return samples[: len(samples) // size * size].reshape(-1, size)


def _ending(understanding: SpeechLanguageModel) -> float | None:
    """What it says of the words so far; None: nothing."""
    answer = understanding.answer([])
    found = None
    for item in answer:
        if isinstance(item, Ending):
            found = item.probability
        if isinstance(item, Ending | Transcript):
            break
    answer.close()  # type: ignore[attr-defined]
    return found
