"""Whisper hears: partial texts while the person speaks, and the whole transcript once they are done.

The open turn is transcribed over and over as it grows; `turn` tells how, and `pass_pacing` how often.
What the passes agreed on need not be decoded again when the end is asked for, and where nothing new was heard
since the last pass, as in a pause that goes on, nothing is computed at all, but for the language once.

Some checkpoints find speech in everything: large-v3-turbo gives no speech 1e-10 where others give more than a
half (SYSTRAN/faster-whisper, issue 1028). So each is given noise when it is warmed up, and one that takes it
for speech is not asked again: improbable words are then left out by themselves.

Its `Ending` comes from the probability of a full stop after the last word. It is not calibrated.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace

import numpy as np

from voxterm.engines.declared.whisper import WhisperSettings
from voxterm.engines.protocols import (
    HEARING_RATE_HZ,
    AudioEncoded,
    Ending,
    LoadProgress,
    Placement,
    Precision,
    Samples,
    Speed,
    Transcript,
)
from voxterm.engines.whisper.judgement import Bounds
from voxterm.engines.whisper.pass_pacing import PassPacing
from voxterm.engines.whisper.recogniser import TITLE, Recogniser
from voxterm.engines.whisper.turn import Rules, WhisperTurn
from voxterm.errors import EngineError

NO_BOUNDS = Bounds(no_speech=1.0, log_probability=float("-inf"), compression=float("inf"))
"""Of what a stand-in says, all is doubtful: to measure its speed nothing is doubted."""

TELLS_NOISE = 0.01
"""The least probability of no speech that noise is given by a model for which that means anything."""


@dataclass
class _Loaded:
    recogniser: Recogniser
    rules: Rules
    turn: WhisperTurn
    told: str = ""


class Whisper:
    """A `Transcriber`."""

    def __init__(
        self,
        placement: Placement,
        settings: WhisperSettings | None = None,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        """`now`: seconds, by which its passes are paced and its speed is measured."""
        self.name = "whisper"
        self.placement = placement
        self._settings = settings or WhisperSettings()
        self._now = now
        self._pacing = PassPacing(self._settings.partial_every_s)
        self._loaded: _Loaded | None = None

    @property
    def precisions(self) -> tuple[Precision, ...]:
        """What its weights can be kept in."""
        if self._settings.backend == "faster_whisper":
            return ("float32", "bf16", "int8")
        return ("float32", "bf16")

    @property
    def memory_bytes(self) -> Mapping[str, int]:
        """What it holds on its device, by what holds it; nothing before `load`."""
        loaded = self._loaded  # read once: another thread may close it
        return loaded.recogniser.memory_bytes if loaded else {}

    @property
    def speeds(self) -> Mapping[str, Speed]:
        """How fast it decoded last: `protocols.PacedEngine`."""
        loaded = self._loaded
        speed = loaded.recogniser.speed if loaded else None
        return {TITLE: speed} if speed else {}

    def load(self, progress: LoadProgress) -> None:
        """Take up the model.

        Raises:
            CheckpointError: the checkpoint is missing, broken or another model's.
            EngineMemoryError: it does not fit.
            EngineLoadError: the library that is to run it is missing, or refuses.
            ConfigError: the checkpoint does not know the language.
        """
        self.close()
        settings = self._settings
        recogniser = self._opened(progress)
        try:
            language_id = recogniser.vocabulary.language_id(settings.language)
        except Exception:
            recogniser.close()
            raise
        bounds = Bounds(settings.no_speech, settings.log_probability, settings.compression)
        rules = Rules(language_id, bounds, settings.retries)
        if recogniser.is_stand_in:
            rules = Rules(language_id, NO_BOUNDS, retries=0)
        self._loaded = _Loaded(recogniser, rules, WhisperTurn(recogniser, rules))

    def warm_up(self) -> None:
        """Choose and capture all kernels, then measure what a pass costs. Forgets what was heard."""
        recogniser = self._ready().recogniser
        recogniser.warm_up()
        noise = np.random.default_rng(0).normal(0.0, 0.01, HEARING_RATE_HZ)
        for _ in ("slow, since it is the first", "measured"):
            self.begin()
            self.feed(noise.astype(np.float32))
            for _ in self.finish():
                pass
        self._learn_silence()
        self.begin()
        recogniser.speed = None  # nobody has said anything yet

    def close(self) -> None:
        loaded, self._loaded = self._loaded, None
        if loaded is not None:
            loaded.recogniser.close()

    def begin(self) -> None:
        loaded = self._ready()
        loaded.turn = WhisperTurn(loaded.recogniser, loaded.rules)
        loaded.told = ""

    def feed(self, samples: Samples) -> str | None:
        """Take the next samples, any number; makes a pass over them where it is time for one.

        Raises:
            EngineError: the model failed.
        """
        loaded = self._ready()
        turn = loaded.turn
        turn.take(samples)
        began_s = self._now()
        if not (turn.is_over_full or self._pacing.due(turn.unheard_s, began_s)):
            return None
        decodes = turn.decodes
        for _ in turn.read(thorough=False):
            pass
        if turn.decodes != decodes:
            self._pacing.passed(began_s, self._now())
        text = turn.text
        if text == loaded.told:
            return None
        loaded.told = text
        return text

    def finish(self) -> Iterator[AudioEncoded | Ending | Transcript]:
        """AudioEncoded, an Ending where words were heard and its library tells, one Transcript.

        AudioEncoded comes again before each further try at doubtful words and wherever a turn that is too
        long was cut: it may be closed there.

        Raises:
            EngineError: the model failed.
        """
        loaded = self._ready()
        turn = loaded.turn
        began_s, decodes = self._now(), turn.decodes
        for _ in turn.read(thorough=True):
            stopped_s = self._now()
            yield AudioEncoded()
            began_s += self._now() - stopped_s  # that was the reader's time
        if turn.decodes != decodes:
            self._pacing.passed(began_s, self._now())
        loaded.told = turn.text
        if turn.ending is not None and turn.text:
            yield Ending(turn.ending)
        yield Transcript(turn.text)

    def _learn_silence(self) -> None:
        """Whether the model can tell that the noise, which it has encoded last, is no speech."""
        loaded = self._ready()
        recogniser, bound = loaded.recogniser, loaded.rules.bounds.no_speech
        decoded = recogniser.decode(recogniser.vocabulary.prompt(None), (), limit=1)
        loaded.rules = replace(loaded.rules, knows_silence=decoded.no_speech >= TELLS_NOISE or bound >= 1.0)

    def _ready(self) -> _Loaded:
        if self._loaded is None:
            raise EngineError("Whisper is not loaded", "call load() first")
        return self._loaded

    def _opened(self, progress: LoadProgress) -> Recogniser:
        """The model in the library that was chosen; only that one is imported."""
        checkpoint = self._settings.checkpoint
        if self._settings.backend == "faster_whisper":
            from voxterm.engines.whisper.faster_whisper import opened as opened_converted

            return opened_converted(checkpoint, self.placement, progress)
        from voxterm.engines.whisper.model import opened

        return opened(checkpoint, self.placement, progress, self._now)


def placed(placement: Placement, settings: WhisperSettings) -> Whisper:
    """As its section of the settings says. The context that was granted is not asked for: its positions are
    448, whatever is said."""
    return Whisper(placement, settings)
