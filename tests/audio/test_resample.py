"""Any chunking, the right length, frequency and level, and a delay that is small and told truly."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from voxterm.audio.resample import StreamResampler, resample
from voxterm.engines.protocols import Samples

RATES = [(48000, 16000), (44100, 16000), (16000, 48000), (24000, 48000), (22050, 44100), (8000, 16000)]


def sine(frequency_hz: float, rate_hz: int, seconds: float = 1.0) -> Samples:
    times_s = np.arange(int(rate_hz * seconds)) / rate_hz
    return np.sin(2 * np.pi * frequency_hz * times_s).astype(np.float32)


def streamed(samples: Samples, from_hz: int, to_hz: int, chunk_samples: int) -> Samples:
    stream = StreamResampler(from_hz, to_hz)
    cuts = range(0, len(samples), chunk_samples)
    return np.concatenate([*(stream.push(samples[i : i + chunk_samples]) for i in cuts), stream.finish()])


@pytest.mark.parametrize(("from_hz", "to_hz"), RATES)
@pytest.mark.parametrize("frequency_hz", [100.0, 1000.0, 3000.0])
def test_a_sine_keeps_its_frequency_level_and_place(from_hz: int, to_hz: int, frequency_hz: float) -> None:
    out = streamed(sine(frequency_hz, from_hz), from_hz, to_hz, 480)
    error = (out - sine(frequency_hz, to_hz))[400:-400]
    assert len(out) == to_hz
    assert float(np.sqrt(np.mean(error**2))) < 0.7071e-3  # 60 dB below the sine, its place in time included


@pytest.mark.parametrize("frequency_hz", [8500.0, 11000.0, 20000.0])
def test_what_the_lower_rate_cannot_hold_is_filtered_away(frequency_hz: float) -> None:
    """Sound above 8 kHz would come back as a whistle below it."""
    out = streamed(sine(frequency_hz, 48000), 48000, 16000, 480)
    assert float(np.abs(out[400:-400]).max()) < 1e-3


@given(
    rates=st.sampled_from([*RATES, (44099, 16000)]),
    cuts=st.lists(st.integers(0, 1500), min_size=1, max_size=12),
)
@settings(deadline=None, max_examples=40)
def test_any_chunking_gives_the_same_samples(rates: tuple[int, int], cuts: list[int]) -> None:
    signal = np.random.default_rng(0).uniform(-1, 1, sum(cuts)).astype(np.float32)
    whole, pieces = StreamResampler(*rates), StreamResampler(*rates)
    expected = np.concatenate([whole.push(signal), whole.finish()])
    given_pieces = [pieces.push(piece) for piece in np.split(signal, np.cumsum(cuts)[:-1])]
    assert np.array_equal(np.concatenate([*given_pieces, pieces.finish()]), expected)
    assert len(expected) == math.ceil(len(signal) * rates[1] / rates[0])


@pytest.mark.parametrize(("from_hz", "to_hz"), RATES)
def test_the_delay_is_told_truly_and_stays_under_four_milliseconds(from_hz: int, to_hz: int) -> None:
    """soxr's own stream holds back 20 to 40 ms, which would be felt in every reply."""
    stream = StreamResampler(from_hz, to_hz)
    given_samples = 0
    for pushed in range(1, 50):
        given_samples += len(stream.push(np.zeros(240, np.float32)))
        assert stream.delay_s == pytest.approx(pushed * 240 / from_hz - given_samples / to_hz)
        assert 0.0 <= stream.delay_s < 0.004


def test_silence_stays_silence_and_a_constant_stays_constant() -> None:
    assert not streamed(np.zeros(5000, np.float32), 44100, 16000, 441).any()
    steady = streamed(np.full(9600, 0.5, np.float32), 48000, 16000, 480)
    assert np.allclose(steady[200:-200], 0.5, atol=1e-5)


def test_equal_rates_pass_through() -> None:
    stream = StreamResampler(16000, 16000)
    samples = sine(440.0, 16000, 0.1)
    assert np.array_equal(stream.push(samples), samples)
    assert len(stream.finish()) == 0
    assert stream.delay_s == 0.0
    assert resample(samples, 16000, 16000) is samples


def test_nothing_in_nothing_out() -> None:
    stream = StreamResampler(48000, 16000)
    assert len(stream.push(np.zeros(0, np.float32))) == 0
    assert len(stream.finish()) == 0


@pytest.mark.parametrize(("from_hz", "to_hz"), RATES)
def test_a_whole_array_keeps_length_and_level(from_hz: int, to_hz: int) -> None:
    out = resample(sine(1000.0, from_hz), from_hz, to_hz)
    assert abs(len(out) - to_hz) <= 1
    assert float(np.std(out[400:-400])) == pytest.approx(math.sqrt(0.5), rel=0.001)
    assert out.dtype == np.float32
