from __future__ import annotations

import pytest
from scripted import READY, scripted_app, settled, shown

from voxterm.events import Levels


@pytest.mark.parametrize(("behind", "line"), [(True, "buffer ▲230 ms  "), (False, "buffer 230 ms   ")])
async def test_speech_that_is_made_too_slowly_is_marked_at_the_buffer(behind: bool, line: str) -> None:
    app, _ = scripted_app([*READY, Levels(-50.0, -20.0, 0.0, 230.0, 0, 0, speech_behind=behind)])
    async with app.run_test(size=(120, 40)) as pilot:
        await settled(pilot)
        assert f"{line}overruns 0 " in shown(app)
