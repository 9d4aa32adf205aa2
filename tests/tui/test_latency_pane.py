from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from scripted import MANY_TURNS, READY, measured, on_screen, scripted_app, shown

from voxterm.tui.panes.figures import columns
from voxterm.tui.panes.latency_pane import _row_of


def test_columns_stand_on_the_last_row() -> None:
    assert columns([0.0, None, 300.0, 600.0], 600.0, 2) == ["  ▁█", "▁ ██"]


@given(st.floats(0.01, 1.0), st.integers(1, 40))
def test_the_line_of_the_target_is_where_a_turn_on_target_ends(fraction: float, rows: int) -> None:
    chart = columns([fraction], 1.0, rows)
    highest = next(row for row, bar in enumerate(chart) if bar != " ")
    assert _row_of(fraction, rows) == highest


async def test_the_history_takes_the_room_that_is_left_and_marks_the_target() -> None:
    app, _ = scripted_app(MANY_TURNS)
    async with on_screen(app, (200, 50)) as pilot:
        assert "300 ╌╌╌" in shown(app)
        await pilot.resize_terminal(120, 40)
        assert "300 ╌╌╌" not in shown(app)
        assert "─ voice-to-voice, last 40 turns ─" in shown(app)


async def test_a_turn_without_a_first_word_and_one_far_beyond_all_targets_fit_in() -> None:
    app, _ = scripted_app([*READY, measured(1, typed=True), measured(2, factor=400.0)])
    async with on_screen(app, (200, 50)):
        assert "116s" in shown(app)
