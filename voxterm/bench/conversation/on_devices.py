"""A scene on real PortAudio devices, in a private room, in real time.

voxterm runs in a process of its own. The person's side is played into the room as it comes, and the room is
recorded; where each thing was said is then found in the recording, by its samples.
"""

from __future__ import annotations

import pickle
import subprocess
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.random import Generator

from voxterm.audio.resample import StreamResampler, resample
from voxterm.bench.conversation.acoustics import Echo, room_response
from voxterm.bench.conversation.person import Person, Said
from voxterm.bench.conversation.script import ECHO_COUPLING_DB, People, Scene
from voxterm.bench.conversation.simulation import BLOCK_SAMPLES, STARTS_S, noise_of
from voxterm.bench.conversation.traces import likest_place
from voxterm.bench.conversation.witness import Record, Speech, Told
from voxterm.bench.pulse_room import ROOM_RATE_HZ, PulseRoom, open_pulse_room
from voxterm.config import Settings
from voxterm.engines.protocols import HEARING_RATE_HZ, Samples
from voxterm.errors import DeviceError, EngineError

BLOCK_S = BLOCK_SAMPLES / HEARING_RATE_HZ
LEAD_S = 0.08
"""How far ahead of its time the person's sound is written, so that the room never runs dry."""

ROUND_TRIP_MS = 95.0
"""From the loudspeaker through the recording and back into the microphone; measured in such a room."""

LOADING_LIMIT_S = 600.0
ENDING_LIMIT_S = 30.0
SEARCHED_S = 0.5
"""How far from its expected place a voice is looked for in the recording."""

COMPARED_S = 2.0


@dataclass(frozen=True, slots=True)
class Task:
    """What the process with the conversation is to do, and where to leave what it found."""

    settings: Settings
    reply_sentences: int
    found: Path


@dataclass(frozen=True, slots=True)
class Found:
    """What the process with the conversation tells, in its own times (`time.monotonic`)."""

    told: list[Told]
    speeches: list[Speech]


def run_scene(
    scene: Scene, people: People, random: Generator, program: Sequence[str], settings: Settings
) -> Record:
    """Talk a scene through. `program` is given a file with a pickled `Task`.

    Raises:
        DeviceError: there is no private PulseAudio here.
        EngineError: the conversation failed.
    """
    noise = noise_of(scene, people, random)
    echo = None
    if scene.echo_ms is not None:
        delay_ms = max(0.0, scene.echo_ms - ROUND_TRIP_MS)
        echo = Echo(room_response(random, ECHO_COUPLING_DB), delay_ms)
    person = Person(scene.acts, STARTS_S, scene.speaking_s)
    with open_pulse_room() as room:
        task = Task(settings, scene.reply_sentences, room.folder / "found.pickle")
        with _conversation(room, program, task) as process, _Ear(room) as ear:
            began_s = _talk(room, person, noise, echo, ear, process)
        found: Found = pickle.loads(task.found.read_bytes())
    return _record(scene.name, person.said, began_s, ear, found)


@contextmanager
def _conversation(room: PulseRoom, program: Sequence[str], task: Task) -> Iterator[subprocess.Popen[str]]:
    """The conversation's process, listening; asked to end when left."""
    file = room.folder / "task.pickle"
    file.write_bytes(pickle.dumps(task))
    with ExitStack() as things:
        errors = things.enter_context((room.folder / "errors").open("w+"))
        process = things.enter_context(
            subprocess.Popen(
                [*program, str(file)],
                env=room.environment,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
            )
        )
        things.callback(process.kill)
        assert process.stdin
        assert process.stdout
        too_late = threading.Timer(LOADING_LIMIT_S, process.kill)
        too_late.start()
        things.callback(too_late.cancel)
        listening = process.stdout.readline()
        too_late.cancel()
        if listening:
            yield process
            with suppress(BrokenPipeError):
                process.stdin.write("stop\n")
                process.stdin.flush()
        with suppress(subprocess.TimeoutExpired):
            process.wait(ENDING_LIMIT_S)
        if not listening or process.returncode != 0:
            errors.seek(0)
            last = (errors.read().strip().splitlines() or ["it said nothing"])[-1]
            raise EngineError(f"the conversation in the room failed: {last}", "look at voxterm doctor")


def _talk(
    room: PulseRoom,
    person: Person,
    noise: Samples,
    echo: Echo | None,
    ear: _Ear,
    process: subprocess.Popen[str],
) -> float:
    """Say the script, in real time; when its first sample was written, on `time.monotonic`.

    Raises:
        DeviceError, EngineError: the room or the conversation is gone.
    """
    command = ["pacat", "--playback", "--device=person", "--format=float32le", "--channels=1", "--raw"]
    played = _PlayedInBlocks()
    began_s = time.monotonic()
    with subprocess.Popen(
        [*command, f"--rate={HEARING_RATE_HZ}", "--latency-msec=40"],
        env=room.environment,
        stdin=subprocess.PIPE,
    ) as player:
        assert player.stdin
        blocks = 0
        while not person.finished and process.poll() is None:
            time.sleep(max(0.0, began_s + blocks * BLOCK_S - LEAD_S - time.monotonic()))
            heard = ear.take_loudspeaker()
            at = np.arange(blocks * BLOCK_SAMPLES, (blocks + 1) * BLOCK_SAMPLES)
            sound = person.speak(BLOCK_SAMPLES, heard) + noise[at % len(noise)]
            played.push(heard)
            if echo:
                sound = sound + echo.of(played.take())
            try:
                player.stdin.write(sound.astype(np.float32).tobytes())
                player.stdin.flush()
            except BrokenPipeError:
                raise DeviceError("the private sound server is gone", "run voxterm doctor") from None
            blocks += 1
        player.kill()
    return began_s


