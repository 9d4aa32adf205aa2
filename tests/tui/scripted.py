"""A conversation that is a script: it tells the events it is given and writes down what it is asked."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path
from types import MappingProxyType
from typing import Any

from textual.pilot import Pilot

from voxterm.errors import VoxtermError
from voxterm.events import (
    DeviceChanged,
    DeviceStatus,
    Event,
    Interrupted,
    Levels,
    Loading,
    PartialTranscript,
    PersonaChanged,
    Ready,
    ReplyDelta,
    ReplyHeard,
    ReplyStarted,
    SpeechPaused,
    SpeechStarted,
    SpeedChanged,
    State,
    StateChanged,
    TranscriptReady,
    Trouble,
    TurnEnded,
    TurnFinished,
    TurnMeasured,
    VoiceChanged,
)
from voxterm.gauges import Gauges, Speed
from voxterm.gpu import GpuInfo, MemorySnapshot
from voxterm.latency import STAGES
from voxterm.tui.app import VoxtermApp
from voxterm.tui.controls import (
    Conversing,
    DeviceChoice,
    DeviceKind,
    ExportFormat,
    PastTurn,
    PersonaChoice,
    SessionChoice,
    Surroundings,
    VoiceChoice,
)

NOON = datetime(2025, 7, 14, 12, 0, 0)

QUESTION = "What's the tallest mountain in the solar system?"
REPLY = "Olympus Mons, on Mars. It is about twenty-two kilometres high, two and a half times Everest."


class FrozenClock:
    """A time of day that moves only when it is told to."""

    def __init__(self) -> None:
        self.time = NOON

    def __call__(self) -> datetime:
        return self.time

    def advance(self, seconds: float) -> None:
        self.time += timedelta(seconds=seconds)


@dataclass(frozen=True)
class Settings:
    theme: str = "textual-dark"
    watch_loop: bool = False


GB = 10**9

RAM = Gauges((MemorySnapshot("RAM", 16 * GB, 11 * GB, {}, 200_000_000, 5 * GB - 200_000_000, None),), 12.0)
"""A machine without a GPU."""


def gpu(index: int, used_gb: float, **figures: Any) -> GpuInfo:
    """An H100 as NVML tells of it."""
    free_bytes = round((79.6 - used_gb) * GB)
    known = {"utilisation_percent": 41, "temperature_c": 64, "power_w": 212.0, **figures}
    return GpuInfo(index, "NVIDIA H100 80GB HBM3", round(79.6 * GB), free_bytes, 0, 3.35e12, (9, 0), **known)


HOLDERS = {
    "Voxtral": round(9.4 * GB),
    "Voxtral cache": round(0.9 * GB),
    "Orpheus": round(6.6 * GB),
    "Orpheus cache": round(0.3 * GB),
    "codec": round(0.08 * GB),
}


def gpu_memory(
    index: int, used_gb: float, holders: Mapping[str, int] = MappingProxyType({})
) -> MemorySnapshot:
    info = gpu(index, used_gb)
    used_bytes, held_bytes = info.total_bytes - info.free_bytes, sum(holders.values())
    overhead_bytes = round(0.6 * GB) if holders else 0
    others_bytes = used_bytes - held_bytes - overhead_bytes
    return MemorySnapshot(
        info.name, info.total_bytes, info.free_bytes, holders, overhead_bytes, others_bytes, info
    )


SPEEDS = {"Voxtral": Speed(241.0), "Orpheus": Speed(312.0, 3.8)}
ONE_GPU = Gauges((gpu_memory(0, 18.4, HOLDERS),), 9.0, SPEEDS)
FOUR_GPUS = Gauges(
    (gpu_memory(0, 18.4, HOLDERS), gpu_memory(1, 71.2), gpu_memory(2, 0.5), gpu_memory(3, 40.0)), 31.0, SPEEDS
)


VOICES = [
    VoiceChoice("tara", "en", "warm, conversational"),
    VoiceChoice("leo", "en", "deep and calm"),
    VoiceChoice("ऋतिका", "hi", "clear, lively", "hindi"),
    VoiceChoice("长乐", "zh", "young, bright", "chinese", "run `voxterm fetch owner/chinese`"),
]

PERSONAS = [
    PersonaChoice("", "", "the system prompt alone"),
    PersonaChoice("tutor", "", "a patient teacher who asks back"),
    PersonaChoice("storyteller", "leo", "makes up a story with you, scene by scene"),
    PersonaChoice("दादी", "ऋतिका", "कहानियाँ सुनाती हैं, धीरे-धीरे"),
]

DEVICES = [
    DeviceChoice("microphone", 3, "USB Audio: Blue Yeti", is_default=True),
    DeviceChoice("loudspeaker", 4, "HDA Intel PCH: ALC295 Analog", is_default=True),
    DeviceChoice("loudspeaker", 5, "USB Audio: Headset", is_default=False),
]


@dataclass
class ScriptedSessions:
    """Two sessions, of which the newer one is under way; what is asked is written down."""

    current_id: str | None = "20250714-120000-a1b2"
    calls: list[str] = field(default_factory=list)
    error: VoxtermError | None = None
    past: Sequence[PastTurn] = ()

    def list(self) -> Sequence[SessionChoice]:
        self._note("list")
        return [
            SessionChoice("20250714-120000-a1b2", NOON, "", "Hello there.", 2, 61.0, is_current=True),
            SessionChoice(
                "20250713-090000-c3d4",
                NOON - timedelta(days=1, hours=3),
                "Volcanoes",
                "What is the tallest mountain?",
                14,
                760.0,
                is_current=False,
            ),
        ]

    def rename(self, session_id: str, title: str) -> None:
        self._note(f"rename {session_id} {title}")

    def delete(self, session_id: str) -> None:
        self._note(f"delete {session_id}")

    def export(self, session_id: str, form: ExportFormat) -> Path:
        self._note(f"export {session_id} {form}")
        return Path(f"/home/ada/voxterm-{session_id}.{form}")

    async def open(self, session_id: str | None) -> Sequence[PastTurn]:
        self._note(f"open {session_id}")
        return self.past

    def _note(self, call: str) -> None:
        self.calls.append(call)
        if self.error:
            raise self.error


@dataclass
class ScriptedControls:
    """`run` tells the script and then waits for `stop`, or raises `error`."""

    script: Sequence[Event] = ()
    error: VoxtermError | None = None
    ends_slowly: bool = False
    calls: list[str] = field(default_factory=list)
    _listeners: list[Callable[[Event], None]] = field(default_factory=list)
    _stopped: asyncio.Event = field(default_factory=asyncio.Event)

    def subscribe(self, listener: Callable[[Event], None]) -> None:
        self._listeners.append(listener)

    def emit(self, *events: Event) -> None:
        for event in events:
            for listener in self._listeners:
                listener(event)

    async def run(self) -> None:
        self.calls.append("run")
        try:
            self.emit(*self.script)
            if self.error is not None:
                raise self.error
            await self._stopped.wait()
            if self.ends_slowly:
                await asyncio.Event().wait()
            self.calls.append("released")
        finally:
            self.emit(StateChanged(State.STOPPED, 9.0))

    def type_text(self, text: str) -> None:
        self.calls.append(f"type {text}")

    def interrupt(self) -> None:
        self.calls.append("interrupt")

    def mute(self, muted: bool) -> None:
        self.calls.append(f"mute {muted}")

    def talk(self, pressed: bool) -> None:
        self.calls.append(f"talk {pressed}")

    def repeat(self) -> None:
        self.calls.append("repeat")

    def play_recording(self) -> None:
        self.calls.append("play")

    def choose_voice(self, name: str) -> None:
        self.calls.append(f"voice {name}")

    def sample_voice(self, name: str | None) -> None:
        self.calls.append(f"sample {name}")

    def choose_persona(self, name: str) -> None:
        self.calls.append(f"persona {name}")

    def set_speed(self, speed: float) -> None:
        self.calls.append(f"speed {speed}")

    def choose_device(self, kind: DeviceKind, wanted: str | int) -> None:
        self.calls.append(f"{kind} {wanted}")

    def keep_audio(self, kept: bool) -> None:
        self.calls.append(f"keep audio {kept}")

    def clear_dialogue(self) -> None:
        self.calls.append("clear")

    async def suspend(self) -> None:
        self.calls.append("suspend")

    async def resume(self) -> None:
        self.calls.append("resume")

    def stop(self) -> None:
        self.calls.append("stop")
        self._stopped.set()


SURROUNDINGS = Surroundings(lambda: RAM, VOICES, lambda: DEVICES, ScriptedSessions(), personas=PERSONAS)


def app_of(
    controls: ScriptedControls,
    past: Sequence[PastTurn] = (),
    gauges: Gauges = RAM,
    sessions: ScriptedSessions | None = None,
    settings: Settings = Settings(),
    now: Callable[[], datetime] | None = None,
) -> VoxtermApp:
    """The app of a scripted conversation."""
    sessions = sessions or ScriptedSessions()
    surroundings = replace(SURROUNDINGS, read_gauges=lambda: gauges, sessions=sessions)

    async def opening() -> Conversing:
        return Conversing(controls, surroundings, past)

    return VoxtermApp(opening, settings, now or FrozenClock())


def scripted_app(
    script: Sequence[Event] = (), past: Sequence[PastTurn] = (), error: VoxtermError | None = None
) -> tuple[VoxtermApp, ScriptedControls]:
    controls = ScriptedControls(script, error)
    return app_of(controls, past), controls


async def settled(pilot: Pilot[int]) -> None:
    """Return when the script has been told and all of it is on the screen."""
    for _ in range(100):  # the first picture comes first, then the conversation begins
        await pilot.pause()
        app, controls = _of(pilot)  # there are none until it has
        if controls.calls:
            break
    for _ in range(1000):  # the gauges are read on a thread, which a busy machine may keep waiting
        if app.model.gauges or app.model.status.failure or not controls.calls:
            break
        await pilot.pause(0.01)
    app.show_now()
    await pilot.pause()


@asynccontextmanager
async def on_screen(app: VoxtermApp, size: tuple[int, int] = (120, 40)) -> AsyncIterator[Pilot[int]]:
    """The app in a terminal of this size, with the script told and drawn."""
    async with app.run_test(size=size) as pilot:
        await settled(pilot)
        yield pilot


async def press(pilot: Pilot[int], *keys: str) -> None:
    """Press them, and return when what they ask for is done."""
    await pilot.press(*keys)
    await pilot.pause()


async def left(pilot: Pilot[int]) -> None:
    """Return when the app has ended by itself."""
    app, _ = _of(pilot)
    for _ in range(500):
        if not app.is_running:
            return
        await asyncio.sleep(0.01)
    raise AssertionError("the app goes on")


def _of(pilot: Pilot[int]) -> tuple[VoxtermApp, ScriptedControls]:
    app = pilot.app
    assert isinstance(app, VoxtermApp)
    controls = app._conversing.controls if app._conversing else ScriptedControls()
    assert isinstance(controls, ScriptedControls)
    return app, controls


def shown(app: VoxtermApp) -> str:
    """What is on the screen, as text."""
    rows = app.screen._compositor.render_strips()
    return "\n".join("".join(segment.text for segment in strip) for strip in rows)


# ---- scenes, each a list of events

READY: list[Event] = [
    StateChanged(State.LOADING, 0.0),
    Ready(
        "voxtral-orpheus",
        {"hears": "voxtral", "answers": "voxtral", "speaks": "orpheus"},
        "tara",
        precisions={"voxtral": "bf16", "orpheus": "bf16"},
    ),
    DeviceChanged("microphone", DeviceStatus.OPEN, "USB Audio: Blue Yeti"),
    DeviceChanged("loudspeaker", DeviceStatus.OPEN, "HDA Intel PCH: ALC295 Analog"),
    StateChanged(State.LISTENING, 1.0),
    Levels(-48.0, -100.0, 0.02, 0.0, 0, 0),
]

_USUAL_MS = (205.0, 11.2, 31.0, 18.4, 22.0, 44.0, 4.1, 21.0, 118.0, 289.0)


def latency_ms(factor: float = 1.0) -> dict[str, float | None]:
    return {stage.key: value * factor for stage, value in zip(STAGES, _USUAL_MS, strict=True)}


def measured(turn: int, *, typed: bool = False, factor: float = 1.0) -> TurnMeasured:
    times = latency_ms(factor)
    return TurnMeasured(turn, {**times, "endpoint_wait": None, "voice_to_voice": None} if typed else times)


def finished(
    turn: int, said: str, reply: str, *, heard: str | None = None, typed: bool = False
) -> TurnFinished:
    return TurnFinished(
        turn=turn,
        transcript=said,
        reply=reply,
        heard_reply=reply if heard is None else heard,
        interrupted=heard is not None,
        typed=typed,
        started_at_s=0.0,
        ended_at_s=1.0,
        finished_at_s=2.0,
        latency_ms=latency_ms(),
    )


def spoken_turn(turn: int, said: str, reply: str, factor: float = 1.0) -> list[Event]:
    return [
        SpeechStarted(turn, 0.0),
        TurnEnded(turn, 1.0),
        TranscriptReady(turn, said),
        ReplyDelta(turn, reply),
        measured(turn, factor=factor),
        finished(turn, said, reply),
    ]


LOADING: list[Event] = [
    StateChanged(State.LOADING, 0.0),
    Loading("silero", 2_300_000, 2_300_000),
    Loading("voxtral", 3_200_000_000, 9_400_000_000),
    Loading("orpheus", 0, 6_700_000_000),
    Loading("snac", 0, 80_000_000),
]

TALKED: list[Event] = [
    *READY,
    *spoken_turn(1, "Hello there.", "Hello! What would you like to talk about?", 1.9),
    *spoken_turn(2, "How far is the moon?", "About three hundred and eighty-four thousand kilometres."),
]

HEARING: list[Event] = [
    *TALKED,
    StateChanged(State.HEARING, 2.0),
    SpeechStarted(3, 2.0),
    PartialTranscript(3, "what's the tallest mountain in"),
    Levels(-18.0, -100.0, 0.97, 0.0, 0, 0),
]

THINKING: list[Event] = [
    *HEARING,
    SpeechPaused(3, 3.0),
    TurnEnded(3, 3.2),
    StateChanged(State.THINKING, 3.2),
    TranscriptReady(3, QUESTION),
    Levels(-52.0, -100.0, 0.04, 0.0, 0, 0),
]

SPEAKING: list[Event] = [
    *THINKING,
    ReplyDelta(3, REPLY),
    ReplyStarted(3, 3.3),
    measured(3, factor=1.4),
    StateChanged(State.SPEAKING, 3.3),
    ReplyHeard(3, REPLY.index("kilometres"), REPLY.index("kilometres") + len("kilometres")),
    Levels(-55.0, -21.0, 0.03, 230.0, 0, 0),
]

INTERRUPTED: list[Event] = [
    *SPEAKING,
    Interrupted(3, 4.0, by_voice=True),
    finished(3, QUESTION, REPLY, heard=REPLY[: REPLY.index(" two and")]),
    StateChanged(State.HEARING, 4.0),
    SpeechStarted(4, 4.0),
    Levels(-17.0, -100.0, 0.95, 0.0, 0, 0),
]

MUTED: list[Event] = [*TALKED, StateChanged(State.MUTED, 5.0)]

TROUBLE: list[Event] = [
    *TALKED,
    SpeechStarted(3, 2.0),
    TurnEnded(3, 3.0),
    TranscriptReady(3, QUESTION),
    Trouble(
        "orpheus: CUDA out of memory while speaking (needs 1.2 GB, 0.3 GB free)",
        "close other programs on the GPU, or start with --precision int8",
        "engine",
        turn=3,
    ),
    finished(3, QUESTION, ""),
    Trouble("the store is on a full disk; turns are kept in memory", "free some space in ~/.local", "store"),
    DeviceChanged("loudspeaker", DeviceStatus.RECONNECTING, "HDA Intel PCH", "the loudspeaker went quiet"),
    Levels(-50.0, -100.0, 0.02, 0.0, 3, 1),
]

FAILURE = VoxtermError("voxtral: the GPU has fallen off the bus", "look at dmesg, and start voxterm again")

RECONNECTING: list[Event] = [
    *TALKED,
    DeviceChanged(
        "microphone",
        DeviceStatus.RECONNECTING,
        "USB Audio: Blue Yeti",
        "the microphone went away",
        "plug it in again",
    ),
]

NO_MICROPHONE: list[Event] = [
    *READY,
    DeviceChanged(
        "microphone",
        DeviceStatus.MISSING,
        "",
        "no microphone was found",
        "plug one in, or forward your sound: pactl load-module module-native-protocol-tcp",
    ),
    TurnEnded(1, 2.0, typed="hello"),
    TranscriptReady(1, "hello"),
    ReplyDelta(1, "Hello! I read you well."),
    measured(1, typed=True),
    finished(1, "hello", "Hello! I read you well.", typed=True),
]

_SENTENCE = (
    "The volcano grew for more than a billion years, for the crust of Mars does not move over the mantle. "
)
LONG_REPLY = (_SENTENCE * 20)[:2000]

LONG: list[Event] = [
    *TALKED,
    SpeechStarted(3, 2.0),
    TurnEnded(3, 3.0),
    TranscriptReady(3, "Tell me all about it."),
    StateChanged(State.SPEAKING, 3.3),
    ReplyDelta(3, LONG_REPLY),
    ReplyHeard(3, LONG_REPLY.index("mantle", 900), LONG_REPLY.index("mantle", 900) + len("mantle.")),
]

SCRIPTS: list[Event] = [
    *READY,
    *spoken_turn(
        1, "太阳系最高的山是什么?", "奥林帕斯山,在火星上,大约二十二公里高,是珠穆朗玛峰的两倍半。" * 2
    ),
    *spoken_turn(2, "सबसे ऊँचा पहाड़ कौन सा है?", "ओलंपस मॉन्स, मंगल ग्रह पर। यह लगभग बाईस किलोमीटर ऊँचा है।"),
    *spoken_turn(3, "מהו ההר הגבוה ביותר?", "אולימפוס מונס, על מאדים. גובהו כעשרים ושניים קילומטרים."),
    *spoken_turn(4, "ما هو أعلى جبل؟", "أوليمبوس مونس على المريخ."),
    SpeechStarted(5, 2.0),
    TurnEnded(5, 3.0),
    TranscriptReady(5, "화산이에요?"),
    StateChanged(State.SPEAKING, 3.3),
    ReplyDelta(5, "はい、そうです。とても古い火山です。"),
    ReplyHeard(5, 8, 11),
]

_FACTORS = (0.9, 1.0, 1.1, 0.8, 1.0, 2.4, 1.0, 0.9, 1.3, 0.9, 1.0, 1.0, 0.7, 0.95)
_ASKED = (
    ("How far is the moon?", "About three hundred and eighty-four thousand kilometres, and it drifts away."),
    ("And the sun?", "Four hundred times as far as the moon, a hundred and fifty million kilometres."),
    ("Then why do both look the same size?", "The sun is four hundred times as wide as the moon, too."),
)

MANY_TURNS: list[Event] = [
    *READY,
    *(
        event
        for turn, factor in enumerate(_FACTORS, start=1)
        for event in spoken_turn(turn, *_ASKED[turn % len(_ASKED)], factor)
    ),
]

HINDI_VOICE: list[Event] = [
    *READY,
    VoiceChanged("ऋतिका"),
    *spoken_turn(1, "नमस्ते!", "नमस्ते! आज मौसम बहुत अच्छा है।"),
]

PERSONA: list[Event] = [
    *TALKED,
    PersonaChanged("storyteller"),
    VoiceChanged("leo"),
    SpeedChanged(0.9),
    SpeechStarted(3, 2.0),
    TranscriptReady(3, "And who lives there?"),
    TurnEnded(3, 3.0),
    ReplyDelta(3, "A lamplighter, they say, who has never seen a morning. Shall we knock?"),
]

LONG_NAMES: list[Event] = [
    *TALKED,
    Ready(
        "a-profile-with-a-rather-long-name",
        {"hears": "whisper-large-v3-turbo", "answers": "mistral-small-24b-instruct", "speaks": "orpheus-3b"},
        "a-voice-with-a-rather-long-name (en-GB-oxendict)",
        speed=1.2,
        keeps_audio=True,
        precisions={"whisper-large-v3-turbo": "bf16", "mistral-small-24b-instruct": "int8"},
    ),
    DeviceChanged(
        "microphone", DeviceStatus.OPEN, "alsa_input.usb-Blue_Microphones_Yeti_Stereo_Microphone-00.analog"
    ),
    DeviceChanged(
        "loudspeaker", DeviceStatus.OPEN, "内蔵オーディオ アナログステレオ (HDA Intel PCH, ALC295)"
    ),
]

PAST: list[PastTurn] = [
    PastTurn(
        41,
        NOON - timedelta(days=1),
        "Good evening.",
        "Good evening to you.",
        "Good evening to you.",
        False,
        False,
    ),
    PastTurn(42, NOON - timedelta(days=1), "bye", "Until next time, then.", "Until next", True, True),
]
