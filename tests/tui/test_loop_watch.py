"""The event loop is the screen's and the conversation's: nothing may hold it up for more than 50 ms."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import time
from pathlib import Path

from scripted import READY, ScriptedControls, Settings, app_of, on_screen, shown

from voxterm.tui.loop_watch import LoopWatch

TRIES = 5
"""The machine may hold the loop up too, but not each time."""


async def test_a_block_is_noticed_and_a_quick_callback_is_not() -> None:
    told: list[str] = []
    watch = LoopWatch(told.append)
    watch.start(limit_s=0.02)
    loop = asyncio.get_running_loop()
    try:
        loop.call_soon(time.sleep, 0.0)
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        quick = [line for line in told if "sleep" in line]
        loop.call_soon(time.sleep, 0.03)
        await asyncio.sleep(0)
        await asyncio.sleep(0)
    finally:
        watch.stop()
        loop.set_debug(False)
    assert quick == []
    assert watch.blocks >= 1
    assert watch.longest_s >= 0.03
    assert any("sleep" in line for line in told)


def test_no_burst_of_events_and_keys_holds_the_loop_up() -> None:
    """By asyncio's own log of slow callbacks, in a process of its own."""
    least: dict[str, float] = {}
    for _ in range(TRIES):
        for name, longest_s in blocks().items():
            least[name] = min(least.get(name, longest_s), longest_s)
        if not any(least.values()):
            break
    assert len(least) == 5
    assert not any(least.values()), least


def blocks() -> dict[str, float]:
    here = Path(__file__).parent
    environ = {**os.environ, "PYTHONPATH": os.pathsep.join(map(str, (here, here.parent)))}
    done = subprocess.run(
        [sys.executable, str(here / "loop_bursts.py")],
        env=environ,
        capture_output=True,
        text=True,
        check=True,
    )
    found: dict[str, float] = json.loads(done.stdout)
    return found


async def test_a_block_is_in_the_log_where_that_is_asked_for() -> None:
    app = app_of(ScriptedControls(READY), settings=Settings(watch_loop=True))
    async with on_screen(app) as pilot:
        asyncio.get_running_loop().call_soon(time.sleep, 0.06)
        await pilot.pause(0.1)
        await pilot.press("l")
        await pilot.pause()
        assert "sleep" in shown(app)
