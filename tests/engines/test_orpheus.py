from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from scripted_orpheus import TARA, FakeModel, decoded, fake, frames, samples_of, tokens

from voxterm.decoding import Sampling
from voxterm.engines.declared.engine_settings import EngineSettings
from voxterm.engines.orpheus.engine import ENGLISH, SPEAKERS, Orpheus, OrpheusSettings, placed
from voxterm.engines.orpheus.stream import FRAME_SAMPLES, LOOK_AHEAD_SAMPLES
from voxterm.engines.orpheus.text import token_limit
from voxterm.engines.orpheus.tokens import Frame
from voxterm.engines.protocols import PacedEngine, Placement, SpeechChunk, SpeechTokens, Voice
from voxterm.errors import EngineError, VoiceError
from voxterm.voices import Catalogue, voices_folder


def test_the_shipped_voices_are_those_of_the_published_checkpoints() -> None:
    catalogue = Catalogue.read(voices_folder()).for_engine("orpheus")
    assert len(catalogue) == 25
    assert {voice.speaker: voice.checkpoint for voice in catalogue} == SPEAKERS
    for voice in catalogue:
        assert voice.name == voice.speaker
        assert voice.language in voice.checkpoint or voice.checkpoint == ENGLISH
        assert len(voice.tags) == (8 if voice.language == "en" else 0)
        assert (voice.language == "en") == (voice.checkpoint == ENGLISH)


def test_without_a_seed_no_two_times_are_the_same() -> None:
    engine, model = fake(tokens(frames(2)), seed=None)
    for _ in range(5):
        list(engine.speak("Good morning.", TARA))
    assert len({asked[4] for asked in model.asked}) == 5


def test_every_frame_is_heard_first_and_last_and_of_every_piece() -> None:
    spoken = [frames(5, 1), frames(1, 2), frames(9, 3)]
    engine, model = fake(*(tokens(piece) for piece in spoken))
    text = " ".join(["A sentence that is as long as some sentences are, more or less."] * 12)
    items = list(engine.speak(text, TARA))
    assert [type(item) for item in items].count(SpeechTokens) == 1
    assert len(model.asked) == 3
    assert " ".join(asked[1] for asked in model.asked) == text
    assert len({asked[4] for asked in model.asked}) == 3
    expected = decoded([frame for piece in spoken for frame in piece])
    heard = samples_of(iter(items))
    assert len(heard) == len(expected)
    after = 2048 + 256
    np.testing.assert_allclose(heard[after:], expected[after:], atol=1e-6)


def test_the_first_chunk_does_not_wait_for_the_model_to_end() -> None:
    engine, model = fake(tokens(frames(60)))
    items = engine.speak("A long sentence." * 6, TARA)
    assert isinstance(next(items), SpeechTokens)
    assert model.given == 1
    assert isinstance(next(items), SpeechChunk)
    assert model.given == 14
    engine, model = fake(tokens(frames(60)), first_chunk_frames=1)
    items = engine.speak("A long sentence." * 6, TARA)
    next(items), next(items)
    assert model.given == 7


def test_the_time_that_its_listener_takes_changes_nothing() -> None:
    """A reply that is held back until the turn is judged over must not be decoded in haste afterwards."""
    now_s = 0.0
    engine, _ = fake(tokens(frames(60)))
    engine._now = lambda: now_s
    at_once = [
        item.samples for item in engine.speak("A sentence. " * 9, TARA) if isinstance(item, SpeechChunk)
    ]
    late = []
    for item in engine.speak("A sentence. " * 9, TARA):
        now_s += 3.0
        if isinstance(item, SpeechChunk):
            late.append(item.samples)
    assert [len(chunk) for chunk in late] == [len(chunk) for chunk in at_once]


@pytest.mark.parametrize("text", ["", "  \n", "<yawn>", "…", "<|eot_id|>"])
def test_a_text_without_words_yields_nothing_and_asks_nobody(text: str) -> None:
    engine, model = fake(tokens(frames(3)))
    assert list(engine.speak(text, TARA)) == []
    assert model.asked == []


