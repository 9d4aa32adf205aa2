"""Parts of Transformers. They are imported late, which two threads that load models must not do at once."""

from __future__ import annotations

from importlib import import_module
from threading import Lock
from typing import Any

_IMPORTING = Lock()  # its modules look their own names up while they are imported


def from_transformers(name: str, module: str = "transformers") -> Any:
    """A class or function by its name, such as "LlamaForCausalLM"."""
    with _IMPORTING:
        return getattr(import_module(module), name)
