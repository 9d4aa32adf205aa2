"""The event loop is the screen's and the conversation's: nothing may hold it up for more than 50 ms."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

import pytest
from scripted import (
    LONG_REPLY,
    READY,
    SCRIPTS,
    TALKED,
    ScriptedControls,
    Settings,
    app_of,
    scripted_app,
    settled,
    shown,
)

from voxterm.collector import quiet_collector
from voxterm.events import Event, PartialTranscript, ReplyDelta, ReplyHeard, SpeechStarted, TranscriptReady
from voxterm.tui.loop_watch import LoopWatch

TRIES = 3
"""The machine may hold the loop up too, but not each time."""

ENDLESS = "太" * 100_000

KEYS = (
    "pageup",
    "end",
    "question_mark",
    "escape",
    "v",
    "escape",
    "slash",
    "a",
    "enter",
    "escape",
    "tab",
    "tab",
)

BURSTS: dict[str, list[Event]] = {
    "long reply": [*TALKED, SpeechStarted(3, 0.0), ReplyDelta(3, LONG_REPLY), ReplyHeard(3, 900, 906)],
    "many turns": [event for turn in range(60) for event in TALKED[6:]],
    "many scripts": SCRIPTS,
    "endless wide": [
        SpeechStarted(1, 0.0),
        PartialTranscript(1, "太" * 100_000),
        ReplyDelta(1, "太" * 100_000),
    ],
    "endless marks": [SpeechStarted(1, 0.0), TranscriptReady(1, "Z" + "\u0301\u0489" * 50_000)],
}


async def test_a_block_is_noticed_and_a_quick_callback_is_not() -> None:
    told: list[str] = []
    watch = LoopWatch(told.append)
    watch.start(limit_s=0.02)
    loop = asyncio.get_running_loop()
    try:
        loop.call_soon(time.sleep, 0.0)
        await asyncio.sleep(0)
        quick = watch.blocks
        loop.call_soon(time.sleep, 0.03)
        await asyncio.sleep(0)
        await asyncio.sleep(0)
    finally:
        watch.stop()
        loop.set_debug(False)
    assert quick == 0
    assert watch.blocks == len(told) == 1
    assert watch.longest_s >= 0.03
    assert "sleep" in told[0]


@pytest.mark.parametrize("burst", BURSTS.values(), ids=BURSTS.keys())
async def test_no_burst_of_events_holds_the_loop_up(burst: list[Event]) -> None:
    """By asyncio's own log of slow callbacks."""
    longest_s = [await longest_block_s(burst) for _ in range(TRIES)]
    assert min(longest_s) == 0.0, longest_s


async def longest_block_s(burst: list[Event]) -> float:
    with quiet_collector() as all_is_loaded:  # as a conversation has it
        return await _longest_block_s(burst, all_is_loaded)


async def _longest_block_s(burst: list[Event], all_is_loaded: Callable[[], None]) -> float:
    app, controls = scripted_app(READY)
    watch = LoopWatch()
    async with app.run_test(size=(120, 40)) as pilot:
        await settled(pilot)
        all_is_loaded()
        watch.start()
        controls.emit(*burst)
        await pilot.pause(0.1)
        for key in (
            "pageup",
            "end",
            "question_mark",
            "escape",
            "slash",
            "a",
            "enter",
            "escape",
            "tab",
            "tab",
            "tab",
        ):
            await pilot.press(key)
        await pilot.pause(0.1)
        watch.stop()
    return watch.longest_s


async def test_a_block_is_in_the_log_where_that_is_asked_for() -> None:
    app = app_of(ScriptedControls(READY), settings=Settings(watch_loop=True))
    async with app.run_test(size=(120, 40)) as pilot:
        await settled(pilot)
        asyncio.get_running_loop().call_soon(time.sleep, 0.06)
        await pilot.pause(0.1)
        await pilot.press("l")
        await pilot.pause()
        assert "took 0.06" in shown(app)
