"""The same scripted conversation on every profile that voxterm brings, with tiny checkpoints of their kinds.

The weights are random, so what is said means nothing. It has to be heard, answered, said whole, cut where it
is interrupted, and thrown away where it was begun too early: whichever engines play.
"""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from chat_server import ChatServer
from tiny import tiny_orpheus, tiny_snac, tiny_voxtral
from tiny_kokoro import tiny_kokoro
from tiny_llm import tiny_llm
from tiny_voxtral_realtime import tiny_voxtral_realtime
from tiny_whisper import tiny_whisper

from voxterm.audio.recording import LOUDSPEAKER_FILE_HZ, RecordedLoudspeaker, RecordedMicrophone
from voxterm.audio.wav import read_audio
from voxterm.cli.casting import cast_of
from voxterm.clock import SkippingClock
from voxterm.config import Settings
from voxterm.conversation import Conversation, Devices
from voxterm.engines.declared.engines import ENGINES
from voxterm.engines.protocols import HEARING_RATE_HZ, PlacedEngine, Placement, Samples, parts_of
from voxterm.events import Event, Interrupted, ReplyStarted, ReplyWithdrawn, TurnFinished, TurnTimeline
from voxterm.headless import Talked, talk_through

DATA = Path(__file__).parents[2] / "voxterm" / "data"
PROFILES = tuple(Settings().profiles)
LONG = "This is an answer of some length, so that there is time to speak into it before it comes to its end."


@dataclass
class Run:
    """What became of a conversation."""

    talked: Talked
    events: list[Event]
    sound: Samples  # what the loudspeaker played
    names: dict[str, str]

    def of(self, kind: type[Event]) -> list[Any]:
        return [event for event in self.events if isinstance(event, kind)]


@pytest.fixture(scope="module")
def server() -> Iterator[ChatServer]:
    with ChatServer(answer=lambda said: LONG) as server:
        yield server


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory, server: ChatServer) -> dict[str, dict[str, object]]:
    """By engine, the settings with which it is tiny, exact and always the same."""
    root = tmp_path_factory.mktemp("profiles")

    def made(name: str, write: Callable[[Path], object]) -> str:
        folder = root / name
        folder.mkdir()
        write(folder)
        return str(folder)

    return {
        "voxtral": {
            "checkpoint": made("voxtral", tiny_voxtral),
            "language": "en",
            "reply_tokens": 60,
            "temperature": 0.0,
        },
        "voxtral_realtime": {
            "checkpoint": made("voxtral_realtime", tiny_voxtral_realtime),
            "context_tokens": 1024,
        },
        "whisper": {"checkpoint": made("whisper", tiny_whisper), "language": "en"},
        "llm": {"checkpoint": made("llm", tiny_llm), "reply_tokens": 60, "seed": 3},
        "openai": {"base_url": server.url},
        "orpheus": {
            "checkpoint": made("orpheus", tiny_orpheus),
            "codec": made("snac", tiny_snac),
            "seed": 5,
        },
        "kokoro": {"checkpoint": made("kokoro", tiny_kokoro), "front_end": "espeak"},
        "eliza": {"seed": 5},
    }


pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture(params=PROFILES)
def settings(request: pytest.FixtureRequest, own: dict[str, dict[str, object]]) -> Settings:
    standard = Settings(profile=request.param)
    sections = {
        name: getattr(standard.engines, name).model_copy(update=values) for name, values in own.items()
    }
    return standard.model_copy(update={"engines": standard.engines.model_copy(update=sections)})


@pytest.fixture(scope="module")
def clip() -> Samples:
    return read_audio(DATA / "demo-1.flac")


def silence(seconds: float) -> Samples:
    return np.zeros(round(seconds * HEARING_RATE_HZ), np.float32)


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
    cast = cast_of(settings)
    for engine in (*parts_of(cast.understanding), *parts_of(cast.synthesizer)):
        if isinstance(engine, PlacedEngine):  # in float32: on a CPU both exact and fast
            engine.placement = Placement("cpu", "float32", engine.placement.context_tokens)
    conversation = Conversation(cast, Devices(microphone, loudspeaker, clock), settings)
    events: list[Event] = []
    conversation.subscribe(events.append)
    talked = asyncio.run(talk_through(conversation, microphone, talks_over=talks_over))
    return Run(talked, events, np.concatenate([silence(0), *played]), cast.names())


