from __future__ import annotations

import threading
from itertools import pairwise

import numpy as np
import psutil  # type: ignore[import-untyped]
import pytest
from demo_clips import no_progress
from hypothesis import given, settings
from hypothesis import strategies as st

from voxterm.engines.espeak.engine import PIECE_CHARS, Espeak, marks, pieces, speakable
from voxterm.engines.espeak.library import WordEvent, espeak_library
from voxterm.engines.protocols import Samples, SpeechChunk, SpeechSynthesizer, Voice, WordMark
from voxterm.errors import EngineError, VoiceError

SENTENCE = "Hello world, this is a test. And another sentence? Yes."
LONG = "This is a sentence of a long text that goes on and on. " * 180


@pytest.fixture(scope="module")
def espeak() -> Espeak:
    espeak = Espeak()
    espeak.load(no_progress)
    espeak.warm_up()
    return espeak


def voice(speaker: str = "en-us") -> Voice:
    return Voice("a voice", "espeak", "en", speaker)


def spoken(
    espeak: Espeak, text: str, speaker: str = "en-us", speed: float = 1.0
) -> tuple[Samples, list[WordMark]]:
    chunks = list(espeak.speak(text, voice(speaker), speed))
    samples = np.concatenate([chunk.samples for chunk in chunks] or [np.zeros(0, dtype=np.float32)])
    return samples, [mark for chunk in chunks for mark in chunk.words]


def duration_s(espeak: Espeak, text: str, speaker: str = "en-us", speed: float = 1.0) -> float:
    return len(spoken(espeak, text, speaker, speed)[0]) / espeak.rate_hz


def test_it_is_a_speech_synthesizer(espeak: Espeak) -> None:
    assert isinstance(espeak, SpeechSynthesizer)
    assert espeak.rate_hz == 22_050
    assert {"en-us", "de", "hi", "cmn"} <= set(espeak.voices())


def test_samples_are_speech_within_bounds(espeak: Espeak) -> None:
    samples, _ = spoken(espeak, SENTENCE)
    assert samples.dtype == np.float32
    assert 3.0 < len(samples) / espeak.rate_hz < 5.0
    assert 0.1 < float(np.abs(samples).max()) <= 1.0


def test_the_same_text_again_is_as_long_with_its_words_in_the_same_places(espeak: Espeak) -> None:
    """The pitch flutters, so that samples and lengths differ a little; nothing else may."""
    first, first_words = spoken(espeak, SENTENCE)
    spoken(espeak, "Etwas ganz anderes.", "de", speed=2.0)
    again, again_words = spoken(espeak, SENTENCE)
    assert len(again) == pytest.approx(len(first), rel=0.005)
    assert [(w.start, w.end) for w in again_words] == [(w.start, w.end) for w in first_words]
    assert [w.at_s for w in again_words] == pytest.approx([w.at_s for w in first_words], abs=0.01)


def test_a_call_given_up_at_any_chunk_leaves_the_next_as_it_is(espeak: Espeak) -> None:
    chunks = len(list(espeak.speak(SENTENCE, voice())))
    whole_s = duration_s(espeak, SENTENCE)
    for count in range(chunks + 1):
        generator = espeak.speak(LONG if count % 2 else SENTENCE, voice("de" if count % 3 else "en-us"))
        for _ in range(count):
            next(generator)
        generator.close()  # type: ignore[attr-defined]
        assert duration_s(espeak, SENTENCE) == pytest.approx(whole_s, rel=0.005)


@pytest.mark.parametrize(
    ("speaker", "text", "words"),
    [
        ("en-us", "Hello", ["Hello"]),
        ("en-us", SENTENCE, SENTENCE.split()),
        ("de", "Die schöne Übung für große Bären.", ["Die", "schöne", "Übung", "für", "große", "Bären."]),
        ("hi", "नमस्ते दुनिया, आप कैसे हैं?", ["नमस्ते", "दुनिया,", "आप", "कैसे", "हैं?"]),
        ("en-us", "I am 😀 happy 👩‍👩‍👧 today", ["I", "am", "happy", "today"]),
        ("en-us", "it costs 1234 euros", ["it", "costs", "1234", "euros"]),
        ("en-us", "  two\n\nwords ", ["two", "words"]),
        ("cmn", "你好世界", ["你好", "世", "界"]),
    ],
)
def test_marks_point_into_the_text_as_given(
    espeak: Espeak, speaker: str, text: str, words: list[str]
) -> None:
    """The library counts characters, not bytes; a short word may share the mark of its neighbour."""
    samples, found = spoken(espeak, text, speaker)
    shown = [text[mark.start : mark.end] for mark in found]
    assert [word for word in words if word in shown or word == "am"] == words
    assert set(shown) <= set(words)
    assert found[0].at_s < 0.02
    times = [mark.at_s for mark in found]
    assert times == sorted(times)
    assert times[-1] < len(samples) / espeak.rate_hz


