"""Whisper without its weights."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from string import ascii_lowercase
from typing import Any

from voxterm.checkpoints import RANDOM_WEIGHTS
from voxterm.engines.architectures import from_transformers
from voxterm.engines.stand_ins.folder import write_json

TIMESTAMPS = 1501
"""<|0.00|> to <|30.00|>, 20 ms apart."""

LARGE_V3_TURBO: Mapping[str, Any] = {
    "architectures": ["WhisperForConditionalGeneration"],
    "model_type": "whisper",
    "d_model": 1280,
    "encoder_layers": 32,
    "encoder_attention_heads": 20,
    "encoder_ffn_dim": 5120,
    "decoder_layers": 4,
    "decoder_attention_heads": 20,
    "decoder_ffn_dim": 5120,
    "num_mel_bins": 128,
    "max_source_positions": 1500,
    "max_target_positions": 448,
}


@dataclass(frozen=True)
class Edition:
    """Which of the published vocabularies it is."""

    languages: int = 100  # 99 before large-v3
    is_multilingual: bool = True

    @property
    def text_tokens(self) -> int:
        return 50_257 if self.is_multilingual else 50_256

    @property
    def special_tokens(self) -> list[str]:
        """All of them, in the order of their ids, which begin after the text's."""
        named = from_transformers("LANGUAGES", "transformers.models.whisper.tokenization_whisper")
        codes = list(named)[: self.languages]
        tasks = ("translate", "transcribe", "startoflm", "startofprev")
        no_speech = "nospeech" if self.languages == 100 else "nocaptions"
        return [
            f"<|{name}|>"
            for name in ("endoftext", "startoftranscript", *codes, *tasks, no_speech, "notimestamps")
        ]

    @property
    def vocabulary(self) -> int:
        return self.text_tokens + len(self.special_tokens) + TIMESTAMPS

    def id(self, name: str) -> int:
        """Of a special token."""
        return self.text_tokens + self.special_tokens.index(f"<|{name}|>")


def write(folder: Path) -> None:
    """Large-v3-turbo: its configs and a tokenizer of its own class, with all of its special tokens."""
    edition = Edition()
    ids = model_ids(edition)
    write_json(folder / "config.json", {**LARGE_V3_TURBO, **ids, RANDOM_WEIGHTS: True})
    write_json(folder / "generation_config.json", generation(edition))
    write_tokenizer(folder, edition)
    from_transformers("WhisperFeatureExtractor")(feature_size=128).save_pretrained(folder)


def model_ids(edition: Edition) -> dict[str, Any]:
    """What config.json says of the vocabulary."""
    end_id = edition.id("endoftext")
    return {
        "vocab_size": edition.vocabulary,
        "decoder_start_token_id": edition.id("startoftranscript"),
        "bos_token_id": end_id,
        "eos_token_id": end_id,
        "pad_token_id": end_id,
    }


def generation(edition: Edition) -> dict[str, Any]:
    """generation_config.json."""
    codes = edition.special_tokens[2 : 2 + edition.languages]
    unspoken = ("startoftranscript", "translate", "transcribe", "startoflm", "startofprev")
    no_speech_id = edition.id("notimestamps") - 1
    about: dict[str, Any] = {
        "is_multilingual": edition.is_multilingual,
        "no_timestamps_token_id": edition.id("notimestamps"),
        "prev_sot_token_id": edition.id("startofprev"),
        "max_length": 448,
        "suppress_tokens": [*_non_speech(edition), *map(edition.id, unspoken), no_speech_id],
        "begin_suppress_tokens": [220, edition.id("endoftext")],  # a space alone, and the end
        **{key: value for key, value in model_ids(edition).items() if key != "vocab_size"},
    }
    if edition.is_multilingual:
        about["lang_to_id"] = {code: edition.text_tokens + 2 + n for n, code in enumerate(codes)}
        about["task_to_id"] = {name: edition.id(name) for name in ("transcribe", "translate")}
    return about


def write_tokenizer(folder: Path, edition: Edition) -> None:
    """A byte-level BPE of the real size and class. Of text it knows the bytes, and words that are made up:
    every other one begins with a space."""
    special = edition.special_tokens
    tokenizer = from_transformers("WhisperTokenizer")(vocab=_text_vocabulary(edition), merges=[])
    added = from_transformers("AddedToken")
    tokenizer.add_special_tokens({"additional_special_tokens": special})
    tokenizer.add_tokens([added(f"<|{n * 0.02:.2f}|>", normalized=False) for n in range(TIMESTAMPS)])
    tokenizer.save_pretrained(folder)


def _text_vocabulary(edition: Edition) -> dict[str, int]:
    """The multilingual ones end with an empty token, by which CTranslate2 tells them."""
    printable = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    byte_tokens = [*map(chr, printable), *(chr(0x100 + n) for n in range(256 - len(printable)))]
    words = ("".join(letters) for letters in product(ascii_lowercase, repeat=4))
    space = byte_tokens[220]
    wanted = edition.text_tokens - len(byte_tokens) - edition.is_multilingual
    made_up = [space * (n % 2 == 0) + word for n, word in zip(range(wanted), words, strict=False)]
    tokens = [*byte_tokens, *made_up, *([""] if edition.is_multilingual else [])]
    return {token: number for number, token in enumerate(tokens)}


def _non_speech(edition: Edition) -> list[int]:
    """Brackets, notes and the like, as the published configs name them."""
    name = "NON_SPEECH_TOKENS_MULTI" if edition.is_multilingual else "NON_SPEECH_TOKENS"
    known = from_transformers(name, "transformers.models.whisper.configuration_whisper")
    return [id_ for id_ in known if id_ < edition.text_tokens]
