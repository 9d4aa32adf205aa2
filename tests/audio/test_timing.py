"""The times of samples are right however late the callbacks come, and whatever PortAudio says at a start."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from voxterm.audio.timing import BlockTimes, SampleTimes

RATE_HZ = 48000
BLOCK = 240
BLOCK_S = BLOCK / RATE_HZ


def fed(times: SampleTimes, late_s: list[float], ahead_s: float, begin_s: float = 50.0) -> None:
    """Blocks of an input that runs since `begin_s`, each called so much later than it was complete."""
    for index, late in enumerate(late_s):
        called_s = begin_s + (index + 1) * BLOCK_S + late
        times.observe(index * BLOCK, BLOCK, BlockTimes(called_s, ahead_s - late))


@given(late_ms=st.lists(st.floats(0.0, 40.0), min_size=50, max_size=400), prompt=st.integers(0, 49))
def test_late_callbacks_do_not_move_the_samples(late_ms: list[float], prompt: int) -> None:
    """One prompt callback is enough, wherever among the late ones it is."""
    late_ms[-1 - prompt] = 0.0
    times = SampleTimes("microphone", RATE_HZ, 0.02)
    fed(times, [late / 1000 for late in late_ms], ahead_s=-3.0)  # beyond belief: no delay is known
    assert times.at(0) == pytest.approx(50.0, abs=1e-6)
    assert times.at(RATE_HZ) == pytest.approx(51.0, abs=1e-6)


def test_what_waits_in_the_device_is_taken_off_once_it_is_known() -> None:
    times = SampleTimes("microphone", RATE_HZ, 0.02)
    fed(times, [0.0] * 1000, ahead_s=-BLOCK_S - 0.03)
    assert times.at(0) == pytest.approx(50.0 - 0.03, abs=1e-6)


def test_lies_at_a_start_are_not_believed() -> None:
    """PulseAudio claims for 1.3 s that what it gives was recorded 0.6 s ago, and it was not."""
    times = SampleTimes("microphone", RATE_HZ, 0.02)
    fed(times, [0.0] * 260, ahead_s=-0.61)
    assert times.at(0) == pytest.approx(50.0, abs=1e-6)


def test_sound_is_never_heard_before_it_is_there() -> None:
    times = SampleTimes("microphone", RATE_HZ, 0.02)
    fed(times, [0.0] * 1000, ahead_s=0.004)
    assert times.at(0) == pytest.approx(50.0, abs=1e-6)


def test_an_output_leaves_later_than_it_is_handed_over() -> None:
    times = SampleTimes("loudspeaker", RATE_HZ, 0.02)
    times.observe(0, BLOCK, BlockTimes(50.0, 0.0))
    assert times.at(0) == pytest.approx(50.02)  # as claimed
    for index in range(1, 1000):
        times.observe(index * BLOCK, BLOCK, BlockTimes(50.0 + index * BLOCK_S, 0.025))
    assert times.at(0) == pytest.approx(50.025)  # as measured


def test_a_stall_voids_what_was_learnt() -> None:
    """An output may take five blocks at once when it starts, then nothing for 1.8 s."""
    times = SampleTimes("loudspeaker", RATE_HZ, 0.02)
    for index in range(5):
        times.observe(index * BLOCK, BLOCK, BlockTimes(50.0, 0.0))
    times.observe(5 * BLOCK, BLOCK, BlockTimes(51.8, 0.02))
    assert times.at(5 * BLOCK) == pytest.approx(51.82)


def test_a_slow_drift_of_the_device_is_followed() -> None:
    times = SampleTimes("microphone", RATE_HZ, 0.02)
    for index in range(60 * 200):  # a minute at 200 ppm: 12 ms
        times.observe(index * BLOCK, BLOCK, BlockTimes(50.0 + (index + 1) * BLOCK_S * 1.0002, -BLOCK_S))
    assert times.at(60 * RATE_HZ) == pytest.approx(50.0 + 60 * 1.0002, abs=0.001)


def test_a_delay_that_wanders_does_not_move_the_samples() -> None:
    """PulseAudio's figure goes up and down by 10 ms within seconds, while the sound runs on evenly."""
    times = SampleTimes("loudspeaker", RATE_HZ, 0.02)
    for index in range(3000):
        ahead_s = 0.02 + (0.0 if index < 700 else 0.0001 * (index % 200))
        times.observe(index * BLOCK, BLOCK, BlockTimes(50.0 + index * BLOCK_S, ahead_s))
        if index > 700:
            assert times.at(0) == pytest.approx(50.02, abs=1e-6)


def test_another_delay_is_taken_on() -> None:
    """The sound server has given the stream a longer buffer."""
    times = SampleTimes("loudspeaker", RATE_HZ, 0.02)
    for index in range(3000):
        ahead_s = 0.02 if index < 1500 else 0.09
        times.observe(index * BLOCK, BLOCK, BlockTimes(50.0 + index * BLOCK_S, ahead_s))
    assert times.at(0) == pytest.approx(50.09, abs=1e-6)
