"""The coordinator: listen → understand → speak, cancelled at once when the person speaks.

It knows three roles (VAD, SpeechLanguageModel, SpeechSynthesizer), a microphone and a loudspeaker. The
frames of the microphone are its heartbeat: each is judged for speech, brings the turn forward, and is the
moment to look how far the reply has come. What happens goes up as events.
"""

from __future__ import annotations

import asyncio
import math
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import AsyncExitStack, suppress
from typing import TypeAlias

import numpy as np

from voxterm.audio.protocols import FRAME_SAMPLES, MicrophoneFrame
from voxterm.config import Settings
from voxterm.conversation.bridge import CLOSE_LIMIT_S, EngineThread, loop_caller
from voxterm.conversation.cast import Cast, Devices, EngineThreads
from voxterm.conversation.floor import Floor
from voxterm.conversation.loading import load_engine
from voxterm.engines.protocols import HEARING_RATE_HZ, Engine, Samples
from voxterm.errors import one_line
from voxterm.events import Event, Levels, Ready, State, StateChanged, Trouble
from voxterm.history import History
from voxterm.turns import Phase

TYPED_LINES_WAITING = 16
"""How many typed lines may wait for the person to finish speaking."""

LEVELS_EVERY_FRAMES = 3
"""Levels are told about ten times a second."""

SILENT_DBFS = -100.0

Listener: TypeAlias = Callable[[Event], None]