def test_marks_of_later_pieces_count_from_the_beginning(espeak: Espeak) -> None:
    samples, found = spoken(espeak, LONG)
    assert [LONG[mark.start : mark.end] for mark in found if LONG[mark.start] == "T"] == ["This"] * 180
    times = [mark.at_s for mark in found]
    assert times == sorted(times)
    assert times[-1] == pytest.approx(len(samples) / espeak.rate_hz, abs=1.0)


def test_a_mark_lies_where_its_word_is_heard(espeak: Espeak) -> None:
    """After the pause of a full stop, sound begins where the mark says."""
    samples, found = spoken(espeak, "Stop. Go.")
    go = round(found[1].at_s * espeak.rate_hz)
    before, after = samples[go - 2000 : go], samples[go : go + 4000]
    assert np.abs(after).max() > 10 * np.abs(before).max()


@given(
    positions=st.lists(st.integers(0, 30), max_size=12),
    lengths=st.lists(st.integers(0, 9), min_size=12, max_size=12),
)
def test_marks_are_in_order_and_never_overlap(positions: list[int], lengths: list[int]) -> None:
    piece = "ein Satz,  mit 12 Wörtern 😀."
    events = [WordEvent(p, length, i) for i, (p, length) in enumerate(zip(positions, lengths, strict=False))]
    found = marks(piece, events, start=100, spoken_samples=10, rate_hz=10)
    for mark in found:
        word = piece[mark.start - 100 : mark.end - 100]
        assert word == word.strip() != ""
    for mark, later in pairwise(found):
        assert mark.end <= later.start
        assert mark.at_s < later.at_s


def test_the_first_chunk_of_a_long_text_does_not_wait_for_the_rest(espeak: Espeak) -> None:
    """It is spoken piece by piece: the first chunk is there when one piece is, of fifty."""
    assert espeak._library is not None
    speak, calls = espeak._library.speak, 0

    class Counting:
        rate_hz = espeak.rate_hz

        def speak(self, text: str, speaker: str, rate_wpm: int) -> object:
            nonlocal calls
            calls += 1
            return speak(text, speaker, rate_wpm)

    patient = Espeak()
    patient.load(no_progress)
    patient._library = Counting()  # type: ignore[assignment]
    first = next(patient.speak(LONG, voice()))
    assert isinstance(first, SpeechChunk)
    assert 0.02 <= len(first.samples) / espeak.rate_hz <= 0.06
    assert calls == 1


@given(text=st.text(alphabet=st.sampled_from("ab ,.!?。\n「é"), max_size=900))
def test_pieces_are_the_text_and_short(text: str) -> None:
    found = list(pieces(text))
    assert "".join(found) == text.rstrip()
    assert all(0 < len(piece) <= PIECE_CHARS for piece in found)


def test_pieces_end_where_it_sounds_right() -> None:
    sentence, clause = "word " * 20 + "end. ", "word " * 20 + "end, "
    assert next(pieces(sentence + clause + "word " * 30)) == sentence
    assert next(pieces(clause + "word " * 60)) == clause
    assert next(pieces("word " * 60)) == "word " * 40


def test_speed_is_time(espeak: Espeak) -> None:
    normal_s = duration_s(espeak, SENTENCE)
    assert duration_s(espeak, SENTENCE, speed=2.0) == pytest.approx(normal_s / 2, rel=0.1)
    assert duration_s(espeak, SENTENCE, speed=0.5) == pytest.approx(normal_s * 2, rel=0.1)
    assert duration_s(espeak, SENTENCE, speed=100.0) < duration_s(espeak, SENTENCE, speed=2.0)
    assert duration_s(espeak, SENTENCE) == pytest.approx(normal_s, rel=0.005)


def test_markup_and_control_characters_are_no_commands(espeak: Espeak) -> None:
    """Byte 1 begins a command to the library ("\\x0150S": speed 50) and byte 0 ends its text."""
    plain_s = duration_s(espeak, "one   50S two")
    assert duration_s(espeak, "one \x01 50S two") == pytest.approx(plain_s, rel=0.01)
    assert duration_s(espeak, "one \x00 50S two") == pytest.approx(plain_s, rel=0.01)
    assert duration_s(espeak, "one <break time='9s'/> two") < 6.0
    assert duration_s(espeak, "one <b>two</b>") > 1.3 * duration_s(espeak, "one two")


