from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from test_snac import REAL_SHAPE, difference_db

from voxterm.checkpoints import Checkpoint, find
from voxterm.engines.orpheus import snac
from voxterm.engines.orpheus.snac import SnacCodec
from voxterm.engines.orpheus.stream import (
    FRAME_SAMPLES,
    LONGEST_WINDOW_FRAMES,
    LOOK_AHEAD_SAMPLES,
    RATE_HZ,
    SEAM_SAMPLES,
    SpeechStream,
)
from voxterm.engines.orpheus.tokens import Frame, layers
from voxterm.engines.protocols import Samples

FRAME_S = FRAME_SAMPLES / RATE_HZ
H100_FRAME_S = 7 * 0.0022
DECODE_S = 0.003


class Pace:
    """A clock that stands still unless the model or the codec works."""

    def __init__(self, frames_s: Sequence[float], decode_s: float = 0.0) -> None:
        self.now_s = 100.0
        self.frames_s = frames_s
        self.decode_s = decode_s

    def now(self) -> float:
        return self.now_s


def positions(frames: Sequence[Frame], first: int) -> Samples:
    """A codec whose samples are their own numbers. Exact in float32 up to 2^24."""
    assert frames[0][0] == first % 4096
    return np.arange(first * FRAME_SAMPLES, (first + len(frames)) * FRAME_SAMPLES, dtype=np.float32)


def streamed(
    frames: Sequence[Frame], pace: Pace, codec: SnacCodec | None = None, first_chunk_frames: int = 2
) -> tuple[list[Samples], list[float], list[int]]:
    """The chunks, when each was there, and how many frames each window had."""
    windows: list[int] = []

    def decode(window: Sequence[Frame], first: int) -> Samples:
        windows.append(len(window))
        pace.now_s += pace.decode_s
        return codec.decode(layers(window), first) if codec else positions(window, first)

    stream = SpeechStream(decode, pace.now, first_chunk_frames)
    chunks, times = [], []
    for index, frame in enumerate(frames):
        pace.now_s += pace.frames_s[index % len(pace.frames_s)]
        if (chunk := stream.push(frame)) is not None:
            chunks.append(chunk)
            times.append(pace.now_s)
            stream.resume()
    if (chunk := stream.finish()) is not None:
        chunks.append(chunk)
        times.append(pace.now_s)
    return chunks, times, windows


def underrun_s(chunks: Sequence[Samples], times: Sequence[float]) -> float:
    """The longest time a loudspeaker without a buffer would wait."""
    until_s, worst_s = times[0], 0.0
    for chunk, at_s in zip(chunks, times, strict=True):
        worst_s = max(worst_s, at_s - until_s)
        until_s = max(until_s, at_s) + len(chunk) / RATE_HZ
    return worst_s


def numbered(count: int) -> list[Frame]:
    return [(index % 4096,) * 7 for index in range(count)]


def random_frames(count: int) -> list[Frame]:
    return [tuple(row) for row in np.random.default_rng(4).integers(0, 4096, (count, 7)).tolist()]