class _PlayedInBlocks:
    """What was recorded of the loudspeaker, at 16 kHz and in blocks of 10 ms."""

    def __init__(self) -> None:
        self._resampler = StreamResampler(ROOM_RATE_HZ, HEARING_RATE_HZ)
        self._waiting: Samples = np.zeros(2 * BLOCK_SAMPLES, np.float32)  # against its jitter

    def push(self, samples: Samples) -> None:
        self._waiting = np.concatenate([self._waiting, self._resampler.push(samples)])

    def take(self) -> Samples:
        block = np.zeros(BLOCK_SAMPLES, np.float32)
        part, self._waiting = self._waiting[:BLOCK_SAMPLES], self._waiting[BLOCK_SAMPLES:]
        block[: len(part)] = part
        return block


class _Ear:
    """Records both sides of the room, on a thread of its own."""

    def __init__(self, room: PulseRoom) -> None:
        self.begins_s = np.inf
        """When its first sample was in the air, on `time.monotonic`: the earliest that any block allows."""
        self._blocks: list[Samples] = []  # (N, 2) each
        self._taken = 0
        command = ["parec", "--device=room.monitor", "--format=float32le", "--channels=2", "--raw"]
        self._recorder = subprocess.Popen(
            [*command, f"--rate={ROOM_RATE_HZ}", "--latency-msec=10"],
            env=room.environment,
            stdout=subprocess.PIPE,
        )
        self._thread = threading.Thread(target=self._listen, name="voxterm-bench-ear", daemon=True)

    def __enter__(self) -> _Ear:
        self._thread.start()
        return self

    def __exit__(self, *failure: object) -> None:
        self._recorder.kill()
        self._thread.join(ENDING_LIMIT_S)
        self._recorder.wait(ENDING_LIMIT_S)
        assert self._recorder.stdout
        self._recorder.stdout.close()

    def both(self) -> Samples:
        """All of it: the person, the loudspeaker. (N, 2) at ROOM_RATE_HZ"""
        return np.concatenate([np.zeros((0, 2), np.float32), *self._blocks])

    def take_loudspeaker(self) -> Samples:
        """What was recorded of the loudspeaker since the last call. (N,) at ROOM_RATE_HZ"""
        blocks = self._blocks[self._taken :]
        self._taken += len(blocks)
        return np.concatenate([np.zeros(0, np.float32), *(block[:, 1] for block in blocks)])

    def _listen(self) -> None:
        assert self._recorder.stdout
        recorded = 0
        size_bytes = round(ROOM_RATE_HZ * BLOCK_S) * 8  # two float32 a sample
        while len(block := self._recorder.stdout.read(size_bytes)) == size_bytes:
            recorded += size_bytes // 8
            self.begins_s = min(self.begins_s, time.monotonic() - recorded / ROOM_RATE_HZ)
            self._blocks.append(np.frombuffer(block, np.float32).reshape(-1, 2))


def _record(scene: str, said: Sequence[Said], began_s: float, ear: _Ear, found: Found) -> Record:
    """Everything on the time line of the recording."""
    both = ear.both()
    person, loudspeaker = both[:, 0], both[:, 1]
    expected_s = began_s - ear.begins_s
    return Record(
        scene,
        [_placed(one, expected_s, person) for one in said],
        [replace(told, at_s=told.at_s - ear.begins_s) for told in found.told],
        [replace(speech, asked_s=speech.asked_s - ear.begins_s) for speech in found.speeches],
        loudspeaker,
        ROOM_RATE_HZ,
        ear.begins_s,
    )


def _placed(said: Said, offset_s: float, person: Samples) -> Said:
    """The same, where it really is in the recording of the person (N,)."""
    voice = resample(said.line.voice, HEARING_RATE_HZ, ROOM_RATE_HZ)[: round(COMPARED_S * ROOM_RATE_HZ)]
    begin = max(0, round((said.begins_s + offset_s - SEARCHED_S) * ROOM_RATE_HZ))
    searched = person[begin : begin + len(voice) + round(2 * SEARCHED_S * ROOM_RATE_HZ)]
    if len(searched) < len(voice):
        return replace(said, begins_s=said.begins_s + offset_s, ends_s=said.ends_s + offset_s)
    at, _ = likest_place(voice, searched)
    begins_s = (begin + at) / ROOM_RATE_HZ
    return replace(said, begins_s=begins_s, ends_s=begins_s + said.ends_s - said.begins_s)
