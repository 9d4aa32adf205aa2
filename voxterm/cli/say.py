"""`voxterm say TEXT --out FILE.wav`: the profile's voice, without a conversation.

A voice that is asked for brings its own engine, unless a profile is asked for too.
"""

from __future__ import annotations

import argparse
import unicodedata

from voxterm.audio.wav import SoundWriter
from voxterm.cli.casting import cast_of
from voxterm.cli.printing import print_notes
from voxterm.cli.voice_needs import VoiceNeeds
from voxterm.cli.wiring import settings_of
from voxterm.config import Settings
from voxterm.conversation import Cast
from voxterm.engines.declared.declaration import Role
from voxterm.engines.protocols import SpeechChunk
from voxterm.engines.registry import EMBEDDED
from voxterm.errors import CheckpointError, EngineMemoryError, TextError
from voxterm.sentences import Piece, SentenceSplitter
from voxterm.voices import AUTO, Catalogue, voices_folder

LONGEST_TEXT_CHARS = 20_000
"""About twenty minutes of speech: more in one go is a mistake more often than a wish."""

SPEAKING: tuple[Role, ...] = ("synthesizer",)

OWN_PROFILE = "own"
"""Of a voice that brings its engine: what hears and answers in it is never loaded."""


def run(arguments: argparse.Namespace) -> int:
    settings = settings_of(arguments)
    if arguments.voice and not arguments.profile and settings.speech.voice != AUTO:
        cast = _cast_with(settings)
    else:
        cast = cast_of(settings, SPEAKING)
    pieces = _pieces(arguments.text, cast.voice.language)
    engine = cast.synthesizer
    print_notes(cast)
    try:
        engine.load(lambda done_bytes, total_bytes: None)
        with SoundWriter(arguments.out, engine.rate_hz) as writer:
            spoken_s = _speak(cast, settings, pieces, writer)
    finally:
        engine.close()
    print(f"{arguments.out}: {spoken_s:.2f} s, {cast.voice.name} ({engine.name})")
    return 0


def _cast_with(settings: Settings) -> Cast:
    """The engine of the voice.

    Raises:
        VoiceError: there is no such voice.
        EngineLoadError: something that it needs is not here, or there is no room for it.
    """
    voice = Catalogue.read(voices_folder()).find(settings.speech.voice)
    if errors := VoiceNeeds(settings.engines).lacking(voice):
        remedies = "; ".join(error.remedy for error in errors)
        raise CheckpointError(f"{voice.name} cannot speak yet: {errors[0].what}", remedies)
    engines = [*EMBEDDED["speech language model"], voice.engine]
    profiles = {**settings.profiles, OWN_PROFILE: engines}
    cast = cast_of(settings.model_copy(update={"profile": OWN_PROFILE, "profiles": profiles}), SPEAKING)
    if cast.synthesizer.name != voice.engine:
        raise EngineMemoryError(f"there is no room for {voice.engine} here", "`voxterm plan` tells more")
    return cast


def _speak(cast: Cast, settings: Settings, pieces: list[Piece], writer: SoundWriter) -> float:
    """Seconds of speech written."""
    samples = 0
    for piece in pieces:
        for item in cast.synthesizer.speak(piece.text, cast.voice, settings.speech.speed):
            if isinstance(item, SpeechChunk):
                writer.write(item.samples)
                samples += len(item.samples)
    return samples / cast.synthesizer.rate_hz


def _pieces(text: str, language: str) -> list[Piece]:
    """The text in pieces worth speaking.

    Raises:
        TextError: it is too long, holds control characters, or nothing that can be spoken.
    """
    if len(text) > LONGEST_TEXT_CHARS:
        raise TextError(
            f"the text has {len(text):,} characters", f"give at most {LONGEST_TEXT_CHARS:,} at a time"
        )
    for place, char in enumerate(text, 1):
        if unicodedata.category(char) in ("Cc", "Cs") and char not in "\t\n\r":
            raise TextError(
                f"the text has the control character U+{ord(char):04X} at character {place}", "take it out"
            )
    splitter = SentenceSplitter(language)
    pieces = [piece for piece in splitter.push(text) + splitter.finish() if piece.text]
    if not pieces:
        raise TextError("the text holds nothing that can be spoken", "give words, not only signs or emoji")
    return pieces
