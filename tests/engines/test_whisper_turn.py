"""A turn from its first sample to its last, heard by a recogniser that truly hears words, and no model."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from demo_clips import faint_noise
from hypothesis import given, settings
from hypothesis import strategies as st
from scripted_whisper import COMMA, FULL_STOP, HALF_A_WORD, ScriptedRecogniser, said, spoken

from voxterm.engines.protocols import HEARING_RATE_HZ, Samples
from voxterm.engines.whisper.judgement import Bounds
from voxterm.engines.whisper.recogniser import WINDOW_SAMPLES
from voxterm.engines.whisper.turn import Rules, WhisperTurn

LOUD_NOISE = faint_noise(2.0, level=0.02)


def turn_with(recogniser: ScriptedRecogniser, language: str = "en", retries: int = 2) -> WhisperTurn:
    vocabulary = recogniser.vocabulary
    return WhisperTurn(recogniser, Rules(vocabulary.language_id(language), Bounds(), retries))


def committed(turn: WhisperTurn) -> str:
    return f"{turn._before} {turn._vocabulary.text(turn._agreement.committed).strip()}".strip()


@pytest.fixture
def recogniser() -> ScriptedRecogniser:
    return ScriptedRecogniser()


@settings(deadline=None, max_examples=25)
@given(st.lists(st.integers(500, 48_000), min_size=1, max_size=40), st.data())
def test_however_it_comes_and_is_read_each_word_is_heard_once(pieces: list[int], data: st.DataObject) -> None:
    """A word lost, doubled or taken back once it was committed would show."""
    recogniser = ScriptedRecogniser()
    turn = turn_with(recogniser)
    words = sum(pieces) // 8000
    audio = spoken(0, words)
    at, kept = 0, ""
    for piece in pieces:
        turn.take(audio[at : at + piece])
        at += piece
        if data.draw(st.booleans()):
            turn.read(thorough=data.draw(st.booleans()))
            assert committed(turn).startswith(kept)
            kept = committed(turn)
            assert said(0, words).startswith(kept), "what is committed is right"
    turn.take(audio[at:])
    turn.read(thorough=True)
    assert turn.text == said(0, words)


@pytest.mark.parametrize("every", [WINDOW_SAMPLES // 40, 3 * WINDOW_SAMPLES])
def test_a_turn_of_two_minutes_is_heard_whole_and_its_audio_is_let_go(
    recogniser: ScriptedRecogniser, every: int
) -> None:
    turn = turn_with(recogniser)
    audio = spoken(0, 240)
    for begin in range(0, len(audio), every):
        turn.take(audio[begin : begin + every])
        turn.read(thorough=False)
        assert turn._heard_samples <= WINDOW_SAMPLES
        kept = sum((part if part.base is None else part.base).size for part in turn._heard)
        assert kept == turn._heard_samples
    turn.read(thorough=True)
    assert turn.text == said(0, 240)
    assert max(recogniser.encoded) <= WINDOW_SAMPLES


def test_the_text_does_not_shrink_when_the_window_is_cut(recogniser: ScriptedRecogniser) -> None:
    turn = turn_with(recogniser)
    audio = spoken(0, 64)
    shown = 0
    for begin in range(0, len(audio), 8000):
        turn.take(audio[begin : begin + 8000])
        turn.read(thorough=False)
        assert len(turn.text.split()) >= shown
        shown = len(turn.text.split())
    assert turn._before, "it was cut"


def test_only_what_is_new_is_decoded(recogniser: ScriptedRecogniser) -> None:
    turn = turn_with(recogniser)
    audio = spoken(0, 20)
    for begin in range(0, len(audio), 16_000):
        turn.take(audio[begin : begin + 16_000])
        turn.read(thorough=False)
    _, before, _ = recogniser.asked[-1]
    assert before == tuple(range(len(before)))
    assert 15 <= len(before) < 20


def test_what_was_read_is_not_encoded_or_decoded_again(recogniser: ScriptedRecogniser) -> None:
    turn = turn_with(recogniser)
    turn.take(spoken(0, 3))
    turn.read(thorough=False)
    turn.encode()
    turn.read(thorough=True)
    turn.read(thorough=False)
    assert len(recogniser.encoded) == len(recogniser.asked) == 1
    turn.take(spoken(3, 4))
    turn.read(thorough=True)
    assert len(recogniser.encoded) == 2
    assert turn.text == said(0, 4)


def test_a_word_that_ends_a_pause_is_not_committed_with_its_full_stop(
    recogniser: ScriptedRecogniser,
) -> None:
    """After a pause the sentence may go on: "I want to." became "I want to. Go home"."""
    recogniser.changed = lambda ids, _: [*ids, FULL_STOP]
    turn = turn_with(recogniser)
    turn.take(spoken(0, 3))
    turn.read(thorough=False)
    turn.take(np.zeros(4000, dtype=np.float32))
    turn.read(thorough=True)
    assert turn.text == "w0 w1 w2."
    assert committed(turn) == "w0 w1"
    turn.take(spoken(3, 5))
    turn.read(thorough=True)
    assert turn.text == "w0 w1 w2 w3 w4."


def test_words_that_change_from_pass_to_pass_are_shown_and_never_kept(
    recogniser: ScriptedRecogniser,
) -> None:
    turn = turn_with(recogniser)
    for number in range(6):
        recogniser.changed = lambda ids, _, number=number: [100 + number + n for n in ids]  # type: ignore[misc]
        turn.take(spoken(number, number + 1))
        turn.read(thorough=False)
        assert turn.text.startswith(f"w{100 + number}")
        assert committed(turn) == ""


@pytest.mark.parametrize(
    "audio",
    [
        np.zeros(0, dtype=np.float32),
        np.zeros(3 * HEARING_RATE_HZ, dtype=np.float32),
        faint_noise(2.0),
        np.full(1500, 0.3, dtype=np.float32),
        np.zeros(65 * HEARING_RATE_HZ, dtype=np.float32),
    ],
    ids=["nothing", "zeros", "quiet room", "a click", "a minute of zeros"],
)
def test_silence_is_not_given_to_the_model(recogniser: ScriptedRecogniser, audio: Samples) -> None:
    turn = turn_with(recogniser)
    turn.take(audio)
    turn.read(thorough=False)
    turn.read(thorough=True)
    assert turn.text == ""
    assert recogniser.encoded == []
    assert turn.ending is None


def test_noise_that_the_model_calls_no_speech_has_no_words(recogniser: ScriptedRecogniser) -> None:
    recogniser.changed = lambda ids, _: [1, 2, 3]
    recogniser.no_speech = 0.7
    recogniser.log_probability = lambda _: -1.3
    turn = turn_with(recogniser)
    turn.take(LOUD_NOISE)
    turn.read(thorough=True)
    assert turn.text == ""
    assert len(recogniser.asked) == 1, "silence is no reason to try again"


def test_punctuation_alone_is_no_text(recogniser: ScriptedRecogniser) -> None:
    recogniser.changed = lambda ids, _: [FULL_STOP, FULL_STOP]
    turn = turn_with(recogniser)
    turn.take(LOUD_NOISE)
    turn.read(thorough=True)
    assert turn.text == ""


def test_doubtful_words_are_not_shown_while_one_speaks(recogniser: ScriptedRecogniser) -> None:
    turn = turn_with(recogniser)
    turn.take(spoken(0, 2))
    turn.read(thorough=False)
    recogniser.log_probability = lambda _: -2.0
    turn.take(spoken(2, 4))
    turn.read(thorough=False)
    assert turn.text == said(0, 2)
    assert [temperature for *_, temperature in recogniser.asked] == [0.0, 0.0]


def test_in_the_end_doubtful_words_are_tried_again_at_higher_temperatures(
    recogniser: ScriptedRecogniser,
) -> None:
    recogniser.log_probability = lambda temperature: -0.5 if temperature == 0.4 else -2.0
    turn = turn_with(recogniser, retries=5)
    turn.take(spoken(0, 2))
    turn.read(thorough=False)
    turn.read(thorough=True)
    assert [temperature for *_, temperature in recogniser.asked] == [0.0, 0.0, 0.2, 0.4]
    assert len(recogniser.encoded) == 1
    assert turn.text == said(0, 2)


def loops_at(cold: float) -> Callable[[list[int], float], list[int]]:
    return lambda ids, temperature: [1, 2, 3] * 60 if temperature <= cold else ids


@pytest.mark.parametrize("cold", [0.0, 0.2])
def test_of_bad_ones_the_best_that_is_no_loop_is_taken(recogniser: ScriptedRecogniser, cold: float) -> None:
    recogniser.changed = loops_at(cold)
    recogniser.log_probability = lambda temperature: -0.1 if temperature <= cold else -3.0
    turn = turn_with(recogniser)
    turn.take(spoken(0, 6))
    turn.read(thorough=True)
    assert turn.text == said(0, 6)
    assert committed(turn) == ""


def test_where_it_loops_at_any_temperature_one_round_is_left(recogniser: ScriptedRecogniser) -> None:
    recogniser.changed = loops_at(1.0)
    turn = turn_with(recogniser)
    turn.take(spoken(0, 40))
    turn.read(thorough=True)
    assert turn.text == "w1 w2 w3"


def test_too_many_words_for_the_model_s_positions_are_heard_in_parts(recogniser: ScriptedRecogniser) -> None:
    """Hindi takes six tokens a word: half a minute of it does not fit into 448 positions."""
    recogniser.positions = 9
    turn = turn_with(recogniser)
    turn.take(spoken(0, 40))
    turn.read(thorough=True)
    assert turn.text == said(0, 40)


def test_the_language_is_found_once_and_kept(recogniser: ScriptedRecogniser) -> None:
    turn = turn_with(recogniser, "auto")
    turn.take(spoken(0, 2))
    turn.read(thorough=False)
    recogniser.language = {"hi": 0.99}
    turn.take(spoken(2, 4))
    turn.read(thorough=True)
    vocabulary = recogniser.vocabulary
    assert recogniser.asked_languages == 1
    assert {prompt for prompt, *_ in recogniser.asked} == {
        tuple(vocabulary.prompt(vocabulary.languages["en"]))
    }


def test_words_in_a_language_that_is_not_sure_are_not_committed(recogniser: ScriptedRecogniser) -> None:
    recogniser.language = {"en": 0.4, "hi": 0.3}
    turn = turn_with(recogniser, "auto")
    for first in range(3):
        turn.take(spoken(first, first + 1))
        turn.read(thorough=False)
        assert turn.text == said(0, first + 1)
        assert committed(turn) == ""
    recogniser.language = {"en": 0.1, "hi": 0.8}
    turn.take(spoken(3, 4))
    turn.read(thorough=False)
    turn.take(spoken(4, 5))
    turn.read(thorough=False)
    assert committed(turn) == said(0, 4)
    assert recogniser.asked[-1][0][1] == recogniser.vocabulary.languages["hi"]


def test_an_english_checkpoint_is_not_asked_for_the_language() -> None:
    recogniser = ScriptedRecogniser(is_multilingual=False)
    turn = turn_with(recogniser, "auto")
    turn.take(spoken(0, 2))
    turn.read(thorough=True)
    assert recogniser.asked_languages == 0
    assert len(recogniser.asked[0][0]) == 2


def test_texts_without_spaces_are_joined_without(recogniser: ScriptedRecogniser) -> None:
    for language, wanted in (("zh", "ab"), ("en", "a b")):
        turn = turn_with(recogniser, language)
        assert turn._joined(" a ", " b") == wanted
        assert turn._joined("", " b") == "b"


def test_the_ending_is_how_probable_a_full_stop_was_after_the_last_word(
    recogniser: ScriptedRecogniser,
) -> None:
    stops = {2: 0.1, -1: 0.7}
    recogniser.full_stops = lambda id_: stops.get(id_, 0.0)
    turn = turn_with(recogniser)
    turn.take(spoken(0, 3))
    turn.read(thorough=True)
    assert turn.ending == 0.7
    recogniser.changed = lambda ids, _: [*ids, COMMA]
    stops[COMMA] = 0.2
    stops[-1] = 0.05
    turn.take(spoken(3, 4))
    turn.read(thorough=True)
    assert turn.ending == 0.2


def test_a_recogniser_that_does_not_tell_full_stops_gives_no_ending(recogniser: ScriptedRecogniser) -> None:
    turn = turn_with(recogniser)
    turn.take(spoken(0, 3))
    turn.read(thorough=True)
    assert turn.ending is None


@pytest.mark.parametrize("verb", ["encode", "decode", "languages"])
@pytest.mark.parametrize("words", [4, 70])
def test_a_failure_leaves_the_turn_as_it_was(
    recogniser: ScriptedRecogniser, monkeypatch: pytest.MonkeyPatch, verb: str, words: int
) -> None:
    turn = turn_with(recogniser, "auto")
    turn.take(spoken(0, words))
    with monkeypatch.context() as broken:
        broken.setattr(recogniser, verb, lambda *_: (_ for _ in ()).throw(RuntimeError("lost")))
        for _ in range(2):
            with pytest.raises(RuntimeError):
                turn.read(thorough=False)
    turn.read(thorough=True)
    assert turn.text == said(0, words)


def test_a_word_cut_off_by_the_end_of_the_audio_is_mended(recogniser: ScriptedRecogniser) -> None:
    turn = turn_with(recogniser)
    audio = spoken(0, 5)
    turn.take(audio[:20_000])
    turn.read(thorough=False)
    assert turn.text == "w0 w1 half"
    assert HALF_A_WORD not in [id_ for word in turn._agreement.committed for id_ in word.ids]
    turn.take(audio[20_000:])
    turn.read(thorough=True)
    assert turn.text == said(0, 5)
