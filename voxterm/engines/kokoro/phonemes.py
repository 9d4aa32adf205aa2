"""A text's phonemes as Kokoro learnt them: read by eSpeak NG, or by misaki where what that needs is there.

Kokoro was trained on the phonemes of `misaki`. For Spanish, French, Hindi, Italian and Portuguese misaki asks
eSpeak NG, so both front ends are one. English it reads by its dictionaries and a model of spaCy, and asks
eSpeak NG for words it does not know; here eSpeak NG then reads all. Japanese and Mandarin have readers of
their own: eSpeak NG reads Mandarin roughly, and of Japanese the kana alone. The edition for Mandarin
(Kokoro-82M-v1.1-zh) learnt it in bopomofo, which misaki alone writes.
"""

from __future__ import annotations

import logging
import re
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from importlib import import_module
from importlib.util import find_spec
from typing import Any, Literal, TypeAlias

from voxterm.engines.architectures import importing
from voxterm.engines.espeak.library import TIE, espeak_library
from voxterm.engines.kokoro.text import Part, parts
from voxterm.errors import VoiceError

FrontEnd: TypeAlias = Callable[[str], Iterator[Part]]
"""The parts of a text of some sentences."""

Choice: TypeAlias = Literal["auto", "espeak", "misaki"]

ESPEAK_LANGUAGES: Mapping[str, str] = {
    "a": "en-us",
    "b": "en-gb",
    "e": "es",
    "f": "fr-fr",
    "h": "hi",
    "i": "it",
    "j": "ja",
    "p": "pt-br",
    "z": "cmn",
}
"""Kokoro's letter for each of its languages, which every speaker's name begins with."""

BOPOMOFO = "ㄓ"
"""A checkpoint with this in its vocabulary reads Mandarin so."""

_NEEDS: Mapping[str, tuple[str, ...]] = {
    **dict.fromkeys("ab", ("en_core_web_sm",)),
    "j": ("fugashi", "jaconv", "mojimoji"),
    "z": ("jieba", "pypinyin", "cn2an"),
}
"""The modules that misaki needs for a language beside its own."""

_NEEDS_FOR_BOPOMOFO = (*_NEEDS["z"], "pypinyin_dict")

_REMEDIES: Mapping[str, str] = {
    **dict.fromkeys("ab", "run `python -m spacy download en_core_web_sm`"),
    "j": "run `pip install fugashi jaconv mojimoji unidic-lite`",
    "z": "run `pip install jieba pypinyin pypinyin-dict cn2an`",
}

# What misaki writes for eSpeak's phonemes, "^" between the characters of one; longest first.
_OTHERS = (
    ("a^ɪ", "I"),
    ("a^ʊ", "W"),
    ("d^z", "ʣ"),
    ("d^ʒ", "ʤ"),
    ("e^ɪ", "A"),
    ("o^ʊ", "O"),
    ("s^s", "S"),
    ("t^s", "ʦ"),
    ("t^ʃ", "ʧ"),
    ("ɔ^ɪ", "Y"),
    ("ə^ʊ", "Q"),
    ("^", ""),
    ("-", ""),
)
_SYLLABIC = "\u0329"
_ENGLISH = (
    ("ʔˌn" + _SYLLABIC, "ʔn"),
    ("a^ɪ", "I"),
    ("a^ʊ", "W"),
    ("d^ʒ", "ʤ"),
    ("e^ɪ", "A"),
    ("e^ə", "ɛː"),  # as in misaki's British dictionary; its rule for eSpeak's comes after "e" and never holds
    ("t^ʃ", "ʧ"),
    ("ɔ^ɪ", "Y"),
    ("ə^l", "ᵊl"),
    ("ʔn" + _SYLLABIC, "ʔn"),
    ("ʲo", "jo"),
    ("ʲə", "jə"),
    ("e", "A"),
    ("r", "ɹ"),
    ("x", "k"),
    ("ç", "k"),
    ("ɐ", "ə"),
    ("ɚ", "əɹ"),
    ("ɬ", "l"),
    ("ʲ", ""),
    ("\u0303", ""),
)
_BRITISH = (("iə", "ɪə"), ("i^ə", "ɪə"), ("ə^ʊ", "Q"))
_AMERICAN = (("o^ʊ", "O"), ("ɜːɹ", "ɜɹ"), ("ɜː", "ɜɹ"), ("ɪə", "iə"), ("ː", ""))
_BOTH = (("o", "ɔ"), ("ɾ", "T"), ("ʔ", "t"), ("^", ""), ("ɹɹ", "ɹ"))

