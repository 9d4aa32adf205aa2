"""Voxtral Realtime hears while the person speaks: each 80 ms of audio go through it once, as they come.

When the person stops, all that is left to do is the delay by which its text lags behind the speech. That is
done on silence of its own, a frame at a time, and undone: if the person goes on, it goes on from there.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace

import numpy as np

from voxterm.checkpoints import Checkpoint, find
from voxterm.engines.declared import voxtral_realtime as declared
from voxterm.engines.declared.voxtral_realtime import VoxtralRealtimeSettings
from voxterm.engines.mapped import WEIGHT_BYTES
from voxterm.engines.memory import failures, free_caches, within_memory
from voxterm.engines.one_model import OneModel
from voxterm.engines.protocols import (
    HEARING_RATE_HZ,
    AudioEncoded,
    Ending,
    LoadProgress,
    Placement,
    Samples,
    Transcript,
)
from voxterm.engines.silence import RMS_SAMPLES, is_silence
from voxterm.engines.tempo import Tempo
from voxterm.engines.voxtral.turn import ENDING_DIGITS
from voxterm.engines.voxtral_realtime.model import ARCHITECTURES, load_model
from voxterm.engines.voxtral_realtime.prompt import FRAME_SAMPLES, RealtimePrompt, Said
from voxterm.engines.voxtral_realtime.stream import RealtimeStream
from voxterm.errors import EngineError, EngineLoadError

TITLE = "Voxtral Realtime"

FEED_LIMIT_S = 0.25
"""So long one `feed` may catch up; a device that is slower than speech does the rest in `finish`."""

REAL_TIME_TOKENS_PER_S = HEARING_RATE_HZ / FRAME_SAMPLES
"""12.5: a token for each frame."""

"""What a precision takes of the weights' bytes: the ears, 22% of them, are never quantised."""


@dataclass(frozen=True)
class _Loaded:
    prompt: RealtimePrompt
    stream: RealtimeStream
    memory_bytes: Mapping[str, int]


@dataclass
class _Turn:
    """What was heard since `begin`."""

    tempo: Tempo
    said: Said = field(default_factory=Said)
    told: str = ""
    was_loud: bool = False
    unjudged: Samples = field(default_factory=lambda: np.zeros(0, np.float32))  # too few to judge them alone

    def judge(self, samples: Samples) -> None:
        """Note whether anything in them is loud enough to be speech."""
        if self.was_loud:
            return
        unjudged = np.concatenate((self.unjudged, samples))
        whole = len(unjudged) - len(unjudged) % RMS_SAMPLES
        self.was_loud = not is_silence(unjudged[:whole])
        self.unjudged = unjudged[whole:]

    @property
    def is_silent(self) -> bool:
        return not self.was_loud and is_silence(self.unjudged)


