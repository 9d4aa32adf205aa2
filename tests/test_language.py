"""Who speaks which piece of a reply."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from voxterm.engines.protocols import Voice
from voxterm.language import LEAST_LETTERS, LatinLanguages, ReplyVoices, VoiceFollower, voices_at_hand
from voxterm.sentences import Cutter
from voxterm.voices import Catalogue, voices_folder

REPLIES: list[tuple[str, str]] = [
    (language, text)
    for language, text in json.loads(
        (Path(__file__).parent / "data/replies.json").read_text(encoding="utf-8")
    )
]


def voice(language: str, tags: tuple[str, ...] = ()) -> Voice:
    return Voice(f"voice of {language}", "espeak", language, language, tags=tags)


CHOSEN = voice("en-GB")
OTHERS = [
    voice(language) for language in ("en-US", "de", "fr-FR", "es-419", "es-ES", "it", "hi", "ru", "ja", "zh")
]


@pytest.fixture(scope="module")
def latin() -> LatinLanguages:
    languages = LatinLanguages([other.language for other in OTHERS])
    languages.load()
    return languages


def spoken_in(choice: ReplyVoices, *pieces: str) -> list[str]:
    return [choice.voice_for(piece).language for piece in pieces]


def test_a_reply_in_another_language_is_spoken_by_its_voice(latin: LatinLanguages) -> None:
    choice = ReplyVoices(CHOSEN, OTHERS, latin)
    assert spoken_in(
        choice, "That is easy.", "Man sagt es so.", "Je ne sais pas encore.", "That is all."
    ) == [
        "en-GB",
        "de",
        "fr-FR",
        "en-GB",
    ]
    assert choice.voice_for("That is all there is.") is CHOSEN
    assert spoken_in(choice, "¿Qué necesitas saber?") == ["es-ES"], "the plainest of several"


@pytest.mark.parametrize(
    "piece",
    [
        "Sure!",
        "OK",
        "5 + 5 = 10",
        "😀",
        "",
        "She ordered spaghetti alla carbonara and tiramisu in Trastevere.",
        "Paris is the capital of France, near Versailles.",
        "Déjà vu is a French phrase.",
        "Cristiano Ronaldo and Lionel Messi",
        "The Schadenfreude is great",
        "Moscow is called Москва there.",
    ],
)
def test_names_loan_words_and_short_pieces_change_nothing(latin: LatinLanguages, piece: str) -> None:
    choice = ReplyVoices(CHOSEN, OTHERS, latin)
    assert choice.voice_for(piece) is CHOSEN
    choice.voice_for("Ich weiß das leider auch nicht so genau.")
    before = choice.language
    assert before == "de"
    if len(piece) < LEAST_LETTERS or not any(map(str.isalpha, piece)):
        assert choice.voice_for(piece).language == "de"


@pytest.mark.parametrize(
    ("piece", "language"),
    [
        ("मैं ठीक हूँ।", "hi"),
        ("Хорошо, спасибо.", "ru"),
        ("你好，我很好。", "zh"),
        ("今日はいい天気です。", "ja"),
        ("カタカナ", "ja"),
        ("सौ GB की फ़ाइल है", "hi"),
    ],
)
def test_the_script_tells_the_language_with_no_model(piece: str, language: str) -> None:
    assert spoken_in(ReplyVoices(CHOSEN, OTHERS), piece) == [language]


def test_from_another_script_latin_letters_lead_back_with_no_model() -> None:
    choice = ReplyVoices(CHOSEN, OTHERS)
    assert spoken_in(choice, "मैं ठीक हूँ।", "WhatsApp 😀", "That is all there is.") == ["hi", "hi", "en-GB"]
    hindi = ReplyVoices(voice("hi"), [voice("en")])
    assert spoken_in(hindi, "That is all there is.", "मैं ठीक हूँ।") == ["en", "hi"]
    assert spoken_in(ReplyVoices(voice("hi"), [voice("en"), voice("de")]), "That is all there is.") == [
        "hi"
    ], "nobody knows which of the two"


def test_one_that_reads_japanese_goes_on_reading_its_signs() -> None:
    assert spoken_in(ReplyVoices(CHOSEN, OTHERS), "元気です。", "大丈夫。") == ["ja", "ja"]


def test_a_language_that_no_voice_knows_is_left_to_the_voice_before(latin: LatinLanguages) -> None:
    assert spoken_in(ReplyVoices(CHOSEN, OTHERS, latin), "제가 도와드릴게요.", "Καλημέρα σας.") == [
        "en-GB",
        "en-GB",
    ]
    only_german = ReplyVoices(CHOSEN, [voice("de")], latin)
    assert spoken_in(only_german, "Je ne sais pas encore.") == ["en-GB"]


def test_a_dialogue_goes_on_in_the_language_of_the_reply_before(latin: LatinLanguages) -> None:
    choice = ReplyVoices(CHOSEN, OTHERS, latin, "fr")
    assert choice.language == "fr"
    assert spoken_in(choice, "Oui !", "Bien sûr !") == ["fr-FR", "fr-FR"]
    assert ReplyVoices(CHOSEN, OTHERS, latin, "ko").language == "en", "nobody speaks it"


def test_before_the_model_is_there_latin_letters_change_nothing() -> None:
    choice = ReplyVoices(CHOSEN, OTHERS, LatinLanguages(["en", "de"]))
    assert spoken_in(choice, "Ich weiß das leider auch nicht so genau.") == ["en-GB"]


def test_every_piece_of_usual_replies_finds_its_voice(latin: LatinLanguages) -> None:
    """In a dialogue that is in the reply's language already."""
    known = {"en", "de", "fr", "es", "it", "hi", "zh"}
    for language, text in REPLIES:
        cutter = Cutter(language)
        pieces = [cut.written for cut in cutter.push(text) + cutter.finish()]
        choice = ReplyVoices(CHOSEN, OTHERS, latin, language)
        expected = language if language in known else "en"
        assert {choice.voice_for(piece).language[:2] for piece in pieces} == {expected}, text


