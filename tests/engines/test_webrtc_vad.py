from __future__ import annotations

import numpy as np
import pytest
from demo_clips import clip, no_progress

from voxterm.engines.protocols import Samples, VoiceActivityDetector
from voxterm.engines.webrtc_vad import SMOOTHED_SUBFRAMES, WebRtcVad
from voxterm.errors import EngineError


def loaded(mode: int = 2) -> WebRtcVad:
    vad = WebRtcVad(mode=mode)
    vad.load(no_progress)
    vad.warm_up()
    return vad


def probabilities(vad: WebRtcVad, samples: Samples) -> list[float]:
    size = vad.frame_samples
    return [vad.probability(samples[at : at + size]) for at in range(0, len(samples) - size + 1, size)]


def test_it_is_a_voice_activity_detector() -> None:
    assert isinstance(WebRtcVad(), VoiceActivityDetector)


@pytest.mark.parametrize("mode", range(4))
def test_it_tells_speech_from_silence(mode: int) -> None:
    vad = loaded(mode)
    silence = np.zeros(16_000, dtype=np.float32)
    assert max(probabilities(vad, silence)) == 0.0
    assert np.mean(np.array(probabilities(vad, clip("demo-1"))) > 0.5) > 0.8
    assert probabilities(vad, silence)[-1] == 0.0


def test_the_probability_is_smooth() -> None:
    """A frame holds three or four subframes: from one frame to the next only so many can change."""
    vad = loaded()
    steps = np.abs(np.diff([0.0, *probabilities(vad, clip("demo-1"))]))
    assert steps.max() <= 4 / SMOOTHED_SUBFRAMES + 1e-9
    assert len(set(steps.round(3))) > 2


def test_samples_left_over_belong_to_the_next_frame() -> None:
    """Five frames are sixteen subframes; dropped rests would make it fifteen."""
    vad = loaded()
    judged = 0

    class Counting:
        def is_speech(self, pcm: bytes, rate_hz: int) -> bool:
            nonlocal judged
            judged += 1
            return True

    vad._vad = Counting()
    assert probabilities(vad, np.zeros(512 * 5, dtype=np.float32))[-1] == 1.0
    assert judged == 16


def test_after_a_reset_the_same_frames_give_the_same() -> None:
    vad = loaded()
    first = probabilities(vad, clip("demo-2"))
    vad.reset()
    assert probabilities(vad, clip("demo-2")) == first


def test_loud_samples_are_limited_and_wrong_sizes_refused() -> None:
    vad = loaded()
    assert 0.0 <= vad.probability(np.full(512, 7.0, dtype=np.float32)) <= 1.0
    with pytest.raises(ValueError, match="512"):
        vad.probability(np.zeros(160, dtype=np.float32))
    with pytest.raises(ValueError, match="mode"):
        WebRtcVad(mode=4)


def test_closed_it_says_that_it_is_not_loaded() -> None:
    vad = loaded()
    vad.close()
    vad.close()
    with pytest.raises(EngineError, match="not loaded"):
        vad.probability(np.zeros(512, dtype=np.float32))
