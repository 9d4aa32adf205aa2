"""What whoever answers is told of itself: exact texts, since a model does what they say."""

from __future__ import annotations

import re
from typing import Any

import pytest
from fakes import VOICE
from hypothesis import given
from hypothesis import strategies as st

from voxterm.config import DialogueSettings, PersonaSettings, load_settings
from voxterm.engines.protocols import Voice
from voxterm.errors import ConfigError
from voxterm.personality import (
    LANGUAGES,
    SPOKEN,
    Personality,
    check_persona,
    near_personas,
    personalities,
)

LAUGHING = Voice("tara", "orpheus", "en", "tara", tags=("<laugh>", "<sigh>"))


def dialogue(**values: Any) -> DialogueSettings:
    return DialogueSettings(**{"system_prompt": "You are Ada.", **values})


def told(dialogue: DialogueSettings, name: str = "", voice: Voice = VOICE) -> str:
    text = personalities(dialogue)[name].told(voice)
    assert text.startswith(f"{SPOKEN} ")
    return text.removeprefix(f"{SPOKEN} ")


def test_the_whole_of_what_is_told_in_its_order() -> None:
    assert personalities(DialogueSettings())[""].told(LAUGHING) == (
        "You are talking with a person by voice: what you write is spoken aloud. Use plain words, as people "
        "talk. No lists, no headings, no emoji, no code. "
        "You are a friendly partner in a conversation. If something was unclear, ask. "
        "Reply in one or two short sentences. "
        "Reply in the language that the person speaks. "
        "Where it fits, and seldom, you may write one of these sounds between words: <laugh> <sigh>."
    )


@pytest.mark.parametrize(
    ("values", "text"),
    [
        ({}, "Reply in one or two short sentences. Reply in the language that the person speaks."),
        (
            {"reply_length": "medium"},
            "Reply in three to five sentences. Reply in the language that the person speaks.",
        ),
        (
            {"reply_length": "long", "language": "hi"},
            "Reply at the length that the matter needs. "
            "Always reply in Hindi, whatever language the person speaks.",
        ),
        (
            {"language": "pt-BR"},
            "Reply in one or two short sentences. "
            "Always reply in Portuguese, whatever language the person speaks.",
        ),
    ],
)
def test_length_and_language_follow_the_prompt(values: dict[str, str], text: str) -> None:
    assert told(dialogue(**values)) == f"You are Ada. {text}"


def test_a_persona_takes_the_place_of_the_system_prompt_with_its_own_way() -> None:
    persona = PersonaSettings(
        prompt="You are a pirate", style="loud and short", reply_length="medium", language="de"
    )
    assert told(dialogue(personas={"pirate": persona}), "pirate", LAUGHING) == (
        "You are a pirate. Your way of talking: loud and short. Reply in three to five sentences. "
        "Always reply in German, whatever language the person speaks. "
        "Where it fits, and seldom, you may write one of these sounds between words: <laugh> <sigh>."
    )


def test_what_a_persona_leaves_out_is_as_for_all() -> None:
    settings = dialogue(reply_length="long", language="fr", personas={"slow": PersonaSettings(style="slow")})
    assert told(settings, "slow") == (
        "You are Ada. Your way of talking: slow. Reply at the length that the matter needs. "
        "Always reply in French, whatever language the person speaks."
    )
    slow = personalities(settings)["slow"]
    assert (slow.voice, slow.speed, slow.trouble) == ("", None, None)


def test_an_empty_system_prompt_leaves_the_rest() -> None:
    assert told(dialogue(system_prompt=" \n")) == (
        "Reply in one or two short sentences. Reply in the language that the person speaks."
    )


def test_nobody_in_particular_is_told_nothing_but_what_the_voice_can_do() -> None:
    assert Personality().told(VOICE) == ""
    assert Personality().told(LAUGHING).startswith("Where it fits")