# eSpeak's ways to write what misaki's readers of these two languages write otherwise.
_JAPANESE = (("^", ""), ("-", ""), ("tɕ", "ʨ"), ("dʑ", "ʥ"), ("ts", "ʦ"), ("dz", "ʣ"), ("ɽ", "ɾ"), ("ä", "a"))
_MANDARIN = (
    *(("^", ""), ("ˈ", ""), ("ˌ", ""), ("-", ""), ("[", ""), ("\u032a", "")),
    *(("tɕh", "ʨʰ"), ("tɕ", "ʨ"), ("ts.h", "ꭧʰ"), ("ts.", "ꭧ"), ("s.i.", "ʂɨ"), ("s.", "ʂ"), ("i.", "ɨ")),
    *(("tsh", "ʦʰ"), ("ts", "ʦ"), ("th", "tʰ"), ("kh", "kʰ"), ("ph", "pʰ"), ("χ", "x"), ("ɑ", "a")),
    *(("iɛ", "jɛ"), ("yɛ", "ɥɛ"), ("jyæ", "ɥɛ"), ("ia", "ja"), ("iu", "jou"), ("jiou", "jou"), ("ji", "i")),
    *(("jy", "y"), ("ua", "wa"), ("uo", "wo"), ("wuə", "wə"), ("onɡ", "ʊŋ"), ("ər", "ɚ"), ("si", "sɨ")),
    *(("ʐ", "ɻ"), (".", "")),
)
_TONE = re.compile("[1-5ɜ]")  # eSpeak gives the first of a tone's digits, and for a 3 this vowel
_TONES = {"55": "→", "35": "↗", "51": "↘", "214": "↓", "21": "↓", "11": ""}

_FLAG = re.compile(r"\(.+?\)")  # "(en)": what follows is read as another language
_HAN = re.compile(r"[\u3400-\u9fff\uf900-\ufaff々]")


def front_end(letter: str, choice: Choice, *, bopomofo: bool = False) -> FrontEnd:
    """What reads a language. `auto` is misaki where all that it needs is there, else eSpeak.

    `bopomofo`: how Mandarin is written for this checkpoint; misaki alone can.

    Raises:
        VoiceError: misaki was asked for, or is the only one, and lacks something.
        EngineLoadError: eSpeak's library is missing.
    """
    if bopomofo and letter == "z":
        return _bopomofo(choice)
    lacking = [module for module in _NEEDS.get(letter, ()) if find_spec(module) is None]
    if choice == "misaki" and lacking:
        raise VoiceError(f"misaki cannot read this voice's language without {lacking[0]}", _REMEDIES[letter])
    if letter in _NEEDS and choice != "espeak" and not lacking:
        return _with_misaki(letter)
    return partial(parts, phonemes=_espeak_reader(letter))