class Conversation:
    """Use it from one event loop: `subscribe`, then `run` as a task, then the verbs of the keyboard."""

    def __init__(
        self,
        cast: Cast,
        devices: Devices,
        settings: Settings,
        history: History | None = None,
        recording: Sequence[Samples] = (),
    ) -> None:
        """`recording`: what `play_recording` says, clip by clip, at 16 kHz."""
        self._cast = cast
        self._devices = devices
        self._settings = settings
        self._recording = recording
        self._listeners: list[Listener] = []
        self._threads = EngineThreads(
            EngineThread("understand", devices.clock), EngineThread("speak", devices.clock)
        )
        self._floor = Floor(
            cast,
            self._threads,
            devices,
            settings,
            history or History(settings.dialogue.memory_turns),
            self.tell,
        )
        self._typed: deque[str] = deque()
        self._typed_into_reply = False
        self._vad_failed = False
        self._injected: deque[Samples] = deque()
        self._state = State.STOPPED
        self._muted = False
        self._stopping = False
        self._beats = 0

    def subscribe(self, listener: Listener) -> None:
        """Have every event told to `listener`, on the event loop, in order."""
        self._listeners.append(listener)

    def go_on_after(self, turn: int) -> None:
        """Number the turns from the one after this: a session is resumed. Before `run`."""
        self._floor.next_turn = turn + 1

    async def run(self) -> None:
        """Load the engines, open the devices and converse until `stop` or the microphone's end.

        Raises:
            VoxtermError: an engine cannot be loaded.
        """
        try:
            await self._load()
            if self._stopping:
                return
            await self._devices.microphone.open(self.tell)
            await self._devices.loudspeaker.open(self.tell)
            self.tell(Ready(self._cast.profile, self._cast.names(), self._cast.voice.name, self._cast.reason))
            for note in self._cast.notes:
                self.tell(Trouble(note, "`voxterm plan` tells more", "plan"))
            while not self._stopping:
                frame = await self._devices.microphone.read()
                if frame is None:
                    break
                self._beat(self._as_heard(frame))
        finally:
            await self._close()

    def stop(self) -> None:
        """Let `run` come to its end: what is being said is cut, what was said is kept."""
        self._stopping = True

    def type_text(self, text: str) -> None:
        """Say a line with the keyboard.

        It interrupts a reply that is heard. What is under way otherwise, speech or an answer to come, goes
        first.
        """
        if not text.strip():
            return
        if len(self._typed) == TYPED_LINES_WAITING:
            what = f"{TYPED_LINES_WAITING} typed lines are waiting already"
            self.tell(Trouble(what, "let them be answered first", "input"))
            return
        self._typed_into_reply = self._floor.audible and not self._typed
        self._typed.append(text.strip())

    def interrupt(self) -> None:
        """Silence the reply."""
        exchange = self._floor.exchange
        if exchange and exchange.over:
            self._floor.cut_off(by_voice=False)
            self._floor.machine.answered()

    def mute(self, muted: bool) -> None:
        """Hear nothing of the microphone, or hear it again."""
        self._muted = muted

    def talk(self, pressed: bool) -> None:
        """The talk key: a turn lasts from its press to its release."""
        if not self._beats or self._stopping:
            return
        machine = self._floor.machine
        signals = machine.press(reply_audible=self._floor.audible) if pressed else machine.release()
        for signal in signals:
            self._floor.follow(signal)

    def repeat(self) -> None:
        """Say the last reply once more."""
        if self._beats and not self._stopping:
            self._floor.repeat()

    def play_recording(self) -> None:
        """Have the recording speak in the microphone's place; it waits where it would talk over a reply."""
        tail_s = self._settings.turns.end_silence_ms / 1000 + 0.5
        tail = np.zeros(round(tail_s * HEARING_RATE_HZ), np.float32)
        for clip in self._recording:
            self._injected.extend(_frames(np.concatenate([clip, tail])))

    def _beat(self, frame: MicrophoneFrame) -> None:
        """All that one frame brings: 32 ms of sound, and the passing of time."""
        floor, machine = self._floor, self._floor.machine
        floor.tape.append(frame)
        probability = self._speech_probability(frame.samples)
        for signal in machine.frame(
            floor.tape.end_sample, len(frame.samples), probability, reply_audible=floor.audible
        ):
            floor.follow(signal)
        if machine.phase is Phase.SPEECH:
            floor.feed()
        floor.beat()
        self._take_typed()
        self._show_state()
        self._beats += 1
        if self._beats % LEVELS_EVERY_FRAMES == 0:
            self._tell_levels(frame.samples, probability)

    def _speech_probability(self, samples: Samples) -> float:
        """0 where the VAD fails: the talk key and typing still work."""
        try:
            return self._cast.vad.probability(samples)
        except Exception as error:  # whatever a model raises
            if not self._vad_failed:
                what = one_line(f"{self._cast.vad.name} failed: {error}")
                self.tell(Trouble(what, "talk with the talk key, or set turns.vad to another", "engine"))
            self._vad_failed = True
            return 0.0

    def _take_typed(self) -> None:
        """Answer the next typed line: at once if it was typed into a reply, else when nothing else is."""
        if not self._typed or self._floor.machine.turn_open:
            return
        if self._floor.exchange is None or self._typed_into_reply:
            self._typed_into_reply = False
            self._floor.answer_typed(self._typed.popleft())

    def _as_heard(self, frame: MicrophoneFrame) -> MicrophoneFrame:
        """The frame, or what stands in its place: the recording, or silence."""
        samples = frame.samples
        if self._injected:
            polite = self._floor.exchange is not None and not self._floor.machine.turn_open
            samples = np.zeros_like(samples) if polite else self._injected.popleft()
        elif self._muted:
            samples = np.zeros_like(samples)
        return MicrophoneFrame(samples, frame.first_sample, frame.ended_at_s)

    def _show_state(self) -> None:
        if self._floor.machine.turn_open:
            state = State.HEARING
        elif self._floor.audible:
            state = State.SPEAKING
        elif self._floor.exchange:
            state = State.THINKING
        elif self._devices.microphone.starting:
            state = State.LOADING
        else:
            state = State.MUTED if self._muted else State.LISTENING
        self._enter(state)

    def _enter(self, state: State) -> None:
        if state is not self._state:
            self._state = state
            self.tell(StateChanged(state, self._devices.clock.now()))

    def _tell_levels(self, samples: Samples, probability: float) -> None:
        rms = float(np.sqrt(np.mean(np.square(samples))))
        self.tell(
            Levels(
                microphone_dbfs=_dbfs(rms),
                loudspeaker_dbfs=_dbfs(self._floor.level()),
                speech_probability=probability,
                buffered_ms=self._floor.buffered_s * 1000,
                overruns=self._devices.microphone.overruns,
                underruns=self._devices.loudspeaker.underruns,
                speech_behind=self._floor.speech_behind,
            )
        )

    async def _load(self) -> None:
        self._enter(State.LOADING)
        call_on_loop = loop_caller()

        def load(engine: Engine) -> None:
            load_engine(engine, lambda event: call_on_loop(self.tell, event))

        def load_voice() -> None:
            load(self._cast.synthesizer)
            next(iter(self._cast.synthesizer.speak("a", self._cast.voice)), None)  # refuses a voice it lacks

        await asyncio.gather(
            asyncio.to_thread(load, self._cast.vad),
            self._threads.understanding.call(lambda: load(self._cast.understanding)),
            self._threads.synthesizer.call(load_voice),
        )

    async def _close(self) -> None:
        """Give everything back, whatever state it is in; what hangs is left behind."""
        self._stopping = True
        async with AsyncExitStack() as things:  # the last one first, each whatever the others raise
            for engine, thread in (
                (self._cast.understanding, self._threads.understanding),
                (self._cast.synthesizer, self._threads.synthesizer),
            ):
                things.push_async_callback(thread.close)
                things.push_async_callback(_within_limit, thread, engine.close)
            things.callback(self._cast.vad.close)
            things.push_async_callback(self._devices.loudspeaker.close)
            things.push_async_callback(self._devices.microphone.close)
            things.callback(self._enter, State.STOPPED)
            things.push_async_callback(self._floor.close)

    def tell(self, event: Event) -> None:
        """Tell every listener. On the event loop."""
        for listener in self._listeners:
            listener(event)


def _frames(samples: Samples) -> Iterator[Samples]:
    """Whole frames, the last filled up with silence."""
    for begin in range(0, len(samples), FRAME_SAMPLES):
        frame = np.zeros(FRAME_SAMPLES, np.float32)
        part = samples[begin : begin + FRAME_SAMPLES]
        frame[: len(part)] = part
        yield frame


def _dbfs(rms: float) -> float:
    """The level relative to a full-scale square wave (RMS 1)."""
    return max(SILENT_DBFS, 20 * math.log10(rms)) if rms > 0 else SILENT_DBFS


async def _within_limit(thread: EngineThread, work: Callable[[], None]) -> None:
    with suppress(asyncio.TimeoutError):
        await asyncio.wait_for(thread.call(work), CLOSE_LIMIT_S)
