"""Two engines as one: a transcriber that hears and a language model that answers what it heard."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from voxterm.engines.protocols import (
    Engine,
    ExpectantEngine,
    LanguageModel,
    LoadProgress,
    Message,
    Replied,
    Samples,
    Transcriber,
    Transcript,
    Understood,
)


class Cascade:
    """A `SpeechLanguageModel` out of a `Transcriber` and a `LanguageModel`, both of which it owns."""

    def __init__(self, transcriber: Transcriber, language_model: LanguageModel) -> None:
        self.name = f"{transcriber.name} + {language_model.name}"
        self._transcriber = transcriber
        self._language_model = language_model
        self._is_expecting = False  # since the person spoke last

    @property
    def parts(self) -> Sequence[Engine]:
        return (self._transcriber, self._language_model)

    def load(self, progress: LoadProgress) -> None:
        """Load both, one after the other; `progress` tells of each in turn.

        Raises:
            EngineLoadError: one of them cannot be loaded.
        """
        self._transcriber.load(progress)
        self._language_model.load(progress)

    def warm_up(self) -> None:
        self._transcriber.warm_up()
        self._language_model.warm_up()

    def close(self) -> None:
        try:
            self._transcriber.close()
        finally:
            self._language_model.close()

    def begin(self) -> None:
        self._is_expecting = False
        self._transcriber.begin()

    def hear(self, samples: Samples) -> str | None:
        text = self._transcriber.feed(samples)
        if not self._is_expecting and isinstance(self._language_model, ExpectantEngine):
            self._language_model.expect()
        self._is_expecting = True
        return text

    def answer(self, history: Sequence[Message]) -> Iterator[Understood]:
        """What the transcriber tells, its Transcript last, then the answer's Deltas; none where no words were
        heard."""
        self._is_expecting = False  # who goes on speaking asks once more
        text = ""
        for item in self._transcriber.finish():
            if isinstance(item, Transcript):
                text = item.text
            yield item
        if text.strip():
            yield from self.answer_text(history, text)

    def answer_text(self, history: Sequence[Message], text: str) -> Iterator[Replied]:
        return self._language_model.reply([*history, Message("user", text)])
