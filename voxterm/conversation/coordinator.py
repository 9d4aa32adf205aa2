"""The coordinator: listen → understand → speak, cancelled at once when the person speaks.

It knows three roles (VAD, SpeechLanguageModel, SpeechSynthesizer), a microphone and a loudspeaker. The
frames of the microphone are its heartbeat: each is judged for speech, brings the turn forward, and is the
moment to look how far the reply has come. What happens goes up as events.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import AsyncExitStack
from typing import Any, TypeAlias

import numpy as np

from voxterm.audio.devices import Kind
from voxterm.audio.protocols import FRAME_SAMPLES, MicrophoneFrame
from voxterm.collector import quiet_collector
from voxterm.config import Settings
from voxterm.conversation.bridge import EngineThread
from voxterm.conversation.cast import Cast, Devices, EngineThreads
from voxterm.conversation.choices import Choices
from voxterm.conversation.floor import Floor
from voxterm.conversation.instruments import Instruments
from voxterm.conversation.loading import load_cast
from voxterm.conversation.personas import Personas
from voxterm.engines.protocols import HEARING_RATE_HZ, Samples, Voice
from voxterm.errors import one_line
from voxterm.events import DialogueCleared, Event, Ready, State, Trouble
from voxterm.history import History
from voxterm.personality import Personality
from voxterm.turns import Phase

TYPED_LINES_WAITING = 16
"""How many typed lines may wait for the person to finish speaking."""

CHIME_LIMIT_FRAMES = 62
"""Two seconds: devices whose times do not settle by then are taken as they are."""

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
            EngineThread("understand", devices.clock),
            EngineThread("speak", devices.clock),
            EngineThread("detect", devices.clock),
        )
        self._floor = Floor(
            cast,
            self._threads,
            devices,
            settings,
            history or History(settings.dialogue.memory_turns),
            self.tell,
        )
        self._choices = Choices(cast, devices, self._floor, self.tell)
        self._personas = Personas(cast, self._floor, self._choices, self.tell)
        self._instruments = Instruments(self._floor, devices, self.tell)
        self._typed: deque[str] = deque()
        self._typed_into_reply = False
        self._vad_failed = False
        self._injected: deque[Samples] = deque()
        self._muted = False
        self._stopping = asyncio.Event()
        self._awake = asyncio.Event()  # not suspended
        self._awake.set()
        self._beats = 0
        self._chimed = False
        self._heard_frames = 0  # until the chime

    def subscribe(self, listener: Listener) -> None:
        """Have every event told to `listener`, on the event loop, in order."""
        self._listeners.append(listener)

    def go_on_after(self, turn: int) -> None:
        """Number the turns from the one after this: a session is resumed."""
        self._floor.exchanges.next_turn = turn + 1

    async def run(self) -> None:
        """Load the engines, open the devices and converse until `stop` or the microphone's end.

        Raises:
            VoxtermError: an engine cannot be loaded.
        """
        with quiet_collector() as all_is_loaded:
            try:
                self._instruments.enter(State.LOADING)
                await self._load()
                all_is_loaded()
                await self._converse()
            finally:
                await self._close()

    async def _load(self) -> None:
        """Load all engines; `stop` does not wait for one that hangs."""
        loading = asyncio.gather(
            load_cast(self._cast, self._floor.mouth, self._threads, self.tell),
            asyncio.to_thread(self._floor.mouth.follower.load),
        )
        stopped = asyncio.ensure_future(self._stopping.wait())
        try:
            parts: set[asyncio.Future[Any]] = {loading, stopped}
            await asyncio.wait(parts, return_when=asyncio.FIRST_COMPLETED)
            if loading.done():
                self._floor.pause_judge.detector, _ = loading.result()
        finally:
            stopped.cancel()
            loading.cancel()

    async def _converse(self) -> None:
        if self._stopping.is_set():
            return
        await self._devices.microphone.open(self.tell)
        await self._devices.loudspeaker.open(self.tell)
        self._tell_ready()
        while not self._stopping.is_set():
            await self._awake.wait()
            frame = await self._devices.microphone.read()
            if frame is None:
                break
            await self._chime()
            if self._awake.is_set():
                self._beat(self._as_heard(frame))

    async def _chime(self) -> None:
        """Once, as soon as it can be measured: the sound by whose echo the room is."""
        front_end = self._devices.front_end
        if self._chimed or front_end is None or self._devices.microphone.starting:
            return
        self._heard_frames += 1
        if not front_end.steady and self._heard_frames < CHIME_LIMIT_FRAMES:
            return
        self._chimed = True
        loudspeaker = self._devices.loudspeaker
        await loudspeaker.write(front_end.chime(loudspeaker.rate_hz))
        loudspeaker.end_reply()

    def stop(self) -> None:
        """Let `run` come to its end: what is being said is cut, what was said is kept."""
        self._stopping.set()
        self._awake.set()

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
        self._typed_into_reply = self._floor.exchanges.audible and not self._typed
        self._typed.append(text.strip())

    def interrupt(self) -> None:
        """Silence the reply."""
        self._floor.interrupt()

    def mute(self, muted: bool) -> None:
        """Hear nothing of the microphone, or hear it again."""
        self._muted = muted

    def talk(self, pressed: bool) -> None:
        """The talk key: a turn lasts from its press to its release."""
        if not self._beats or self._stopping.is_set():
            return
        machine = self._floor.machine
        signals = machine.press(reply_audible=self._floor.exchanges.audible) if pressed else machine.release()
        self._floor.follow(signals)

    def repeat(self) -> None:
        """Say the last reply once more."""
        if self._beats and not self._stopping.is_set():
            self._floor.exchanges.repeat()

    def play_recording(self) -> None:
        """Have the recording speak in the microphone's place; it waits where it would talk over a reply."""
        tail_s = self._settings.turns.end_silence_ms / 1000 + 0.5
        tail = np.zeros(round(tail_s * HEARING_RATE_HZ), np.float32)
        for clip in self._recording:
            self._injected.extend(_frames(np.concatenate([clip, tail])))

    @property
    def voice(self) -> Voice:
        """Who speaks from the next reply on."""
        return self._floor.mouth.speaker.voice

    def choose_voice(self, name: str) -> None:
        """Speak with another voice from the next reply on; what it needs is loaded at once."""
        if not self._stopping.is_set():
            self._choices.voice(name)

    @property
    def personality(self) -> Personality:
        """Who answers from the next question on."""
        return self._floor.personality

    def choose_persona(self, name: str) -> None:
        """Have a persona answer from the next question on, with its voice; "": the system prompt alone."""
        if not self._stopping.is_set():
            self._personas.choose(name)

    def sample_voice(self, name: str | None) -> None:
        """Let a voice say a greeting as soon as nobody speaks, outside of the dialogue; None: silence it."""
        if self._beats and not self._stopping.is_set():
            self._choices.sample(name)

    def set_speed(self, speed: float) -> None:
        """Speak so fast from the next reply on: 0.5 to 2.0, which takes half the time."""
        self._choices.speed(speed)

    def keep_audio(self, kept: bool) -> None:
        """Tell the sound of the turns that begin from now on, so that it is stored, or do not."""
        self._choices.audio(kept)

    def choose_device(self, kind: Kind, wanted: str | int) -> None:
        """Change to another device: "default", a number or a name."""
        self._choices.device(kind, wanted)

    def clear_dialogue(self) -> None:
        """Break off, and let the models forget what was said."""
        self._floor.break_off()
        self._floor.exchanges.take_up(History(self._settings.dialogue.memory_turns))
        self.tell(DialogueCleared())

    async def take_up(self, history: History, last_turn: int) -> None:
        """End what is under way, and go on with another dialogue after that turn.

        All facts of the one before are told when it returns, and none of the next one.
        """
        await self._floor.rest()
        if self._typed:
            what = f"{len(self._typed)} typed lines were not answered any more"
            self.tell(Trouble(what, "type them again where they belong", "input"))
        self._typed.clear()
        self._injected.clear()
        self._floor.exchanges.take_up(history)
        self.go_on_after(last_turn)

    async def suspend(self) -> None:
        """Break off and give the devices back, until `resume`. The models stay."""
        self._awake.clear()
        self._floor.break_off()
        if self._beats:
            self._instruments.show_state(muted=self._muted)
        await asyncio.gather(self._devices.microphone.pause(), self._devices.loudspeaker.pause())

    async def resume(self) -> None:
        """Open the devices again, and listen."""
        if not self._awake.is_set():
            self._devices.microphone.go_on()
            self._devices.loudspeaker.go_on()
            self._awake.set()

    def _tell_ready(self) -> None:
        cast, mouth = self._cast, self._floor.mouth
        self.tell(
            Ready(
                profile=cast.profile,
                engines=cast.names(),
                voice=self.voice.name,
                reason=cast.reason,
                speed=mouth.speed,
                keeps_audio=mouth.keeps_audio,
                precisions=cast.precisions(),
                persona=self.personality.name,
            )
        )
        self._personas.begin()
        for note in cast.notes:
            self.tell(Trouble(note, "`voxterm plan` tells more", "plan"))
        for problem in cast.problems:
            self.tell(Trouble.of(problem))

    def _beat(self, frame: MicrophoneFrame) -> None:
        """All that one frame brings: 32 ms of sound, and the passing of time."""
        floor, machine = self._floor, self._floor.machine
        floor.tape.append(frame)
        probability = self._speech_probability(frame.samples)
        signals = machine.frame(
            floor.tape.end_sample,
            len(frame.samples),
            probability,
            reply_audible=floor.exchanges.audible or floor.answered_just_now,
            reply_is_new=floor.reply_is_new,
        )
        floor.follow(signals)
        if machine.phase is Phase.SPEECH:
            floor.feed()
        floor.beat()
        self._take_typed()
        self._choices.beat()
        self._instruments.show_state(muted=self._muted)
        self._instruments.frame(frame, probability)
        self._beats += 1

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
        if self._floor.exchanges.under_way is None or self._typed_into_reply:
            self._typed_into_reply = False
            self._floor.exchanges.answer_typed(self._typed.popleft())

    def _as_heard(self, frame: MicrophoneFrame) -> MicrophoneFrame:
        """The frame, or what stands in its place: the recording, or silence."""
        samples = frame.samples
        if self._injected:
            polite = self._floor.exchanges.under_way is not None and not self._floor.machine.turn_open
            samples = np.zeros_like(samples) if polite else self._injected.popleft()
        elif self._muted:
            samples = np.zeros_like(samples)
        return MicrophoneFrame(samples, frame.first_sample, frame.ended_at_s)

    async def _close(self) -> None:
        """Give everything back, whatever state it is in; what hangs is left behind."""
        self._stopping.set()
        async with AsyncExitStack() as things:  # the last one first, each whatever the others raise
            for engine, thread in (
                (self._cast.understanding, self._threads.understanding),
                (self._cast.synthesizer, self._threads.synthesizer),
                (self._cast.detector, self._threads.detector),
            ):
                things.push_async_callback(thread.close, engine.close if engine else None)
            things.callback(self._cast.vad.close)
            things.push_async_callback(self._devices.loudspeaker.close)
            things.push_async_callback(self._devices.microphone.close)
            things.callback(self._instruments.enter, State.STOPPED)
            things.push_async_callback(self._floor.close)
            things.push_async_callback(self._choices.close)

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
