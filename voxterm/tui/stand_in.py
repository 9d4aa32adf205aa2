"""The screen before a conversation that is only played: what `voxterm bench screen` measures.

    python -m voxterm.tui.stand_in idle|talking SECONDS [REPORT.json]

Events come as often as those of a real one. With a report the event loop is watched, which takes time itself.
"""

from __future__ import annotations

import asyncio
import json
import os
import random
import sys
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from voxterm.collector import quiet_collector
from voxterm.events import (
    DeviceChanged,
    DeviceStatus,
    Event,
    Levels,
    PartialTranscript,
    Ready,
    ReplyDelta,
    ReplyHeard,
    ReplyStarted,
    SpeechStarted,
    State,
    StateChanged,
    TranscriptReady,
    TurnEnded,
    TurnFinished,
    TurnMeasured,
)
from voxterm.gauges import Gauges, Speed
from voxterm.gpu import GB, GpuInfo, MemorySnapshot
from voxterm.latency import STAGES
from voxterm.tui.app import VoxtermApp
from voxterm.tui.controls import (
    Conversing,
    DeviceKind,
    ExportFormat,
    PastTurn,
    SessionChoice,
    Surroundings,
)
from voxterm.tui.loop_watch import LoopWatch
from voxterm.tui.terminal.driver import fit_to_terminal

LEVELS_S = 0.096  # three frames of the microphone
HEARING_S, PAUSE_S = 3.0, 1.0
WORDS_HEARD_S = 0.35

SAID = "And how far would I have to walk until the water is deep enough for that?"
REPLY = (
    "About two hundred metres at low tide, and far less when it is high. Mind the stones on the left, "
    "they are slippery, and keep an eye on the flags."
)


@dataclass(frozen=True)
class _Settings:
    theme: str = "textual-dark"
    watch_loop: bool = False


class PlayedConversation:
    """`Controls` of a conversation in which the same is said again and again, or nothing."""

    def __init__(self, is_talking: bool, seconds: float) -> None:
        self._is_talking = is_talking
        self._seconds = seconds
        self._random = random.Random(7)
        self._listeners: list[Callable[[Event], None]] = []
        self._stopped = asyncio.Event()
        self._speech = 0.02
        self._out_dbfs = -100.0

    def subscribe(self, listener: Callable[[Event], None]) -> None:
        self._listeners.append(listener)

    async def run(self) -> None:
        engines = {"hears": "voxtral", "answers": "voxtral", "speaks": "orpheus"}
        self._tell(
            Ready("voxtral-orpheus", engines, "tara", precisions={"voxtral": "bf16", "orpheus": "bf16"})
        )
        self._tell(DeviceChanged("microphone", DeviceStatus.OPEN, "USB Audio: Blue Yeti"))
        self._tell(DeviceChanged("loudspeaker", DeviceStatus.OPEN, "HDA Intel PCH: ALC295 Analog"))
        self._tell(StateChanged(State.LISTENING, 0.0))
        with quiet_collector() as all_is_loaded:
            all_is_loaded()
            levels = asyncio.create_task(self._tell_levels())
            talk = asyncio.create_task(self._talk())
            try:
                await asyncio.wait_for(self._stopped.wait(), self._seconds)
            except asyncio.TimeoutError:
                return
            finally:
                levels.cancel()
                talk.cancel()

    def stop(self) -> None:
        self._stopped.set()

    def type_text(self, text: str) -> None:
        """Nobody answers."""

    def interrupt(self) -> None:
        """Nothing to interrupt."""

    repeat = play_recording = clear_dialogue = interrupt

    def mute(self, muted: bool) -> None:
        """There is no microphone."""

    talk = keep_audio = mute

    def choose_voice(self, name: str) -> None:
        """There is one voice."""

    choose_persona = choose_voice

    def sample_voice(self, name: str | None) -> None:
        """There is no loudspeaker."""

    def set_speed(self, speed: float) -> None:
        """It has one speed."""

    def choose_device(self, kind: DeviceKind, wanted: str | int) -> None:
        """There are no devices."""

    async def suspend(self) -> None:
        """Nothing to give back."""

    resume = suspend

    def _tell(self, event: Event) -> None:
        for listener in self._listeners:
            listener(event)

    async def _tell_levels(self) -> None:
        """A microphone in a quiet room flickers by a few decibels."""
        while True:
            heard_dbfs = (-20.0 if self._speech > 0.5 else -52.0) + self._random.gauss(0.0, 2.0)
            probability = min(1.0, max(0.0, self._speech + self._random.gauss(0.0, 0.01)))
            out_dbfs = self._out_dbfs + (self._random.gauss(0.0, 3.0) if self._out_dbfs > -99 else 0.0)
            self._tell(Levels(heard_dbfs, out_dbfs, probability, 250.0 if out_dbfs > -99 else 0.0, 0, 0))
            await asyncio.sleep(LEVELS_S)

    async def _talk(self) -> None:
        turn = 0
        while self._is_talking:
            turn += 1
            await self._hear(turn)
            await self._answer(turn)
            await asyncio.sleep(PAUSE_S)

    async def _hear(self, turn: int) -> None:
        self._enter(State.HEARING, speech=0.97)
        self._tell(SpeechStarted(turn, 0.0))
        words = SAID.split()
        async for count in _paced(len(words), HEARING_S):
            self._tell(PartialTranscript(turn, " ".join(words[:count])))
        self._enter(State.THINKING, speech=0.03)
        self._tell(TurnEnded(turn, 0.0))
        await asyncio.sleep(0.12)
        self._tell(TranscriptReady(turn, SAID))

    async def _answer(self, turn: int) -> None:
        pieces = REPLY.split(" ")
        latency_ms = {
            stage.key: self._random.uniform(0.6, 1.3) * (stage.target_ms or 210.0) for stage in STAGES
        }
        async for count in _paced(len(pieces), 0.4):
            self._tell(ReplyDelta(turn, (" " if count > 1 else "") + pieces[count - 1]))
        self._tell(ReplyStarted(turn, 0.0))
        self._tell(TurnMeasured(turn, latency_ms))
        self._enter(State.SPEAKING, speech=0.03, out_dbfs=-20.0)
        heard = 0
        async for count in _paced(len(pieces), len(pieces) * WORDS_HEARD_S):
            end = len(" ".join(pieces[:count]))
            self._tell(ReplyHeard(turn, heard, end))
            heard = end
        self._tell(TurnFinished(turn, SAID, REPLY, REPLY, False, False, 0.0, 1.0, 2.0, latency_ms))
        self._enter(State.LISTENING, speech=0.02)

    def _enter(self, state: State, speech: float, out_dbfs: float = -100.0) -> None:
        self._speech, self._out_dbfs = speech, out_dbfs
        self._tell(StateChanged(state, 0.0))


