from __future__ import annotations

import json
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from tiny import copied

from voxterm.checkpoints import Checkpoint, find
from voxterm.engines.orpheus.snac import SnacCodec, SnacShape
from voxterm.engines.protocols import Samples
from voxterm.errors import CheckpointError

FRAME_SAMPLES = 2048
FRAMES = 70  # more than the noise's period

REAL_SHAPE = SnacShape(24_000, 768, 1024, (8, 8, 4, 2), (4, 2, 1), 4096, 8, noise=True, depthwise=True)


def random_codes(frames: int, seed: int = 0) -> list[NDArray[np.int64]]:
    random = np.random.default_rng(seed)
    return [random.integers(0, 4096, frames * per_frame) for per_frame in (1, 2, 4)]


def windowed(codes: list[NDArray[np.int64]], begin: int, end: int) -> list[NDArray[np.int64]]:
    return [layer[begin * per : end * per] for layer, per in zip(codes, (1, 2, 4), strict=True)]


def upstream(checkpoint: Checkpoint) -> Any:
    """The package's own model with the weights of the checkpoint."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "`torch.jit.script` is deprecated", DeprecationWarning)
        from snac import SNAC  # type: ignore[import-untyped]

    return SNAC.from_pretrained(str(checkpoint.folder))


def decoded_upstream(model: Any, codes: list[NDArray[np.int64]]) -> Samples:
    with torch.inference_mode():
        samples = model.decode([torch.from_numpy(layer)[None] for layer in codes])[0, 0].numpy()
    return np.asarray(samples, dtype=np.float32)


def difference_db(samples: Samples, reference: Samples) -> float:
    error = float(np.mean(np.square(samples - reference))) + 1e-30
    return 10 * float(np.log10(error / float(np.mean(np.square(reference)))))


@pytest.fixture(scope="module", autouse=True)
def one_thread() -> Iterator[None]:
    """Small networks on a busy machine are ten times as fast with one."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="module")
def checkpoint(snac_folder: Path) -> Checkpoint:
    return find(str(snac_folder))


@pytest.fixture(scope="module")
def codec(checkpoint: Checkpoint) -> SnacCodec:
    return SnacCodec(checkpoint, "cpu")


def test_without_noise_it_is_the_package_unmodified(snac_folder: Path, tmp_path: Path) -> None:
    folder = copied(snac_folder, tmp_path / "quiet")
    config = json.loads((folder / "config.json").read_text()) | {"noise": False}
    (folder / "config.json").write_text(json.dumps(config))
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "`torch.jit.script` is deprecated", DeprecationWarning)
        from snac import SNAC
    torch.manual_seed(3)
    torch.save(SNAC(**config).state_dict(), folder / "pytorch_model.bin")
    found = find(str(folder))
    codes = random_codes(6)
    samples = SnacCodec(found, "cpu").decode(codes)
    assert difference_db(samples, decoded_upstream(upstream(found), codes)) < -120