@given(text=st.text(max_size=50))
def test_what_is_spoken_keeps_every_index(text: str) -> None:
    safe = speakable(text)
    assert len(safe) == len(text)
    safe.encode()
    assert all(kept in (given_, " ") for kept, given_ in zip(safe, text, strict=True))


@settings(max_examples=60)
@given(text=st.text(max_size=120), speaker=st.sampled_from(["en-us", "de", "hi", "cmn"]))
def test_any_text_can_be_spoken(espeak: Espeak, text: str, speaker: str) -> None:
    samples, found = spoken(espeak, text, speaker, speed=2.5)
    assert np.isfinite(samples).all()
    assert all(0 <= mark.start < mark.end <= len(text) for mark in found)


@pytest.mark.parametrize("text", ["", " ", "\n\t", "\x00", "😀"])
def test_where_there_is_nothing_to_say_nothing_comes(espeak: Espeak, text: str) -> None:
    assert list(espeak.speak(text, voice())) == []


@pytest.mark.parametrize("speaker", ["en-us", "EN-US", "gmw/en-US", "English (America)", "zh", "en-us+f3"])
def test_a_voice_goes_by_all_its_names(espeak: Espeak, speaker: str) -> None:
    assert next(espeak.speak("yes", voice(speaker))).samples.size


def test_voices_differ(espeak: Espeak) -> None:
    assert duration_s(espeak, SENTENCE, "en-us") != pytest.approx(
        duration_s(espeak, SENTENCE, "de"), rel=0.005
    )


@pytest.mark.parametrize("speaker", ["en-uss", "", "../../lang/gmw/de", "en-us+../x", "de\x00", "x" * 10_000])
def test_an_unknown_voice_is_an_error_that_names_near_ones(espeak: Espeak, speaker: str) -> None:
    with pytest.raises(VoiceError, match="no voice") as caught:
        next(espeak.speak("yes", voice(speaker)))
    assert "near are" in caught.value.remedy
    assert len(str(caught.value)) < 300
    assert next(espeak.speak("yes", voice())).samples.size


def test_two_threads_take_turns(espeak: Espeak) -> None:
    """The library itself is not made for two threads: words of one text came in the other."""
    wanted = {speaker: len(spoken(espeak, LONG[:1000], speaker)[1]) for speaker in ("en-us", "de")}
    found: dict[str, int] = {}

    def speak(speaker: str) -> None:
        found[speaker] = len(spoken(espeak, LONG[:1000], speaker)[1])

    threads = [threading.Thread(target=speak, args=(speaker,)) for speaker in wanted]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert found == wanted


def test_two_hundred_calls_leave_nothing_behind(espeak: Espeak) -> None:
    me = psutil.Process()
    for _ in range(20):
        spoken(espeak, SENTENCE)
    before = (threading.active_count(), me.num_fds(), me.memory_info().rss)
    for index in range(200):
        spoken(espeak, SENTENCE, ("en-us", "de", "hi")[index % 3])
    assert (threading.active_count(), me.num_fds()) == before[:2]
    assert me.memory_info().rss - before[2] < 4_000_000


def test_closed_it_says_that_it_is_not_loaded_and_can_be_loaded_again() -> None:
    espeak = Espeak()
    espeak.close()
    with pytest.raises(EngineError, match="not loaded"):
        next(espeak.speak("yes", voice()))
    espeak.load(no_progress)
    espeak.close()
    espeak.close()
    espeak.load(no_progress)
    assert next(espeak.speak("yes", voice())).samples.size


def test_phonemes_of_all_clauses_on_one_line() -> None:
    library = espeak_library()
    assert (
        library.phonemes("Hello.\nI see, my boy", "gmw/en-US")
        == "həlˈo\u0361ʊ a\u0361ɪ sˈiː ma\u0361ɪ bˈɔ\u0361ɪ"
    )
    assert library.phonemes("你好", "sit/cmn", ipa=False) == "ni214X'Au214_|"
    assert library.phonemes(" \n", "gmw/en-US") == library.phonemes("", "gmw/en-US") == ""
    with pytest.raises(VoiceError, match="cannot load its voice"):
        library.phonemes("Hello", "no/voice")
