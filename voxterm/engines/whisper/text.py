"""Whisper's vocabulary: prompts as ids, tokens as bytes, words and text. No model in sight.

The ids of the special tokens come from the checkpoint's tokenizer by their names, and what must not be said
from its generation_config.json (or config.json, where checkpoints of old have it).
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from voxterm.engines.voxtral.turn import ends_sentence
from voxterm.errors import CheckpointError, ConfigError

AUTO = "auto"
ENGLISH = "en"

LEAST_MULTILINGUAL_VOCABULARY = 51_865
"""The English-only checkpoints have one token less; by this OpenAI's `Whisper.is_multilingual` tells them."""

LEAST_TEXT_TOKENS = 256
"""One for each byte."""

UNSPACED = frozenset({"zh", "ja", "th", "lo", "my", "yue"})
"""Languages without spaces between words, as in the tokenizer of OpenAI's Whisper."""

_DISTILLED = re.compile(r"(faster-)?distil-(whisper-)?(small|medium|large-v[\d.]+)(\.en)?(-ct2)?")
"""Those of the Distil-Whisper project, which were taught English alone and translate all else into it, though
they have the vocabulary of a multilingual model. Others that were distilled know other languages."""

_LANGUAGE = re.compile(r"<\|([a-z]{2,3})\|>")
_WITHIN_WORDS = "'’-"


class Tokens(Protocol):
    """What is needed of a `tokenizers.Tokenizer`."""

    def token_to_id(self, token: str) -> int | None: ...

    def id_to_token(self, id: int) -> str | None: ...  # noqa: A002 - its own name for it


@dataclass(frozen=True, slots=True)
class Word:
    """A word, or a mark of punctuation, as its tokens. Two with the same tokens are equal."""

    ids: tuple[int, ...]
    log_probability: float = field(default=0.0, compare=False)  # of all its tokens together