@pytest.fixture(scope="module", autouse=True)
def one_thread() -> Iterator[None]:
    """Small networks on a busy machine are ten times as fast with one."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="module")
def codec(snac_folder: Path) -> SnacCodec:
    return SnacCodec(find(str(snac_folder)), "cpu")


@settings(deadline=None)
@given(
    st.integers(0, 60),
    st.lists(st.floats(0.0, 0.3), min_size=1, max_size=20),
    st.integers(1, 3),
    st.floats(0.0, 0.05),
)
def test_every_sample_comes_once_and_in_order(
    count: int, frames_s: list[float], first_chunk_frames: int, decode_s: float
) -> None:
    """Upstream loses the first frame and the last two: short replies are silent there."""
    chunks, _, windows = streamed(numbered(count), Pace(frames_s, decode_s), None, first_chunk_frames)
    spoken = np.concatenate([np.zeros(0, np.float32), *chunks])
    np.testing.assert_array_equal(spoken, np.arange(count * FRAME_SAMPLES, dtype=np.float32))
    assert all(len(chunk) for chunk in chunks)
    assert max(windows, default=0) <= LONGEST_WINDOW_FRAMES


@pytest.mark.parametrize("frame_s", [0.0, 0.03, 0.05, 0.07, 0.12])
def test_every_window_sees_as_far_back_as_the_codec_reaches(frame_s: float) -> None:
    pace, given_samples, contexts = Pace([frame_s]), 0, []

    def decode(window: Sequence[Frame], first: int) -> Samples:
        if first:
            contexts.append(given_samples - first * FRAME_SAMPLES)
        return positions(window, first)

    stream = SpeechStream(decode, pace.now)
    for frame in numbered(50):
        pace.now_s += frame_s
        if (chunk := stream.push(frame)) is not None:
            given_samples += len(chunk)
    assert len(contexts) > 5
    assert min(contexts) >= REAL_SHAPE.reach_samples


@pytest.mark.parametrize("frame_s", [0.0, H100_FRAME_S, 0.05, 0.12])
def test_windows_that_differ_are_faded_into_each_other(frame_s: float) -> None:
    """Here each window says another value all through, by where it ends."""
    pace = Pace([frame_s])
    stream = SpeechStream(
        lambda window, first: np.full(len(window) * FRAME_SAMPLES, first + len(window), np.float32), pace.now
    )
    chunks = []
    for frame in numbered(30):
        pace.now_s += frame_s
        chunks.append(stream.push(frame))
    spoken = np.concatenate([chunk for chunk in [*chunks, stream.finish()] if chunk is not None])
    assert spoken[0] <= 4
    assert spoken[-1] == 30
    assert float(np.abs(np.diff(spoken)).max()) <= 6 / SEAM_SAMPLES


@pytest.mark.parametrize("count", [1, 2, 3, 7, 24])
@pytest.mark.parametrize(("first_chunk_frames", "first_db"), [(1, -18), (2, -30)])
def test_ahead_of_real_time_it_is_the_whole_from_the_second_chunk_on(
    codec: SnacCodec, count: int, first_chunk_frames: int, first_db: float
) -> None:
    frames = random_frames(count)
    whole = codec.decode(layers(frames))
    chunks, _, _ = streamed(frames, Pace([H100_FRAME_S], DECODE_S), codec, first_chunk_frames)
    spoken = np.concatenate(chunks)
    assert len(spoken) == len(whole) == count * FRAME_SAMPLES
    first = len(chunks[0])
    assert difference_db(spoken[:first], whole[:first]) < first_db
    if len(chunks) > 1:
        assert difference_db(spoken[first + SEAM_SAMPLES :], whole[first + SEAM_SAMPLES :]) < -90


@pytest.mark.parametrize("frame_s", [0.04, 0.07, 0.085, 0.12])
def test_in_haste_it_is_still_close_to_the_whole(codec: SnacCodec, frame_s: float) -> None:
    frames = random_frames(24)
    whole = codec.decode(layers(frames))
    chunks, _, _ = streamed(frames, Pace([frame_s], DECODE_S), codec, 1)
    assert difference_db(np.concatenate(chunks), whole) < -20


@pytest.mark.parametrize("frame_s", [H100_FRAME_S, 0.07, 0.12])
@pytest.mark.parametrize("first_chunk_frames", [1, 2])
def test_no_seam_clicks(codec: SnacCodec, frame_s: float, first_chunk_frames: int) -> None:
    """Where two windows meet, what is wrong with the sound changes no faster than inside a window."""
    frames = random_frames(24)
    chunks, _, _ = streamed(frames, Pace([frame_s], DECODE_S), codec, first_chunk_frames)
    spoken = np.concatenate(chunks)
    steps = np.abs(np.diff(spoken))
    ends = np.cumsum([len(chunk) for chunk in chunks])[:-1]
    error = spoken - codec.decode(layers(frames))
    jumps = np.abs(np.diff(error))[ends - 1]
    assert len(ends) >= 3
    assert float(jumps.max()) < 0.5 * float(np.percentile(steps, 50))


@pytest.mark.parametrize("first_chunk_frames", [1, 2])
@pytest.mark.parametrize(
    ("frame_s", "decode_s"),
    [
        (0.005, 0.003),
        (0.0154, 0.003),
        (0.03, 0.003),
        (0.05, 0.003),
        (0.065, 0.003),
        (0.0154, 0.02),
        (0.025, 0.02),
    ],
)
def test_a_model_ahead_of_real_time_leaves_no_gap(
    frame_s: float, first_chunk_frames: int, decode_s: float
) -> None:
    for jitter in (1.0, 1.25):
        pace = Pace([frame_s, jitter * frame_s], decode_s)
        chunks, times, _ = streamed(numbered(60), pace, None, first_chunk_frames)
        assert underrun_s(chunks, times) < 0.001


def test_the_first_chunk_comes_after_seven_tokens_or_fourteen() -> None:
    for first_chunk_frames in (1, 2):
        pace = Pace([H100_FRAME_S])
        chunks, times, _ = streamed(numbered(20), pace, None, first_chunk_frames)
        assert times[0] - 100.0 == pytest.approx(first_chunk_frames * H100_FRAME_S)
        assert len(chunks[0]) / RATE_HZ > 0.05


def test_chunks_grow_so_that_windows_are_few() -> None:
    chunks, _, windows = streamed(numbered(240), Pace([H100_FRAME_S], DECODE_S))
    assert len(windows) <= 65
    assert max(len(chunk) for chunk in chunks[1:-1]) == 4 * FRAME_SAMPLES
    assert len(set(windows)) <= 7


def test_time_that_a_listener_took_does_not_count_as_haste() -> None:
    """A reply that is held back until the turn is judged over must not be decoded in haste afterwards."""
    pace = Pace([H100_FRAME_S])
    given_samples = 0
    stream = SpeechStream(positions, pace.now)
    for index, frame in enumerate(numbered(40)):
        pace.now_s += H100_FRAME_S
        if (chunk := stream.push(frame)) is not None:
            given_samples += len(chunk)
            if index > 1:
                assert given_samples <= (index + 1) * FRAME_SAMPLES - LOOK_AHEAD_SAMPLES
            pace.now_s += 5.0
            stream.resume()


def test_at_the_real_size_the_look_aheads_are_what_they_are_said_to_be(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The figures of the module's docstring, with random weights of the real network."""
    torch.manual_seed(5)
    net = snac._Net(REAL_SHAPE)
    weights = {key: tensor.clone() for key, tensor in net.state_dict().items()}
    monkeypatch.setattr(snac, "state_dict", lambda checkpoint: weights)
    config = {
        "sampling_rate": 24_000,
        "latent_dim": 768,
        "encoder_dim": 48,
        "encoder_rates": [2, 4, 8, 8],
        "decoder_dim": 1024,
        "decoder_rates": [8, 8, 4, 2],
        "attn_window_size": None,
        "codebook_size": 4096,
        "codebook_dim": 8,
        "vq_strides": [4, 2, 1],
        "noise": True,
        "depthwise": True,
    }
    codec = SnacCodec(Checkpoint("random", Path(), config, (), 0), "cpu")
    frames = random_frames(14)
    whole = codec.decode(layers(frames))
    for look_ahead, least_db in ((768, 14), (2048, 28), (3072, 38), (4096, 65), (LOOK_AHEAD_SAMPLES, 110)):
        edge = 8 * FRAME_SAMPLES - look_ahead
        window = codec.decode(layers(frames[:8]))
        assert difference_db(window[edge - 256 : edge], whole[edge - 256 : edge]) < -least_db
    chunks, _, _ = streamed(frames, Pace([H100_FRAME_S], DECODE_S), codec)
    spoken, after = np.concatenate(chunks), len(chunks[0]) + SEAM_SAMPLES
    assert difference_db(spoken[:after], whole[:after]) < -30
    assert difference_db(spoken[after:], whole[after:]) < -110