def test_replies_of_another_language_are_found_from_their_first_clause_on(latin: LatinLanguages) -> None:
    """Only a first piece such as "Certo!" may be spoken by the voice of the language before."""
    for language, text in REPLIES:
        if language in {"en", "ko"}:
            continue
        cutter = Cutter()
        pieces = [cut.written for cut in cutter.push(text) + cutter.finish()]
        spoken = spoken_in(ReplyVoices(CHOSEN, OTHERS, latin), *pieces)
        long_enough = [found[:2] for piece, found in zip(pieces, spoken, strict=True) if len(piece) > 27]
        assert set(long_enough) <= {language}, text


def test_the_voices_at_hand_need_nothing_loaded() -> None:
    catalogue = Catalogue.read(voices_folder())
    orpheus = catalogue.for_engine("orpheus")
    at_hand = voices_at_hand(catalogue.find("javi"), orpheus)
    assert {other.language for other in at_hand} == {"es", "it"}, "they share a checkpoint"
    assert {other.language for other in voices_at_hand(catalogue.find("tara"), orpheus)} == {"en"}
    espeak = catalogue.for_engine("espeak")
    assert voices_at_hand(catalogue.find("english"), espeak) == espeak


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("আমি ভালো আছি।", "bn"),
        ("நான் நலம்.", "ta"),
        ("నేను బాగున్నాను.", "te"),
        ("હું મજામાં છું.", "gu"),
        ("ನಾನು ಚೆನ್ನಾಗಿದ್ದೇನೆ.", "kn"),
        ("എനിക്ക് സുഖമാണ്.", "ml"),
        ("ਮੈਂ ਠੀਕ ਹਾਂ।", "pa"),
        ("Είμαι καλά.", "el"),
        ("أنا بخير.", "ar"),
        ("저는 잘 지내요.", "ko"),
    ],
)
def test_the_catalogue_has_a_voice_for_it(text: str, language: str) -> None:
    catalogue = Catalogue.read(voices_folder())
    choice = ReplyVoices(catalogue.find("english"), catalogue.for_engine("espeak"))
    assert choice.voice_for(text).language == language


def test_a_follower_keeps_the_language_from_reply_to_reply(latin: LatinLanguages) -> None:
    follower = VoiceFollower([CHOSEN, *OTHERS])
    follower.load()
    reply = follower.of_reply(CHOSEN)
    spoken = reply.voice_for("Das weiß ich leider auch nicht.")
    assert follower.of_reply(CHOSEN).language == "en", "a reply that nobody heard changes nothing"
    follower.spoke(spoken)
    assert follower.of_reply(CHOSEN).voice_for("Gut.").language == "de"
    assert follower.of_reply(OTHERS[2]).language == "fr", "a person has chosen"
    assert follower.of_reply(CHOSEN).language == "en"


def test_who_does_not_follow_has_one_voice() -> None:
    reply = VoiceFollower([CHOSEN, *OTHERS], follows=False).of_reply(CHOSEN)
    assert reply.voice_for("मैं ठीक हूँ।") is CHOSEN
    assert VoiceFollower().of_reply(CHOSEN).voice_for("मैं ठीक हूँ।") is CHOSEN


def test_tags_are_those_of_any_voice() -> None:
    choice = ReplyVoices(voice("en", ("<laugh>",)), [voice("de", ("<sigh>",)), voice("en", ("<yawn>",))])
    assert choice.tags == {"<laugh>", "<sigh>"}, "the third never speaks"


@given(st.text(max_size=60), st.text(max_size=60))
def test_any_text_has_a_voice(one: str, two: str) -> None:
    choice = ReplyVoices(CHOSEN, OTHERS)
    assert {choice.voice_for(one), choice.voice_for(two)} <= {CHOSEN, *OTHERS}


def test_nothing_is_loaded_for_a_single_language() -> None:
    code = (
        "import sys; from voxterm.language import LatinLanguages;"
        "LatinLanguages(['en-US', 'en-GB', 'hi']).load();"
        "assert 'py3langid' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)