def test_with_noise_it_is_the_package_given_the_same_noise(
    codec: SnacCodec, checkpoint: Checkpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The noise of each block has a table of its own; it begins again after its period."""
    model = upstream(checkpoint)
    tables = {len(table): table for table in codec.noise_tables}
    assert len(tables) == 4

    def randn(shape: tuple[int, int, int], **_: Any) -> torch.Tensor:
        steps = shape[2] // FRAMES * 64
        return tables[steps].repeat(2)[: shape[2]].view(shape)

    monkeypatch.setattr(torch, "randn", randn)
    codes = random_codes(FRAMES)
    assert difference_db(codec.decode(codes), decoded_upstream(model, codes)) < -120


def test_the_noise_is_noise_and_is_heard(codec: SnacCodec) -> None:
    for table in codec.noise_tables:
        assert float(table.std()) == pytest.approx(1.0, abs=0.1)
    codes = random_codes(8)
    assert difference_db(codec.decode(codes, first_frame=5), codec.decode(codes)) > -60


@pytest.mark.parametrize("begin", [3, 20, 59, 60, 61, 64, 65])
def test_a_window_is_the_whole_where_it_sees_enough(codec: SnacCodec, begin: int) -> None:
    codes = random_codes(FRAMES)
    whole = codec.decode(codes)
    window = codec.decode(windowed(codes, begin, begin + 5), begin)
    reach = codec.shape.reach_samples
    inner = slice(begin * FRAME_SAMPLES + reach, (begin + 5) * FRAME_SAMPLES - reach)
    assert np.max(np.abs(window[reach:-reach])) > 0.1
    assert difference_db(window[reach:-reach], whole[inner]) < -120
    assert difference_db(window[:reach], whole[begin * FRAME_SAMPLES :][:reach]) > -60


def test_its_reach_is_that_of_the_network(codec: SnacCodec) -> None:
    """A code changed at one place is heard within the reach on both sides, and nowhere beyond."""
    reach = REAL_SHAPE.reach_samples
    assert reach == codec.shape.reach_samples == 5050
    codes = random_codes(12)
    changed = windowed(codes, 0, 12)
    changed[2] = changed[2].copy()
    changed[2][24] = (changed[2][24] + 1) % 4096  # the 512 samples from 24 · 512 on
    heard = np.flatnonzero(codec.decode(codes) != codec.decode(changed))
    assert 24 * 512 - reach <= heard.min() < 24 * 512 - 2048
    assert 25 * 512 + 2048 < heard.max() < 25 * 512 + reach


def test_graphs_change_nothing(checkpoint: Checkpoint) -> None:
    plain, warmed = SnacCodec(checkpoint, "cpu"), SnacCodec(checkpoint, "cpu")
    warmed.warm_up([1, 4])
    for frames in (1, 2, 4):
        np.testing.assert_array_equal(
            warmed.decode(random_codes(frames), 7), plain.decode(random_codes(frames), 7)
        )
    warmed.close()
    warmed.close()


def test_old_names_of_weight_norms_are_read(codec: SnacCodec, snac_folder: Path, tmp_path: Path) -> None:
    """Checkpoints written before torch 2.0 say weight_g and weight_v."""
    folder = copied(snac_folder, tmp_path / "old")
    weights = torch.load(folder / "pytorch_model.bin", weights_only=True)
    old = {
        key.replace("parametrizations.weight.original0", "weight_g").replace(
            "parametrizations.weight.original1", "weight_v"
        ): tensor
        for key, tensor in weights.items()
    }
    assert old.keys() != weights.keys()
    torch.save(old, folder / "pytorch_model.bin")
    codes = random_codes(3)
    np.testing.assert_array_equal(SnacCodec(find(str(folder)), "cpu").decode(codes), codec.decode(codes))


@pytest.mark.parametrize(
    ("change", "what"),
    [
        ({"decoder_dim": None}, "decoder_dim"),
        ({"decoder_rates": [8, 8, 4]}, "lacks"),
        ({"decoder_dim": 128}, "lacks decoder.model"),
        ({"attn_window_size": 32}, "attention"),
    ],
)
def test_another_model_is_refused_and_named(
    snac_folder: Path, tmp_path: Path, change: dict[str, Any], what: str
) -> None:
    folder = copied(snac_folder, tmp_path / "other")
    config = json.loads((folder / "config.json").read_text()) | change
    (folder / "config.json").write_text(json.dumps({k: v for k, v in config.items() if v is not None}))
    with pytest.raises(CheckpointError, match=what) as caught:
        SnacCodec(find(str(folder)), "cpu")
    assert str(folder) in caught.value.what
    assert "hubertsiuzdak/snac_24khz" in caught.value.remedy


@pytest.mark.parametrize("bad", [-1, 4096])
def test_a_code_outside_the_book_is_refused(codec: SnacCodec, bad: int) -> None:
    """On a GPU it would end the process's use of the device."""
    codes = random_codes(2)
    codes[1][2] = bad
    with pytest.raises(ValueError, match="4095"):
        codec.decode(codes)


def test_layers_that_do_not_fit_together_are_refused(codec: SnacCodec) -> None:
    codes = random_codes(2)
    codes[2] = codes[2][:-1]
    with pytest.raises(ValueError, match="same frames"):
        codec.decode(codes)


def test_it_holds_the_decoder_alone(codec: SnacCodec, checkpoint: Checkpoint) -> None:
    decoder = sum(
        tensor.nbytes for key, tensor in upstream(checkpoint).state_dict().items() if "decoder" in key
    )
    tables = sum(table.nbytes for table in codec.noise_tables)
    codebooks = 3 * (4096 * 8 + 128 * 9) * 4
    assert codec.memory_bytes == pytest.approx(decoder + tables + codebooks, rel=0.02)
