"""A turn from its first sample to its last, heard by a recogniser that truly hears words, and no model."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise

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


def read(turn: WhisperTurn, thorough: bool) -> None:
    for _ in turn.read(thorough):
        pass


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
            read(turn, thorough=data.draw(st.booleans()))
            assert committed(turn).startswith(kept)
            kept = committed(turn)
            assert said(0, words).startswith(kept), "what is committed is right"
    turn.take(audio[at:])
    read(turn, thorough=True)
    assert turn.text == said(0, words)


@pytest.mark.parametrize("every", [WINDOW_SAMPLES // 40, 3 * WINDOW_SAMPLES])
def test_a_turn_of_two_minutes_is_heard_whole_and_its_audio_is_let_go(
    recogniser: ScriptedRecogniser, every: int
) -> None:
    turn = turn_with(recogniser)
    audio = spoken(0, 240)
    for begin in range(0, len(audio), every):
        turn.take(audio[begin : begin + every])
        read(turn, thorough=False)
        assert turn._heard_samples <= WINDOW_SAMPLES
        kept = sum((part if part.base is None else part.base).size for part in turn._heard)
        assert kept == turn._heard_samples
    read(turn, thorough=True)
    assert turn.text == said(0, 240)
    assert max(recogniser.encoded) <= WINDOW_SAMPLES


def test_the_text_does_not_shrink_when_the_window_is_cut(recogniser: ScriptedRecogniser) -> None:
    turn = turn_with(recogniser)
    audio = spoken(0, 64)
    shown = 0
    for begin in range(0, len(audio), 8000):
        turn.take(audio[begin : begin + 8000])
        read(turn, thorough=False)
        assert len(turn.text.split()) >= shown
        shown = len(turn.text.split())
    assert turn._before, "it was cut"


def test_only_what_is_new_is_decoded(recogniser: ScriptedRecogniser) -> None:
    turn = turn_with(recogniser)
    audio = spoken(0, 20)
    for begin in range(0, len(audio), 16_000):
        turn.take(audio[begin : begin + 16_000])
        read(turn, thorough=False)
    _, before, _ = recogniser.asked[-1]
    assert before == tuple(range(len(before)))
    assert 15 <= len(before) < 20


def test_what_was_read_is_not_encoded_or_decoded_again(recogniser: ScriptedRecogniser) -> None:
    turn = turn_with(recogniser)
    turn.take(spoken(0, 3))
    read(turn, thorough=False)
    read(turn, thorough=True)
    read(turn, thorough=False)
    assert len(recogniser.encoded) == len(recogniser.asked) == 1
    turn.take(spoken(3, 4))
    read(turn, thorough=True)
    assert len(recogniser.encoded) == 2
    assert turn.text == said(0, 4)


def test_a_word_that_ends_a_pause_is_not_committed_with_its_full_stop(
    recogniser: ScriptedRecogniser,
) -> None:
    """After a pause the sentence may go on: "I want to." became "I want to. Go home"."""
    recogniser.changed = lambda ids, _: [*ids, FULL_STOP]
    turn = turn_with(recogniser)
    turn.take(spoken(0, 3))
    read(turn, thorough=False)
    turn.take(np.zeros(4000, dtype=np.float32))
    read(turn, thorough=True)
    assert turn.text == "w0 w1 w2."
    assert committed(turn) == "w0 w1"
    turn.take(spoken(3, 5))
    read(turn, thorough=True)
    assert turn.text == "w0 w1 w2 w3 w4."


def test_words_that_change_from_pass_to_pass_are_shown_and_never_kept(
    recogniser: ScriptedRecogniser,
) -> None:
    turn = turn_with(recogniser)
    for number in range(6):
        recogniser.changed = lambda ids, _, number=number: [100 + number + n for n in ids]  # type: ignore[misc]
        turn.take(spoken(number, number + 1))
        read(turn, thorough=False)
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
    read(turn, thorough=False)
    read(turn, thorough=True)
    assert turn.text == ""
    assert recogniser.encoded == []
    assert turn.ending is None


def test_noise_that_the_model_calls_no_speech_has_no_words(recogniser: ScriptedRecogniser) -> None:
    recogniser.changed = lambda ids, _: [1, 2, 3]
    recogniser.no_speech = 0.7
    recogniser.log_probability = lambda _: -1.3
    turn = turn_with(recogniser)
    turn.take(LOUD_NOISE)
    read(turn, thorough=True)
    assert turn.text == ""
    assert len(recogniser.asked) == 1, "silence is no reason to try again"


def test_improbable_words_are_none_where_the_model_cannot_tell_silence(
    recogniser: ScriptedRecogniser,
) -> None:
    """Large-v3-turbo finds no speech nowhere. What it can be sure of at some temperature stays."""
    rules = Rules(recogniser.vocabulary.language_id("en"), Bounds(), 2, knows_silence=False)
    recogniser.log_probability = lambda _: -1.3
    turn = WhisperTurn(recogniser, rules)
    turn.take(spoken(0, 2))
    read(turn, thorough=False)
    read(turn, thorough=True)
    assert turn.text == ""
    assert [temperature for *_, temperature in recogniser.asked] == [0.0, 0.0, 0.2, 0.4]
    recogniser.log_probability = lambda temperature: -0.9 if temperature == 0.4 else -1.3
    turn.take(spoken(2, 4))
    read(turn, thorough=True)
    assert turn.text == said(0, 4)


def test_words_that_were_agreed_on_speak_for_the_improbable_ones_after_them(
    recogniser: ScriptedRecogniser,
) -> None:
    rules = Rules(recogniser.vocabulary.language_id("en"), knows_silence=False)
    turn = WhisperTurn(recogniser, rules)
    for begin in range(0, 40, 10):
        turn.take(spoken(begin, begin + 10))
        read(turn, thorough=False)
    recogniser.log_probability = lambda _: -1.3
    turn.take(spoken(40, 70))
    read(turn, thorough=True)
    assert turn.text == said(0, 70)


def test_punctuation_alone_is_no_text(recogniser: ScriptedRecogniser) -> None:
    recogniser.changed = lambda ids, _: [FULL_STOP, FULL_STOP]
    turn = turn_with(recogniser)
    turn.take(LOUD_NOISE)
    read(turn, thorough=True)
    assert turn.text == ""


def test_doubtful_words_are_not_shown_while_one_speaks(recogniser: ScriptedRecogniser) -> None:
    turn = turn_with(recogniser)
    turn.take(spoken(0, 2))
    read(turn, thorough=False)
    recogniser.log_probability = lambda _: -2.0
    turn.take(spoken(2, 4))
    read(turn, thorough=False)
    assert turn.text == said(0, 2)
    assert [temperature for *_, temperature in recogniser.asked] == [0.0, 0.0]


def test_in_the_end_doubtful_words_are_tried_again_at_higher_temperatures(
    recogniser: ScriptedRecogniser,
) -> None:
    recogniser.log_probability = lambda temperature: -0.5 if temperature == 0.4 else -2.0
    turn = turn_with(recogniser, retries=5)
    turn.take(spoken(0, 2))
    read(turn, thorough=False)
    read(turn, thorough=True)
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
    read(turn, thorough=True)
    assert turn.text == said(0, 6)
    assert committed(turn) == ""


def test_where_it_loops_at_any_temperature_one_round_is_left(recogniser: ScriptedRecogniser) -> None:
    recogniser.changed = loops_at(1.0)
    turn = turn_with(recogniser)
    turn.take(spoken(0, 40))
    read(turn, thorough=True)
    assert turn.text == "w1 w2 w3"


def test_too_many_words_for_the_model_s_positions_are_heard_in_parts(recogniser: ScriptedRecogniser) -> None:
    """Hindi takes six tokens a word: half a minute of it does not fit into 448 positions."""
    recogniser.positions = 9
    turn = turn_with(recogniser)
    turn.take(spoken(0, 40))
    read(turn, thorough=True)
    assert turn.text == said(0, 40)


def language_asked(recogniser: ScriptedRecogniser) -> int:
    """In which it decoded last."""
    return recogniser.asked[-1][0][1]


def test_a_language_that_half_a_second_sounded_like_is_not_kept(recogniser: ScriptedRecogniser) -> None:
    """Of the first half second all of a Hindi turn was taken for English."""
    turn = turn_with(recogniser, "auto")
    recogniser.language = {"en": 0.55, "hi": 0.45}
    audio = spoken(0, 8)
    turn.take(audio[:8000])
    read(turn, thorough=False)
    turn.take(audio[8000:16_000])
    read(turn, thorough=False)
    assert language_asked(recogniser) == recogniser.vocabulary.languages["en"]
    assert committed(turn) == ""
    recogniser.language = {"en": 0.01, "hi": 0.99}
    turn.take(audio[16_000:])
    read(turn, thorough=True)
    assert language_asked(recogniser) == recogniser.vocabulary.languages["hi"]
    assert turn.text == said(0, 8)


def test_the_language_is_found_in_each_pass_until_three_seconds_are_heard(
    recogniser: ScriptedRecogniser,
) -> None:
    turn = turn_with(recogniser, "auto")
    audio = spoken(0, 12)
    for begin in range(0, len(audio), 12_000):
        turn.take(audio[begin : begin + 12_000])
        read(turn, thorough=False)
    assert recogniser.asked_languages == 4
    assert committed(turn) != ""


@pytest.mark.parametrize("is_heard_on", [True, False])
def test_in_a_thorough_pass_committed_words_of_another_language_are_heard_anew(
    recogniser: ScriptedRecogniser, is_heard_on: bool
) -> None:
    turn = turn_with(recogniser, "auto")
    audio = spoken(0, 16)
    turn.take(audio[:56_000])
    read(turn, thorough=False)
    turn.take(audio[56_000:64_000])
    read(turn, thorough=False)
    assert committed(turn).startswith("w0 w1")
    recogniser.language = {"en": 0.3, "hi": 0.7}
    if is_heard_on:
        turn.take(audio[64_000:])
    read(turn, thorough=True)
    assert recogniser.asked[-1][1] == (), "no English words are forced upon it"
    assert language_asked(recogniser) == recogniser.vocabulary.languages["hi"]
    assert turn.text == said(0, 16 if is_heard_on else 8)
    count, asked = len(recogniser.asked), recogniser.asked_languages
    read(turn, thorough=True)
    assert (len(recogniser.asked), recogniser.asked_languages) == (count, asked)


def test_a_sure_language_does_not_give_way_to_one_that_is_improbable(recogniser: ScriptedRecogniser) -> None:
    turn = turn_with(recogniser, "auto")
    turn.take(spoken(0, 8))
    read(turn, thorough=False)
    recogniser.language = {"hi": 0.4, "en": 0.3}
    turn.take(spoken(8, 10))
    read(turn, thorough=True)
    assert recogniser.asked_languages == 2
    assert language_asked(recogniser) == recogniser.vocabulary.languages["en"]


def test_a_sure_language_does_not_give_way_to_that_of_a_short_window(recogniser: ScriptedRecogniser) -> None:
    """After a cut the window may be a second long."""
    turn = turn_with(recogniser, "auto")
    pause = np.zeros(14_400, dtype=np.float32)
    turn.take(np.concatenate([spoken(0, 56), pause, spoken(56, 59)]))
    read(turn, thorough=False)
    assert turn._before == said(0, 56)
    asked = recogniser.asked_languages
    recogniser.language = {"hi": 0.99, "en": 0.01}
    turn.take(np.zeros(4000, dtype=np.float32))
    read(turn, thorough=True)
    assert recogniser.asked_languages == asked + 1
    assert language_asked(recogniser) == recogniser.vocabulary.languages["en"]


def test_a_language_that_changes_at_a_cut_forces_none_of_the_old_words(
    recogniser: ScriptedRecogniser,
) -> None:
    turn = turn_with(recogniser, "auto")
    audio = spoken(0, 64)
    for begin in range(0, 464_000, 8000):
        turn.take(audio[begin : begin + 8000])
        read(turn, thorough=False)
    assert len(committed(turn).split()) > 50
    recogniser.language = {"en": 0.1, "hi": 0.9}
    turn.take(audio[464_000:])
    count = len(recogniser.asked)
    read(turn, thorough=False)
    assert turn._before
    hindi = recogniser.vocabulary.languages["hi"]
    assert {(prompt[1], before) for prompt, before, _ in recogniser.asked[count:]} == {(hindi, ())}
    assert turn.text == said(0, 64)


def scene(name: str) -> tuple[ScriptedRecogniser, WhisperTurn, int]:
    """A turn that is heard in several pieces, and how many words of it there are."""
    recogniser = ScriptedRecogniser()
    recogniser.log_probability = lambda temperature: -0.5 if temperature >= 0.4 else -2.0
    recogniser.positions = {"full": 9, "long and full": 20}.get(name, 10_000)
    words = {"short": 6, "long": 130, "full": 20, "long and full": 64}[name]
    turn = turn_with(recogniser, "auto", retries=3)
    turn.take(spoken(0, 2))
    read(turn, thorough=True)
    recogniser.language = {"hi": 0.9, "en": 0.1}
    turn.take(spoken(2, words))
    return recogniser, turn, words


SCENES = {"short": 3, "long": 10, "full": 5, "long and full": 15}  # and how often a pass stops at least


@pytest.mark.parametrize("more", [0, 3])
@pytest.mark.parametrize(("name", "least"), SCENES.items())
def test_a_pass_may_be_closed_wherever_it_stops(name: str, least: int, more: int) -> None:
    _, whole, words = scene(name)
    stops = sum(1 for _ in whole.read(thorough=True))
    assert stops >= least
    assert whole.text == said(0, words)
    for point in range(stops + 1):
        recogniser, turn, _ = scene(name)
        before = turn.text
        work = turn.read(thorough=True)
        for _ in range(point):
            next(work)
        work.close()  # type: ignore[attr-defined]
        if name == "short":
            assert turn.text == before, "a pass that was closed leaves no trace"
        recogniser.log_probability = lambda _: -0.1
        if more:
            turn.take(spoken(words, words + more))
            read(turn, thorough=False)
        read(turn, thorough=True)
        assert turn.text == said(0, words + more), f"after it was closed at {point}"


@pytest.mark.parametrize("name", SCENES)
def test_between_two_stops_it_decodes_once_at_most(name: str) -> None:
    """A person who speaks on waits for no more than that."""
    recogniser, turn, _ = scene(name)
    decodes = [len(recogniser.asked), *(len(recogniser.asked) for _ in turn.read(thorough=True))]
    decodes.append(len(recogniser.asked))
    assert {after - before for before, after in pairwise(decodes)} == {0, 1}
    assert turn.decodes == len(recogniser.asked)


def test_words_in_a_language_that_is_not_sure_are_not_committed(recogniser: ScriptedRecogniser) -> None:
    recogniser.language = {"en": 0.4, "hi": 0.3}
    turn = turn_with(recogniser, "auto")
    for first in range(3):
        turn.take(spoken(first, first + 1))
        read(turn, thorough=False)
        assert turn.text == said(0, first + 1)
        assert committed(turn) == ""
    recogniser.language = {"en": 0.1, "hi": 0.8}
    turn.take(spoken(3, 4))
    read(turn, thorough=False)
    turn.take(spoken(4, 5))
    read(turn, thorough=False)
    assert committed(turn) == said(0, 4)
    assert recogniser.asked[-1][0][1] == recogniser.vocabulary.languages["hi"]


def test_an_english_checkpoint_is_not_asked_for_the_language() -> None:
    recogniser = ScriptedRecogniser(is_multilingual=False)
    turn = turn_with(recogniser, "auto")
    turn.take(spoken(0, 2))
    read(turn, thorough=True)
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
    read(turn, thorough=True)
    assert turn.ending == 0.7
    recogniser.changed = lambda ids, _: [*ids, COMMA]
    stops[COMMA] = 0.2
    stops[-1] = 0.05
    turn.take(spoken(3, 4))
    read(turn, thorough=True)
    assert turn.ending == 0.2


def test_a_recogniser_that_does_not_tell_full_stops_gives_no_ending(recogniser: ScriptedRecogniser) -> None:
    turn = turn_with(recogniser)
    turn.take(spoken(0, 3))
    read(turn, thorough=True)
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
                read(turn, thorough=False)
    read(turn, thorough=True)
    assert turn.text == said(0, words)


def test_a_word_cut_off_by_the_end_of_the_audio_is_mended(recogniser: ScriptedRecogniser) -> None:
    turn = turn_with(recogniser)
    audio = spoken(0, 5)
    turn.take(audio[:20_000])
    read(turn, thorough=False)
    assert turn.text == "w0 w1 half"
    assert HALF_A_WORD not in [id_ for word in turn._agreement.committed for id_ in word.ids]
    turn.take(audio[20_000:])
    read(turn, thorough=True)
    assert turn.text == said(0, 5)
