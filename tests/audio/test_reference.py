"""What was played can be read at any place of the last seconds, and no more than that is kept."""

from __future__ import annotations

import threading

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from voxterm.audio.echo.reference import KEPT_S, Reference
from voxterm.engines.protocols import HEARING_RATE_HZ, Samples

TONE_HZ = 440.0


def tone(count: int, rate_hz: int, begin: int = 0) -> Samples:
    sound = 0.5 * np.sin(2 * np.pi * TONE_HZ * (begin + np.arange(count)) / rate_hz)
    return np.asarray(sound, np.float32)


def told(reference: Reference, seconds: float, rate_hz: int, begin_s: float = 10.0) -> None:
    """A tone in blocks of 10 ms."""
    block = rate_hz // 100
    for index in range(round(seconds * 100)):
        reference.played(tone(block, rate_hz, index * block), rate_hz, begin_s + index / 100)
        reference.take_in()


@pytest.mark.parametrize("rate_hz", [16_000, 22_050, 24_000, 44_100, 48_000])
@given(begin=st.floats(1000.0, 6000.0), ppm=st.floats(-500.0, 500.0))
def test_a_tone_is_read_between_its_samples(rate_hz: int, begin: float, ppm: float) -> None:
    reference = Reference()
    reference.played(tone(rate_hz // 2, rate_hz), rate_hz, 10.0)
    reference.take_in()
    places = begin + np.arange(160) * (1 + ppm * 1e-6)
    expected = 0.5 * np.sin(2 * np.pi * TONE_HZ * places / HEARING_RATE_HZ)
    read = reference.read(begin, begin + 160 * (1 + ppm * 1e-6), 160)
    assert read == pytest.approx(expected, abs=1e-3)


def test_positions_have_the_time_at_which_they_left() -> None:
    reference = Reference()
    told(reference, 1.0, 48_000)
    assert reference.origin_s == pytest.approx(10.0)
    assert reference.until == pytest.approx(HEARING_RATE_HZ, abs=60)


def test_a_hole_is_silence_of_its_length() -> None:
    """A device that was gone for a while: what comes after it must not be taken for what came before."""
    reference = Reference()
    told(reference, 0.5, 24_000)
    told(reference, 0.5, 24_000, begin_s=11.5)
    assert reference.origin_s == pytest.approx(10.0, abs=0.001)
    assert not reference.read(10_000.0, 10_160.0, 160).any()
    assert reference.read(26_000.0, 26_160.0, 160).any()


def test_a_stamp_that_was_only_estimated_anew_makes_no_hole() -> None:
    reference = Reference()
    told(reference, 0.5, 24_000)
    told(reference, 0.5, 24_000, begin_s=10.53)
    assert reference.origin_s == pytest.approx(10.03)
    assert reference.read(7_990.0, 8_000.0, 10).any()


def test_another_rate_goes_on_where_the_one_before_ended() -> None:
    reference = Reference()
    told(reference, 0.5, 24_000)
    told(reference, 0.5, 48_000, begin_s=10.5)
    assert reference.origin_s == pytest.approx(10.0, abs=0.001)
    assert reference.until == pytest.approx(HEARING_RATE_HZ, abs=60)


def test_what_is_not_known_is_silence() -> None:
    reference = Reference()
    assert reference.origin_s is None
    assert not reference.read(-500.0, -340.0, 160).any()
    told(reference, 0.1, 24_000)
    assert not reference.read(50_000.0, 50_160.0, 160).any()
    assert reference.loudest(-1000, -10) == 0.0
    assert reference.loudest(0, 1600) == pytest.approx(0.5, abs=0.02)


def test_no_more_is_kept_than_the_last_seconds() -> None:
    reference = Reference()
    told(reference, 4 * KEPT_S, 24_000)
    held = sum(array.nbytes for array in vars(reference).values() if isinstance(array, np.ndarray))
    assert held == 2 * KEPT_S * HEARING_RATE_HZ * 4
    newest = float(reference.until)
    assert reference.read(newest - KEPT_S * HEARING_RATE_HZ, newest, 160).any()
    assert not reference.read(100.0, 260.0, 160).any()


def test_a_block_longer_than_all_that_is_kept_is_cut() -> None:
    reference = Reference()
    for begin_s in (10.0, 20.0):
        reference.played(tone(240_000, 24_000), 24_000, begin_s)
        reference.take_in()
    assert reference.until == pytest.approx(20 * HEARING_RATE_HZ, abs=60)
    assert reference.read(float(reference.until - 2000), float(reference.until - 1840), 160).any()


def test_what_nobody_takes_in_is_bounded() -> None:
    """The microphone may be paused for hours while the loudspeaker tells on."""
    reference = Reference()
    for index in range(2000):
        reference.played(tone(240, 24_000), 24_000, 10.0 + index / 100)
    assert len(reference._waiting) <= 401
    reference.take_in()
    told(reference, 0.2, 24_000, begin_s=40.0)
    assert reference.read(float(reference.until - 1000), float(reference.until - 840), 160).any()


def test_it_is_told_on_one_thread_and_read_on_another() -> None:
    reference = Reference()

    def play() -> None:
        for index in range(300):
            reference.played(tone(240, 24_000), 24_000, 10.0 + index / 100)

    thread = threading.Thread(target=play)
    thread.start()
    while thread.is_alive():
        reference.take_in()
    thread.join()
    reference.take_in()
    assert reference.until == pytest.approx(3 * HEARING_RATE_HZ, abs=60)


def test_what_is_told_may_be_changed_afterwards() -> None:
    """PortAudio's block is the device's own memory."""
    reference = Reference()
    block = tone(2400, 24_000)
    reference.played(block, 24_000, 10.0)
    block[:] = 0.0
    reference.take_in()
    assert reference.loudest(0, 1600) > 0.4
