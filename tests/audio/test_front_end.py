"""What the front end does in each mode, and which one it chooses by what it hears of the loudspeaker."""

from __future__ import annotations

import sys

import numpy as np
import pytest
from echo_room import LOUDSPEAKER_HZ, Room, level_db
from far_end import DATA, recorded, silence
from hypothesis import given, settings
from hypothesis import strategies as st

from voxterm.audio.echo.chime import CHIME_S, chime
from voxterm.audio.front_end import FrontEnd, FrontEndSettings
from voxterm.audio.wav import read_audio
from voxterm.engines.protocols import HEARING_RATE_HZ, Samples
from voxterm.events import EchoChosen

SETTLING_S = 3.13


def loaded(**wishes: object) -> FrontEnd:
    front_end = FrontEnd(FrontEndSettings(**wishes))  # type: ignore[arg-type]
    front_end.load()
    return front_end


def told_while(front_end: FrontEnd, room: Room, played: Samples, heard: Samples) -> list[EchoChosen]:
    """All that it chose while this went on."""
    news = [front_end.chosen() for _ in room.blocks(front_end, played, heard)]
    return [chosen for chosen in news if chosen]


def after_chime(room: Room, person: Samples | None = None) -> EchoChosen:
    """What it chooses by the chime."""
    front_end = loaded()
    played = np.concatenate([silence(SETTLING_S), front_end.chime(LOUDSPEAKER_HZ), silence(3.0)])
    (chosen,) = told_while(front_end, room, played, room.heard(played, person))
    return chosen


# Modes


@given(st.lists(st.integers(0, 700), max_size=20))
@settings(deadline=None)
def test_off_lets_every_sample_through_at_once(counts: list[int]) -> None:
    front_end = loaded(echo="off")
    at_s = 100.0
    for count in counts:
        samples = np.random.default_rng(count).normal(0.0, 0.1, count).astype(np.float32)
        assert np.array_equal(front_end.hear(samples, at_s), samples)
        at_s += count / HEARING_RATE_HZ


@pytest.mark.parametrize("echo", ["cancel", "half_duplex", "auto"])
@given(counts=st.lists(st.integers(0, 700), min_size=1, max_size=20))
@settings(deadline=None, max_examples=20)
def test_no_sample_is_lost_or_moved_while_nothing_is_played(echo: str, counts: list[int]) -> None:
    """They may come up to 287 samples later; their times are by their number."""
    front_end = loaded(echo=echo)
    speech = read_audio(DATA / "demo-2.flac")[: sum(counts)]
    given_back = []
    for end, count in zip(np.cumsum(counts), counts, strict=True):
        part = speech[end - count : end]
        given_back.append(front_end.hear(part, 100.0 + (end - count) / HEARING_RATE_HZ))
    joined = np.concatenate(given_back)
    assert len(speech) - 288 < len(joined) <= len(speech)
    assert np.array_equal(joined, speech[: len(joined)])


def test_suppressed_noise_and_gain_keep_the_samples_places() -> None:
    front_end = loaded(echo="off", noise_suppression=True, gain_control=True)
    speech = read_audio(DATA / "demo-1.flac")
    noise = np.random.default_rng(1).normal(0.0, 0.01, 3 * HEARING_RATE_HZ).astype(np.float32)
    heard = np.concatenate([noise, speech])
    cleaned = np.concatenate(
        [
            front_end.hear(heard[at : at + 512], 50.0 + at / HEARING_RATE_HZ)
            for at in range(0, len(heard), 512)
        ]
    )
    assert len(heard) - 260 < len(cleaned) <= len(heard)
    assert level_db(cleaned[HEARING_RATE_HZ : len(noise)]) < level_db(noise) - 6
    begin, count = len(noise) + HEARING_RATE_HZ, 2 * HEARING_RATE_HZ
    before, after = heard[begin : begin + count], cleaned[begin : begin + count]
    match = np.fft.irfft(np.fft.rfft(after) * np.fft.rfft(before).conj())
    late = (int(np.argmax(match)) + 100) % count - 100
    assert abs(late) <= 8, "half a millisecond is the filter's own"


