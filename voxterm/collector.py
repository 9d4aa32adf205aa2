"""Python's garbage collector, kept from interrupting a conversation.

Its full collections look at every object there is, with the interpreter held: with the models' libraries in
memory for longer than a person takes to notice. What is loaded stays until the end, so it is put out of its
sight (`gc.freeze`), and while it is being loaded nothing is collected.
"""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterator
from contextlib import contextmanager


@contextmanager
def quiet_collector() -> Iterator[Callable[[], None]]:
    """Nothing is collected until the function that it gives is called: when all is loaded.

    It collects once more, and from then on only what is made later is looked at.
    """
    was_on = gc.isenabled()
    gc.disable()

    def settle() -> None:
        gc.collect()
        gc.freeze()
        gc.enable()

    try:
        yield settle
    finally:
        gc.unfreeze()
        if was_on:
            gc.enable()
