"""What is taken for heard, what for made up."""

from __future__ import annotations

import zlib

import pytest

from voxterm.engines.whisper.judgement import Bounds, Verdict, compression, judged, most_tokens

SAID = "Hello, how are you? The weather is very nice today, so we might both walk to the market."
LOOP = "thank you so much for watching " * 12
HINDI = (
    "नमस्ते, आप कैसे हैं? आज मौसम बहुत अच्छा है और मैं सोच रहा था कि हम दोनों शाम को बाज़ार चलें, क्योंकि मुझे कुछ "
    "सब्ज़ियाँ और फल लेने हैं। कल रात बारिश हुई थी, इसलिए सड़कें अभी भी गीली हैं, पर धूप निकल आई है। मेरी बहन ने कहा "
    "कि वह भी हमारे साथ आएगी, अगर उसका काम समय पर पूरा हो गया तो।"
)


@pytest.mark.parametrize(
    ("text", "log_probability", "no_speech", "verdict"),
    [
        (SAID, -0.3, 0.0, Verdict.SOUND),
        (SAID, -0.3, 0.99, Verdict.SOUND),  # probable words outweigh it
        (SAID, -1.2, 0.3, Verdict.DOUBTFUL),
        ("Thank you.", -1.2, 0.7, Verdict.SILENCE),
        (LOOP, -0.1, 0.0, Verdict.DOUBTFUL),
        (LOOP, -1.2, 0.7, Verdict.SILENCE),
        ("", -0.2, 0.0, Verdict.SOUND),
    ],
)
def test_judges_as_openai_s_whisper_does(
    text: str, log_probability: float, no_speech: float, verdict: Verdict
) -> None:
    assert judged(text, log_probability, no_speech, Bounds()) is verdict


def test_bounds_are_what_is_set() -> None:
    assert judged(LOOP, -5.0, 1.0, Bounds(1.0, float("-inf"), float("inf"))) is Verdict.SOUND
    assert judged(SAID, -0.5, 0.4, Bounds(0.3, -0.4, 2.4)) is Verdict.SILENCE


def test_of_english_the_ratio_is_that_of_its_bytes() -> None:
    for text in (SAID, LOOP):
        as_utf8 = len(text) / len(zlib.compress(text.encode()))
        assert compression(text) == pytest.approx(as_utf8, rel=0.12)


def test_a_script_of_three_bytes_a_letter_is_no_loop() -> None:
    """By its UTF-8, as OpenAI measures, this ordinary Hindi is at the bound already."""
    assert len(HINDI.encode()) / len(zlib.compress(HINDI.encode())) > 2.1
    assert compression(HINDI) < 1.6
    assert compression("धन्यवाद " * 30) > 2.4


def test_the_most_tokens_grow_with_the_audio() -> None:
    assert most_tokens(0.1) >= 16
    assert most_tokens(10.0) - most_tokens(0.0) == 250