def test_tags_reach_the_model_for_voices_that_know_them() -> None:
    engine, model = fake(tokens(frames(3)))
    list(engine.speak("<laugh> Oh no <YAWN>", TARA))
    list(engine.speak("<laugh> Oh no <YAWN>", replace(TARA, tags=())))
    list(engine.speak("<laugh>", TARA))
    assert [asked[:2] for asked in model.asked] == [
        ("tara", "<laugh> Oh no"),
        ("tara", "Oh no"),
        ("tara", "<laugh>"),
    ]


def test_stray_tokens_are_skipped_and_counted() -> None:
    spoken = frames(6)
    given = tokens(spoken)
    for place in (40, 23, 22, 8, 7, 0):
        given.insert(place, given[place])  # of another slot once it has been taken
    strays = len(given) - 42
    engine, _ = fake([128_262, *given])
    heard = samples_of(engine.speak("Hello there.", TARA))
    assert len(heard) == 6 * FRAME_SAMPLES
    assert engine.stray_tokens == strays + 1
    np.testing.assert_allclose(heard[-LOOK_AHEAD_SAMPLES:], decoded(spoken)[-LOOK_AHEAD_SAMPLES:], atol=1e-6)


def test_a_model_that_never_stops_is_cut_at_what_the_text_can_need() -> None:
    engine, model = fake(tokens(frames(3000)))
    heard = samples_of(engine.speak("Hi.", TARA))
    assert model.given == token_limit("Hi.") < 300
    assert len(heard) == token_limit("Hi.") // 7 * FRAME_SAMPLES
    assert engine.runaways == 1
    assert model.open == 0


def test_no_piece_is_longer_than_the_settings_allow() -> None:
    engine, _ = fake(tokens(frames(3000)), max_speech_s=4.0)
    heard = samples_of(engine.speak("word " * 55, TARA))
    assert len(heard) / engine.rate_hz == pytest.approx(4.0, abs=0.1)


@pytest.mark.parametrize(
    ("loop", "most_s"), [(frames(3) * 1000, 3.0), ([(0,) * 7, (0,) * 6 + (1,)] * 1000, 3.0)]
)
def test_a_model_that_goes_round_in_circles_is_cut_and_the_next_piece_is_read(
    loop: list[Frame], most_s: float
) -> None:
    first = "Word " * 50 + "end."
    engine, model = fake(tokens(loop), tokens(frames(4)))
    heard = samples_of(engine.speak(first + " And this is the next one. " * 5, TARA))
    assert len(model.asked) == 2
    assert engine.runaways == 1
    assert len(heard) / engine.rate_hz < most_s
    tail = decoded(frames(4))[-3 * FRAME_SAMPLES :]
    np.testing.assert_allclose(heard[-3 * FRAME_SAMPLES :], tail, atol=1e-6)


def test_a_model_that_falls_silent_is_cut() -> None:
    """Codes change all the time, and nothing is heard."""
    silent = [(0, *frame[1:]) for frame in frames(3000)]
    engine, _ = fake(tokens(frames(10) + silent))
    heard = samples_of(engine.speak("word " * 55, TARA))
    assert engine.runaways == 1
    assert 2.5 < len(heard) / engine.rate_hz < 4.5


def test_a_model_that_says_nothing_is_asked_once_more_with_other_numbers() -> None:
    engine, model = fake([], tokens(frames(4)))
    assert len(samples_of(engine.speak("Hello.", TARA))) == 4 * FRAME_SAMPLES
    assert [asked[1] for asked in model.asked] == ["Hello.", "Hello."]
    assert model.asked[0][4] != model.asked[1][4]


@pytest.mark.parametrize("says", [[], tokens(frames(1))[:6], [5, 6, 7]])
def test_a_model_that_has_no_sound_at_all_is_an_error_that_names_the_text(says: list[int]) -> None:
    engine, _ = fake(says)
    with pytest.raises(EngineError, match=r"no sound for \"Hello") as caught:
        list(engine.speak("Hello.", TARA))
    assert caught.value.remedy


@pytest.mark.parametrize(("wanted", "speed"), [(0.1, 0.5), (0.8, 0.8), (1.5, 1.5), (9.0, 2.0)])
def test_speed_changes_how_long_it_takes(wanted: float, speed: float) -> None:
    engine, model = fake(tokens(frames(30)))
    items = list(engine.speak("Hello there.", TARA, wanted))
    assert isinstance(items[0], SpeechTokens)
    assert len(samples_of(iter(items))) == pytest.approx(30 * FRAME_SAMPLES / speed, abs=1)
    speech = engine.speak("Hello there.", TARA, wanted)
    next(speech)
    speech.close()  # type: ignore[attr-defined]
    assert model.open == 0


