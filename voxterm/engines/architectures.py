"""Parts of Transformers, and of libraries upon it, which several threads that load models need at once.

Its modules are imported one by one when their names are looked up, here or in code of its own, and import
each other in circles. Two threads in such a circle see each other's modules half made: "cannot import name".
So one at a time does what may import them.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from threading import RLock
from typing import Any

_IMPORTING = RLock()


@contextmanager
def importing() -> Iterator[None]:
    """Around code that may import parts of Transformers, directly or not."""
    with _IMPORTING:
        yield


def from_transformers(name: str, module: str = "transformers") -> Any:
    """A class or function by its name, such as "LlamaForCausalLM"."""
    with importing():
        return getattr(import_module(module), name)
