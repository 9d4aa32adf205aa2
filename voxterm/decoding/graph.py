"""A function of tensors captured once as a CUDA graph and replayed: no launch costs, the same work each time.

A replay reads and writes the very memory of the capture, so whatever changes between calls has to live in
tensors that stay where they are. On the CPU, and with graphs switched off, the function is simply called:
the same code runs everywhere.
"""

from __future__ import annotations

import gc
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor

WARM_UP_CALLS = 3
"""Runs before a capture: libraries choose their kernels and take their workspaces in the first ones."""

CAPTURING = threading.RLock()
"""Held by the thread that captures: none other captures then, nor gives memory back to the driver."""


class CapturedStep:
    """A function without arguments that works on tensors which stay in place.

    `capture` it once; `replay` it as often as needed. Other threads may work on the device meanwhile, as long
    as they take `CAPTURING` before they give its memory back.
    """

    def __init__(self, step: Callable[[], None], device: torch.device, pool: Any = None) -> None:
        """`pool`: what `torch.cuda.graph_pool_handle` gives, shared by graphs that never run at once."""
        self._step = step
        self._device = device
        self._pool = pool
        self._graph: torch.cuda.CUDAGraph | None = None

    def capture(self) -> None:
        """Record the step. The step itself runs a few times, so what it changes has to be reset afterwards.

        Does nothing on the CPU.
        """
        if self._device.type != "cuda" or self._graph is not None:
            return
        with CAPTURING, torch.cuda.device(self._device), _no_collection():
            here = torch.cuda.current_stream()
            # The default stream cannot be captured. Any other can, and there are only 32 of them in all.
            stream = torch.cuda.Stream() if here == torch.cuda.default_stream() else here
            stream.wait_stream(here)
            with torch.cuda.stream(stream):
                for _ in range(WARM_UP_CALLS):
                    self._step()
            stream.synchronize()
            graph = torch.cuda.CUDAGraph()
            # The other model's thread may allocate meanwhile: only this thread's calls are held to the rules.
            with torch.cuda.graph(graph, pool=self._pool, stream=stream, capture_error_mode="thread_local"):
                self._step()
            here.wait_stream(stream)
            graph.replay()  # the first replay brings the graph to the device
        self._graph = graph

    def replay(self) -> None:
        """Run the step once, on the current stream."""
        if self._graph is not None:
            self._graph.replay()
        else:
            self._step()

    def release(self) -> None:
        self._graph = None


class CapturedFunction:
    """A function of tensors of one shape, captured when first called; its result stays valid until the next.

    A call with other shapes is a mistake of the caller and raises ValueError.
    """

    def __init__(self, function: Callable[..., Tensor], device: torch.device, pool: Any = None) -> None:
        """`pool`: as for `CapturedStep`; functions that share one spoil each other's results."""
        self._function = function
        self._device = device
        self._pool = pool
        self._inputs: tuple[Tensor, ...] = ()
        self._output: Tensor | None = None
        self._step: CapturedStep | None = None

    def __call__(self, *inputs: Tensor) -> Tensor:
        if self._device.type != "cuda":
            return self._function(*inputs)
        if self._step is None:
            self._inputs = tuple(given.clone() for given in inputs)
            self._step = CapturedStep(self._run, self._device, self._pool)
            self._step.capture()
        for held, given in zip(self._inputs, inputs, strict=True):
            if held.shape != given.shape:
                raise ValueError(f"captured for {tuple(held.shape)}, called with {tuple(given.shape)}")
            held.copy_(given, non_blocking=True)
        self._step.replay()
        assert self._output is not None
        return self._output

    def release(self) -> None:
        self._step, self._inputs, self._output = None, (), None

    def _run(self) -> None:
        self._output = self._function(*self._inputs)


@contextmanager
def _no_collection() -> Iterator[None]:
    """What the garbage collector would free meanwhile could be another thread's graph."""
    gc.collect()
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


def sent(tensor: Tensor, device: torch.device) -> Tensor:
    """A tensor of the host on the device, without waiting for what the device still has to do."""
    if device.type != "cuda":
        return tensor
    return tensor.pin_memory().to(device, non_blocking=True)


@contextmanager
def on_stream(stream: torch.cuda.Stream | None) -> Iterator[None]:
    """Work on this stream; without one (on the CPU) as it comes."""
    if stream is None:
        yield
    else:
        with torch.cuda.device(stream.device), torch.cuda.stream(stream):
            yield
