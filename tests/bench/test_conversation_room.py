"""The simulated room: what the microphone hears of the person, the noise and the loudspeaker, and when."""

from __future__ import annotations

import numpy as np
import pytest
from hand_clock import HandClock

from voxterm.audio.front_end import FrontEnd, FrontEndSettings
from voxterm.audio.recording import RecordedLoudspeaker
from voxterm.bench.conversation.acoustics import Echo, room_response
from voxterm.bench.conversation.lines import Line
from voxterm.bench.conversation.person import Person
from voxterm.bench.conversation.script import Act, Say
from voxterm.bench.conversation.simulation import REFERENCE_BEHIND_MS, RoomMicrophone
from voxterm.engines.protocols import HEARING_RATE_HZ, Samples
from voxterm.events import DeviceChanged, Trouble

PLAYED_HZ = 24_000
SILENCE: Samples = np.zeros(160, np.float32)
CLICK: Samples = np.ones(1, np.float32)


def rms(samples: Samples) -> float:
    return float(np.sqrt(np.mean(np.square(samples))))


@pytest.mark.parametrize("coupling_db", [-6.0, -20.0])
def test_an_echo_is_as_loud_as_the_coupling_says(coupling_db: float) -> None:
    random = np.random.default_rng(1)
    played = random.normal(0, 0.1, 4 * HEARING_RATE_HZ).astype(np.float32)
    echo = Echo(room_response(random, coupling_db), 80.0)
    heard = np.concatenate([echo.of(block) for block in played.reshape(-1, 160)])
    settled = heard[HEARING_RATE_HZ:]
    assert 20 * np.log10(rms(settled) / rms(played)) == pytest.approx(coupling_db, abs=0.5)


@pytest.mark.parametrize("delay_ms", [0.0, 10.0, 80.0, 200.0])
def test_an_echo_comes_after_its_delay_to_the_sample(delay_ms: float) -> None:
    echo = Echo(np.array([0.5, 0.0, 0.25], np.float32), delay_ms)
    click = SILENCE.copy()
    click[3] = 1.0
    heard = np.concatenate([echo.of(block) for block in [click, *[SILENCE] * 30]])
    at = 3 + round(delay_ms * 16)
    assert list(np.flatnonzero(heard)) == [at, at + 2]
    assert heard[at] == pytest.approx(0.5)
    assert heard[at + 2] == pytest.approx(0.25)


def test_a_room_dies_away_within_its_tail() -> None:
    response = room_response(np.random.default_rng(2), -6.0)
    assert len(response) == 1600
    assert response[0] == np.abs(response).max()
    assert rms(response[-160:]) < 0.01 * rms(response[1:161])


class Room:
    """A microphone in a room on a clock that is moved by hand."""

    def __init__(self, *acts: Act, noise: Samples = SILENCE, echo: Echo | None = None) -> None:
        self.clock = HandClock()
        self.loudspeaker = RecordedLoudspeaker(self.clock, PLAYED_HZ)
        self.person = Person(acts, starts_s=0.0)
        self.microphone = RoomMicrophone(
            self.person, noise, echo, self.loudspeaker, self.clock, FrontEnd(FrontEndSettings("off"))
        )

    async def heard(self, frames: int, *, plays: Samples = SILENCE[:0], at_frame: int = 0) -> Samples:
        """What the microphone hears in so many frames; in one of them the loudspeaker is given something."""

        def report(event: DeviceChanged | Trouble) -> None:
            raise AssertionError(event)

        async def listen() -> Samples:
            await self.microphone.open(report)
            await self.loudspeaker.open(report)
            found = []
            for number in range(frames):
                if number == at_frame and len(plays):
                    await self.loudspeaker.write(plays)
                frame = await self.microphone.read()
                assert frame is not None
                assert frame.first_sample == number * 512
                assert frame.ended_at_s == pytest.approx(self.microphone.opened_s + (number + 1) * 0.032)
                found.append(frame.samples)
            return np.concatenate(found)

        return await self.clock.running(listen())


async def test_a_person_is_heard_where_they_say_they_spoke() -> None:
    voice = np.linspace(0.1, 0.9, 1000, dtype=np.float32)
    line = Line("ramp", np.concatenate([SILENCE, voice, SILENCE]), 160, 1160, 1, made=False)
    room = Room(Say(line, 0.0))
    heard = await room.heard(10)
    (said,) = room.person.said
    begins, ends = (round(at_s * HEARING_RATE_HZ) for at_s in (said.begins_s, said.ends_s))
    assert np.array_equal(heard[begins:ends], voice)
    assert not heard[:begins].any()


async def test_noise_goes_on_without_a_seam() -> None:
    noise = np.linspace(0.1, 0.9, 400, dtype=np.float32)
    heard = await Room(noise=noise).heard(5)
    assert np.array_equal(heard, np.resize(noise, len(heard)))


@pytest.mark.parametrize("delay_ms", [80.0, 200.0])
async def test_the_loudspeaker_comes_back_after_the_delay(delay_ms: float) -> None:
    room = Room(echo=Echo(CLICK, delay_ms - REFERENCE_BEHIND_MS))
    tone = (0.5 * np.sin(2 * np.pi * 500 * np.arange(2400) / PLAYED_HZ)).astype(np.float32)
    heard = await room.heard(20, plays=tone, at_frame=4)
    written_s = room.loudspeaker.played_at(0)
    assert written_s is not None
    begins = round((written_s - room.microphone.opened_s + delay_ms / 1000) * HEARING_RATE_HZ)
    expected = 0.5 * np.sin(2 * np.pi * 500 * np.arange(1600) / HEARING_RATE_HZ)
    assert heard[begins + 50 : begins + 1550] == pytest.approx(expected[50:1550], abs=0.02)
    assert np.abs(heard[: begins - 50]).max() < 1e-3


async def test_what_was_played_is_kept_on_the_same_time_line() -> None:
    room = Room()
    tone = np.full(2400, 0.5, np.float32)
    await room.heard(20, plays=tone, at_frame=4)
    played = room.microphone.played()
    written_s = room.loudspeaker.played_at(0)
    assert written_s is not None
    begins = round((written_s - room.microphone.opened_s) * PLAYED_HZ)
    assert abs(int(np.flatnonzero(played)[0]) - begins) <= 1
    assert np.count_nonzero(played) == 2400
