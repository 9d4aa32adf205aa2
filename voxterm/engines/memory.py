"""What the engines do when the memory of a device runs out, or torch fails otherwise."""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

import torch

from voxterm.decoding.graph import CAPTURING
from voxterm.errors import EngineError, EngineMemoryError

T = TypeVar("T")

TRIES = 2
"""What others, or the first try, had just let go may be free the second time."""


def within_memory(work: Callable[[], T], needs: Callable[[], str], device: str) -> T:
    """What `work` gives; where the memory runs out, once more after all that is unused was given back.

    Raises:
        EngineMemoryError: it ran out again; `needs` says what of, as the beginning of a sentence.
    """
    for _ in range(TRIES):
        try:
            return work()
        except torch.OutOfMemoryError:
            pass  # what the failed try holds is free only once the exception is gone
        free_caches()
    raise EngineMemoryError(
        f"{needs()} on {device}{_free(device)}",
        "choose a smaller precision (int8, int4) or a shorter context, or end what else is in that memory",
    )


@contextmanager
def failures(title: str, device: str) -> Iterator[None]:
    """What torch raises inside, as one of ours. An EngineMemoryError ends a turn, and a warm-up."""
    try:
        yield
    except torch.OutOfMemoryError as error:
        free_caches()
        what = f"the memory of {device} ran out while {title} worked"
        raise EngineMemoryError(what, "say it again; end other programs there if it stays so") from error
    except RuntimeError as error:
        raise EngineError(f"{title} failed: {error}", "say it again; if it stays so, restart") from error


def free_caches() -> None:
    """Give back what torch keeps for later."""
    with CAPTURING:
        gc.collect()
        if torch.cuda.is_available():
            torch.cuda.empty_cache()


def _free(device: str) -> str:
    """How much memory is free there, as the end of a sentence."""
    if torch.device(device).type != "cuda":
        return ""
    free_bytes, _ = torch.cuda.mem_get_info(device)
    return f", which has {free_bytes / 1e9:.1f} GB free"
