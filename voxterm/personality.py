"""Who answers, and how: what the language model is told before anything else. Pure.

What is told stands in an order in which the first changes least, so that an engine that has taken it in once
need not read all of it anew: that it is speech, who it is, how it talks, how long its replies are, in which
language, and last what the voice can do, which changes with the voice.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from types import MappingProxyType

from voxterm.config import DialogueSettings, PersonaSettings, ReplyLength
from voxterm.engines.protocols import Voice
from voxterm.errors import ConfigError, VoiceError

SPOKEN = (
    "You are talking with a person by voice: what you write is spoken aloud. Use plain words, as people "
    "talk. No lists, no headings, no emoji, no code."
)
STYLE = "Your way of talking: {style}"
LENGTHS: Mapping[ReplyLength, str] = MappingProxyType(
    {
        "short": "Reply in one or two short sentences.",
        "medium": "Reply in three to five sentences.",
        "long": "Reply at the length that the matter needs.",
    }
)
THEIR_LANGUAGE = "Reply in the language that the person speaks."
ONE_LANGUAGE = "Always reply in {language}, whatever language the person speaks."
TAGS_PROMPT = "Where it fits, and seldom, you may write one of these sounds between words: {tags}."

AUTO = "auto"

_LANGUAGES = """
    af Afrikaans, ar Arabic, as Assamese, az Azerbaijani, be Belarusian, bg Bulgarian, bn Bengali,
    bs Bosnian, ca Catalan, cs Czech, cy Welsh, da Danish, de German, el Greek, en English, es Spanish,
    et Estonian, eu Basque, fa Persian, fi Finnish, fr French, ga Irish, gl Galician, gu Gujarati, he Hebrew,
    hi Hindi, hr Croatian, hu Hungarian, hy Armenian, id Indonesian, is Icelandic, it Italian, ja Japanese,
    ka Georgian, kk Kazakh, km Khmer, kn Kannada, ko Korean, lt Lithuanian, lv Latvian, mk Macedonian,
    ml Malayalam, mn Mongolian, mr Marathi, ms Malay, mt Maltese, my Burmese, ne Nepali, nl Dutch,
    no Norwegian, pa Punjabi, pl Polish, pt Portuguese, ro Romanian, ru Russian, si Sinhala, sk Slovak,
    sl Slovenian, so Somali, sq Albanian, sr Serbian, sv Swedish, sw Swahili, ta Tamil, te Telugu, th Thai,
    tl Tagalog, tr Turkish, uk Ukrainian, ur Urdu, uz Uzbek, vi Vietnamese, yo Yoruba, zh Chinese, zu Zulu
"""
LANGUAGES: Mapping[str, str] = MappingProxyType(
    {words[0]: words[1] for words in map(str.split, _LANGUAGES.split(","))}
)
"""By ISO 639-1 code, what a model is told: English names are understood best."""


@dataclass(frozen=True, slots=True)
class Personality:
    """One who can answer: what is told of itself to whatever does, and who speaks its replies."""

    prompt: str = ""
    """All that is told, but for what the voice can do; "" for nothing at all."""
    name: str = ""  # of the persona; "": the system prompt alone
    description: str = ""
    voice: str = ""  # "": whoever speaks already
    speed: float | None = None  # None: as it is already
    trouble: VoiceError | None = None  # what is wrong with its voice, to be told when it is chosen

    def told(self, voice: Voice) -> str:
        """The system prompt where this voice speaks: with what it can do beside words. "" for none."""
        tags = TAGS_PROMPT.format(tags=" ".join(voice.tags)) if voice.tags else ""
        return _joined(self.prompt, tags)


def personalities(dialogue: DialogueSettings, place: Callable[[str], str] = str) -> dict[str, Personality]:
    """All who can answer, by name: first "", which is the system prompt alone, then the personas.

    `place` gives what messages call a dotted key.

    Raises:
        ConfigError: a language that nobody knows; the first one.
    """
    language = _language_policy(place("dialogue.language"), dialogue.language)
    plain = _joined(SPOKEN, dialogue.system_prompt, LENGTHS[dialogue.reply_length], language)
    personas = {name: _persona(name, persona, dialogue, place) for name, persona in dialogue.personas.items()}
    return {"": Personality(plain, description="the system prompt alone"), **personas}


def check_persona(dialogue: DialogueSettings, place: Callable[[str], str] = str) -> None:
    """
    Raises:
        ConfigError: there is no persona of the name that is to answer.
    """
    if dialogue.persona and dialogue.persona not in dialogue.personas:
        what = f'{place("dialogue.persona")}: there is no persona "{dialogue.persona}"'
        raise ConfigError(what, near_personas(dialogue.persona, dialogue.personas))


def near_personas(wrong: str, known: Mapping[str, object]) -> str:
    """The remedy for a name that no persona has."""
    names = [name for name in known if name]
    if near := get_close_matches(wrong, names, n=3):
        return f"near are {', '.join(near)}"
    return f"there are {', '.join(names[:5])}" if names else "write one as [dialogue.personas.NAME]"


def _persona(
    name: str, persona: PersonaSettings, dialogue: DialogueSettings, place: Callable[[str], str]
) -> Personality:
    """What it does not say of itself is as for all."""
    language_key = f"dialogue.personas.{name}.language" if persona.language else "dialogue.language"
    return Personality(
        prompt=_joined(
            SPOKEN,
            persona.prompt or dialogue.system_prompt,
            STYLE.format(style=persona.style) if persona.style else "",
            LENGTHS[persona.reply_length or dialogue.reply_length],
            _language_policy(place(language_key), persona.language or dialogue.language),
        ),
        name=name,
        description=persona.description,
        voice=persona.voice,
        speed=persona.speed,
    )


def _language_policy(place: str, language: str) -> str:
    """
    Raises:
        ConfigError: nobody knows that language; `place` is the key that names it.
    """
    if language == AUTO:
        return THEIR_LANGUAGE
    code = language.partition("-")[0].lower()
    if code not in LANGUAGES:
        raise ConfigError(
            f'{place}: there is no language "{language}"',
            f'it takes "auto" or a code; the nearest is {_nearest_language(language)}',
        )
    return ONE_LANGUAGE.format(language=LANGUAGES[code])


def _nearest_language(wrong: str) -> str:
    """By its name, which people write too, or by its code."""
    by_word = {word.lower(): code for code, name in LANGUAGES.items() for word in (code, name)}
    code = by_word[get_close_matches(wrong.lower(), by_word, n=1, cutoff=0.0)[0]]
    return f'"{code}" ({LANGUAGES[code]})'


def _joined(*parts: str) -> str:
    """One text of whole sentences: a style may be written without its full stop."""
    texts = filter(None, (part.strip() for part in parts))
    return " ".join(f"{text}." if text[-1].isalnum() else text for text in texts)
