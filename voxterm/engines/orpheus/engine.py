"""Orpheus speaks: a language model whose words are audio tokens, which the SNAC codec turns into sound.

Sound comes frame by frame (85 ms, seven tokens) while the model goes on, and every frame that it gave is
heard. A long text is read in pieces of some sentences, joined without a gap. One checkpoint knows the
speakers of one language; a voice of another language loads its own in place of the one before.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from difflib import get_close_matches

from voxterm.checkpoints import find
from voxterm.decoding import Sampling
from voxterm.engines.declared import orpheus as declared
from voxterm.engines.memory import failures, free_caches, within_memory
from voxterm.engines.orpheus.model import ARCHITECTURES, OrpheusModel, load_model
from voxterm.engines.orpheus.snac import SnacCodec
from voxterm.engines.orpheus.stream import FRAME_SAMPLES, LONGEST_WINDOW_FRAMES, RATE_HZ, SpeechStream
from voxterm.engines.orpheus.text import pieces, readable, token_limit
from voxterm.engines.orpheus.tokens import SLOTS, Frame, FrameBuilder, RunawayWatch, layers
from voxterm.engines.protocols import (
    FASTEST,
    SLOWEST,
    LoadProgress,
    Placement,
    Samples,
    SpeechChunk,
    SpeechTokens,
    Speed,
    Spoken,
    Voice,
)
from voxterm.engines.tempo import Tempo
from voxterm.engines.time_stretch import TimeStretch
from voxterm.errors import CheckpointError, EngineError, VoiceError

ENGLISH = "canopylabs/orpheus-3b-0.1-ft"
CODEC = "hubertsiuzdak/snac_24khz"

CHECKPOINT_SPEAKERS: Mapping[str, tuple[str, ...]] = {
    ENGLISH: ("tara", "leah", "jess", "leo", "dan", "mia", "zac", "zoe"),
    "canopylabs/3b-fr-ft-research_release": ("pierre", "amelie", "marie"),
    "canopylabs/3b-de-ft-research_release": ("jana", "thomas", "max"),
    "canopylabs/3b-es_it-ft-research_release": ("javi", "sergio", "maria", "pietro", "giulia", "carlo"),
    "canopylabs/3b-ko-ft-research_release": ("유나", "준서"),
    "canopylabs/3b-hi-ft-research_release": ("ऋतिका",),
    "canopylabs/3b-zh-ft-research_release": ("长乐", "白芷"),
}
"""The published checkpoints and whom each can speak as."""

SPEAKERS: Mapping[str, str] = {
    speaker: checkpoint for checkpoint, speakers in CHECKPOINT_SPEAKERS.items() for speaker in speakers
}

ANOTHER_SEED = 1 << 20

TITLE = "Orpheus"

REAL_TIME_TOKENS_PER_S = SLOTS * RATE_HZ / FRAME_SAMPLES
"""82: as many tokens are a second of speech."""


@dataclass(frozen=True, slots=True)
class OrpheusSettings:
    """How Orpheus speaks. The sampling is the published one."""

    checkpoint: str = ENGLISH  # loaded first; one that is not published stands in for the English one
    codec: str = CODEC
    temperature: float = 0.6
    top_p: float = 0.8
    repetition_penalty: float = 1.3  # below 1.1 it stumbles
    max_speech_s: float = 40.0  # of one piece of a text
    first_chunk_frames: int = 2  # 1 is heard seven tokens earlier, and its first 50 ms are rougher
    seed: int | None = None  # None: another each time, as a person never says a thing twice the same


class Orpheus:
    """A `SpeechSynthesizer`."""

    def __init__(
        self,
        placement: Placement,
        settings: OrpheusSettings | None = None,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        """`now`: seconds, by which it judges how long its speech will last."""
        self.name = "orpheus"
        self.rate_hz = RATE_HZ
        self.stray_tokens = 0
        """Tokens that were no audio where they stood, since it was made."""
        self.runaways = 0
        """Pieces of text that were cut since they did not end by themselves."""
        self.placement = placement
        self._settings = settings or OrpheusSettings()
        self._now = now
        self._tempo = Tempo(now)
        self._speed: Speed | None = None
        self._codec: SnacCodec | None = None
        self._model: OrpheusModel | None = None

    def load(self, progress: LoadProgress) -> None:
        """Take up the codec and the checkpoint.

        Raises:
            CheckpointError: one is missing, broken, or another model's.
            EngineMemoryError: it does not fit.
        """
        codec = find(self._settings.codec)
        checkpoint = find(self._settings.checkpoint, ARCHITECTURES)
        device = self.placement.device
        self._codec = within_memory(
            lambda: SnacCodec(codec, device), lambda: f"{codec.name} needs 0.1 GB", device
        )
        if (self._codec.frame_samples, self._codec.rate_hz) != (FRAME_SAMPLES, RATE_HZ):
            raise CheckpointError(f"{codec.name} is not the codec of Orpheus", f"give {CODEC}")
        self._model = load_model(checkpoint, self.placement, progress)

    def warm_up(self) -> None:
        """Capture what a GPU can replay."""
        if self._codec is None or self._model is None:
            raise _not_loaded()
        with failures(TITLE, self.placement.device):
            self._codec.warm_up(range(1, LONGEST_WINDOW_FRAMES + 1))
        self._model.warm_up()

    def close(self) -> None:
        """Give back the models."""
        if self._model:
            self._model.close()
        if self._codec:
            self._codec.close()
        self._model = self._codec = None
        free_caches()

    def voices(self) -> Sequence[str]:
        """The speakers of all published checkpoints."""
        return tuple(SPEAKERS)

    @property
    def memory_bytes(self) -> Mapping[str, int]:
        """What it holds on its device: name → bytes."""
        codec, model = self._codec, self._model  # read once: another thread may close them
        if codec is None or model is None:
            return {}
        return {
            TITLE: model.weight_bytes,
            f"{TITLE} cache": model.cache_bytes,
            "codec": codec.memory_bytes,
        }

    @property
    def speeds(self) -> Mapping[str, Speed]:
        """How fast it made its last speech, the codec's work included: `protocols.PacedEngine`."""
        speed = self._speed
        return {TITLE: speed} if speed else {}

    def speak(self, text: str, voice: Voice, speed: float = 1.0) -> Iterator[Spoken]:
        """Speak a text as its words, with those tags that the voice knows. Loads the voice's checkpoint.

        `speed` is held within 0.5…2.

        Raises:
            VoiceError: there is no such speaker, or its checkpoint was not fetched.
            EngineError: it is not loaded, or the model gave no sound.
        """
        if self._codec is None:
            raise _not_loaded()
        checkpoint = self._checkpoint_of(voice)
        read = list(pieces(readable(text, voice.tags)))
        if read:
            self._take_up(checkpoint)
            seed = self._settings.seed if self._settings.seed is not None else random.getrandbits(31)
            speed = min(max(speed, SLOWEST), FASTEST)
            speech = self._speech(read, voice.speaker, seed, speed)
            yield from speech if speed == 1.0 else _stretched(speech, speed)

    def _checkpoint_of(self, voice: Voice) -> str:
        """The checkpoint that has this speaker.

        Raises:
            VoiceError: none is known.
        """
        named = voice.checkpoint or SPEAKERS.get(voice.speaker)
        if named is None:
            near = get_close_matches(voice.speaker, SPEAKERS, n=3) or CHECKPOINT_SPEAKERS[ENGLISH]
            raise VoiceError(f'Orpheus has no speaker "{voice.speaker[:60]}"', f"near are {', '.join(near)}")
        own = self._settings.checkpoint
        return own if named == ENGLISH and own not in CHECKPOINT_SPEAKERS else named

    def _take_up(self, name: str) -> None:
        """Load a checkpoint in place of the one that is there.

        Raises:
            VoiceError: it was not fetched.
        """
        if self._model and self._model.name == name:
            return
        try:
            checkpoint = find(name, ARCHITECTURES)
        except CheckpointError as error:
            raise VoiceError(error.what, error.remedy) from error
        if self._model:
            self._model.close()
            self._model = None
            free_caches()  # the new one takes blocks of other sizes
        self._model = load_model(checkpoint, self.placement, lambda done, total: None)
        self._model.warm_up()

    def _speech(
        self, read: Sequence[str], speaker: str, seed: int, speed: float
    ) -> Generator[Spoken, None, None]:
        """The pieces of a text as one speech."""
        stream = SpeechStream(self._decode, self._now, self._settings.first_chunk_frames, speed)
        self._tempo = Tempo(self._now, REAL_TIME_TOKENS_PER_S)
        begun = False
        for number, piece in enumerate(read):
            for item in self._piece(piece, speaker, stream, seed + number):
                if begun and isinstance(item, SpeechTokens):
                    continue
                begun = True
                yield item
                stream.resume()
                self._tempo.resume()
        last = stream.finish()
        if last is None:
            raise EngineError(
                f'Orpheus gave no sound for "{read[0][:60]}"', "say it again, or in other words"
            )
        yield SpeechChunk(last)

    def _piece(self, piece: str, speaker: str, stream: SpeechStream, seed: int) -> Iterator[Spoken]:
        """Read one piece; where nothing came of it, once more with other random numbers."""
        for other_seed in (seed, seed + ANOTHER_SEED):
            builder = FrameBuilder()
            try:
                yield from self._read(piece, speaker, stream, builder, other_seed)
            finally:
                self.stray_tokens += builder.strays
            if builder.accepted >= SLOTS:
                return

    def _read(
        self, piece: str, speaker: str, stream: SpeechStream, builder: FrameBuilder, seed: int
    ) -> Iterator[Spoken]:
        """Give the model's tokens to the stream, until it ends or has to be ended."""
        assert self._model is not None
        settings = self._settings
        sampling = Sampling(settings.temperature, settings.top_p, 0, settings.repetition_penalty)
        longest = round(settings.max_speech_s * RATE_HZ / FRAME_SAMPLES) * SLOTS
        limit = min(token_limit(piece), longest)
        watch = RunawayWatch(RATE_HZ)
        self._tempo.prefill()
        with closing(self._model.speech(speaker, piece, limit, sampling, seed)) as tokens:
            for token in tokens:
                self._tempo.token()
                frame = builder.push(token)
                if builder.accepted == 1:
                    yield SpeechTokens()
                if frame is None:
                    continue
                self._speed = self._tempo.speed or self._speed
                samples = stream.push(frame)
                if samples is not None:
                    yield SpeechChunk(samples)
                if watch.sees_cycle(frame) or (samples is not None and watch.hears_silence(samples)):
                    self.runaways += 1
                    return
        self.runaways += builder.accepted + builder.strays >= limit

    def _decode(self, frames: Sequence[Frame], first_frame: int) -> Samples:
        assert self._codec is not None
        with failures(TITLE, self.placement.device):
            return self._codec.decode(layers(frames), first_frame)


def placed(placement: Placement, section: declared.OrpheusSettings) -> Orpheus:
    """As its section of the settings says; the plan may have granted less context than that asks for."""
    granted = replace(placement, context_tokens=min(placement.context_tokens, section.context_tokens))
    values = section.model_dump(exclude={"checkpoint", "context_tokens"})
    return Orpheus(granted, OrpheusSettings(checkpoint=section.checkpoint or ENGLISH, **values))


def _stretched(speech: Generator[Spoken, None, None], speed: float) -> Iterator[Spoken]:
    stretch = TimeStretch(speed, RATE_HZ)
    with closing(speech):
        for item in speech:
            if isinstance(item, SpeechTokens):
                yield item
            elif len(samples := stretch.push(item.samples)):
                yield SpeechChunk(samples)
        if len(samples := stretch.finish()):
            yield SpeechChunk(samples)


def _not_loaded() -> EngineError:
    return EngineError("Orpheus is not loaded", "call load() first")
