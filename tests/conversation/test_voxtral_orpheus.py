"""The whole way with the real architectures, tiny: microphone, Voxtral, Orpheus, SNAC, loudspeaker, on a CPU.

The weights are random, so what is said means nothing. It has to be said whole, once, and be kept as heard.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from voxterm.audio.recording import LOUDSPEAKER_FILE_HZ, RecordedLoudspeaker, RecordedMicrophone
from voxterm.audio.wav import read_audio
from voxterm.cli.casting import cast_of
from voxterm.clock import SkippingClock
from voxterm.config import Settings, TurnSettings
from voxterm.conversation import Cast, Conversation, Devices
from voxterm.engines.declared.engine_settings import EngineSettings
from voxterm.engines.declared.orpheus import OrpheusSettings
from voxterm.engines.declared.voxtral import VoxtralSettings
from voxterm.engines.protocols import (
    AudioEncoded,
    Delta,
    Message,
    PlacedEngine,
    Placement,
    Samples,
    SpeechChunk,
    SpeechLanguageModel,
    Transcript,
)
from voxterm.events import Event, Interrupted, ReplyWithdrawn, TurnFinished
from voxterm.headless import Talked, talk_through

DATA = Path(__file__).parents[2] / "voxterm" / "data"
EXACT = Placement("cpu", "float32", 2048)


@dataclass
class Run:
    talked: Talked
    events: list[Event]
    sound: Samples  # what the loudspeaker played
    cast: Cast


@pytest.fixture
def settings(voxtral_folder: Path, orpheus_folder: Path, snac_folder: Path) -> Settings:
    return Settings(
        profile="voxtral-orpheus",
        turns=TurnSettings(),
        engines=EngineSettings(
            voxtral=VoxtralSettings(
                checkpoint=str(voxtral_folder), language="en", reply_tokens=10, temperature=0.0
            ),
            orpheus=OrpheusSettings(checkpoint=str(orpheus_folder), codec=str(snac_folder), seed=5),
        ),
    )


def placed_exactly(cast: Cast) -> Cast:
    """In float32: on a CPU both exact and fast."""
    for engine in (cast.understanding, cast.synthesizer):
        assert isinstance(engine, PlacedEngine)
        engine.placement = replace(EXACT, context_tokens=engine.placement.context_tokens)
    return cast


def converse(settings: Settings, clips: list[Samples], *, talks_over: bool = False) -> Run:
    clock = SkippingClock()
    microphone = RecordedMicrophone(clips, clock, tail_s=1.5)
    loudspeaker = RecordedLoudspeaker(clock, LOUDSPEAKER_FILE_HZ)
    played: list[Samples] = []
    write = loudspeaker.write

    async def keeping(samples: Samples) -> None:
        played.append(samples)
        await write(samples)

    loudspeaker.write = keeping  # type: ignore[method-assign]
    cast = placed_exactly(cast_of(settings))
    conversation = Conversation(cast, Devices(microphone, loudspeaker, clock), settings)
    events: list[Event] = []
    conversation.subscribe(events.append)
    talked = asyncio.run(talk_through(conversation, microphone, talks_over=talks_over))
    return Run(talked, events, np.concatenate([np.zeros(0, np.float32), *played]), cast)


def by_hand(settings: Settings, audio: Samples, history: list[Message]) -> tuple[str, str]:
    """What Voxtral makes of the audio when it is asked alone: transcript and reply."""
    cast = placed_exactly(cast_of(settings))
    engine: Any = cast.understanding
    assert isinstance(engine, SpeechLanguageModel)
    engine.load(lambda done, total: None)
    try:
        engine.begin()
        engine.hear(audio)
        items = list(engine.answer([Message("system", cast.personality.told(cast.voice)), *history]))
    finally:
        engine.close()
    assert isinstance(items[0], AudioEncoded)
    (transcript,) = (item.text for item in items if isinstance(item, Transcript))
    return transcript, "".join(item.text for item in items if isinstance(item, Delta))


@pytest.fixture
def clip() -> Samples:
    return read_audio(DATA / "demo-1.flac")


def test_two_turns_from_microphone_to_loudspeaker(settings: Settings, clip: Samples) -> None:
    run = converse(settings, [clip, clip])
    told = {(trouble.category, trouble.what.partition(":")[0]) for trouble in run.talked.troubles}
    assert told == {("plan", "Voxtral"), ("plan", "Orpheus")}, "that they run on a CPU, and nothing else"
    assert run.cast.names() == {"vad": "silero", "understand": "voxtral", "speak": "orpheus"}
    assert [turn.turn for turn in run.talked.turns] == [1, 2]
    for turn in run.talked.turns:
        assert turn.transcript.strip()
        assert turn.reply
        assert turn.heard_reply == turn.reply
        assert not turn.interrupted
        needed = ("audio_encode", "transcript", "first_text", "first_speech", "codec", "voice_to_voice")
        assert all(turn.latency_ms[stage] is not None for stage in needed)
    assert len(run.sound) > 1.0 * LOUDSPEAKER_FILE_HZ
    assert np.sqrt(np.mean(np.square(run.sound))) > 1e-3


def test_the_turn_is_what_voxtral_says_of_the_audio_it_was_given(settings: Settings, clip: Samples) -> None:
    """Neither speculation in the pause nor the other model beside it changes a word."""
    kept = settings.model_copy(update={"sessions": settings.sessions.model_copy(update={"keep_audio": True})})
    run = converse(kept, [clip])
    (turn,) = run.talked.turns
    (audio,) = (event for event in run.events if type(event).__name__ == "TurnAudio")
    heard = np.frombuffer(audio.person, np.float32)  # type: ignore[union-attr]
    assert (turn.transcript, turn.reply) == by_hand(settings, heard, [])


def test_the_reply_is_what_orpheus_says(settings: Settings, clip: Samples) -> None:
    """All of it reaches the loudspeaker: the first frame and the last one too."""
    run = converse(settings, [clip])
    (turn,) = run.talked.turns
    engine: Any = placed_exactly(cast_of(settings)).synthesizer
    engine.load(lambda done, total: None)
    from voxterm.sentences import SentenceSplitter

    splitter = SentenceSplitter()
    pieces = [piece.text for piece in splitter.push(turn.reply) + splitter.finish() if piece.text]
    chunks = [
        item.samples
        for piece in pieces
        for item in engine.speak(piece, run.cast.voice)
        if isinstance(item, SpeechChunk)
    ]
    engine.close()
    whole = np.concatenate(chunks)
    played_s = len(run.sound) / LOUDSPEAKER_FILE_HZ
    assert played_s == pytest.approx(len(whole) / engine.rate_hz, abs=0.01 * len(pieces))


def test_who_goes_on_speaking_is_not_answered_in_between(settings: Settings, clip: Samples) -> None:
    """An answer begun in a pause is thrown away, and the next one knows all of it."""
    pause = np.zeros(round(0.45 * 16_000), np.float32)
    run = converse(settings, [np.concatenate([clip, pause, clip])])
    assert len(run.talked.turns) == 1
    assert not any(isinstance(event, ReplyWithdrawn) for event in run.events)
    assert run.talked.turns[0].heard_reply == run.talked.turns[0].reply


def test_a_barge_in_cuts_the_reply_at_what_was_heard(settings: Settings, clip: Samples) -> None:
    quiet = np.zeros(round(2.2 * 16_000), np.float32)
    longer = settings.model_copy(
        update={
            "engines": settings.engines.model_copy(
                update={"voxtral": settings.engines.voxtral.model_copy(update={"reply_tokens": 60})}
            )
        }
    )
    run = converse(longer, [np.concatenate([clip, quiet, clip])], talks_over=True)
    first, *_, last = (event for event in run.events if isinstance(event, TurnFinished))
    assert any(isinstance(event, Interrupted) and event.turn == 1 for event in run.events)
    assert first.interrupted
    assert first.reply.startswith(first.heard_reply)
    assert len(first.heard_reply) < len(first.reply)
    assert not last.interrupted
    assert last.heard_reply == last.reply