class VoxtralRealtime(OneModel[_Loaded]):
    """A `Transcriber`."""

    def __init__(
        self,
        placement: Placement,
        settings: VoxtralRealtimeSettings | None = None,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        """`now`: seconds, by which its speed is measured and its work in a `feed` bounded."""
        super().__init__("voxtral_realtime", TITLE, placement)
        self._settings = settings or VoxtralRealtimeSettings()
        self._now = now
        self._turn = self._new_turn()

    def load(self, progress: LoadProgress) -> None:
        """Take up the model, and memory for `placement.context_tokens`.

        Raises:
            EngineLoadError: Transformers or mistral-common do not know the model yet.
            CheckpointError: the checkpoint is missing, broken or another model's.
            EngineMemoryError: it does not fit.
        """
        self.close()
        if lack := declared.VOXTRAL_REALTIME.lacking():
            remedy = "run pip install --upgrade 'voxterm[models]', or let another engine hear"
            raise EngineLoadError(f"{TITLE} needs {', '.join(lack)}", remedy)
        checkpoint = find(self._settings.checkpoint, ARCHITECTURES)
        prompt = RealtimePrompt(checkpoint.folder / "tekken.json", self._settings.delay_ms)
        self._loaded = within_memory(
            lambda: self._on_device(checkpoint, prompt, progress),
            lambda: self._needs(checkpoint.weight_bytes),
            self.placement.device,
        )

    def warm_up(self) -> None:
        """Capture and choose all kernels, with input of the real shapes. Forgets what was heard."""
        loaded = self._ready()
        with failures(TITLE, self.placement.device):
            loaded.stream.warm_up()
        self.begin()
        noise = np.random.default_rng(0).normal(0.0, 0.01, HEARING_RATE_HZ)
        self.feed(noise.astype(np.float32))
        for _ in self.finish():
            pass
        self.begin()
        self._speed = None

    def close(self) -> None:
        if self._loaded is not None:
            self._loaded.stream.close()
        self._loaded = None
        self._turn = self._new_turn()
        free_caches()

    def begin(self) -> None:
        """A new turn: forget what was fed."""
        self._turn = self._new_turn()
        self._ready().stream.begin()

    def feed(self, samples: Samples) -> str | None:
        """Take the next samples of the turn; the text so far, None where it has not changed.

        Takes in all frames that are whole, but begins with none after FEED_LIMIT_S.

        Raises:
            EngineError: the model failed; the samples are kept, and taken in by the next call.
        """
        loaded, turn = self._ready(), self._turn
        turn.judge(samples)
        loaded.stream.hear(samples)
        until_s = self._now() + FEED_LIMIT_S
        for _ in self._taken_in(loaded):
            if self._now() >= until_s:
                break
        text = turn.said.text if turn.was_loud else ""
        if text == turn.told:
            return None
        turn.told = text
        return text

    def finish(self) -> Iterator[AudioEncoded | Ending | Transcript]:
        """Transcribe the turn so far; it stays open. See `protocols.Transcriber`.

        AudioEncoded comes after each frame that was still to be taken in, the silence at the end included: it
        may be closed after any of them. The Ending is the greatest probability of a full stop since the last
        word, and is not calibrated: nobody has counted how often sentences do end there.

        Raises:
            EngineError: the model failed.
        """
        loaded, turn = self._ready(), self._turn
        if turn.is_silent:
            yield AudioEncoded()
            yield Transcript("")
            return
        for _ in self._taken_in(loaded):
            yield AudioEncoded()
        before = turn.said
        try:
            with failures(TITLE, self.placement.device), loaded.stream.ending():
                for _ in self._taken_in(loaded):
                    yield AudioEncoded()
            said = turn.said
        finally:
            turn.said = before
        if said.text:
            yield Ending(round(said.full_stop, ENDING_DIGITS))
        yield Transcript(said.text)

    def _taken_in(self, loaded: _Loaded) -> Iterator[None]:
        """Take in, frame by frame, all that there is."""
        turn = self._turn
        while loaded.stream.is_behind:
            turn.tempo.resume()  # the time since the last frame was the speaker's
            with failures(TITLE, self.placement.device):
                token = loaded.stream.step()
            if token is not None:
                turn.tempo.token()
                self._speed = turn.tempo.speed or self._speed
                turn.said = turn.said.plus(loaded.prompt.piece(token.id), token.full_stop)
            yield

    def _new_turn(self) -> _Turn:
        return _Turn(Tempo(self._now, REAL_TIME_TOKENS_PER_S))

    def _ready(self) -> _Loaded:
        if self._loaded is None:
            raise EngineError(f"{TITLE} is not loaded", "call load() first")
        return self._loaded

    def _on_device(self, checkpoint: Checkpoint, prompt: RealtimePrompt, progress: LoadProgress) -> _Loaded:
        model = load_model(checkpoint, self.placement, prompt, progress)
        stream = RealtimeStream(model, prompt, self.placement.context_tokens)
        held = {TITLE: model.weight_bytes, f"{TITLE} cache": stream.memory_bytes}
        return _Loaded(prompt, stream, held)

    def _needs(self, weight_bytes: int) -> str:
        precision = self.placement.precision
        needed_gb = weight_bytes / 2 * WEIGHT_BYTES[precision] / 1e9  # the files are in bf16
        return f"{TITLE} in {precision} needs {needed_gb:.1f} GB and its cache"


def placed(placement: Placement, settings: VoxtralRealtimeSettings) -> VoxtralRealtime:
    """As its section of the settings says; the plan may have granted less context than that asks for."""
    granted = replace(placement, context_tokens=min(placement.context_tokens, settings.context_tokens))
    return VoxtralRealtime(granted, settings)