class WhisperVocabulary:
    """The tokens of one checkpoint."""

    def __init__(self, tokens: Tokens, generation: Mapping[str, Any], vocabulary: int, name: str) -> None:
        """`generation`: generation_config.json; `vocabulary`: how many ids there are; `name`: for errors.

        Raises:
            CheckpointError: the tokens are not Whisper's.
        """
        self._tokens = tokens
        self._name = name
        self.size = vocabulary
        self.end_id = self._id("<|endoftext|>")
        self.start_id = self._id("<|startoftranscript|>")
        self.no_timestamps_id = self._id("<|notimestamps|>")
        self._check(generation.get("decoder_start_token_id"))
        self.no_speech_id = self.no_timestamps_id - 1  # its name differs: <|nospeech|> or <|nocaptions|>
        controls = range(self.end_id + 1, vocabulary)  # fine-tunes often suppress none
        told_ids = _ids(generation, "suppress_tokens", vocabulary)
        self.suppressed = tuple(dict.fromkeys((*told_ids, *controls)))
        self.suppressed_at_begin = _ids(generation, "begin_suppress_tokens", vocabulary)
        told = generation.get("is_multilingual")
        self.is_multilingual = told if isinstance(told, bool) else vocabulary >= LEAST_MULTILINGUAL_VOCABULARY
        self._transcribe_id = self._id("<|transcribe|>")
        self.languages: dict[str, int] = self._languages() if self.is_multilingual else {}
        self._codes = {id_: code for code, id_ in self.languages.items()}
        self._bytes = _bytes_of_characters()

    def language_id(self, language: str) -> int | None:
        """The id of a language as ISO 639-1 (or -3, where there is no other); None for "auto" among several,
        and for English where there is no other.

        Raises:
            ConfigError: the checkpoint does not know it.
        """
        if self._knows_english_alone and language in (AUTO, ENGLISH):
            return self.languages.get(ENGLISH)
        if self._knows_english_alone:
            raise ConfigError(
                f"{self._name} knows English alone, not the language {language!r}",
                'set the language to "en", or name a checkpoint without ".en" and "distil"',
            )
        if language == AUTO:
            return None
        if language not in self.languages:
            raise ConfigError(
                f"{self._name} knows no language {language!r}",
                'name one as ISO 639-1 has it, like "hi", or "auto"',
            )
        return self.languages[language]

    @property
    def _knows_english_alone(self) -> bool:
        return set(self.languages) <= {ENGLISH}

    def prompt(self, language_id: int | None) -> list[int]:
        """What a transcript without timestamps begins with; English-only checkpoints take no language."""
        if language_id is None:
            return [self.start_id, self.no_timestamps_id]
        return [self.start_id, language_id, self._transcribe_id, self.no_timestamps_id]

    def has_spaces(self, language_id: int | None) -> bool:
        """Whether there are spaces between the words of a language."""
        return language_id is None or self._codes.get(language_id) not in UNSPACED

    def piece(self, token_id: int) -> bytes:
        """The bytes of a token; of a special one none."""
        token = self._tokens.id_to_token(token_id) if token_id < self.end_id else None
        return bytes(self._bytes[character] for character in token or "" if character in self._bytes)

    def sentence_ends(self) -> list[int]:
        """The ids that end a sentence, as a full stop does."""
        return [id_ for id_ in range(self.end_id) if ends_sentence(self.piece(id_))]

    def words(
        self, ids: Sequence[int], log_probabilities: Sequence[float], has_spaces: bool = True
    ) -> list[Word]:
        """The tokens grouped to words; special tokens are left out.

        Punctuation after a word is a word of its own, for it changes most when more is heard. Where there are
        no spaces each character is a word.
        """
        groups: list[list[tuple[int, float]]] = []
        so_far = b""
        for id_, log_probability in zip(ids, log_probabilities, strict=False):
            piece = self.piece(id_)
            if not piece:
                continue
            if not groups or self._begins_word(piece, so_far, has_spaces):
                groups.append([])
                so_far = b""
            groups[-1].append((id_, log_probability))
            so_far += piece
        return [Word(tuple(id_ for id_, _ in group), sum(one for _, one in group)) for group in groups]

    def text(self, words: Sequence[Word]) -> str:
        """The words as they are written; what is left of a character cut in two is left out."""
        return b"".join(self.piece(id_) for word in words for id_ in word.ids).decode("utf-8", "ignore")

    def held_back(self, words: Sequence[Word]) -> int:
        """How many words at the end may yet become others: the last one and the punctuation after it."""
        for count, word in enumerate(reversed(words), start=1):
            if spelled(self.text([word])):
                return count
        return len(words)

    def beyond(self, words: Sequence[Word], said: Sequence[Word]) -> Sequence[Word]:
        """The words after those that `said` has; none where `words` begin otherwise.

        Neither case nor punctuation counts: they change where a transcript is cut.
        """
        rest = [key for word in said if (key := spelled(self.text([word])))]
        for position, word in enumerate(words):
            key = spelled(self.text([word]))
            if not rest and key:
                return words[position:]
            if key and key != rest.pop(0):
                return ()
        return ()

    @staticmethod
    def _begins_word(piece: bytes, so_far: bytes, has_spaces: bool) -> bool:
        if piece.startswith(b" ") or _is_punctuation(piece):
            return True
        return not has_spaces and _is_whole(so_far)

    def _id(self, token: str) -> int:
        found = self._tokens.token_to_id(token)
        if found is None or found >= self.size:
            raise CheckpointError(
                f"the tokenizer of {self._name} is not Whisper's: it has no {token}",
                "fetch the checkpoint again, or name another",
            )
        return found

    def _check(self, start_id: object) -> None:
        """Whether there is text, and the start where the model was told that it is."""
        if self.end_id < LEAST_TEXT_TOKENS or self._tokens.id_to_token(0) is None:
            what = f"the tokenizer of {self._name} has no tokens of text"
            raise CheckpointError(what, "fetch the checkpoint again")
        if start_id not in (None, self.start_id):
            what = f"{self._name} begins with the token {start_id}, its tokenizer with {self.start_id}"
            raise CheckpointError(what, "fetch the checkpoint again, all of its files")

    def _languages(self) -> dict[str, int]:
        """They stand between the start and the tasks: 99 of them, 100 since large-v3."""
        between = range(self.start_id + 1, self._id("<|translate|>"))
        named = {id_: _LANGUAGE.fullmatch(self._tokens.id_to_token(id_) or "") for id_ in between}
        known = {match[1]: id_ for id_, match in named.items() if match}
        is_distilled = _DISTILLED.fullmatch(self._name.rstrip("/").rpartition("/")[2])
        return {ENGLISH: known[ENGLISH]} if is_distilled and ENGLISH in known else known


def spelled(text: str) -> str:
    """The letters and digits of a text, in one case: what of it is heard."""
    return "".join(c for c in text.casefold() if unicodedata.category(c)[0] in "LMN")


def _is_punctuation(piece: bytes) -> bool:
    """Whether a token has nothing but marks that stand after a word or before one."""
    text = piece.decode("utf-8", "replace").strip()
    return bool(text) and all(c not in _WITHIN_WORDS and unicodedata.category(c)[0] == "P" for c in text)


def _is_whole(piece: bytes) -> bool:
    try:
        piece.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True


def _ids(generation: Mapping[str, Any], key: str, vocabulary: int) -> tuple[int, ...]:
    found: Collection[Any] = generation.get(key) or ()
    return tuple(id_ for id_ in found if isinstance(id_, int) and 0 <= id_ < vocabulary)


def _bytes_of_characters() -> dict[str, int]:
    """The characters by which byte-level BPE writes bytes (as GPT-2 has it): printable ones as themselves,
    the others from U+0100 on, in order."""
    printable = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    others = [byte for byte in range(256) if byte not in printable]
    return {chr(byte): byte for byte in printable} | {chr(256 + n): byte for n, byte in enumerate(others)}
