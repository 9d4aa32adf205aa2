from __future__ import annotations

import pytest
from scripted import READY, on_screen, scripted_app, shown

from voxterm.events import Levels


@pytest.mark.parametrize(("behind", "line"), [(True, "buffer ▲230 ms  "), (False, "buffer 230 ms   ")])
async def test_speech_that_is_made_too_slowly_is_marked_at_the_buffer(behind: bool, line: str) -> None:
    app, _ = scripted_app([*READY, Levels(-50.0, -20.0, 0.0, 230.0, 0, 0, speech_behind=behind)])
    async with on_screen(app):
        assert f"{line}overruns 0 " in shown(app)
