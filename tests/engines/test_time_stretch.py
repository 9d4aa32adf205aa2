from __future__ import annotations

import numpy as np
import pytest
from demo_clips import clip
from hypothesis import given, settings
from hypothesis import strategies as st

from voxterm.engines.protocols import Samples
from voxterm.engines.time_stretch import SEARCH_S, SEGMENT_S, TimeStretch

RATE_HZ = 16_000


def stretched(samples: Samples, speed: float, chunk: int = 1000) -> Samples:
    stretch = TimeStretch(speed, RATE_HZ)
    given = [stretch.push(samples[begin : begin + chunk]) for begin in range(0, len(samples), chunk)]
    return np.concatenate([*given, stretch.finish()])


def tone(hz: float, seconds: float) -> Samples:
    return np.sin(2 * np.pi * hz * np.arange(round(seconds * RATE_HZ)) / RATE_HZ).astype(np.float32)


def pitch_hz(samples: Samples) -> float:
    spectrum = np.abs(np.fft.rfft(samples * np.hanning(len(samples))))
    return float(np.argmax(spectrum)) * RATE_HZ / len(samples)


@settings(deadline=None)
@given(st.integers(0, 20_000), st.floats(0.5, 2.0), st.integers(1, 5000))
def test_it_takes_as_long_as_it_should_however_it_is_cut(count: int, speed: float, chunk: int) -> None:
    samples = np.random.default_rng(0).normal(0, 0.1, count).astype(np.float32)
    result = stretched(samples, speed, chunk)
    assert len(result) == round(count / speed)
    np.testing.assert_array_equal(result, stretched(samples, speed, 20_000))


@pytest.mark.parametrize("speed", [0.5, 0.8, 1.25, 2.0])
@pytest.mark.parametrize("hz", [110.0, 233.0])
def test_pitch_and_loudness_stay(speed: float, hz: float) -> None:
    result = stretched(tone(hz, 2.0), speed)[1600:-3200]
    assert pitch_hz(result) == pytest.approx(hz, abs=2.0)
    assert float(np.std(result)) == pytest.approx(0.707, rel=0.02)
    assert float(np.max(np.abs(np.diff(result)))) < 1.2 * float(np.max(np.abs(np.diff(tone(hz, 0.1)))))


def test_at_normal_speed_speech_is_unchanged() -> None:
    samples = clip("demo-2")
    result = stretched(samples, 1.0)
    inner = slice(0, len(samples) - RATE_HZ // 10)
    np.testing.assert_allclose(result[inner], samples[inner], atol=1e-5)


@pytest.mark.parametrize("speed", [0.6, 1.5])
def test_speech_keeps_its_loudness_over_time(speed: float) -> None:
    samples = clip("demo-1")[: 4 * RATE_HZ]
    result = stretched(samples, speed)
    block, other = round(0.2 * RATE_HZ), round(0.2 * RATE_HZ / speed)
    before = [float(np.std(samples[at : at + block])) for at in range(0, len(samples) - block, block)]
    after = [float(np.std(result[at : at + other])) for at in range(0, len(result) - other, other)]
    size = min(len(before), len(after))
    assert np.corrcoef(before[:size], after[:size])[0, 1] > 0.95


def test_it_holds_back_no_more_than_it_must() -> None:
    stretch = TimeStretch(1.5, RATE_HZ)
    held_s = SEARCH_S + 2 * SEGMENT_S
    assert len(stretch.push(tone(200, held_s + 0.001)))
    given = len(stretch.push(tone(200, 1.0)))
    assert given / RATE_HZ > (1.0 - held_s) / 1.5 - SEGMENT_S
