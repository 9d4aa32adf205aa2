"""Voxtral's prompts as token ids, made by Mistral's own encoder, and its tokens as bytes.

The encoder is given a moment of silence in the place of the turn's audio, and its run of [AUDIO] ids is then
made as long as the audio is: 375 for each window of 30 s. So no sample of the real audio passes through it.

Version 7 of Mistral's instruction format has no system prompt beside audio: the encoder refuses the two
together. The system message therefore opens the person's first one, and stays there when that has become
text, so that the next turn's prompt begins as this one did.
"""

from __future__ import annotations

import io
import wave
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from voxterm.engines.protocols import HEARING_RATE_HZ, Message
from voxterm.engines.trimming import Turn, beginnings, turns_of
from voxterm.engines.voxtral.turn import ends_sentence
from voxterm.errors import CheckpointError, ConfigError, EngineError

AUTO = "auto"
AUDIO_ID = 24
END_OF_TEXT_ID = 2
TOKENS_PER_WINDOW = 375
"""The encoder makes 1500 frames of a window of 30 s, and four of them are one token."""

SILENCE_SAMPLES = 1600  # the encoder pads it to a window


class VoxtralPrompts:
    """Encodes prompts for one checkpoint and one language of the speech."""

    def __init__(self, tekken: Path, language: str = AUTO) -> None:
        """`language` is what is spoken, as ISO 639-1 like "en", or "auto".

        Raises:
            CheckpointError: the vocabulary is missing, or it is not Voxtral's.
            ConfigError: there is no such language.
        """
        self._tokenizer = _tokenizer(tekken)
        self._silence = _silent_wav()
        self._transcription = self._transcription_of_one_window(language)

    def transcription(self, windows: int) -> list[int]:
        """Asks for the words of the audio. With the language "auto" the model first says which it hears."""
        return _widened(self._transcription, windows)

    def chat(self, history: Sequence[Message], windows: int, room: int) -> list[int]:
        """Asks for the answer to the audio, in at most `room` ids: the oldest turns are left out for that.

        Raises:
            EngineError: even without any history it takes more.
        """
        from mistral_common.protocol.instruct.chunk import AudioChunk

        return self._fitted(history, [AudioChunk(input_audio=self._silence)], windows, room)

    def chat_text(self, history: Sequence[Message], text: str, room: int) -> list[int]:
        """Asks for the answer to a line of text, in at most `room` ids, as `chat` does."""
        return self._fitted(history, text, 1, room)

    def piece(self, token_id: int) -> bytes:
        """The bytes of a token, often only a part of a character; none for a control token."""
        return bytes(self._tokenizer.instruct_tokenizer.tokenizer.id_to_byte_piece(token_id))

    def sentence_ends(self) -> list[int]:
        """The tokens that end a sentence, as a full stop does."""
        size = self._tokenizer.instruct_tokenizer.tokenizer.n_words
        return [token_id for token_id in range(size) if ends_sentence(self.piece(token_id))]

    def _fitted(self, history: Sequence[Message], latest: Any, windows: int, room: int) -> list[int]:
        plain = [Message(message.role, _encodable(message.text)) for message in history]
        opening, turns = _opening(plain), turns_of(plain)
        ids: list[int] = []
        for first in beginnings(turns, len(turns), self._length, room):
            ids = _widened(self._encoded(opening, turns[first:], latest), windows)
            if len(ids) <= room:
                return ids
        what = f"the turn takes {len(ids)} tokens, and Voxtral has room for {max(room, 0)}"
        raise EngineError(what, "take shorter turns, or give it a longer context")

    def _length(self, text: str) -> int:
        return len(self._tokenizer.instruct_tokenizer.tokenizer.encode(text, bos=False, eos=False))

    def _encoded(self, opening: str, turns: Sequence[Turn], latest: Any) -> list[int]:
        from mistral_common.protocol.instruct.chunk import TextChunk
        from mistral_common.protocol.instruct.messages import AssistantMessage, UserMessage
        from mistral_common.protocol.instruct.request import ChatCompletionRequest

        said = [message for turn in turns for message in turn]
        if said:
            said[0] = Message("user", opening + said[0].text)
        elif isinstance(latest, str):
            latest = opening + latest
        elif opening:
            latest = [TextChunk(text=opening), *latest]
        kinds: dict[str, Any] = {"user": UserMessage, "assistant": AssistantMessage}
        messages = [kinds[message.role](content=message.text) for message in said]
        messages.append(UserMessage(content=latest))
        return list(self._tokenizer.encode_chat_completion(ChatCompletionRequest(messages=messages)).tokens)

    def _transcription_of_one_window(self, language: str) -> list[int]:
        from mistral_common.protocol.transcription.request import TranscriptionRequest

        spoken = None if language == AUTO else language
        try:
            request = TranscriptionRequest.from_openai(
                {"model": "", "file": io.BytesIO(self._silence), "language": spoken}
            )
        except ValueError as error:
            what = f'Voxtral cannot be told to expect the language "{language}"'
            raise ConfigError(what, 'name it by two letters like "en" (ISO 639-1), or say "auto"') from error
        return list(self._tokenizer.encode_transcription(request).tokens)


def _tokenizer(tekken: Path) -> Any:
    from mistral_common.exceptions import TokenizerException
    from mistral_common.tokens.tokenizers.mistral import MistralTokenizer

    remedy = "fetch the checkpoint again"
    if not tekken.is_file():
        raise CheckpointError(f"Voxtral's vocabulary {tekken} is missing", remedy)
    try:
        tokenizer = MistralTokenizer.from_file(tekken)
        encoder: Any = tokenizer.instruct_tokenizer.audio_encoder
        audio_id = encoder.audio_token if encoder is not None else None
    except (OSError, ValueError, LookupError, TypeError, AssertionError, TokenizerException) as error:
        raise CheckpointError(f"{tekken} cannot be read as a vocabulary: {error}", remedy) from error
    if audio_id != AUDIO_ID:
        raise CheckpointError(f"{tekken} is not the vocabulary of Voxtral: it has no audio", remedy)
    return tokenizer


def _silent_wav() -> bytes:
    buffer = io.BytesIO()
    with wave.open(buffer, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(HEARING_RATE_HZ)
        file.writeframes(bytes(2 * SILENCE_SAMPLES))
    return buffer.getvalue()


def _widened(ids: list[int], windows: int) -> list[int]:
    """The ids of a prompt for one window, with as many [AUDIO] as `windows` have."""
    if AUDIO_ID not in ids:
        return ids
    at = ids.index(AUDIO_ID)
    return [*ids[:at], *[AUDIO_ID] * (TOKENS_PER_WINDOW * (windows - 1)), *ids[at:]]


def _opening(history: Sequence[Message]) -> str:
    """What stands before the first message of the person, a blank line included."""
    told = " ".join(message.text.strip() for message in history if message.role == "system")
    return f"{told}\n\n" if told else ""


def _encodable(text: str) -> str:
    """The text with a question mark for half a surrogate pair, which has no bytes."""
    return text.encode("utf-8", "replace").decode()
