"""A scene on files: the person, the noise and the echo are mixed into the microphone, 10 ms at a time.

It runs on `SkippingClock`, faster than real time and with the latencies that it would have. The devices
themselves cost nothing here.
"""

from __future__ import annotations

import asyncio

import numpy as np
from numpy.random import Generator

from voxterm.audio.front_end import FrontEnd, FrontEndSettings
from voxterm.audio.protocols import FRAME_SAMPLES, MicrophoneFrame, Report
from voxterm.audio.recording import LOUDSPEAKER_FILE_HZ, RecordedLoudspeaker
from voxterm.audio.resample import StreamResampler
from voxterm.bench.conversation import noises
from voxterm.bench.conversation.acoustics import Echo, room_response
from voxterm.bench.conversation.lines import SPEECH_DBFS
from voxterm.bench.conversation.person import Person
from voxterm.bench.conversation.script import ECHO_COUPLING_DB, People, Scene
from voxterm.bench.conversation.witness import Record, Told, watched
from voxterm.clock import Clock, SkippingClock
from voxterm.config import Settings
from voxterm.conversation import Cast, Conversation, Devices
from voxterm.engines.protocols import HEARING_RATE_HZ, Samples

BLOCK_SAMPLES = 160
REFERENCE_BEHIND_MS = 10.0
"""The echo is made of what was played in the block before: the last millisecond is still in the resampler."""

STARTS_S = 2.5
"""What voxterm does at the start of a conversation is over by then."""

QUIET_ROOM_DB = 50.0
"""How far below the person the noise of a quiet room is."""

NOISE_S = 20.0
"""After this a noise begins anew."""


def run_scene(scene: Scene, people: People, random: Generator, cast: Cast, settings: Settings) -> Record:
    """Talk a scene through.

    Raises:
        VoxtermError: an engine cannot be loaded.
    """
    return asyncio.run(_run(scene, people, random, cast, settings))


async def _run(scene: Scene, people: People, random: Generator, cast: Cast, settings: Settings) -> Record:
    clock = SkippingClock()
    loudspeaker = RecordedLoudspeaker(clock, LOUDSPEAKER_FILE_HZ)
    person = Person(scene.acts, STARTS_S, scene.speaking_s)
    noise = noise_of(scene, people, random)
    echo = None
    if scene.echo_ms is not None:
        delay_ms = scene.echo_ms - REFERENCE_BEHIND_MS
        echo = Echo(room_response(random, ECHO_COUPLING_DB), delay_ms)
    audio = settings.audio
    front_end = FrontEnd(FrontEndSettings(audio.echo, audio.noise_suppression, audio.gain_control))
    microphone = RoomMicrophone(person, noise, echo, loudspeaker, clock, front_end)
    record = Record(scene.name, person.said, loudspeaker_hz=LOUDSPEAKER_FILE_HZ)
    cast = watched(cast, lambda: clock.now() - microphone.opened_s, record.speeches, scene.reply_sentences)
    conversation = Conversation(cast, Devices(microphone, loudspeaker, clock, front_end), settings)
    conversation.subscribe(lambda event: record.told.append(Told(clock.now() - microphone.opened_s, event)))
    await conversation.run()
    record.begins_s = microphone.opened_s
    record.loudspeaker = microphone.played()
    return record


def noise_of(scene: Scene, people: People, random: Generator) -> Samples:
    """The noise of the place, to be repeated. (N,) at 16 kHz"""
    rms = 10 ** ((SPEECH_DBFS - (scene.noise_db if scene.noise else QUIET_ROOM_DB)) / 20)
    if scene.noise == "babble":
        return noises.babble(random, people.lines, NOISE_S, rms)
    return noises.white(random, NOISE_S, rms)


