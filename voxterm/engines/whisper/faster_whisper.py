"""Whisper in CTranslate2, through the faster-whisper package: a `Recogniser` that needs no torch.

It takes checkpoints that were converted for it, like "Systran/faster-whisper-small". Nothing is downloaded.
The library decodes a transcript in one go, of at most 224 tokens, and tells how probable its words are
together, but not how probable a full stop was: there is no `Ending`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from voxterm.engines.architectures import importing
from voxterm.engines.protocols import LoadProgress, Placement, Precision, Samples, Speed
from voxterm.engines.whisper.recogniser import TITLE, WINDOW_SAMPLES, Decoded
from voxterm.engines.whisper.text import WhisperVocabulary
from voxterm.errors import CheckpointError, EngineError, EngineLoadError, EngineMemoryError

POSITIONS = 448
MOST_TOKENS = POSITIONS // 2
"""CTranslate2 decodes no more, what stands in the prompt already included, as OpenAI's Whisper does."""

COMPUTE_TYPES: Mapping[Precision, tuple[str, ...]] = {
    "float32": ("float32",),
    "bf16": ("bfloat16", "float16", "float32"),
    "int8": ("int8_bfloat16", "int8_float16", "int8_float32"),
    "int4": ("int8_bfloat16", "int8_float16", "int8_float32"),
}
"""What CTranslate2 is asked for; the first that the device can do. It has no 4 bits."""


def opened(name: str, placement: Placement, progress: LoadProgress) -> FasterWhisper:
    """Load a converted checkpoint, a folder or the name of a repository in the Hugging Face cache.

    Raises:
        CheckpointError: it is missing, broken, or was not converted.
        EngineMemoryError: it does not fit.
        EngineLoadError: the package is missing, or refuses the device.
    """
    try:
        with importing():  # its converters look for Transformers
            import ctranslate2  # type: ignore[import-untyped]
            import faster_whisper  # type: ignore[import-untyped]
    except ImportError as error:
        what = "without the package faster-whisper there is no such backend of Whisper"
        raise EngineLoadError(what, "run pip install 'voxterm[faster-whisper]'") from error
    folder = _folder(name)
    kind, _, index = placement.device.partition(":")
    wanted = COMPUTE_TYPES[placement.precision]
    try:
        supported = ctranslate2.get_supported_compute_types(kind)
        model = faster_whisper.WhisperModel(
            str(folder),
            device=kind,
            device_index=int(index or 0),
            compute_type=next((one for one in wanted if one in supported), "default"),
            local_files_only=True,
        )
    except (RuntimeError, ValueError) as error:
        raise _load_error(name, placement, error) from error
    size_bytes = (folder / "model.bin").stat().st_size
    progress(size_bytes, size_bytes)
    return FasterWhisper(model, name, size_bytes)