@given(st.text(max_size=30), st.text(max_size=30), st.sampled_from(["short", "medium", "long"]))
def test_another_voice_changes_the_end_alone(prompt: str, style: str, length: str) -> None:
    """Else an engine would read all of it anew."""
    personas = {"one": PersonaSettings(prompt=prompt, style=style)}
    one = personalities(dialogue(personas=personas, reply_length=length))["one"]
    assert one.told(LAUGHING).startswith(f"{one.told(VOICE)} ")
    assert one.told(VOICE) == one.told(VOICE)


def test_the_system_prompt_alone_comes_first_and_then_each_by_its_name() -> None:
    settings = dialogue(personas={"b": PersonaSettings(description="second"), "a": PersonaSettings()})
    assert list(personalities(settings)) == ["", "b", "a"]
    assert [one.name for one in personalities(settings).values()] == ["", "b", "a"]
    assert personalities(settings)["b"].description == "second"


@pytest.mark.parametrize(
    ("wrong", "nearest"),
    [("hindi", '"hi" (Hindi)'), ("Germn", '"de" (German)'), ("xy", '"'), ("eng", '"en" (English)')],
)
def test_an_unknown_language_is_refused_with_the_nearest(wrong: str, nearest: str) -> None:
    with pytest.raises(ConfigError) as caught:
        personalities(dialogue(language=wrong))
    assert str(caught.value).startswith(f'dialogue.language: there is no language "{wrong}"; it takes "auto"')
    assert nearest in caught.value.remedy
    assert "\n" not in str(caught.value)


def test_the_key_of_the_persona_is_named_whose_language_is_unknown() -> None:
    personas = {"tutor": PersonaSettings(), "guide": PersonaSettings(language="klingon")}
    with pytest.raises(ConfigError, match=r"^dialogue\.personas\.guide\.language: there is no language"):
        personalities(dialogue(personas=personas))


def test_an_unknown_persona_is_refused_with_the_nearest() -> None:
    personas = {"tutor": PersonaSettings(), "guide": PersonaSettings()}
    check_persona(dialogue(persona="tutor", personas=personas))
    check_persona(dialogue(personas=personas))
    with pytest.raises(ConfigError) as caught:
        check_persona(dialogue(persona="tutr", personas=personas))
    assert str(caught.value) == 'dialogue.persona: there is no persona "tutr"; near are tutor'


def test_the_remedy_where_nothing_is_near_and_where_there_is_none() -> None:
    assert near_personas("xyz", {"": 1, "tutor": 1, "guide": 1}) == "there are tutor, guide"
    assert near_personas("xyz", {"": 1}) == "write one as [dialogue.personas.NAME]"


def test_languages_have_a_code_and_one_word() -> None:
    assert len(LANGUAGES) > 60
    assert all(re.fullmatch("[a-z]{2}", code) for code in LANGUAGES)
    assert all(re.fullmatch("[A-Z][a-z]+", name) for name in LANGUAGES.values())
    assert (LANGUAGES["hi"], LANGUAGES["zh"], LANGUAGES["zu"]) == ("Hindi", "Chinese", "Zulu")


class TestTheShippedOnes:
    SHIPPED = load_settings(None, {}, {"XDG_CONFIG_HOME": "/nowhere"}).settings.dialogue

    def test_are_there_and_say_of_themselves_what_they_are(self) -> None:
        assert list(self.SHIPPED.personas) == ["tutor", "interpreter", "expert", "storyteller"]
        assert all(0 < len(persona.description) < 60 for persona in self.SHIPPED.personas.values())

    @pytest.mark.parametrize("name", SHIPPED.personas)
    def test_are_told_in_whole_sentences_of_one_line(self, name: str) -> None:
        """A prompt over several lines of the file must not bring their breaks along."""
        text = told(self.SHIPPED, name)
        assert text.startswith("You are ")
        assert text.isprintable()
        assert "  " not in text
        assert not re.search(r"[*#`_<>]", text)
        assert len(text) < 700, "it is read before every first word"

    def test_an_interpreter_always_replies_in_its_language(self) -> None:
        assert told(self.SHIPPED, "interpreter").endswith(
            "Always reply in French, whatever language the person speaks."
        )