class RoomMicrophone:
    """Hears the person, the noise and the echo. Ends when the person has finished."""

    def __init__(
        self,
        person: Person,
        noise: Samples,
        echo: Echo | None,
        loudspeaker: RecordedLoudspeaker,
        clock: Clock,
        front_end: FrontEnd,
    ) -> None:
        self.name = "room"
        self.overruns = 0
        self.opened_s = 0.0
        self._person = person
        self._noise = noise
        self._echo = echo
        self._loudspeaker = loudspeaker
        self._clock = clock
        self._front_end = front_end
        self._to_hearing = StreamResampler(loudspeaker.rate_hz, HEARING_RATE_HZ)
        self._reference: Samples = np.zeros(0, np.float32)  # played and not yet echoed, at 16 kHz
        self._played: list[tuple[float, Samples]] = []
        self._blocks = 0
        self._cleaned: Samples = np.zeros(0, np.float32)
        self._frames = 0
        loudspeaker.tap(self._keep)
        loudspeaker.tap(lambda samples, left_s: front_end.played(samples, loudspeaker.rate_hz, left_s))

    @property
    def starting(self) -> bool:
        return False

    async def open(self, report: Report) -> None:
        await asyncio.to_thread(self._front_end.load)
        self.opened_s = self._clock.now()

    async def read(self) -> MicrophoneFrame | None:
        while len(self._cleaned) < FRAME_SAMPLES:
            if self._person.finished:
                return None
            await self._next_block()
        frame, self._cleaned = self._cleaned[:FRAME_SAMPLES], self._cleaned[FRAME_SAMPLES:]
        first_sample = self._frames * FRAME_SAMPLES
        self._frames += 1
        ended_at_s = self.opened_s + (first_sample + FRAME_SAMPLES) / HEARING_RATE_HZ
        return MicrophoneFrame(frame, first_sample, ended_at_s)

    def change_to(self, wanted: str | int) -> None:
        """There is no other."""

    async def pause(self) -> None:
        """Nothing to give back."""

    def go_on(self) -> None:
        """Nothing was given back."""

    async def close(self) -> None:
        self._front_end.close()

    def played(self) -> Samples:
        """What has left the loudspeaker since the microphone was opened. (N,) at the loudspeaker's rate"""
        rate_hz = self._loudspeaker.rate_hz
        if not self._played:
            return np.zeros(0, np.float32)
        last_s, last = self._played[-1]
        sound = np.zeros(round((last_s - self.opened_s) * rate_hz) + len(last), np.float32)
        for left_s, samples in self._played:
            at = round((left_s - self.opened_s) * rate_hz)
            sound[at : at + len(samples)] = samples
        return sound

    async def _next_block(self) -> None:
        """10 ms more of the room, once they are over."""
        begins_s = self.opened_s + self._blocks * BLOCK_SAMPLES / HEARING_RATE_HZ
        ends_s = begins_s + BLOCK_SAMPLES / HEARING_RATE_HZ
        await self._clock.sleep_until(ends_s)
        self._loudspeaker.play_until(ends_s)
        played = self._take_played()
        at = np.arange(self._blocks * BLOCK_SAMPLES, (self._blocks + 1) * BLOCK_SAMPLES)
        heard = self._person.speak(BLOCK_SAMPLES, played) + self._noise[at % len(self._noise)]
        if self._echo:
            heard = heard + self._echo.of(played)
        self._blocks += 1
        cleaned = self._front_end.hear(heard.astype(np.float32), begins_s)
        self._cleaned = np.concatenate([self._cleaned, cleaned])

    def _keep(self, samples: Samples, left_s: float) -> None:
        if not self._played:  # the loudspeaker was opened after the microphone
            behind = round((left_s - self.opened_s) * HEARING_RATE_HZ) + BLOCK_SAMPLES
            self._reference = np.zeros(max(0, behind), np.float32)
        self._played.append((left_s, samples.copy()))
        self._reference = np.concatenate([self._reference, self._to_hearing.push(samples)])

    def _take_played(self) -> Samples:
        """What was played in the block before."""
        played = np.zeros(BLOCK_SAMPLES, np.float32)
        part = self._reference[:BLOCK_SAMPLES]
        played[: len(part)] = part
        self._reference = self._reference[BLOCK_SAMPLES:]
        return played
