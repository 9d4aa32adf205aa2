"""Who speaks each piece of a reply: the voice that was chosen, or one at hand that knows its language.

The writing tells the language where it can; languages of Latin letters are told apart by the frequency of
their letter groups, with py3langid. A piece that is too short or not clear keeps the language before it, so
a name or a loan word changes nothing.
"""

from __future__ import annotations

import unicodedata
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING

from voxterm.engines.protocols import Voice
from voxterm.normalization import speakable

if TYPE_CHECKING:
    from py3langid.langid import LanguageIdentifier  # type: ignore[import-untyped]

LEAST_LETTERS = 6
"""Of a piece in Latin letters that may change the language: "Sure!" says nothing yet."""

LEAST_LETTERS_OTHER_SCRIPT = 12
"""The same where the language before has other letters: a name or two stand in Latin ones everywhere."""

LEAST_PROBABILITY = 0.6
LEAST_RATIO = 30.0
"""How much more probable than the language before the new one must be: foreign names reach 18."""

COMMON_LATIN = (
    "af bs ca cs cy da de en es et eu fi fr ga gl hr hu id is it lt lv ms nb nl no pl pt ro sk sl sq sv sw "
    "tl tr vi"
)
"""Languages of Latin letters that are told apart: with all of eSpeak's hundred among them, the common ones
are mistaken more often."""

SCRIPTS: Mapping[str, tuple[str, ...]] = {
    "ARABIC": ("ar", "fa", "ur"),
    "BENGALI": ("bn", "as"),
    "CJK": ("zh", "ja"),
    "CYRILLIC": ("ru", "uk", "bg", "sr", "mk", "kk"),
    "DEVANAGARI": ("hi", "mr", "ne"),
    "GREEK": ("el",),
    "GUJARATI": ("gu",),
    "GURMUKHI": ("pa",),
    "HANGUL": ("ko",),
    "HEBREW": ("he",),
    "HIRAGANA": ("ja",),
    "KANNADA": ("kn",),
    "KATAKANA": ("ja",),
    "MALAYALAM": ("ml",),
    "TAMIL": ("ta",),
    "TELUGU": ("te",),
    "THAI": ("th",),
}
"""The languages of a script, the likeliest first."""

_OWN_SCRIPT = frozenset(language for languages in SCRIPTS.values() for language in languages)


def primary(language: str) -> str:
    """A BCP 47 language without its region: "en" of "en-US"."""
    return language.partition("-")[0].lower()


def voices_at_hand(chosen: Voice, voices: Collection[Voice]) -> tuple[Voice, ...]:
    """Those that can speak as soon as `chosen`: of its engine, and of the checkpoint that it loads."""
    return tuple(v for v in voices if (v.engine, v.checkpoint) == (chosen.engine, chosen.checkpoint))


class LatinLanguages:
    """Tells languages of Latin letters apart. Until `load` has run it knows nothing, and that is no error."""

    def __init__(self, languages: Collection[str]) -> None:
        """`languages`: BCP 47, those of the voices; others are never found."""
        self.languages = frozenset(COMMON_LATIN.split()).intersection(map(primary, languages))
        self._identifier: LanguageIdentifier | None = None

    def load(self) -> None:
        """Read the model: a third of a second, so not for the event loop. One language needs none."""
        if len(self.languages) < 2:
            return
        from py3langid.langid import MODEL_FILE, LanguageIdentifier

        identifier = LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)
        identifier.set_languages(self.languages.intersection(identifier.labels))
        self._identifier = identifier

    def probabilities(self, text: str) -> Mapping[str, float]:
        """By language, the likeliest first; {} before `load`."""
        return dict(self._identifier.rank(text)) if self._identifier else {}


class ReplyVoices:
    """Of one reply: give it the pieces in order."""

    def __init__(
        self,
        chosen: Voice,
        others: Sequence[Voice] = (),
        latin: LatinLanguages | None = None,
        language_before: str = "",
    ) -> None:
        """`others` can be had at once; `language_before`: that of the reply before, "" for none."""
        self.chosen = chosen
        self.language = primary(chosen.language)
        """Of the last piece; before the first, the one that is expected."""
        self._latin = latin
        self._voices = {self.language: chosen}
        for voice in sorted(
            others, key=lambda other: len(other.language)
        ):  # "es" and "es-ES" before "es-419"
            self._voices.setdefault(primary(voice.language), voice)
        if primary(language_before) in self._voices:
            self.language = primary(language_before)

    @property
    def tags(self) -> frozenset[str]:
        """What any of the voices can do beside words."""
        return frozenset(tag for voice in self._voices.values() for tag in voice.tags)

    def voice_for(self, text: str) -> Voice:
        """Who speaks this piece; the next one is judged after it."""
        if len(self._voices) > 1:
            self.language = self._language_of(text)
        return self._voices[self.language]

    def _language_of(self, text: str) -> str:
        """The piece's language where it is certain and a voice knows it, else the one before."""
        scripts = _letters_by_script(text)
        letters = scripts.total()
        if not letters:
            return self.language
        script, count = scripts.most_common(1)[0]
        if script == "LATIN":
            other = self.language in _OWN_SCRIPT
            least = LEAST_LETTERS_OTHER_SCRIPT if other else LEAST_LETTERS
            return self._latin_language(text) if letters >= least else self.language
        if scripts["HIRAGANA"] + scripts["KATAKANA"]:
            script = "HIRAGANA"  # Japanese writes most of its words with signs of Chinese
        known = [language for language in SCRIPTS.get(script, ()) if language in self._voices]
        return self.language if 2 * count < letters or self.language in known or not known else known[0]

    def _latin_language(self, text: str) -> str:
        found = self._latin.probabilities(text) if self._latin else {}
        best, probability = next(iter(found.items()), ("", 0.0))
        clear = probability >= LEAST_PROBABILITY and probability >= LEAST_RATIO * found.get(
            self.language, 0.0
        )
        if clear and best in self._voices:
            return best
        latin = [language for language in self._voices if language not in _OWN_SCRIPT]
        is_one = len(latin) == 1 or latin[:1] == [primary(self.chosen.language)]
        return latin[0] if self.language in _OWN_SCRIPT and is_one else self.language


class VoiceFollower:
    """Of a conversation: gives each reply its voices, and keeps in mind what language was spoken last."""

    def __init__(self, voices: Sequence[Voice] = (), follows: bool = True) -> None:
        """`voices` are all of the engine's. One that does not follow leaves all to the chosen voice."""
        self._voices = tuple(voices) if follows else ()
        self._latin = LatinLanguages([voice.language for voice in self._voices])
        self._chosen: Voice | None = None
        self._language = ""  # spoken last, since that voice was chosen

    def load(self) -> None:
        """Do on another thread than the event loop's what makes the first piece slow."""
        self._latin.load()
        for language in {"en", *(primary(voice.language) for voice in self._voices)}:
            speakable("1", language)

    def of_reply(self, chosen: Voice) -> ReplyVoices:
        """The voices of the next reply."""
        if chosen is not self._chosen:
            self._chosen, self._language = chosen, ""
        return ReplyVoices(chosen, voices_at_hand(chosen, self._voices), self._latin, self._language)

    def spoke(self, voice: Voice) -> None:
        """A piece in this voice begins to sound."""
        self._language = primary(voice.language)


def _letters_by_script(text: str) -> Counter[str]:
    """How many letters there are of each script, by the first word of their names in Unicode."""
    return Counter(
        "LATIN" if char.isascii() else unicodedata.name(char, "?").partition(" ")[0]
        for char in text
        if char.isalpha()
    )
