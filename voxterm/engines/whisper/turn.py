"""One turn as Whisper hears it: its audio in windows, the words known so far, each pass over the open window.

A pass encodes the audio of the window and decodes what comes after the committed words, which stand before
it as if the model had said them. What two passes agree on is committed. When the audio outgrows the 30 s
that Whisper hears at once, the window is cut at a quiet place: what is before it is transcribed a last time
and kept as text, what is after it becomes the next window. So each sample is heard in one window, and what is
kept never grows beyond a window's audio and the text.

Where no language was chosen it is found again in each pass until it is sure, and in each thorough one. Words
that were committed in another language would be forced upon the new one: the agreement begins anew.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np

from voxterm.engines.protocols import HEARING_RATE_HZ, Samples
from voxterm.engines.repeats import without_loop
from voxterm.engines.silence import is_silence, quiet_place
from voxterm.engines.voxtral.turn import ENDING_DIGITS, SentenceEnd
from voxterm.engines.whisper.judgement import (
    LEAST_AUDIO_S,
    TEMPERATURES,
    Bounds,
    Verdict,
    compression,
    judged,
    most_tokens,
)
from voxterm.engines.whisper.local_agreement import LocalAgreement
from voxterm.engines.whisper.recogniser import WINDOW_SAMPLES, Decoded, Recogniser
from voxterm.engines.whisper.text import Word, spelled

FIRST_CUT_SAMPLES, LAST_CUT_SAMPLES = 15 * HEARING_RATE_HZ, 29 * HEARING_RATE_HZ
"""Where in a full window a quiet place is looked for: the next window has at least a second to begin with."""

LEAST_CUT_SAMPLES = 2 * HEARING_RATE_HZ
"""Audio that is too long for the model's positions is cut in two, but no further than this."""

SURE_LANGUAGE = 0.5
"""A language is sure that is found at this probability, as faster-whisper has it, in SURE_LANGUAGE_SAMPLES or
more. Before that, words are shown and none is committed."""

SURE_LANGUAGE_SAMPLES = 3 * HEARING_RATE_HZ
"""A clause. In less there may be a single word, a name or "hello", that one says in any language."""

NOTHING = -1


@dataclass(frozen=True, slots=True)
class Rules:
    """How a turn is heard."""

    language_id: int | None = None  # None: the model finds out, where it knows several
    bounds: Bounds = field(default_factory=Bounds)
    retries: int = 2  # how many of the TEMPERATURES are tried
    knows_silence: bool = True  # no: improbable words are taken for none, whatever it says of no speech


@dataclass(frozen=True, slots=True)
class _Reading:
    """The words that were heard after the committed ones."""

    words: tuple[Word, ...]
    verdict: Verdict
    log_probability: float = 0.0  # on average
    repeats_itself: bool = False
    ending: float | None = None
    is_full: bool = False


_SILENCE = _Reading((), Verdict.SILENCE)


