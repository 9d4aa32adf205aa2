"""An engine is loaded on its own thread; a model that does not fit after all gets a smaller place."""

from __future__ import annotations

from collections.abc import Callable

from voxterm.engines.protocols import Engine, LoadProgress, PlacedEngine
from voxterm.errors import EngineMemoryError
from voxterm.events import Event, Loading, Trouble


def load_engine(engine: Engine, tell: Callable[[Event], None]) -> None:
    """Load it and make its first answer as fast as its tenth.

    Raises:
        EngineLoadError: it cannot be loaded, or does not fit in any precision.
    """

    def progress(done_bytes: int, total_bytes: int) -> None:
        tell(Loading(engine.name, done_bytes, total_bytes))

    progress(0, 0)
    while (error := _shortage(engine, progress)) is not None:
        _take_less(engine, error, tell)


def _shortage(engine: Engine, progress: LoadProgress) -> EngineMemoryError | None:
    """Try to load it; the error where it does not fit."""
    try:
        engine.load(progress)
        engine.warm_up()
    except EngineMemoryError as error:
        return error
    return None


def _take_less(engine: Engine, error: EngineMemoryError, tell: Callable[[Event], None]) -> None:
    """Give it the next smaller place, and say so; where there is none, the error is final."""
    if not isinstance(engine, PlacedEngine) or (smaller := engine.placement.smaller()) is None:
        raise error
    engine.close()
    engine.placement = smaller
    now = f"{engine.name} is loaded in {smaller.precision} with a context of {smaller.context_tokens} tokens"
    tell(Trouble(error.what, now, error.category))