def test_sampling_is_what_the_settings_say() -> None:
    engine, model = fake(tokens(frames(2)), temperature=0.4, top_p=0.9, repetition_penalty=1.1, seed=99)
    list(engine.speak("Hello.", TARA))
    assert model.asked[0][3:] == (Sampling(0.4, 0.9, 0, 1.1), 99)


def test_closing_at_any_item_closes_the_model() -> None:
    engine, model = fake(tokens(frames(30)))
    count = len(list(engine.speak("Hello there.", TARA)))
    for items in range(count + 1):
        speech = engine.speak("Hello there.", TARA)
        for _ in range(items):
            next(speech)
        speech.close()  # type: ignore[attr-defined]
        assert model.open == 0


def test_unknown_speakers_are_named_with_the_nearest() -> None:
    engine, _ = fake(tokens(frames(2)))
    with pytest.raises(VoiceError, match='no speaker "tarra"') as caught:
        list(engine.speak("Hello.", Voice("x", "orpheus", "en", "tarra")))
    assert "tara" in caught.value.remedy


def test_its_section_of_the_settings_is_taken_as_it_stands() -> None:
    section = EngineSettings().orpheus
    engine = placed(Placement("cpu", "bf16", 99_999), section)
    assert engine._settings == OrpheusSettings()
    assert engine.placement == Placement("cpu", "bf16", section.context_tokens)
    own = section.model_copy(update={"checkpoint": "own/model", "seed": 3})
    engine = placed(Placement("cpu", "bf16", 700), own)
    assert engine.placement.context_tokens == 700
    assert engine._settings == OrpheusSettings("own/model", seed=3)


class SlowModel:
    """A model that takes a second for each prompt and a hundredth of one for each token, by its own clock."""

    def __init__(self, model: FakeModel) -> None:
        self.now_s = 0.0
        self._speech = model.speech

    def now(self) -> float:
        return self.now_s

    def speech(self, *asked: Any) -> Iterator[int]:
        self.now_s += 1.0
        for token in self._speech(*asked):
            self.now_s += 0.01
            yield token


def slowed(engine: Orpheus, model: FakeModel) -> SlowModel:
    slow = SlowModel(model)
    model.speech = slow.speech  # type: ignore[method-assign, assignment]
    engine._now = slow.now
    return slow


def test_its_speed_is_the_models_own() -> None:
    """Neither the prompts count, of which a long text has several, nor the time in which nobody listens."""
    engine, model = fake(tokens(frames(20)))
    slow = slowed(engine, model)
    assert isinstance(engine, PacedEngine)
    assert engine.speeds == {}
    for _ in engine.speak(" ".join(["A sentence that is as long as some sentences are."] * 16), TARA):
        slow.now_s += 5.0
    assert len(model.asked) > 1
    assert list(engine.speeds) == ["Orpheus"]
    assert engine.speeds["Orpheus"].tokens_per_s == pytest.approx(100.0)
    assert engine.speeds["Orpheus"].times_real_time == pytest.approx(100.0 / 82.03, rel=1e-3)


def test_its_speed_is_there_while_it_speaks_and_stays_after_a_word_that_says_nothing() -> None:
    engine, model = fake(tokens(frames(20)), tokens(frames(1)))
    slowed(engine, model)
    speech = engine.speak("A sentence.", TARA)
    next(speech), next(speech)
    assert engine.speeds["Orpheus"].tokens_per_s == pytest.approx(100.0)
    speech.close()  # type: ignore[attr-defined]
    before = engine.speeds
    list(engine.speak("No.", TARA))
    assert engine.speeds == before


def test_what_it_holds_is_nothing_before_it_is_loaded_and_after_it_is_closed() -> None:
    engine, _ = fake(tokens(frames(2)))
    assert engine.memory_bytes == {"Orpheus": 10, "Orpheus cache": 20, "codec": 30}
    engine.close()
    assert engine.memory_bytes == {}
