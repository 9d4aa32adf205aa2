"""Engines are loaded on their own threads; a model that does not fit after all gets a smaller place."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

from voxterm.conversation.bridge import loop_caller
from voxterm.conversation.cast import Cast, EngineThreads
from voxterm.conversation.mouth import Mouth, Speaker
from voxterm.engines.protocols import (
    PRECISIONS,
    Engine,
    LoadProgress,
    PlacedEngine,
    Placement,
    Precision,
    SpeechSynthesizer,
    TurnDetector,
    Voice,
    parts_of,
)
from voxterm.errors import EngineError, EngineMemoryError
from voxterm.events import Event, Loading, Trouble

WITHOUT_DETECTOR = "turns end by the pause and the words alone"


async def load_cast(
    cast: Cast, mouth: Mouth, threads: EngineThreads, tell: Callable[[Event], None]
) -> TurnDetector | None:
    """Load all engines side by side, the voice included; `tell` is called on the event loop.

    Where the voice cannot speak another one like it does, and that is told.

    Returns the turn detector, if there is one and it could be loaded: a conversation goes on without, and
    that is told.

    Raises:
        EngineLoadError, VoiceError: one of the others cannot be had.
    """
    call_on_loop = loop_caller()

    def load(engine: Engine) -> None:
        load_engine(engine, lambda event: call_on_loop(tell, event))

    def load_voice() -> None:
        load(cast.synthesizer)
        for event in take_up_any(mouth):
            call_on_loop(tell, event)

    def load_detector() -> TurnDetector | None:
        try:
            if cast.detector:
                load(cast.detector)
        except EngineError as error:
            remedy = "; ".join(filter(None, (error.remedy, WITHOUT_DETECTOR)))
            call_on_loop(tell, Trouble(error.what, remedy, error.category))
            return None
        return cast.detector

    *_, detector = await asyncio.gather(
        asyncio.to_thread(load, cast.vad),
        threads.understanding.call(lambda: load(cast.understanding)),
        threads.synthesizer.call(load_voice),
        threads.detector.call(load_detector),
    )
    return detector


def take_up_any(mouth: Mouth) -> list[Event]:
    """Have the speaker's voice say something, or another like it where it cannot; that is then to be told.

    Raises:
        VoiceError, EngineError: none can speak; what was wrong with the speaker's.
    """
    while (error := _refusal(mouth)) is not None:
        if (failure := mouth.give_up(None, error)) is not None:
            raise failure
    return mouth.hand_over(None)


def _refusal(mouth: Mouth) -> Exception | None:
    """Why whoever speaks now cannot."""
    try:
        next(iter(mouth.engine.speak("a", mouth.understudies.instead_of(mouth.speaker.voice))), None)
    except Exception as error:  # whatever a model raises
        return error
    return None


def take_up_voice(engine: SpeechSynthesizer, speaker: Speaker, before: Voice) -> None:
    """Have the speaker's voice say something: what it needs is loaded then, and a voice it lacks refused.

    Raises:
        VoiceError, EngineError: it cannot speak; the speaker's voice is then the one before.
    """
    try:
        next(iter(engine.speak("a", speaker.voice)), None)
    except BaseException:
        speaker.voice = before
        raise


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


def _smaller(engine: PlacedEngine) -> Placement | None:
    """The next smaller place that makes a difference to an engine: some offer few precisions."""
    offered: Sequence[Precision] = getattr(engine, "precisions", PRECISIONS)
    smaller = engine.placement.smaller(offered)
    is_shorter = smaller is not None and smaller.precision == engine.placement.precision
    return None if is_shorter and offered is not PRECISIONS else smaller


def _take_less(engine: Engine, error: EngineMemoryError, tell: Callable[[Event], None]) -> None:
    """Give it, or the part of it that did not fit, the next smaller place, and say so; where there is none,
    the error is final."""
    placed = [part for part in parts_of(engine) if isinstance(part, PlacedEngine)]
    able = [(part, smaller) for part in placed if (smaller := _smaller(part)) is not None]
    if not able:
        raise error
    part, smaller = next(((part, smaller) for part, smaller in able if not part.memory_bytes), able[-1])
    engine.close()
    part.placement = smaller
    name = getattr(part, "name", engine.name)
    now = f"{name} is loaded in {smaller.precision} with a context of {smaller.context_tokens} tokens"
    tell(Trouble(error.what, now, error.category))
