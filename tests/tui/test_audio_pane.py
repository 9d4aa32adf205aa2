from __future__ import annotations

import pytest
from scripted import READY, on_screen, scripted_app, shown

from voxterm.events import Levels


@pytest.mark.parametrize(("behind", "line"), [(True, "buffer ▲230 ms  "), (False, "buffer 230 ms   ")])
async def test_speech_that_is_made_too_slowly_is_marked_at_the_buffer(behind: bool, line: str) -> None:
    app, _ = scripted_app([*READY, Levels(-50.0, -20.0, 0.0, 230.0, 0, 0, speech_behind=behind)])
    async with on_screen(app):
        assert f"{line}overruns 0 " in shown(app)


@pytest.mark.parametrize(
    ("reduced_db", "told"), [(None, False), (34.4, True), (0.0, True), (-3.0, True), (200.0, True)]
)
async def test_what_is_taken_off_the_echo_stands_beside_the_microphone(
    reduced_db: float | None, told: bool
) -> None:
    app, _ = scripted_app([*READY, Levels(-50.0, -20.0, 0.0, 230.0, 0, 0, echo_reduced_db=reduced_db)])
    async with on_screen(app):
        lines = [line for line in shown(app).splitlines() if "echo" in line]
        assert len(lines) == told
        if reduced_db is not None:
            assert f" echo {-round(max(0.0, min(reduced_db, 99.0)))} dB" in lines[0]