def test_half_duplex_is_deaf_while_the_loudspeaker_sounds_and_a_little_longer() -> None:
    front_end = loaded(echo="half_duplex")
    room = Room(delay_s=0.05)
    played = np.concatenate([silence(1.0), recorded()[:48_000], silence(2.0)])
    person = np.full(round(4.5 * HEARING_RATE_HZ), 0.2, np.float32)
    heard = room.heard(played, person)
    cleaned = room.cleaned(front_end, played, heard)
    opens = np.flatnonzero(cleaned) / HEARING_RATE_HZ
    assert opens.min() == 0.0
    closed = np.flatnonzero(cleaned == 0.0) / HEARING_RATE_HZ
    assert 0.9 < closed.min() < 1.1
    assert 3.0 < closed.max() < 3.5
    assert np.all(np.diff(closed) < 0.011), "once, from beginning to end"
    assert np.array_equal(cleaned[: round(0.9 * HEARING_RATE_HZ)], heard[: round(0.9 * HEARING_RATE_HZ)])


def test_without_livekit_it_is_half_duplex_and_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "livekit.rtc", None)
    for echo in ("auto", "cancel"):
        front_end = loaded(echo=echo, noise_suppression=True)
        chosen = front_end.chosen()
        assert chosen is not None
        assert chosen.mode == "half_duplex"
        assert "livekit" in chosen.why
        room = Room()
        played = np.concatenate([silence(1.0), recorded()[:48_000]])
        cleaned = room.cleaned(front_end, played, room.heard(played))
        assert level_db(cleaned[round(1.5 * HEARING_RATE_HZ) :]) < -100


@pytest.mark.parametrize("echo", ["cancel", "half_duplex", "off"])
def test_what_the_settings_say_is_told_once(echo: str) -> None:
    front_end = loaded(echo=echo)
    chosen = front_end.chosen()
    assert chosen is not None
    assert (chosen.mode, chosen.coupling_db) == (echo, None)
    assert front_end.chosen() is None


def test_closed_or_not_yet_loaded_it_lets_everything_through() -> None:
    front_end = FrontEnd(FrontEndSettings())
    samples = np.ones(100, np.float32)
    assert np.array_equal(front_end.hear(samples, 1.0), samples)
    front_end.load()
    front_end.close()
    front_end.close()
    assert np.array_equal(front_end.hear(samples, 2.0), samples)
    assert front_end.chosen() is None
    assert front_end.echo_reduced_db is None


def test_it_is_steady_once_both_devices_have_run_for_a_while() -> None:
    """A chime that is played sooner measures what changes a moment later."""
    front_end, room = loaded(), Room()
    played = silence(5.0)
    steady = [front_end.steady for _ in room.blocks(front_end, played, room.heard(played))]
    assert steady.index(True) in range(250, 300)
    assert all(steady[300:])
    deaf = loaded()
    deaf.hear(np.zeros(5 * HEARING_RATE_HZ, np.float32), 10.0)
    assert not deaf.steady, "nothing was told of a loudspeaker"


# Choosing


@pytest.mark.parametrize(
    "room", [Room(), Room(delay_s=0.3), Room(delay_s=0.08, jitter_s=0.001), Room(noise=0.01)]
)
def test_an_echo_is_measured_by_the_chime(room: Room) -> None:
    chosen = after_chime(room)
    assert chosen.mode == "cancel"
    assert chosen.coupling_db == pytest.approx(room.coupling_db, abs=2.5)
    assert chosen.delay_ms == pytest.approx(room.delay_s * 1000, abs=3.0)


def test_headphones_need_nothing() -> None:
    for noise in (0.0, 1e-4, 3e-4, 1e-3, 1e-2):
        chosen = after_chime(Room(coupling_db=-75.0, noise=noise))
        assert chosen.mode == "off"
        assert chosen.coupling_db is None or chosen.coupling_db < -70


def test_a_person_who_speaks_into_the_chime_is_not_taken_for_silence() -> None:
    """They may hide the echo; then it is cancelled, for whatever there is."""
    speech = read_audio(DATA / "demo-1.flac")
    person = np.concatenate([np.zeros(round(2.5 * HEARING_RATE_HZ), np.float32), speech])
    for coupling_db in (0.0, -20.0, -70.0):
        assert after_chime(Room(coupling_db=coupling_db), person).mode == "cancel"


@pytest.mark.parametrize(("coupling_db", "noise"), [(-50.0, 1e-4), (-40.0, 1e-3), (-20.0, 1e-2)])
def test_an_echo_that_the_vad_would_take_for_speech_is_cancelled_however_faint(
    coupling_db: float, noise: float
) -> None:
    """Silero VAD still knows speech at -70 dBFS, and at 5 dB below the noise."""
    assert after_chime(Room(coupling_db=coupling_db, noise=noise)).mode == "cancel"