class FasterWhisper:
    """A `Recogniser` over a `faster_whisper.WhisperModel`."""

    def __init__(self, model: Any, name: str, size_bytes: int) -> None:
        """`size_bytes`: of its weights' file, by which its memory is told.

        Raises:
            CheckpointError: its tokenizer or its features are another model's.
        """
        self._model = model
        tokens = model.hf_tokenizer
        about = {"is_multilingual": model.model.is_multilingual}
        self.vocabulary = WhisperVocabulary(tokens, about, tokens.get_vocab_size(), name)
        # Up to the timestamps, which it bans itself; an id that its model does not have spoils its memory.
        self._controls = range(self.vocabulary.end_id + 1, self.vocabulary.no_timestamps_id + 1)
        self.is_stand_in = False
        self.memory_bytes: Mapping[str, int] = {TITLE: size_bytes}
        self.speed: Speed | None = None  # it does not tell when a token came
        self._features: Any = None  # what was encoded
        bins = len(model.feature_extractor.mel_filters)
        if bins != model.model.n_mels:
            raise CheckpointError(
                f"{name} hears {model.model.n_mels} mel bins, and its preprocessor_config.json, or the lack "
                f"of one, gives {bins}",
                "fetch the checkpoint again, all of its files",
            )

    def warm_up(self) -> None:
        """There is nothing to record."""

    def close(self) -> None:
        self._features = None
        if self._model is not None:
            self._model.model.unload_model()
        self._model = None

    def encode(self, samples: Samples) -> None:
        padded = np.zeros(WINDOW_SAMPLES, dtype=np.float32)  # as Whisper was trained: with silence
        padded[: len(samples)] = samples
        with _failures():
            self._features = self._model.encode(self._model.feature_extractor(padded, padding=0))

    def languages(self) -> Mapping[int, float]:
        with _failures():
            (found,) = self._model.model.detect_language(self._features)
        ids = self.vocabulary.languages
        return {ids[code]: probability for token, probability in found if (code := token[2:-2]) in ids}

    def decode(
        self, prompt: Sequence[int], said: Sequence[int], limit: int, temperature: float = 0.0, seed: int = 0
    ) -> Decoded:
        """As `Recogniser.decode` has it, but for the seed: the library's threads are seeded once for all."""
        room = MOST_TOKENS - len(said)
        if room < 1:
            return Decoded((), (), 0.0, is_full=True)
        most = len(said) + min(limit, room)
        with _failures():
            result = self._generated([*prompt, *said], most, temperature, is_begin=not said)
        ids = tuple(result.sequences_ids[0][len(said) :])  # it gives them again
        has_ended = len(ids) < min(limit, room)
        count = len(ids) + has_ended
        return Decoded(
            ids=ids,
            log_probabilities=(result.scores[0] / count,) * count,  # of them all together it tells
            no_speech=result.no_speech_prob,
            is_full=not has_ended and room <= limit,
        )

    def _generated(self, prompt: Sequence[int], most: int, temperature: float, is_begin: bool) -> Any:
        (result,) = self._model.model.generate(
            self._features,
            [list(prompt)],
            beam_size=1,
            length_penalty=0,  # the score is then the sum of the log-probabilities
            max_length=min(
                max(2 * most, most + len(prompt)), POSITIONS
            ),  # it halves that, or takes the prompt off
            return_scores=True,
            return_no_speech_prob=True,
            suppress_blank=is_begin,
            suppress_tokens=[-1, *self._controls],  # -1: those that its config names
            sampling_topk=0 if temperature > 0 else 1,
            sampling_temperature=temperature if temperature > 0 else 1.0,
        )
        return result


def _folder(name: str) -> Path:
    """Where the checkpoint of this name is on this machine, with all that the library would else download.

    Most have no preprocessor_config.json: the library then takes the 80 mel bins of all before large-v3.
    """
    from faster_whisper.utils import download_model  # type: ignore[import-untyped]
    from huggingface_hub.errors import HFValidationError, LocalEntryNotFoundError

    folder = Path(name).expanduser()
    if not folder.is_dir():
        try:
            folder = Path(download_model(name, local_files_only=True))
        except (LocalEntryNotFoundError, HFValidationError, ValueError) as error:
            raise CheckpointError(
                f"the checkpoint {name} is not on this machine", f"run `voxterm fetch {name}`"
            ) from error
    for needed in ("model.bin", "tokenizer.json"):
        if not (folder / needed).is_file():
            raise CheckpointError(
                f"{name} is no checkpoint for faster-whisper: it lacks {needed}",
                'name one that was converted, like "Systran/faster-whisper-small", or set the backend to '
                '"transformers"',
            )
    return folder


def _load_error(name: str, placement: Placement, error: Exception) -> EngineLoadError:
    if "out of memory" in str(error):
        remedy = "choose int8, or a smaller checkpoint"
        return EngineMemoryError(f"{name} does not fit into the memory of {placement.device}", remedy)
    if _is_missing_library(error):
        return _missing_library(error)
    if "CUDA" in str(error) or "device" in str(error):
        what = f"faster-whisper cannot work on {placement.device}: {error}"
        return EngineLoadError(what, 'set the backend to "transformers"')
    return CheckpointError(f"faster-whisper cannot read {name}: {error}", "fetch the checkpoint again")


def _is_missing_library(error: Exception) -> bool:
    """Whether CTranslate2 lacks cuBLAS or cuDNN, which it loads only when it first needs them."""
    said = str(error)
    return "Library" in said and ("not found" in said or "cannot be loaded" in said)


def _missing_library(error: Exception) -> EngineLoadError:
    remedy = (
        'set engines.whisper.backend to "transformers", or install nvidia-cublas-cu12 and nvidia-cudnn-cu12'
    )
    return EngineLoadError(f"faster-whisper lacks a library of CUDA: {error}", remedy)


@contextmanager
def _failures() -> Iterator[None]:
    """What CTranslate2 raises inside, as one of ours."""
    try:
        yield
    except (RuntimeError, ValueError) as error:
        if "out of memory" in str(error):
            what = f"the memory ran out while {TITLE} worked"
            raise EngineMemoryError(what, "say it again; end other programs there if it stays so") from error
        if _is_missing_library(error):
            raise _missing_library(error) from error
        raise EngineError(f"{TITLE} failed: {error}", "say it again; if it stays so, restart") from error