@pytest.mark.parametrize("profile", ["whisper-llm-kokoro", "voxtral-kokoro", "realtime-llm-orpheus"])
def test_in_a_process_of_its_own_the_engines_load_side_by_side(
    own: dict[str, dict[str, object]], profile: str, tmp_path: Path
) -> None:
    """Here their libraries are imported already, there by several threads at once."""
    config = tmp_path / "tiny.toml"
    sections = (
        "\n".join([f"[engines.{name}]", *(f"{key} = {json.dumps(value)}" for key, value in values.items())])
        for name, values in own.items()
    )
    config.write_text("\n".join(sections), encoding="utf-8")
    clip = str(DATA / "demo-1.flac")
    ran = subprocess.run(
        [sys.executable, "-m", "voxterm", "talk", clip, "--config", config, "--profile", profile, "--json"],
        env={**os.environ, "XDG_STATE_HOME": str(tmp_path), "XDG_CONFIG_HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert ran.stdout, ran.stderr
    (turn,) = json.loads(ran.stdout)["turns"]
    assert turn["reply"], ran.stderr


def test_the_engines_are_those_that_the_profile_names(settings: Settings) -> None:
    *understanding, synthesizer = settings.profiles[settings.profile]
    cast = cast_of(settings)
    assert cast.names() == {
        "vad": "silero",
        "understand": " + ".join(understanding),
        "speak": synthesizer,
    }
    assert cast.profile == settings.profile


def test_two_turns_are_heard_answered_and_said_whole(settings: Settings, clip: Samples) -> None:
    run = converse(settings, [clip, clip])
    assert [trouble for trouble in run.talked.troubles if trouble.category != "plan"] == []
    assert [turn.turn for turn in run.talked.turns] == [1, 2]
    for turn in run.talked.turns:
        assert turn.transcript.strip()
        assert turn.reply.strip()
        assert turn.heard_reply == turn.reply
        assert not turn.interrupted
        needed = ("audio_encode", "transcript", "first_text", "first_speech", "codec", "voice_to_voice")
        assert [stage for stage in needed if turn.latency_ms[stage] is None] == []
    assert len(run.sound) > 0.5 * LOUDSPEAKER_FILE_HZ
    assert np.sqrt(np.mean(np.square(run.sound))) > 1e-3


def test_who_goes_on_speaking_is_not_answered_in_between(settings: Settings, clip: Samples) -> None:
    """Answers begun in pauses are thrown away, and the one that is heard knows all of the turn."""
    run = converse(settings, [np.concatenate([clip, silence(0.45), clip])])
    (turn,) = run.talked.turns
    (timeline,) = run.of(TurnTimeline)
    asked = [mark for mark in timeline.marks if mark.what == "asked"]
    assert len(asked) > 1, "nothing was begun in secret"
    assert run.of(ReplyWithdrawn) == []
    assert len(run.of(ReplyStarted)) == 1
    assert turn.heard_reply == turn.reply


def test_a_barge_in_cuts_the_reply_at_what_was_heard(settings: Settings, clip: Samples) -> None:
    """Slowly, early, and with nothing taken back: so the shortest of ELIZA's answers can be spoken into."""
    gap_s = 1.3 if "eliza" in settings.profiles[settings.profile] else 3.5
    update = {
        "speech": settings.speech.model_copy(update={"speed": 0.5}),
        "turns": settings.turns.model_copy(update={"take_back_ms": 0}),
    }
    slowly = settings.model_copy(update=update)
    run = converse(slowly, [np.concatenate([clip, silence(gap_s), clip])], talks_over=True)
    first, *_, last = run.of(TurnFinished)
    assert any(interrupted.turn == first.turn for interrupted in run.of(Interrupted))
    assert first.interrupted
    assert first.reply.startswith(first.heard_reply)
    assert len(first.heard_reply) < len(first.reply)
    assert last.transcript.strip()
    assert not last.interrupted
    assert last.heard_reply == last.reply


def test_every_engine_plays_in_a_profile() -> None:
    played = {name for engines in Settings().profiles.values() for name in engines}
    assert played == set(ENGINES)
