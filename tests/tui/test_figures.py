from __future__ import annotations

import math

import pytest

from voxterm.latency import STAGES
from voxterm.tui.panes.figures import (
    columns,
    decibels,
    gigabytes,
    hours,
    level_fraction,
    meter,
    milliseconds,
    verdict,
)


@pytest.mark.parametrize(
    ("value_ms", "shown"),
    [
        (None, "·"),
        (math.nan, "·"),
        (4.14, "4.1"),
        (9.97, "10"),
        (289.4, "289"),
        (9_999.0, "9999"),
        (123_456.0, "123s"),
        (1e12, "999s"),
    ],
)
def test_milliseconds_keep_to_four_characters(value_ms: float | None, shown: str) -> None:
    assert milliseconds(value_ms) == shown
    assert len(shown) <= 4


def test_verdict_has_a_sign_and_a_colour() -> None:
    response = next(stage for stage in STAGES if stage.key == "response")
    wait = next(stage for stage in STAGES if stage.key == "endpoint_wait")
    assert verdict(response, 150.0)[0] == "✓"
    assert verdict(response, 150.1)[0] == "▲"
    assert verdict(response, None) == (" ", "")
    assert verdict(wait, 1000.0) == (" ", "")  # it has no target


@pytest.mark.parametrize("dbfs", [-1e9, -100.0, -60.0, -3.2, 0.0, 6.0, math.inf, -math.inf, math.nan])
def test_levels_of_any_size_fit_their_place(dbfs: float) -> None:
    assert len(decibels(dbfs)) <= 7
    assert 0.0 <= level_fraction(dbfs) <= 1.0


@pytest.mark.parametrize("fraction", [-1.0, 0.0, 0.01, 0.5, 0.999, 1.0, 2.0])
def test_a_meter_is_always_as_wide(fraction: float) -> None:
    full, empty = meter(fraction, 10)
    assert len(full) + len(empty) == 10


def test_a_meter_is_half_full_at_a_half() -> None:
    assert meter(0.5, 4) == ("██", "  ")


def test_sparkline_has_a_place_for_turns_without_a_figure() -> None:
    assert columns([0.0, None, 300.0, 600.0], 600.0, 1) == ["▁ ▅█"]


def test_sparkline_grows_with_what_is_beyond_its_top() -> None:
    assert columns([300.0, 1200.0], 600.0, 1) == ["▃█"]


def test_sizes_and_times() -> None:
    assert gigabytes(9_400_000_000) == "9.4 GB"
    assert gigabytes(2_300_000) == "2 MB"
    assert hours(761) == "00:12:41"
