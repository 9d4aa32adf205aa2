from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from demo_clips import clip, faint_noise, no_progress

from voxterm.engines.protocols import Samples, VoiceActivityDetector
from voxterm.engines.silero_vad import SileroVad
from voxterm.errors import EngineError, EngineLoadError


def loaded() -> SileroVad:
    vad = SileroVad()
    vad.load(no_progress)
    vad.warm_up()
    return vad


def probabilities(vad: SileroVad, samples: Samples) -> list[float]:
    size = vad.frame_samples
    return [vad.probability(samples[at : at + size]) for at in range(0, len(samples) - size + 1, size)]


def test_it_is_a_voice_activity_detector() -> None:
    assert isinstance(SileroVad(), VoiceActivityDetector)


def test_it_tells_speech_from_silence_and_noise() -> None:
    vad = loaded()
    speech = probabilities(vad, clip("demo-1"))
    assert np.mean(np.array(speech) > 0.5) > 0.9
    vad.reset()
    assert max(probabilities(vad, faint_noise(2.0, level=0.05))) < 0.5


def test_speech_is_noticed_in_noise_of_10_db_and_its_end_too() -> None:
    speech = clip("demo-2")
    noise = faint_noise(6.0, level=float(np.sqrt(np.mean(speech**2))) * 10 ** (-10 / 20))
    noise[32_000 : 32_000 + len(speech)] += speech
    voiced = np.array(probabilities(loaded(), noise)) > 0.5
    frames = np.flatnonzero(voiced) * 512
    assert 31_000 < frames[0] < 36_000
    assert 32_000 + len(speech) - 8_000 < frames[-1] < 32_000 + len(speech) + 4_000


def test_after_a_reset_the_same_frames_give_the_same() -> None:
    vad = loaded()
    first = probabilities(vad, clip("demo-2"))
    assert probabilities(vad, clip("demo-2")) != first
    vad.reset()
    assert probabilities(vad, clip("demo-2")) == first


def test_it_keeps_the_context_of_64_samples() -> None:
    """Without the context the network hears a click at each frame's edge; its answer then differs."""
    vad = loaded()
    probabilities(vad, clip("demo-2")[: 512 * 20])
    state = vad._state.copy()
    frame = clip("demo-2")[512 * 20 : 512 * 21]
    with_context = vad.probability(frame)
    vad.reset()
    vad._state = state
    assert vad.probability(frame) != with_context


def test_it_wants_its_own_frame_size() -> None:
    with pytest.raises(ValueError, match="broadcast"):
        loaded().probability(np.zeros(480, dtype=np.float32))


def test_a_missing_or_broken_file_is_a_load_error(tmp_path: Path) -> None:
    broken = tmp_path / "broken.onnx"
    broken.write_bytes(b"no model at all")
    for path in (tmp_path / "missing.onnx", broken):
        with pytest.raises(EngineLoadError, match=path.name):
            SileroVad(path).load(no_progress)


def test_closed_it_says_that_it_is_not_loaded() -> None:
    vad = loaded()
    vad.close()
    vad.close()
    with pytest.raises(EngineError, match="not loaded"):
        vad.probability(np.zeros(512, dtype=np.float32))