def _espeak_reader(letter: str) -> Callable[[str], str]:
    library = espeak_library()
    speaker = library.speakers().identifiers[ESPEAK_LANGUAGES[letter]]

    def ipa(run: str) -> str:
        tied = _FLAG.sub("", library.phonemes(run, speaker)).replace(TIE, "^")
        return " ".join(tied.split())

    def english(run: str, own: tuple[tuple[str, str], ...]) -> str:
        common = _replaced(ipa(run), _ENGLISH)
        syllables = re.sub(rf"(\S){_SYLLABIC}", r"ᵊ\1", common).replace(_SYLLABIC, "")
        return _replaced(syllables, own + _BOTH)

    def japanese(run: str) -> str:
        if _HAN.search(run):
            raise VoiceError("Kokoro cannot read kanji without misaki's Japanese reader", _REMEDIES["j"])
        return _replaced(ipa(run), _JAPANESE)

    def mandarin(run: str) -> str:
        tones = re.findall(r"\d+", library.phonemes(run, speaker, ipa=False))
        told = ipa(run)
        if len(_TONE.findall(told)) == len(tones):  # not where foreign words are among them
            given = iter(tones)
            told = _TONE.sub(lambda match: _TONES.get(next(given), match[0]), told)
        return _replaced(told, _MANDARIN)

    readers: Mapping[str, Callable[[str], str]] = {
        "a": partial(english, own=_AMERICAN),
        "b": partial(english, own=_BRITISH),
        "j": japanese,
        "z": mandarin,
    }
    return readers.get(letter, lambda run: _replaced(ipa(run), _OTHERS))


def _with_misaki(letter: str) -> FrontEnd:
    """misaki's own reader: for English, Japanese or Mandarin."""
    with _loading_libraries():
        if letter in "ab":
            from misaki import en, espeak  # type: ignore[import-untyped]

            is_british = letter == "b"
            fallback = espeak.EspeakFallback(british=is_british)
            return partial(_english_parts, en.G2P(trf=False, british=is_british, fallback=fallback, unk=""))
        reader: Any = _japanese_reader() if letter == "j" else _mandarin_reader()
    return partial(parts, phonemes=lambda run: str(reader(run)[0]).strip())


def _japanese_reader() -> Any:
    from misaki.cutlet import Cutlet  # type: ignore[import-untyped]

    try:
        return Cutlet()
    except RuntimeError as error:
        raise VoiceError("misaki's Japanese reader finds no dictionary", _REMEDIES["j"]) from error


def _mandarin_reader(**options: Any) -> Any:
    from misaki.zh import ZHG2P  # type: ignore[import-untyped]

    import_module("jieba").setLogLevel(logging.ERROR)  # it would tell the terminal how long it took to load
    return ZHG2P(**options)


def _bopomofo(choice: Choice) -> FrontEnd:
    """Mandarin, with English words in it read as such."""
    if choice == "espeak":
        what = "eSpeak NG cannot read Mandarin for this checkpoint"
        raise VoiceError(what, 'set engines.kokoro.front_end to "auto"')
    lacking = [module for module in _NEEDS_FOR_BOPOMOFO if find_spec(module) is None]
    if lacking:
        what = f"Mandarin cannot be read for this checkpoint without {lacking[0]}"
        raise VoiceError(what, _REMEDIES["z"])
    english = front_end("a", "auto")
    with _loading_libraries():
        reader = _mandarin_reader(
            version="1.1", en_callable=lambda run: "".join(part.phonemes for part in english(run))
        )
    return partial(parts, phonemes=lambda run: str(reader(run)[0]).strip())


@contextmanager
def _loading_libraries() -> Iterator[None]:
    """What misaki's libraries say of themselves is not for a person here. They may import Transformers."""
    with importing(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def _english_parts(reader: Any, text: str) -> Iterator[Part]:
    """The words of misaki's English reader, found again in the text."""
    at = 0
    for token in reader(text)[1]:
        found = text.find(token.text, at)
        start, end = (found, found + len(token.text)) if found >= 0 else (at, at)
        at = end
        phonemes = (token.phonemes or "") + (" " if token.whitespace else "")
        is_word = any(map(str.isalnum, token.text))
        if phonemes:
            yield Part(phonemes, start, end) if is_word else Part(phonemes)


def _replaced(phonemes: str, pairs: tuple[tuple[str, str], ...]) -> str:
    for old, new in pairs:
        phonemes = phonemes.replace(old, new)
    return phonemes
