"""A plan can err: what does not fit after all is loaded smaller, and it is said."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping

import pytest
from fakes import VOICE, LevelVad, Listener, ToneVoice

from voxterm.audio.recording import RecordedLoudspeaker
from voxterm.clock import RealClock, SkippingClock
from voxterm.conversation import Cast
from voxterm.conversation.bridge import EngineThread
from voxterm.conversation.cast import EngineThreads
from voxterm.conversation.loading import load_cast, load_engine
from voxterm.conversation.mouth import Mouth, Speaker, Understudies
from voxterm.engines.protocols import LoadProgress, Placement, Samples, TurnDetector
from voxterm.errors import CheckpointError, EngineLoadError, EngineMemoryError
from voxterm.events import Event, Loading, Trouble


class Model:
    """Fits from the n-th try on, or runs out of memory while it warms up."""

    def __init__(self, fits_at: int, fails_in: str = "load", error: EngineLoadError | None = None) -> None:
        self.name = "model"
        self.placement = Placement("cuda:0", "bf16", 2048)
        self.tried: list[Placement] = []
        self.closed = 0
        self._fits_at = fits_at
        self._fails_in = fails_in
        self._error = error or EngineMemoryError("model needs 9.0 GB", "end other programs")

    @property
    def memory_bytes(self) -> Mapping[str, int]:
        return {}

    def load(self, progress: LoadProgress) -> None:
        self.tried.append(self.placement)
        progress(1, 2)
        self._fail("load")

    def warm_up(self) -> None:
        self._fail("warm_up")

    def close(self) -> None:
        self.closed += 1

    def _fail(self, where: str) -> None:
        if where == self._fails_in and len(self.tried) < self._fits_at:
            raise self._error


@pytest.mark.parametrize("fails_in", ["load", "warm_up"])
def test_what_does_not_fit_is_loaded_smaller_and_it_is_said(fails_in: str) -> None:
    model, told = Model(4, fails_in), list[Event]()
    load_engine(model, told.append)
    assert [(tried.precision, tried.context_tokens) for tried in model.tried] == [
        ("bf16", 2048),
        ("int8", 2048),
        ("int4", 2048),
        ("int4", 1024),
    ]
    assert model.closed == 3
    troubles = [event for event in told if isinstance(event, Trouble)]
    assert [trouble.what for trouble in troubles] == ["model needs 9.0 GB"] * 3
    assert troubles[-1].remedy == "model is loaded in int4 with a context of 1024 tokens"
    assert troubles[0].category == "memory"
    assert Loading("model", 1, 2) in told


def test_nothing_smaller_is_left_at_the_end() -> None:
    model = Model(99)
    with pytest.raises(EngineMemoryError):
        load_engine(model, lambda event: None)
    assert len(model.tried) == 4


def test_another_error_is_not_tried_again() -> None:
    model = Model(99, error=CheckpointError("a shard is missing", "fetch it"))
    with pytest.raises(CheckpointError):
        load_engine(model, lambda event: None)
    assert len(model.tried) == 1


class Detector:
    """Loads, or does not."""

    name = "detector"

    def __init__(self, error: Exception | None = None) -> None:
        self.loaded = False
        self._error = error

    def load(self, progress: LoadProgress) -> None:
        if self._error:
            raise self._error
        self.loaded = True

    def warm_up(self) -> None:
        """Nothing is slow here."""

    def close(self) -> None:
        """It holds nothing."""

    def probability(self, turn: Samples) -> float:
        return 0.5


@pytest.fixture
async def threads() -> AsyncIterator[EngineThreads]:
    three = [EngineThread(name, RealClock()) for name in ("understand", "speak", "detect")]
    yield EngineThreads(*three)
    for thread in three:
        await thread.close()


async def load(cast: Cast, threads: EngineThreads, told: list[Event]) -> TurnDetector | None:
    return await load_cast(cast, mouth_of(cast, threads), threads, told.append)


def mouth_of(cast: Cast, threads: EngineThreads) -> Mouth:
    loudspeaker = RecordedLoudspeaker(SkippingClock(), 24_000)
    understudies = Understudies(cast.voices)
    return Mouth(
        cast.synthesizer,
        threads.synthesizer,
        Speaker(cast.voice),
        1.0,
        loudspeaker,
        understudies=understudies,
    )


def cast_with(detector: TurnDetector | None) -> Cast:
    return Cast("test", "", LevelVad(), Listener(), ToneVoice(), VOICE, detector=detector)


async def test_a_turn_detector_is_loaded_with_the_others(threads: EngineThreads) -> None:
    detector, told = Detector(), list[Event]()
    assert await load(cast_with(detector), threads, told) is detector
    assert detector.loaded
    assert not any(isinstance(event, Trouble) for event in told)
    assert await load(cast_with(None), threads, told) is None


@pytest.mark.parametrize(
    "error", [EngineLoadError("no such file", "reinstall voxterm"), EngineMemoryError("too big")]
)
async def test_without_its_turn_detector_a_conversation_goes_on_and_says_so(
    threads: EngineThreads, error: EngineLoadError
) -> None:
    told = list[Event]()
    assert await load(cast_with(Detector(error)), threads, told) is None
    (trouble,) = (event for event in told if isinstance(event, Trouble))
    assert trouble.what == error.what
    assert trouble.remedy.startswith(error.remedy)
    assert trouble.remedy.endswith("turns end by the pause and the words alone")


def test_an_engine_that_offers_few_precisions_is_not_tried_in_others() -> None:
    """Kokoro computes in float32 whatever it is told: it would be loaded eight times, each an untrue line."""

    class Kokoro(Model):
        precisions = ("float32", "bf16")

    model, told = Kokoro(9), list[Event]()
    model.placement = Placement("cuda:0", "float32", 2048)
    with pytest.raises(EngineMemoryError):
        load_engine(model, told.append)
    assert [tried.precision for tried in model.tried] == ["float32", "bf16"]
    assert sum(isinstance(event, Trouble) for event in told) == 1
