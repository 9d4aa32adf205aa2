"""`voxterm transcribe FILE`: what is said in a recording, turn by turn."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from voxterm.audio.protocols import FRAME_SAMPLES
from voxterm.audio.wav import read_audio
from voxterm.cli import printing
from voxterm.cli.casting import HEARING, cast_of
from voxterm.cli.wiring import headless_settings_of
from voxterm.config import TurnSettings
from voxterm.engines.protocols import (
    HEARING_RATE_HZ,
    Samples,
    SpeechLanguageModel,
    Transcriber,
    Transcript,
    VoiceActivityDetector,
    parts_of,
)
from voxterm.turns import Ended, Opened, TurnMachine


@dataclass(frozen=True, slots=True)
class Segment:
    """One turn of a recording: samples `begin` … `end` at 16 kHz."""

    begin: int
    end: int
    text: str


def run(arguments: argparse.Namespace) -> int:
    settings = headless_settings_of(arguments)
    samples = read_audio(arguments.file)
    cast = cast_of(settings, HEARING)
    printing.print_notes(cast)
    hears = hearing(cast.understanding)
    segments = _transcribed(cast.vad, hears, settings.turns, samples)
    text = " ".join(segment.text for segment in segments)
    if arguments.json:
        printing.print_json(
            {
                "file": str(arguments.file),
                "engine": hears.name,
                "text": text,
                "segments": [
                    {"begin_s": s.begin / HEARING_RATE_HZ, "end_s": s.end / HEARING_RATE_HZ, "text": s.text}
                    for s in segments
                ],
            }
        )
    else:
        print(text or "no speech was heard", file=sys.stdout if text else sys.stderr)
    return 0


def hearing(understanding: SpeechLanguageModel) -> Transcriber | SpeechLanguageModel:
    """What of it hears: of two engines the one, of a single model all."""
    first = parts_of(understanding)[0]
    return first if isinstance(first, Transcriber) else understanding


def _transcribed(
    vad: VoiceActivityDetector,
    hears: Transcriber | SpeechLanguageModel,
    settings: TurnSettings,
    samples: Samples,
) -> list[Segment]:
    try:
        for engine in (vad, hears):
            engine.load(lambda done_bytes, total_bytes: None)
            engine.warm_up()  # some learn by it what they need to know
        heard = []
        with printing.progress("transcribing") as show:
            for begin, end in _turns(vad, settings, samples):
                heard.append(Segment(begin, end, _heard(hears, samples[begin:end])))
                show(end / len(samples))
        return [segment for segment in heard if segment.text]
    finally:
        vad.close()
        hears.close()


def _turns(vad: VoiceActivityDetector, settings: TurnSettings, samples: Samples) -> Iterator[tuple[int, int]]:
    """The range of every turn, as a conversation would hear it."""
    machine = TurnMachine(settings)
    silence = np.zeros(settings.end_silence_ms * HEARING_RATE_HZ // 1000 + 2 * FRAME_SAMPLES, np.float32)
    padded = np.concatenate([samples, silence])
    begin = 0
    for end in range(FRAME_SAMPLES, len(padded) + 1, FRAME_SAMPLES):
        for signal in machine.frame(end, FRAME_SAMPLES, vad.probability(padded[end - FRAME_SAMPLES : end])):
            if isinstance(signal, Opened):
                begin = signal.from_sample
            elif isinstance(signal, Ended):
                yield begin, min(signal.at_sample, len(samples))
                machine.answered()


def _heard(engine: Transcriber | SpeechLanguageModel, samples: Samples) -> str:
    """The transcript of one turn; the answer is not asked for."""
    engine.begin()
    items: Iterator[object]
    if isinstance(engine, Transcriber):
        engine.feed(samples)
        items = engine.finish()
    else:
        engine.hear(samples)
        items = engine.answer(())
    for item in items:
        if isinstance(item, Transcript):
            return item.text
    return ""