class WhisperTurn:
    """From the beginning of a turn to its end. A failed pass leaves it as it was."""

    def __init__(self, recogniser: Recogniser, rules: Rules) -> None:
        self._recogniser = recogniser
        self._vocabulary = recogniser.vocabulary
        self._rules = rules
        self._finds_language = rules.language_id is None and self._vocabulary.is_multilingual
        self._language_id = rules.language_id
        self._is_sure = not self._finds_language
        self._language_samples = NOTHING  # of the window, when its language was found
        self._before = ""  # the text of the windows before this one
        self._heard: list[Samples] = []  # the window
        self._heard_samples = 0
        self._encoded_samples = NOTHING  # of the window, with the recogniser
        self._read_samples = NOTHING  # of the window, by the last pass
        self._is_settled = False  # nor would a thorough one hear it otherwise
        self._agreement: LocalAgreement[Word] = LocalAgreement()
        self._agreement_language_id = rules.language_id  # in which its words were heard
        self.ending: float | None = None
        self.decodes = 0  # how often the recogniser decoded for it

    @property
    def text(self) -> str:
        """All that was said so far, as the last pass heard it."""
        whole = self._joined(self._before, self._vocabulary.text(self._agreement.words))
        return whole if spelled(whole) else ""

    @property
    def unheard_s(self) -> float:
        """How much of its audio no pass has heard."""
        return (self._heard_samples - max(self._read_samples, 0)) / HEARING_RATE_HZ

    @property
    def is_over_full(self) -> bool:
        """Whether it has more audio than Whisper hears at once."""
        return self._heard_samples > WINDOW_SAMPLES

    def take(self, samples: Samples) -> None:
        """The next samples, which are copied."""
        self._heard.append(np.array(samples, dtype=np.float32))
        self._heard_samples += len(samples)

    def read(self, thorough: bool) -> Iterator[None]:
        """A pass. A thorough one tries again where the result is doubtful, and takes the best there is; any
        other leaves doubtful words out. Where nothing new was heard, nothing is encoded or decoded.

        It stops once all is encoded, before each further try and after each cut, and may be closed there:
        what was tried is then forgotten, what was cut stays so.
        """
        while True:
            yield from self._prepare(thorough)
            if not self._is_due(thorough):
                return
            audio = self._audio()
            reading = _SILENCE
            if not _is_empty(audio):
                reading = yield from self._reading(len(audio), self._committed, thorough)
            if not reading.is_full or len(audio) < 2 * LEAST_CUT_SAMPLES:
                break
            yield
            yield from self._cut(LEAST_CUT_SAMPLES, len(audio) - LEAST_CUT_SAMPLES)
        self._take_in(reading, thorough)
        self._read_samples = len(audio)
        self._is_settled = thorough or reading.verdict is not Verdict.DOUBTFUL

    def _prepare(self, thorough: bool) -> Iterator[None]:
        """Cut off what is too much for the window, encode it and find its language, as far as that was not
        done yet."""
        while self.is_over_full:
            yield from self._cut(FIRST_CUT_SAMPLES, LAST_CUT_SAMPLES)
        audio = self._audio()
        is_empty = _is_empty(audio)
        if self._encoded_samples != len(audio) and not is_empty:
            self._encoded_samples = NOTHING
            self._recogniser.encode(audio)
            self._encoded_samples = len(audio)
        yield
        if (thorough or not self._is_sure) and self._language_samples != len(audio) and not is_empty:
            self._find_language(len(audio))
            self._language_samples = len(audio)

    def _is_due(self, thorough: bool) -> bool:
        """Whether a pass would hear more than the last one did."""
        is_settled = self._is_settled and self._is_in_language
        return self._read_samples != self._heard_samples or (thorough and not is_settled)

    def _take_in(self, reading: _Reading, thorough: bool) -> None:
        if reading.verdict is Verdict.DOUBTFUL and not thorough:
            return
        self._agree_in_language()
        may_stay = reading.verdict is Verdict.SOUND and self._is_sure
        held_back = self._vocabulary.held_back(reading.words) if may_stay else len(reading.words)
        self._agreement.insert(reading.words, held_back)
        self.ending = reading.ending if reading.words else None

    def _cut(self, first: int, last: int) -> Iterator[None]:
        """Keep the words up to a quiet place as text, and begin a window there."""
        audio = self._audio()
        place = quiet_place(audio, first, last)
        self._encoded_samples = self._language_samples = NOTHING
        said = yield from self._transcribed(audio[:place])
        self._agree_in_language()
        shown = self._vocabulary.beyond(self._agreement.words, said)
        committed = self._vocabulary.beyond(self._agreement.committed, said)
        self._before = self._joined(self._before, self._vocabulary.text(said))
        self._agreement.restart(committed, shown[len(committed) :])
        self._heard, self._heard_samples = [audio[place:].copy()], len(audio) - place  # no view of it all
        self._read_samples = NOTHING
        yield

    def _transcribed(self, audio: Samples) -> Generator[None, None, tuple[Word, ...]]:
        """The words of audio that will not be heard again."""
        if _is_empty(audio):
            return ()
        self._recogniser.encode(audio)
        self._find_language(len(audio))
        reading = yield from self._reading(len(audio), (), thorough=True)
        if not reading.is_full or len(audio) < 2 * LEAST_CUT_SAMPLES:
            return reading.words
        yield
        place = quiet_place(audio, LEAST_CUT_SAMPLES, len(audio) - LEAST_CUT_SAMPLES)
        before = yield from self._transcribed(audio[:place])
        yield
        return before + (yield from self._transcribed(audio[place:]))

    def _reading(
        self, samples: int, committed: Sequence[Word], thorough: bool
    ) -> Generator[None, None, _Reading]:
        """What the recogniser hears after the committed words in what it has encoded.

        Of several doubtful ones the most probable that does not repeat itself, as faster-whisper does; none
        where even that is improbable, the model cannot tell silence and the turn had no words before.
        """
        prompt = self._vocabulary.prompt(self._language_id)
        said = [id_ for word in committed for id_ in word.ids]
        limit = max(most_tokens(samples / HEARING_RATE_HZ) - len(said), 1)
        tries = (0.0, *TEMPERATURES[: self._rules.retries]) if thorough else (0.0,)
        readings: list[_Reading] = []
        for seed, temperature in enumerate(tries):
            if readings:
                yield
            decoded = self._recogniser.decode(prompt, said, limit, temperature, seed)
            self.decodes += 1
            reading = self._judged(decoded, committed)
            if reading.verdict is not Verdict.DOUBTFUL:
                return reading
            readings.append(reading)
        best = max(readings, key=lambda reading: (not reading.repeats_itself, reading.log_probability))
        is_improbable = best.log_probability < self._rules.bounds.log_probability
        somebody_spoke = self._rules.knows_silence or self._before or self._agreement.committed
        return _SILENCE if thorough and is_improbable and not somebody_spoke else best

    def _judged(self, decoded: Decoded, committed: Sequence[Word]) -> _Reading:
        kept = without_loop(decoded.ids)
        words = self._vocabulary.words(kept, decoded.log_probabilities, self._has_spaces)
        before = sum(word.log_probability for word in committed)
        count = len(decoded.log_probabilities) + sum(len(word.ids) for word in committed)
        average = (before + sum(decoded.log_probabilities)) / max(count, 1)
        text = self._vocabulary.text([*committed, *words])
        verdict = judged(text, average, decoded.no_speech, self._rules.bounds)
        if verdict is Verdict.SILENCE:
            return _SILENCE
        is_loop = len(kept) < len(decoded.ids)
        return _Reading(
            words=tuple(words),
            verdict=Verdict.DOUBTFUL if is_loop else verdict,
            log_probability=average,
            repeats_itself=is_loop or compression(text) > self._rules.bounds.compression,
            ending=self._ending(decoded),
            is_full=decoded.is_full and not is_loop,  # that would never end
        )

    def _find_language(self, samples: int) -> None:
        """That of what is encoded, so many samples. A sure one gives way only to another that is sure."""
        if not self._finds_language:
            return
        probabilities = self._recogniser.languages()
        found = max(probabilities, key=lambda id_: probabilities[id_])
        is_sure = samples >= SURE_LANGUAGE_SAMPLES and probabilities[found] >= SURE_LANGUAGE
        if is_sure or not self._is_sure:
            self._language_id, self._is_sure = found, is_sure

    @property
    def _is_in_language(self) -> bool:
        """Whether the words of the agreement were heard in the language that was found last."""
        return self._agreement_language_id == self._language_id

    @property
    def _committed(self) -> tuple[Word, ...]:
        """What stands before the next words. In another language they are heard from the beginning."""
        return self._agreement.committed if self._is_in_language else ()

    def _agree_in_language(self) -> None:
        if not self._is_in_language:
            self._agreement.restart()
            self._agreement_language_id = self._language_id

    def _ending(self, decoded: Decoded) -> float | None:
        """How probable a full stop was after the last word; None where the recogniser does not tell."""
        if not decoded.full_stops:
            return None
        end = SentenceEnd(self._vocabulary.piece)
        for id_, full_stop in zip((*decoded.ids, None), decoded.full_stops, strict=False):
            end.take(id_, full_stop)
        return round(end.probability, ENDING_DIGITS)

    @property
    def _has_spaces(self) -> bool:
        return self._vocabulary.has_spaces(self._language_id)

    def _joined(self, before: str, text: str) -> str:
        space = " " if self._has_spaces else ""
        return space.join(part for part in (before.strip(), text.strip()) if part)

    def _audio(self) -> Samples:
        """The window in one piece. (N,)"""
        if len(self._heard) != 1:
            self._heard = [np.concatenate([np.zeros(0, np.float32), *self._heard])]
        return self._heard[0]


def _is_empty(audio: Samples) -> bool:
    """Whether there is too little for a word, or nothing but silence."""
    return len(audio) < LEAST_AUDIO_S * HEARING_RATE_HZ or is_silence(audio)
