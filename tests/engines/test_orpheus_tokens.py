from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from voxterm.engines.orpheus.tokens import (
    CODES,
    FIRST_AUDIO_ID,
    LAST_AUDIO_ID,
    REPEATED_FRAMES,
    SAMPLED_IDS,
    SILENCE_S,
    SLOTS,
    VOCABULARY,
    Frame,
    FrameBuilder,
    RunawayWatch,
    code_in_slot,
    layers,
    prompt_ids,
)
from voxterm.engines.protocols import Samples

RATE_HZ = 24_000
codes = st.lists(st.tuples(*[st.integers(0, CODES - 1)] * SLOTS), min_size=1, max_size=6)


def tokens(frames: list[Frame]) -> list[int]:
    """The ids of frames, by the published formula: N − 10 − (i mod 7) · 4096 with N = id − 128256."""
    return [
        128_256 + 10 + index % 7 * 4096 + code
        for index, code in enumerate(code for frame in frames for code in frame)
    ]


def test_every_id_in_every_slot_is_the_code_of_the_formula_or_none() -> None:
    """0 is a code and 4096 is not: upstream has both the wrong way."""
    ids = np.arange(VOCABULARY)
    for slot in range(SLOTS):
        expected = ids - 128_266 - slot * 4096
        found = [code_in_slot(id_, slot) for id_ in ids.tolist()]
        assert found == [code if 0 <= code <= 4095 else None for code in expected.tolist()]


def test_audio_and_stop_ids_are_all_that_may_be_sampled() -> None:
    assert (FIRST_AUDIO_ID, LAST_AUDIO_ID) == (128_266, 156_937)
    assert list(SAMPLED_IDS) == sorted({128_258, 128_262, *range(128_266, 156_938)})


def test_the_prompt_is_the_published_one_and_its_text_cannot_hold_marks() -> None:
    assert prompt_ids([11, 12]) == [128_259, 128_000, 11, 12, 128_009, 128_260, 128_261, 128_257]
    assert prompt_ids([128_258, 5, 130_000, 128_009]) == prompt_ids([5])


@settings(deadline=None)
@given(codes)
def test_frames_come_back_from_their_tokens(frames: list[Frame]) -> None:
    builder = FrameBuilder()
    assert [frame for token in tokens(frames) if (frame := builder.push(token))] == frames
    assert (builder.accepted, builder.strays) == (SLOTS * len(frames), 0)


@settings(deadline=None)
@given(codes, st.data())
def test_stray_tokens_are_counted_and_shift_nothing(frames: list[Frame], data: st.DataObject) -> None:
    """One token out of place must not turn all that follows into noise."""
    builder = FrameBuilder()
    found, strays = [], 0
    for index, token in enumerate(tokens(frames)):
        low = FIRST_AUDIO_ID + index % SLOTS * CODES
        stray = st.integers(0, low - 1) | st.integers(low + CODES, VOCABULARY + 9)
        for id_ in data.draw(st.lists(stray, max_size=2)):
            assert builder.push(id_) is None
            strays += 1
        if frame := builder.push(token):
            found.append(frame)
    assert found == frames
    assert builder.strays == strays


def test_a_frame_of_zeros_is_a_frame() -> None:
    assert [FrameBuilder().push(token) for token in tokens([(0,) * 7])[:1]] == [None]
    builder = FrameBuilder()
    assert [builder.push(token) for token in tokens([(0,) * 7])][-1] == (0,) * 7


def test_layers_are_those_of_the_slots() -> None:
    coarse, middle, fine = layers([(0, 1, 2, 3, 4, 5, 6), (10, 11, 12, 13, 14, 15, 16)])
    assert coarse.tolist() == [0, 10]
    assert middle.tolist() == [1, 4, 11, 14]
    assert fine.tolist() == [2, 3, 5, 6, 12, 13, 15, 16]


@pytest.mark.parametrize("period", range(1, 9))
def test_a_cycle_of_frames_is_seen_after_two_seconds(period: int) -> None:
    watch = RunawayWatch(RATE_HZ)
    seen = [watch.sees_cycle((index % period,) * 7) for index in range(60)]
    assert seen.index(True) == period + REPEATED_FRAMES - 1


def test_speech_with_short_repeats_is_no_cycle() -> None:
    random = np.random.default_rng(1)
    watch = RunawayWatch(RATE_HZ)
    frames = [tuple(random.integers(0, CODES, SLOTS).tolist()) for _ in range(20)]
    for frame in frames:
        assert not any(watch.sees_cycle(frame) for _ in range(REPEATED_FRAMES))


def noise(seconds: float, level: float) -> Samples:
    return np.random.default_rng(2).normal(0, level, round(seconds * RATE_HZ)).astype(np.float32)


def test_only_a_long_silence_is_too_long() -> None:
    watch = RunawayWatch(RATE_HZ)
    for _ in range(4):
        assert not watch.hears_silence(noise(SILENCE_S - 0.1, 1e-5))
        assert not watch.hears_silence(noise(0.1, 0.1))
    heard = [watch.hears_silence(noise(0.1, 1e-5)) for _ in range(40)]
    assert heard.index(True) == pytest.approx(10 * SILENCE_S, abs=1)
