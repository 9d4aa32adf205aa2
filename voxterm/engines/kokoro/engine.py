"""Kokoro speaks: a small network that makes a whole phrase at once, in nine languages, fast enough on a CPU.

A text is read in pieces of a phrase or a sentence, the first a short one; nothing can be cancelled while a
piece is made, which on two cores takes a quarter of the time that it is heard. How long each phoneme lasts is
what the network decides first, so its words' marks are exact. It knows no emotions: tags are left out.

It decodes no tokens, so it has no `speeds`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from itertools import accumulate

from voxterm.checkpoints import find
from voxterm.engines.declared.kokoro import KokoroSettings
from voxterm.engines.espeak.engine import pieces as blocks
from voxterm.engines.espeak.engine import speakable
from voxterm.engines.kokoro.model import RATE_HZ, STYLES, KokoroModel, load_model
from voxterm.engines.kokoro.phonemes import BOPOMOFO, ESPEAK_LANGUAGES, FrontEnd, front_end
from voxterm.engines.kokoro.text import Part, pieces, readable
from voxterm.engines.memory import failures, free_caches
from voxterm.engines.protocols import (
    FASTEST,
    SLOWEST,
    LoadProgress,
    Placement,
    Precision,
    SpeechChunk,
    Voice,
    WordMark,
)
from voxterm.errors import EngineError, VoiceError

TITLE = "Kokoro"
CHUNK_SAMPLES = RATE_HZ // 4

_CLINGING = re.compile(r"[^\w\s]*")


class Kokoro:
    """A `SpeechSynthesizer`. Whatever precision its placement names, it computes in float32."""

    precisions: tuple[Precision, ...] = ("float32",)
    """What its weights can be kept in."""

    def __init__(self, placement: Placement, settings: KokoroSettings | None = None) -> None:
        self.name = "kokoro"
        self.rate_hz = RATE_HZ
        self.placement = placement
        self._settings = settings or KokoroSettings()
        self._model: KokoroModel | None = None
        self._front_ends: dict[str, FrontEnd] = {}  # by Kokoro's letter for the language

    def load(self, progress: LoadProgress) -> None:
        """Take up the checkpoint.

        Raises:
            CheckpointError: it is missing, broken, or another model's.
            EngineLoadError: the package `kokoro` is not there.
            EngineMemoryError: it does not fit.
        """
        self.close()
        self._model = load_model(find(self._settings.checkpoint), self.placement.device, progress)

    def warm_up(self) -> None:
        """Say a word, so that the libraries have chosen their kernels."""
        model = self._loaded()
        for speaker in model.speakers[:1]:
            for _ in self.speak("One, two.", Voice(speaker, self.name, "", speaker)):
                pass

    def close(self) -> None:
        """Give back the model."""
        if self._model:
            self._model.close()
        self._model = None
        self._front_ends.clear()
        free_caches()

    def voices(self) -> Sequence[str]:
        """The speakers whose files are there."""
        return self._model.speakers if self._model else ()

    @property
    def memory_bytes(self) -> Mapping[str, int]:
        """What it holds on its device: name → bytes."""
        model = self._model  # read once: another thread may close it
        return {TITLE: model.memory_bytes} if model else {}

    def speak(self, text: str, voice: Voice, speed: float = 1.0) -> Iterator[SpeechChunk]:
        """Speak a text, without what stands in it as a tag. `speed` is held within 0.5…2.

        Raises:
            VoiceError: there is no such speaker, or nothing that reads its language.
            EngineError: it is not loaded, or the model failed.
        """
        model = self._loaded()
        styles = model.style(voice.speaker)
        read = self._front_end(voice.speaker)
        speed = min(max(speed, SLOWEST), FASTEST)
        text = speakable(readable(text))
        at_samples = 0
        for piece in _pieces(text, read):
            phonemes = "".join(part.phonemes for part in piece).strip()
            ids = model.known(phonemes)
            if not ids:
                continue
            with failures(TITLE, self.placement.device):
                samples, frames = model.speak(ids, styles[min(len(phonemes), STYLES) - 1], speed)
            words = _marks(text, piece, self._begins_s(piece, frames, at_samples, len(samples)))
            for begin in range(0, len(samples), CHUNK_SAMPLES):
                yield SpeechChunk(samples[begin : begin + CHUNK_SAMPLES], words if begin == 0 else ())
            at_samples += len(samples)

    def _loaded(self) -> KokoroModel:
        if self._model is None:
            raise EngineError("Kokoro is not loaded", "call load() first")
        return self._model

    def _front_end(self, speaker: str) -> FrontEnd:
        """What reads the language of a speaker.

        Raises:
            VoiceError: nobody knows which language it is, or nothing reads it.
        """
        letter = speaker[:1]
        if letter not in ESPEAK_LANGUAGES:
            raise VoiceError(
                f'the name of the speaker "{speaker[:60]}" tells no language',
                f"let it begin with one of {', '.join(ESPEAK_LANGUAGES)}",
            )
        if letter not in self._front_ends:
            bopomofo = bool(self._loaded().known(BOPOMOFO))
            self._front_ends[letter] = front_end(letter, self._settings.front_end, bopomofo=bopomofo)
        return self._front_ends[letter]

    def _begins_s(
        self, piece: Sequence[Part], frames: Sequence[int], at_samples: int, samples: int
    ) -> list[float]:
        """When each part begins, of a piece that begins at `at_samples` and lasts for `samples`.

        `frames`: of each phoneme that the model knows, and of the silence before and behind them.
        """
        model = self._loaded()
        phonemes = "".join(part.phonemes for part in piece)
        left_out = len(phonemes) - len(phonemes.lstrip())  # blanks that the model was not given
        begun_frames = [0] * left_out + list(accumulate(frames))
        begins_s, at = [], 0
        for part in piece:
            begins_s.append((at_samples + samples * begun_frames[at] / sum(frames)) / RATE_HZ)
            at += len(model.known(part.phonemes))
        return begins_s


def placed(placement: Placement, settings: KokoroSettings) -> Kokoro:
    """As its section of the settings says."""
    return Kokoro(placement, settings)


def _pieces(text: str, read: FrontEnd) -> Iterator[list[Part]]:
    """The pieces of a text, which is read block by block: the first is there at once, however long it is."""
    start, before_phonemes = 0, 0
    for block in blocks(text):
        found = (
            Part(part.phonemes, start + part.start, start + part.end) if part.end else part
            for part in read(block)
        )
        for piece in pieces(found, before_phonemes):
            yield piece
            before_phonemes = sum(len(part.phonemes) for part in piece)
        start += len(block)


def _marks(text: str, piece: Sequence[Part], begins_s: Sequence[float]) -> tuple[WordMark, ...]:
    """A mark for each word of a piece, the comma behind it included."""
    return tuple(
        WordMark(part.start, _CLINGING.match(text, part.end).end(), begin_s)  # type: ignore[union-attr]
        for part, begin_s in zip(piece, begins_s, strict=True)
        if part.end
    )
