"""Levels in dBFS, and a tone among noise, speech and silence."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from voxterm.audio.levels import SILENT_DBFS, dbfs
from voxterm.audio.wav import read_audio
from voxterm.doctor.levels import hears_tone, level_of
from voxterm.doctor.sound_test import tone
from voxterm.engines.protocols import Samples

RATE_HZ = 16_000
SPAN_S = (0.5, 1.4)
SPEECH = Path(__file__).parents[2] / "voxterm/data/demo-1.flac"


def noise(rms: float, seconds: float = 2.0, seed: int = 0) -> Samples:
    drawn = np.random.default_rng(seed).standard_normal(round(seconds * RATE_HZ))
    return (rms * drawn).astype(np.float32)


def with_tone(background: Samples, gain: float, at_s: float = 0.7) -> Samples:
    mixed = background.copy()
    played, first = tone(RATE_HZ), round(at_s * RATE_HZ)
    mixed[first : first + len(played)] += gain * played
    return mixed


def test_levels() -> None:
    sine = np.sin(2 * np.pi * 100 * np.arange(RATE_HZ) / RATE_HZ).astype(np.float32)
    level = level_of(0.5 * sine)
    assert level.peak_dbfs == pytest.approx(-6.0, abs=0.1)
    assert level.rms_dbfs == pytest.approx(-9.0, abs=0.1)
    assert level.clipped == 0
    assert level_of(np.clip(3 * sine, -1, 1)).clipped > RATE_HZ / 2
    assert level_of(np.zeros(100, np.float32)).peak_dbfs == SILENT_DBFS
    assert level_of(np.zeros(0, np.float32)).rms_dbfs == SILENT_DBFS


@given(st.floats(0.0, 1.0))
def test_dbfs_is_never_below_its_floor(amplitude: float) -> None:
    assert SILENT_DBFS <= dbfs(amplitude) <= 0.0


def test_the_tone_is_calm() -> None:
    played = tone(48_000)
    assert len(played) == 24_000
    assert level_of(played).peak_dbfs == pytest.approx(-20.0, abs=0.1)
    assert float(np.abs(np.diff(played)).max()) < 0.01, "it does not click"
    assert abs(played[0]) < 1e-3 > abs(played[-1])


@pytest.mark.parametrize("gain", [1.0, 0.1, 0.01])
@pytest.mark.parametrize("rms", [0.0, 0.001])
def test_a_tone_is_heard_far_below_its_own_level(gain: float, rms: float) -> None:
    assert hears_tone(with_tone(noise(rms), gain), RATE_HZ, 440.0, SPAN_S)


def test_what_is_no_echo() -> None:
    silence = np.zeros(2 * RATE_HZ, np.float32)
    assert not hears_tone(silence, RATE_HZ, 440.0, SPAN_S)
    assert not any(hears_tone(noise(0.1, seed=seed), RATE_HZ, 440.0, SPAN_S) for seed in range(30))
    hum = (0.1 * np.sin(2 * np.pi * 440 * np.arange(2 * RATE_HZ) / RATE_HZ)).astype(np.float32)
    assert not hears_tone(hum, RATE_HZ, 440.0, SPAN_S), "it was there before the tone"
    assert not hears_tone(with_tone(silence, 1.0, at_s=1.5), RATE_HZ, 440.0, (0.0, 0.9)), "at another time"


def test_speech_is_no_echo_and_hides_none() -> None:
    speech = read_audio(SPEECH)
    windows = [speech[first : first + 2 * RATE_HZ] for first in range(0, len(speech) - 2 * RATE_HZ, RATE_HZ)]
    assert len(windows) > 3
    assert not any(hears_tone(window, RATE_HZ, 440.0, SPAN_S) for window in windows)
    assert all(hears_tone(with_tone(window, 3.0), RATE_HZ, 440.0, SPAN_S) for window in windows)
