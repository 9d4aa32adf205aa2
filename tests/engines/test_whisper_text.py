"""Whisper's tokens as prompts, words and text, with the real tokenizer class and all its special tokens."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from scripted_whisper import ScriptedTokens, scripted_vocabulary

from voxterm.engines.stand_ins.whisper import Edition, generation, write_tokenizer
from voxterm.engines.whisper.text import WhisperVocabulary, Word, spelled
from voxterm.errors import CheckpointError, ConfigError

EDITIONS = {"v2": Edition(99), "v3": Edition(100), "english": Edition(99, is_multilingual=False)}


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    written = {name: tmp_path_factory.mktemp(name) for name in EDITIONS}
    for name, folder in written.items():
        write_tokenizer(folder, EDITIONS[name])
    return written


def tokenizer_of(folder: Path) -> Any:
    from transformers import WhisperTokenizer

    return WhisperTokenizer.from_pretrained(folder)


def vocabulary_of(folders: dict[str, Path], name: str) -> WhisperVocabulary:
    edition = EDITIONS[name]
    tokens = tokenizer_of(folders[name]).backend_tokenizer
    return WhisperVocabulary(tokens, generation(edition), edition.vocabulary, name)


@pytest.fixture(scope="module")
def v3(folders: dict[str, Path]) -> WhisperVocabulary:
    return vocabulary_of(folders, "v3")


@pytest.mark.parametrize(
    ("name", "size", "end", "no_timestamps", "languages"),
    [
        ("v2", 51_865, 50_257, 50_363, 99),
        ("v3", 51_866, 50_257, 50_364, 100),
        ("english", 51_864, 50_256, 50_362, 0),
    ],
)
def test_the_ids_are_those_of_the_published_checkpoints(
    folders: dict[str, Path], name: str, size: int, end: int, no_timestamps: int, languages: int
) -> None:
    vocabulary = vocabulary_of(folders, name)
    assert (vocabulary.size, vocabulary.end_id, vocabulary.no_timestamps_id) == (size, end, no_timestamps)
    assert vocabulary.no_speech_id == no_timestamps - 1
    assert vocabulary.start_id == end + 1
    assert len(vocabulary.languages) == languages
    assert 220 in vocabulary.suppressed_at_begin
    assert vocabulary.piece(220) == b" "


@pytest.mark.parametrize("language", ["en", "hi", "haw"])
def test_the_prompt_is_the_tokenizer_s_own(folders: dict[str, Path], language: str) -> None:
    vocabulary = vocabulary_of(folders, "v2")
    tokenizer = tokenizer_of(folders["v2"])
    tokenizer.set_prefix_tokens(language=language, task="transcribe", predict_timestamps=False)
    assert vocabulary.prompt(vocabulary.language_id(language)) == tokenizer.prefix_tokens


def test_an_english_checkpoint_is_told_no_language(folders: dict[str, Path]) -> None:
    english = vocabulary_of(folders, "english")
    assert english.prompt(english.language_id("en")) == [50_257, 50_362]
    assert english.language_id("auto") is None
    with pytest.raises(ConfigError, match="English alone") as error:
        english.language_id("hi")
    assert ".en" in error.value.remedy


def test_what_is_no_text_is_never_said_even_where_the_checkpoint_forgot_to_forbid_it() -> None:
    vocabulary = scripted_vocabulary()
    assert vocabulary.suppressed == tuple(range(vocabulary.end_id + 1, vocabulary.size))


@pytest.mark.parametrize(
    "name",
    [
        "distil-whisper/distil-large-v3",
        "distil-whisper/distil-large-v3.5-ct2",
        "Systran/faster-distil-whisper-large-v2",
        "/models/distil-large-v2/",
    ],
)
def test_what_was_distilled_for_english_is_told_english_whatever_its_vocabulary(name: str) -> None:
    """They would find Hindi, and write it down in English."""
    vocabulary = WhisperVocabulary(ScriptedTokens(), {"is_multilingual": True}, 314, name)
    english_id = vocabulary.language_id("en")
    assert english_id is not None
    assert vocabulary.language_id("auto") == english_id
    assert vocabulary.prompt(english_id)[1] == english_id
    with pytest.raises(ConfigError, match="English alone") as error:
        vocabulary.language_id("hi")
    assert "distil" in error.value.remedy


@pytest.mark.parametrize(
    "name",
    [
        "openai/whisper-large-v3",
        "bofenghuang/whisper-large-v3-french-distil-dec16",
        "primeline/distil-whisper-large-v3-german",
        "kotoba-tech/kotoba-whisper-v2.0",
    ],
)
def test_others_know_the_languages_of_their_vocabulary(name: str) -> None:
    vocabulary = WhisperVocabulary(ScriptedTokens(), {"is_multilingual": True}, 314, name)
    assert list(vocabulary.languages) == ["en", "hi", "zh"]
    assert vocabulary.language_id("auto") is None


@pytest.mark.parametrize("language", ["xx", "english", "EN", ""])
def test_an_unknown_language_is_an_error_of_the_settings(v3: WhisperVocabulary, language: str) -> None:
    with pytest.raises(ConfigError, match="knows no language") as error:
        v3.language_id(language)
    assert "ISO 639-1" in error.value.remedy


def test_cantonese_came_with_large_v3(folders: dict[str, Path], v3: WhisperVocabulary) -> None:
    assert v3.language_id("yue") == 50_358
    with pytest.raises(ConfigError):
        vocabulary_of(folders, "v2").language_id("yue")


@pytest.mark.parametrize("text", [" Hello, world!", " नमस्ते, आप कैसे हैं?", " 你好。", " naïve café – “so”"])
def test_text_comes_back_from_its_tokens(folders: dict[str, Path], v3: WhisperVocabulary, text: str) -> None:
    ids = tokenizer_of(folders["v3"])(text, add_special_tokens=False)["input_ids"]
    for has_spaces in (True, False):
        words = v3.words(ids, [0.0] * len(ids), has_spaces)
        assert v3.text(words) == text
        assert [id_ for word in words for id_ in word.ids] == ids


def test_a_word_is_its_tokens_up_to_the_next_space_and_punctuation_stands_alone(
    folders: dict[str, Path], v3: WhisperVocabulary
) -> None:
    ids = tokenizer_of(folders["v3"])(" don't go, Jo", add_special_tokens=False)["input_ids"]
    words = v3.words(ids, [-0.1] * len(ids))
    assert [v3.text([word]) for word in words] == [" don't", " go", ",", " Jo"]
    assert words[0].log_probability == pytest.approx(-0.6)


def test_without_spaces_each_character_is_a_word(folders: dict[str, Path], v3: WhisperVocabulary) -> None:
    ids = tokenizer_of(folders["v3"])("你好。", add_special_tokens=False)["input_ids"]
    words = v3.words(ids, [0.0] * len(ids), has_spaces=v3.has_spaces(v3.languages["zh"]))
    assert [v3.text([word]) for word in words] == ["你", "好", "。"]
    assert v3.has_spaces(v3.languages["hi"])


def test_a_character_cut_in_two_and_special_tokens_are_not_shown(v3: WhisperVocabulary) -> None:
    first_byte = next(id_ for id_ in range(256) if v3.piece(id_) == b"\xe0")
    ids = [v3.start_id, 32, v3.no_timestamps_id + 5, first_byte]
    assert v3.text(v3.words(ids, [0.0] * 4)) == "A"


def test_sentences_end_with_full_stops_of_several_scripts(v3: WhisperVocabulary) -> None:
    assert {v3.piece(id_) for id_ in v3.sentence_ends()} == {b"!", b".", b"?"}  # of single bytes


def test_the_last_word_and_its_punctuation_are_held_back() -> None:
    vocabulary = scripted_vocabulary()
    one, two, stop = Word((1,)), Word((2,)), Word((301,))
    assert vocabulary.held_back([one, two]) == 1
    assert vocabulary.held_back([one, two, stop]) == 2
    assert vocabulary.held_back([stop]) == 1
    assert vocabulary.held_back([]) == 0


def test_what_lies_beyond_a_cut_is_found_whatever_the_punctuation() -> None:
    vocabulary = scripted_vocabulary()
    one, two, three, stop, comma = (Word((id_,)) for id_ in (1, 2, 3, 301, 302))
    assert list(vocabulary.beyond([one, comma, two, three, stop], [one, two, stop])) == [three, stop]
    assert list(vocabulary.beyond([one, two], [one, two, three])) == []
    assert list(vocabulary.beyond([one, two, three], [one, three])) == [], "it begins otherwise"
    assert list(vocabulary.beyond([one, two], [])) == [one, two]


def test_what_is_heard_of_a_text_is_letters_and_digits() -> None:
    assert spelled(" Don’t go – 3 times!") == "dontgo3times"
    assert spelled("कैसे?") == "कैसे"
    assert spelled(" …") == ""


def test_a_tokenizer_of_another_model_is_an_error() -> None:
    tokens = ScriptedTokens()
    tokens.tokens.remove("<|notimestamps|>")
    with pytest.raises(CheckpointError, match=r"not Whisper's: it has no <\|notimestamps\|>"):
        WhisperVocabulary(tokens, {}, 1000, "some/model")


def test_ids_that_do_not_exist_are_not_suppressed() -> None:
    """Old configs name −1, and lists of other vocabularies."""
    about = {"suppress_tokens": [-1, 5, 999_999, "x"], "begin_suppress_tokens": None}
    vocabulary = WhisperVocabulary(ScriptedTokens(), about, 314, "scripted")
    assert [id_ for id_ in vocabulary.suppressed if id_ < vocabulary.end_id] == [5]
    assert max(vocabulary.suppressed) == 313
    assert vocabulary.suppressed_at_begin == ()
    assert not vocabulary.is_multilingual, "so few ids are none of a multilingual checkpoint"