def test_without_a_chime_the_first_reply_decides() -> None:
    room = Room(delay_s=0.1)
    played = np.concatenate([silence(1.0), recorded()])
    (chosen,) = told_while(loaded(), room, played, room.heard(played))
    assert chosen.mode == "cancel"
    assert chosen.coupling_db == pytest.approx(-6.0, abs=3.0)


def test_a_loudspeaker_that_is_heard_after_all_is_cancelled() -> None:
    """The headphones were taken off."""
    front_end = loaded()
    on, taken_off = Room(coupling_db=-90.0), Room(delay_s=0.05)
    played = np.concatenate(
        [silence(1.0), front_end.chime(LOUDSPEAKER_HZ), silence(2.0), recorded(), recorded()]
    )
    changes = round((3.0 + CHIME_S) * HEARING_RATE_HZ)
    heard = np.concatenate([on.heard(played)[:changes], taken_off.heard(played)[changes:]])
    cleaned: list[Samples] = []
    chosen: list[tuple[float, EchoChosen]] = []
    for at, block in enumerate(on.blocks(front_end, played, heard)):
        cleaned.append(block)
        if news := front_end.chosen():
            chosen.append((at / 100, news))
    (first_s, first), (second_s, second) = chosen
    assert (first.mode, second.mode) == ("off", "cancel")
    assert first_s < changes / HEARING_RATE_HZ < second_s < changes / HEARING_RATE_HZ + 2.5
    joined = np.concatenate(cleaned)
    assert len(heard) - 448 <= len(joined) <= len(heard)
    end = len(joined)
    assert level_db(heard[end - 2 * HEARING_RATE_HZ : end]) - level_db(joined[-2 * HEARING_RATE_HZ :]) > 30


def test_another_device_is_measured_anew() -> None:
    front_end = loaded()
    for room, mode in ((Room(), "cancel"), (Room(coupling_db=-90.0, begin_s=9000.0), "off")):
        played = np.concatenate([silence(1.0), front_end.chime(LOUDSPEAKER_HZ), silence(2.0)])
        (chosen,) = told_while(front_end, room, played, room.heard(played))
        assert chosen.mode == mode
        front_end.reset()


def test_after_a_gap_what_was_learnt_of_the_room_still_holds(monkeypatch: pytest.MonkeyPatch) -> None:
    """The microphone lost half a second; the echo is gone at once where it goes on."""
    front_end = loaded(echo="cancel")
    room = Room(delay_s=0.05)
    played = np.concatenate([silence(1.0), recorded(), recorded()])
    heard = room.heard(played)
    lost = slice(8 * HEARING_RATE_HZ, 8 * HEARING_RATE_HZ + 8000)
    given_back = []
    blocks = room.blocks(front_end, played, heard)
    for at in range(0, len(heard) - 160, 160):
        if at == lost.start:
            monkeypatch.setattr(front_end, "hear", lambda samples, _: samples[:0])
        if at == lost.stop:
            monkeypatch.undo()
            front_end.gap()
        given_back.append(next(blocks))
    cleaned = np.concatenate(given_back[lost.stop // 160 + 30 :])
    assert level_db(heard[lost.stop + 4800 :]) > -35
    assert level_db(cleaned) < -65


# The chime


@pytest.mark.parametrize("rate_hz", [16_000, 24_000, 44_100, 48_000])
def test_the_chime_is_short_soft_and_without_clicks(rate_hz: int) -> None:
    sound = chime(rate_hz)
    assert len(sound) == round(CHIME_S * rate_hz)
    assert 0.4 <= CHIME_S <= 0.6
    assert float(np.abs(sound).max()) < 0.3
    assert -30 < level_db(sound) < -24
    assert max(abs(float(sound[0])), abs(float(sound[-1]))) < 0.005
    assert np.array_equal(sound, chime(rate_hz))


def test_the_chime_sounds_at_all_heights() -> None:
    """A room is measured by what is played in it: each octave from 250 Hz to 7 kHz has its part."""
    power = np.abs(np.fft.rfft(chime(LOUDSPEAKER_HZ))) ** 2
    height_hz = np.fft.rfftfreq(round(CHIME_S * LOUDSPEAKER_HZ), 1 / LOUDSPEAKER_HZ)
    for low_hz in (250, 500, 1000, 2000, 4000):
        octave = power[(height_hz >= low_hz) & (height_hz < min(7000, 2 * low_hz))]
        assert octave.sum() > 0.002 * power.sum()
