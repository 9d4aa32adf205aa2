"""The fused kernels against plain torch: on a GPU as they are, elsewhere in Triton's interpreter."""

from __future__ import annotations

import importlib
from types import ModuleType

import pytest
import torch
from models import loop_of, small_model

from voxterm.decoding import Prompt, Sampling, plain
from voxterm.decoding.weights import GROUP, Weight, quantised

DEVICE = "cuda" if torch.cuda.is_available() else "cpu"
DTYPES = [torch.float32, torch.bfloat16]


@pytest.fixture(scope="module")
def fused() -> ModuleType:
    pytest.importorskip("triton", reason="Triton is made for Linux alone")
    return importlib.import_module("voxterm.decoding.fused")


def numbers(*shape: int, dtype: torch.dtype = torch.float32, seed: int = 0) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed + sum(shape))
    return torch.randn(*shape, generator=generator).to(DEVICE, dtype)


def assert_close(one: torch.Tensor, two: torch.Tensor) -> None:
    tolerance = 2e-4 if two.dtype == torch.float32 else 3e-2
    assert one.dtype == two.dtype
    assert one.shape == two.shape
    error = (one.float() - two.float()).abs().max() / two.float().abs().max()
    assert error < tolerance


def weight(outputs: int, inputs: int, precision: str, dtype: torch.dtype) -> Weight:
    """Each group of inputs has a size and a level of its own: a scale or offset out of place is far off."""
    shape = (outputs, inputs // GROUP, GROUP)
    sizes, levels = (numbers(outputs, inputs // GROUP, 1, seed=seed) for seed in (3, 4))
    matrix = (numbers(*shape) + levels) * sizes.exp2() * inputs**-0.5
    return quantised(matrix.flatten(1).to(dtype), precision)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("precision", ["bf16", "int8", "int4"])
@pytest.mark.parametrize(
    ("rows", "outputs", "inputs"),
    [(1, 40, 512), (1, 5, 3072), (2, 7, 1280), (2, 6, 3072), (3, 16, 2816), (8, 3, 768)],
)
def test_products(
    fused: ModuleType, dtype: torch.dtype, precision: str, rows: int, outputs: int, inputs: int
) -> None:
    """With the norm before, the gate before, the sum after, and bare; with blocks of several groups, the last
    of them often not full, and programs with fewer outputs than others."""
    matrix = weight(outputs, inputs, precision, dtype)
    x, gate_up = numbers(rows, inputs, dtype=dtype), numbers(rows, 2 * inputs, dtype=dtype)
    norm, residual = numbers(inputs, dtype=dtype, seed=1), numbers(rows, outputs, dtype=dtype, seed=2)
    assert_close(fused.linear(x, matrix), plain.linear(x, matrix))
    assert_close(fused.linear_add(x, matrix, residual), plain.linear_add(x, matrix, residual))
    assert_close(fused.normed_linear(x, norm, 1e-5, matrix), plain.normed_linear(x, norm, 1e-5, matrix))
    assert_close(
        fused.gated_linear_add(gate_up, matrix, residual), plain.gated_linear_add(gate_up, matrix, residual)
    )


def test_a_product_with_rows_of_a_larger_matrix(fused: ModuleType) -> None:
    """The output layer of a model that may sample few ids is a part of its embedding table."""
    table = numbers(100, 256)
    part = Weight(table[40:77], 32)
    assert_close(fused.linear(numbers(1, 256), part), plain.linear(numbers(1, 256), part))


@pytest.mark.parametrize("precision", ["bf16", "int8", "int4"])
def test_a_row_is_the_same_alone_and_among_others(fused: ModuleType, precision: str) -> None:
    """The rows share the reading of weights, but neither their inputs nor the factors of their norms."""
    matrix = weight(9, 1536, precision, torch.float32)
    x = numbers(3, 1536) * torch.tensor([1.0, 100.0, 0.01], device=DEVICE)[:, None]
    norm = numbers(1536, seed=1)
    together = fused.normed_linear(x, norm, 1e-5, matrix)
    for row in range(3):
        assert_close(together[row : row + 1], fused.normed_linear(x[row : row + 1], norm, 1e-5, matrix))


def test_a_probe_runs_a_kernel_and_passes_on_what_stops_it(
    fused: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Uncompiled:
        def __getitem__(self, grid: tuple[int, ...]) -> None:
            raise RuntimeError("Failed to find C compiler")

    fused.probe(torch.device(DEVICE))
    monkeypatch.setattr(fused, "_product_kernel", Uncompiled())
    with pytest.raises(RuntimeError, match="C compiler"):
        fused.probe(torch.device(DEVICE))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(
    ("rows", "heads", "kv_heads", "size"), [(1, 6, 2, 64), (2, 4, 4, 16), (2, 24, 8, 128)]
)
def test_rotation_and_store(
    fused: ModuleType, dtype: torch.dtype, rows: int, heads: int, kv_heads: int, size: int
) -> None:
    qkv = numbers(rows, (heads + 2 * kv_heads) * size, dtype=dtype)
    angles = numbers(40, size)
    rotation = torch.stack((angles.cos(), angles.sin()), dim=1)
    positions = torch.tensor([3, 39][:rows], device=DEVICE)
    keys, values = (numbers(rows, kv_heads, 40, size, dtype=dtype, seed=s) for s in (1, 2))
    other_keys, other_values = keys.clone(), values.clone()
    one = fused.rope_store(qkv, rotation, positions, keys, values, heads)
    two = plain.rope_store(qkv, rotation, positions, other_keys, other_values, heads)
    assert_close(one, two)
    assert_close(keys, other_keys)
    assert_close(values, other_values)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(("heads", "kv_heads", "size"), [(6, 2, 64), (4, 4, 16), (24, 8, 128)])
@pytest.mark.parametrize("positions", [[0, 0], [63, 64], [200, 5], [263, 100]])
def test_attention(
    fused: ModuleType, dtype: torch.dtype, heads: int, kv_heads: int, size: int, positions: list[int]
) -> None:
    """At the edges of blocks, with parts of the cache that nobody has seen, and with an odd span."""
    queries = numbers(2, heads, size, dtype=dtype)
    keys, values = (numbers(2, kv_heads, 264, size, dtype=dtype, seed=s) for s in (1, 2))
    at = torch.tensor(positions, device=DEVICE)
    span = 256 if max(positions) < 256 else 264
    assert_close(fused.attend(queries, keys, values, at, span), plain.attend(queries, keys, values, at, span))


@pytest.mark.parametrize("last", [8191, 8200])
def test_attention_over_a_long_cache(fused: ModuleType, last: int) -> None:
    """So many parts that more warps join them: all of 128, and a few more than that."""
    queries = numbers(1, 2, 16)
    keys, values = (numbers(1, 1, 8256, 16, seed=s) for s in (1, 2))
    at = torch.tensor([last], device=DEVICE)
    span = 8192 if last < 8192 else 8256
    assert_close(fused.attend(queries, keys, values, at, span), plain.attend(queries, keys, values, at, span))


@pytest.mark.parametrize("architecture", ["llama", "qwen2", "qwen3"])
def test_a_whole_answer_with_the_fused_kernels(
    fused: ModuleType, architecture: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if DEVICE == "cpu":  # the interpreter's time goes by the number of programs
        monkeypatch.setattr(fused, "OUTPUTS", 256)
    model = small_model(architecture)
    prompts, modes = [Prompt(list(range(5, 25))), Prompt([7, 8])], [Sampling(), Sampling(1.0, 0.9)]
    plain_loop, fused_loop = (loop_of(model, rows=2, capacity=64, device=DEVICE) for _ in range(2))
    fused_loop._decoder._kernels = fused
    plain_loop._decoder._kernels = plain
    expected = list(plain_loop.generate(prompts, modes, [20, 30]))
    assert list(fused_loop.generate(prompts, modes, [20, 30])) == expected
    assert len(expected) > 15
