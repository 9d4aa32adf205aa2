"""What the device can do at best, measured, and the least time that a piece of work can take there.

A floor is the larger of two times: the bytes that must be read over the measured bandwidth, and the
operations over the measured rate of a large matrix product.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch.utils.flop_counter import FlopCounterMode

from voxterm.decoding import Decoder
from voxterm.plan.here import measured_bandwidth

COPY_BYTES = 1 << 30
"""Far more than any cache holds."""

ROUNDS = 10
ROUND_RUNS = {"cuda": 10, "cpu": 1}
"""On a GPU many runs are waited for at once: a single one is short beside the waiting."""

MATRIX_SIZE = {"cuda": 8192, "cpu": 1024}


@dataclass(frozen=True, slots=True)
class Ceilings:
    """One device at its best."""

    bandwidth_bytes_s: float
    operations_s: float

    def seconds(self, read_bytes: float, operations: float = 0.0) -> float:
        """The least time for so much work."""
        return max(read_bytes / self.bandwidth_bytes_s, operations / self.operations_s)


def measured(device: torch.device, dtype: torch.dtype) -> Ceilings:
    """Measure it. On a GPU a copy, its bytes counted as read and as written; on a CPU a read."""
    operations_s = _matmul_operations_s(device, dtype)
    if device.type != "cuda":
        return Ceilings(measured_bandwidth(torch.get_num_threads()), operations_s)
    best = Ceilings(_copy_bytes_s(device), operations_s)
    torch.cuda.empty_cache()
    return best


def step_bytes(decoder: Decoder, rows: int, positions: float) -> float:
    """What one step reads: the weights once, and the keys and values of each row up to its position."""
    shape = decoder.shape
    of_position = 2 * shape.layers * shape.kv_heads * shape.head_size * decoder.dtype.itemsize
    return decoder.step_bytes + rows * positions * of_position


def prefill_operations(decoder: Decoder, tokens: int) -> float:
    """Operations to read so many tokens behind nothing: every matrix, and attention to those before."""
    shape = decoder.shape
    matrices = (m for layer in decoder.layers for m in (layer.qkv, layer.out, layer.gate_up, layer.down))
    weights = sum(matrix.rows * matrix.columns for matrix in matrices)
    attention = 2 * shape.layers * shape.heads * shape.head_size * tokens**2
    return 2.0 * weights * tokens + attention + 2 * decoder.outputs * shape.hidden


def prefill_s(ceilings: Ceilings, decoder: Decoder, new_tokens: Sequence[int]) -> float:
    """The floor for reading a prompt in each row, of which so many tokens are new, and the first tokens."""
    return sum(
        ceilings.seconds(decoder.step_bytes, prefill_operations(decoder, tokens)) for tokens in new_tokens
    )


def module_s(ceilings: Ceilings, weight_bytes: int, run: Callable[[], Any]) -> float:
    """The floor for what `run` does once with its weights; its operations are counted as it runs."""
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        run()
    return ceilings.seconds(weight_bytes, counter.get_total_flops())


def _copy_bytes_s(device: torch.device) -> float:
    room_bytes = torch.cuda.mem_get_info(device)[0] // 4
    source = torch.zeros(min(COPY_BYTES, room_bytes), dtype=torch.uint8, device=device)
    target = torch.empty_like(source)
    return 2 * source.nbytes / _best_s(device, lambda: target.copy_(source))


def _matmul_operations_s(device: torch.device, dtype: torch.dtype) -> float:
    size = MATRIX_SIZE[device.type]
    left, right = (torch.randn(size, size, device=device).to(dtype) for _ in range(2))
    return 2 * size**3 / _best_s(device, lambda: left @ right)


def _best_s(device: torch.device, work: Callable[[], Any]) -> float:
    """Seconds of one run, in the quickest of several rounds."""
    runs = ROUND_RUNS[device.type]
    work()
    rounds_s = []
    for _ in range(ROUNDS):
        synchronize(device)
        begin_s = time.perf_counter()
        for _ in range(runs):
            work()
        synchronize(device)
        rounds_s.append(time.perf_counter() - begin_s)
    return min(rounds_s) / runs


def synchronize(device: torch.device) -> None:
    """Wait for a GPU; a CPU is never behind."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)
