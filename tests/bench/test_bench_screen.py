"""The screen's own figures, measured for a moment: what a slow line has to carry is a promise."""

from __future__ import annotations

from voxterm.bench import screen

IDLE_LIMIT, TALKING_LIMIT = 1024, 6 * 1024  # bytes a second


def test_the_screen_sends_little() -> None:
    figures = screen.measure(first_pictures=1, idle_s=4.0, talking_s=6.0)
    found = {name: figure.readings[0] for name, figure in figures.items()}
    assert set(found) == {
        "idle_bytes_per_s",
        "talking_bytes_per_s",
        "cpu_share",
        "first_paint_ms",
        "longest_block_ms",
    }
    assert 50 < found["idle_bytes_per_s"] < IDLE_LIMIT
    assert found["idle_bytes_per_s"] < found["talking_bytes_per_s"] < TALKING_LIMIT
    assert found["first_paint_ms"] > 0
    assert 0 < found["cpu_share"] < 2
