"""The text side of Voxtral Realtime: how its stream opens and closes, and its tokens as what was said.

With every frame of 80 ms the model reads one token and writes the next. A stream opens with the beginning of
a text, then [STREAMING_PAD] over some frames of silence, and over as many of speech as the transcript lags
behind: the delay. From then on each frame gives one token: a piece of text, [STREAMING_WORD] where a word
begins, or [STREAMING_PAD] where there is nothing to write. After the last sample come frames of silence: the
delay, one more, and those in which a long word is written to its end.
"""

from __future__ import annotations

from dataclasses import dataclass
from operator import attrgetter
from pathlib import Path
from typing import Any

from voxterm.engines.protocols import HEARING_RATE_HZ
from voxterm.engines.voxtral.turn import ends_sentence
from voxterm.errors import CheckpointError

FRAME_SAMPLES = 1280
"""80 ms: as long as one token."""

END_OF_TEXT_ID = 2

REMEDY = "name Voxtral Mini 4B Realtime or a model fine-tuned from it"

_NEEDED: tuple[tuple[str, str, object], ...] = (
    ("transcription_format", "a transcription format of", "streaming"),
    ("sampling_rate", "a rate of", HEARING_RATE_HZ),
    ("raw_audio_length_per_tok", "samples of a token,", FRAME_SAMPLES),
    ("encoding_config.num_mel_bins", "mel bins,", 128),
    ("encoding_config.hop_length", "samples of a hop,", 160),
    ("encoding_config.window_size", "samples of a window,", 400),
)


class RealtimePrompt:
    """What one checkpoint's vocabulary says of its stream, at one delay."""

    def __init__(self, tekken: Path, delay_ms: int) -> None:
        """Read the vocabulary.

        Raises:
            CheckpointError: it is missing, or that of another model.
        """
        self._tokenizer = _tokenizer(tekken)
        encoder: Any = self._tokenizer.instruct_tokenizer.audio_encoder
        self.ids: list[int] = [
            *self._tokenizer.instruct_tokenizer.start(),
            *encoder.encode_streaming_tokens(delay_ms),
        ]
        self.pad_id: int = encoder.streaming_pad
        self.delay_frames: int = encoder.audio_config.get_num_delay_tokens(delay_ms)
        self.left_frames: int = encoder.audio_config.n_left_pad_tokens  # of silence, before the speech
        self.right_frames: int = encoder.audio_config.n_right_pad_tokens(delay_ms)  # of silence, after it

    def piece(self, token_id: int) -> bytes:
        """The bytes of a token, often only a part of a character; none for a control token."""
        return bytes(self._tokenizer.instruct_tokenizer.tokenizer.id_to_byte_piece(token_id))

    def sentence_ends(self) -> list[int]:
        """The tokens that end a sentence, as a full stop does."""
        size = self._tokenizer.instruct_tokenizer.tokenizer.n_words
        return [token_id for token_id in range(size) if ends_sentence(self.piece(token_id))]


@dataclass(frozen=True, slots=True)
class Said:
    """The words so far."""

    written: bytes = b""
    full_stop: float = 0.0
    """How probable a full stop was since the last word, in the frame in which it was most probable."""

    def plus(self, piece: bytes, full_stop: float) -> Said:
        """With the piece of the next token, in whose place a full stop was so probable."""
        is_word = _has_words(piece.decode("utf-8", "ignore"))
        return Said(self.written + piece, 0.0 if is_word else max(self.full_stop, full_stop))

    @property
    def text(self) -> str:
        """What was said, empty where no word is in it. Characters come whole."""
        text = self.written.decode("utf-8", "ignore").strip()
        return text if _has_words(text) else ""


def _has_words(text: str) -> bool:
    return any(character.isalnum() for character in text)


def _tokenizer(tekken: Path) -> Any:
    from mistral_common.exceptions import TokenizerException
    from mistral_common.tokens.tokenizers.mistral import MistralTokenizer

    remedy = "fetch the checkpoint again"
    if not tekken.is_file():
        raise CheckpointError(f"Voxtral Realtime's vocabulary {tekken} is missing", remedy)
    try:
        tokenizer = MistralTokenizer.from_file(tekken)
    except (OSError, ValueError, LookupError, TypeError, AssertionError, TokenizerException) as error:
        raise CheckpointError(f"{tekken} cannot be read as a vocabulary: {error}", remedy) from error
    encoder: Any = tokenizer.instruct_tokenizer.audio_encoder
    if encoder is None or encoder.special_ids.streaming_pad is None:
        raise CheckpointError(f"{tekken} is not the vocabulary of Voxtral Realtime", REMEDY)
    for place, what, needed in _NEEDED:
        found = attrgetter(place)(encoder.audio_config)
        if found != needed:
            raise CheckpointError(
                f"{tekken} is of no Voxtral Realtime this program knows: {what} {found}, not {needed}", REMEDY
            )
    return tokenizer