class NoSessions:
    """Nothing is kept of it."""

    current_id: str | None = None

    def list(self) -> Sequence[SessionChoice]:
        return ()

    def rename(self, session_id: str, title: str) -> None:
        """There is none."""

    def delete(self, session_id: str) -> None:
        """There is none."""

    def export(self, session_id: str, form: ExportFormat) -> Path:
        return Path(f"{session_id}.{form}")

    async def open(self, session_id: str | None) -> Sequence[PastTurn]:
        return ()


def played_gauges() -> Gauges:
    """An H100 with both models in it."""
    info = GpuInfo(
        0, "NVIDIA H100 80GB HBM3", 80 * GB, 61 * GB, 0, utilisation_percent=random.randint(30, 50)
    )
    holders = {"Voxtral": 9 * GB, "Voxtral cache": GB, "Orpheus": 7 * GB, "Orpheus cache": GB // 3}
    held = sum(holders.values())
    memory = MemorySnapshot(info.name, 80 * GB, 61 * GB, holders, GB // 2, 19 * GB - held - GB // 2, info)
    speeds = {"Voxtral": Speed(241.0), "Orpheus": Speed(random.uniform(300, 320), 3.8)}
    return Gauges((memory,), random.uniform(5.0, 9.0), speeds)


async def _paced(count: int, seconds: float) -> AsyncIterator[int]:
    """1 to `count`, spread over the time."""
    for number in range(1, count + 1):
        await asyncio.sleep(seconds / count)
        yield number


async def play(is_talking: bool, seconds: float, is_watched: bool) -> float:
    """Show it for so long; where it is watched, the longest block of the event loop, in seconds.

    It is watched from the first picture to the last: before and after, nothing can be missed.
    """
    conversation = PlayedConversation(is_talking, seconds)
    watch = LoopWatch()

    async def opening() -> Conversing:
        if is_watched:
            watch.start(limit_s=0.001)
        return Conversing(conversation, Surroundings(played_gauges, (), lambda: (), NoSessions()))

    app = VoxtermApp(opening, _Settings())
    fit_to_terminal(app, os.environ)

    def end() -> None:
        watch.stop()
        app.leave()

    asyncio.get_running_loop().call_later(seconds, end)
    await app.run_async()
    return watch.longest_s


if __name__ == "__main__":
    longest_s = asyncio.run(play(sys.argv[1] == "talking", float(sys.argv[2]), bool(sys.argv[3:])))
    for report in sys.argv[3:]:
        Path(report).write_text(json.dumps({"longest_block_ms": longest_s * 1000}), encoding="utf-8")
