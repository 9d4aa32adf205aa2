from __future__ import annotations

from dataclasses import fields

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from voxterm.latency import STAGES, Breakdown, Stamps, Summary, percentile, summarize, within_target

BY_KEY = {stage.key: stage for stage in STAGES}


@given(
    st.lists(st.floats(-1e6, 1e6, allow_subnormal=False), min_size=1, max_size=50),
    st.floats(0.0, 100.0, allow_subnormal=False),
)
def test_percentile_is_numpys(values: list[float], percent: float) -> None:
    assert percentile(values, percent) == pytest.approx(
        float(np.percentile(values, percent)), rel=1e-9, abs=1e-6
    )


def test_percentile_refuses_what_has_none() -> None:
    with pytest.raises(ValueError, match="no values"):
        percentile([], 50)
    for outside in (-0.1, 100.1, float("nan")):
        with pytest.raises(ValueError, match=r"0…100"):
            percentile([1.0], outside)


def test_every_stage_begins_and_ends_at_a_stamp() -> None:
    stamps = {stamp.name for stamp in fields(Stamps)}
    assert {stage.begins for stage in STAGES} | {stage.ends for stage in STAGES} <= stamps
    assert len(BY_KEY) == len(STAGES)


def test_breakdown_of_a_whole_turn() -> None:
    stamps = Stamps(
        last_speech_s=10.0,
        judged_over_s=10.5,
        asked_s=10.1,
        audio_encoded_s=10.11,
        transcript_s=10.15,
        first_text_s=10.17,
        first_sentence_s=10.2,
        first_speech_s=10.25,
        first_samples_s=10.26,
        handed_s=10.51,
        left_s=10.54,
    )
    assert stamps.breakdown() == pytest.approx(
        {
            "endpoint_wait": 500,
            "audio_encode": 10,
            "transcript": 40,
            "first_text": 60,
            "first_sentence": 30,
            "first_speech": 50,
            "codec": 10,
            "playout": 30,
            "response": 10,
            "voice_to_voice": 540,
        }
    )


def test_the_transcript_is_beside_the_way_to_the_first_sound() -> None:
    """Decoded at once with the reply, it may come after the first text, or after the first sound."""
    stamps = Stamps(audio_encoded_s=1.0, first_text_s=1.02, first_sentence_s=1.05, transcript_s=1.3)
    breakdown = stamps.breakdown()
    assert breakdown["first_text"] == pytest.approx(20)
    assert breakdown["first_sentence"] == pytest.approx(30)
    assert breakdown["transcript"] == pytest.approx(300)
    way = ("audio_encode", "first_text", "first_sentence", "first_speech", "codec")
    assert sum(BY_KEY[key].target_ms or 0 for key in way) == BY_KEY["response"].target_ms


@given(st.sets(st.sampled_from([stamp.name for stamp in fields(Stamps)])))
def test_a_stage_without_both_ends_is_none(missing: set[str]) -> None:
    stamps = Stamps(
        **{stamp.name: float(at) for at, stamp in enumerate(fields(Stamps)) if stamp.name not in missing}
    )
    for key, value in stamps.breakdown().items():
        assert (value is None) == bool({BY_KEY[key].begins, BY_KEY[key].ends} & missing)


def test_a_stage_that_ran_backwards_took_no_time() -> None:
    """An answer started in the pause is ready before the turn is judged over; no figure is negative."""
    assert Stamps(judged_over_s=2.0, handed_s=1.9).breakdown()["response"] == 0.0


def test_summary_takes_only_the_turns_that_had_the_stage() -> None:
    turns: list[Breakdown] = [
        {"response": 100.0, "codec": None},
        {"response": 300.0},
        {"codec": None, "unknown": 1.0},
    ]
    assert summarize(turns) == {"response": Summary(p50=200.0, p95=290.0, n=2)}
    assert summarize([]) == {}


def test_summary_keeps_the_order_of_the_stages() -> None:
    row = {stage.key: 1.0 for stage in reversed(STAGES)}
    assert list(summarize([row])) == [stage.key for stage in STAGES]


def test_targets() -> None:
    response = BY_KEY["response"]
    assert within_target(response, 150.0) is True
    assert within_target(response, 150.1) is False
    assert within_target(response, None) is None
    assert within_target(BY_KEY["endpoint_wait"], 10.0) is None
