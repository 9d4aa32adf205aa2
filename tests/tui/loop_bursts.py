"""Bursts of events and keys before the screen, and how long each holds the event loop up: a program.

Apart from the tests, so that neither their tracer nor what they leave in memory is measured.
"""

from __future__ import annotations

import asyncio
import json

from scripted import LONG_REPLY, READY, SCRIPTS, TALKED, scripted_app, settled

from voxterm.collector import quiet_collector
from voxterm.events import Event, PartialTranscript, ReplyDelta, ReplyHeard, SpeechStarted, TranscriptReady
from voxterm.tui.loop_watch import LoopWatch

ENDLESS = "太" * 100_000

KEYS = ("pageup", "end", "question_mark", "escape", "v", "escape", "slash", "a", "enter", "escape", "tab")

BURSTS: dict[str, list[Event]] = {
    "long reply": [*TALKED, SpeechStarted(3, 0.0), ReplyDelta(3, LONG_REPLY), ReplyHeard(3, 900, 906)],
    "many turns": [event for _ in range(60) for event in TALKED[6:]],
    "many scripts": SCRIPTS,
    "endless wide": [SpeechStarted(1, 0.0), PartialTranscript(1, ENDLESS), ReplyDelta(1, ENDLESS)],
    "endless marks": [SpeechStarted(1, 0.0), TranscriptReady(1, "Z" + "\u0301\u0489" * 50_000)],
}


async def longest_block_s(burst: list[Event]) -> float:
    """The longest block beyond the limit, by asyncio's own log of slow callbacks; 0 for none."""
    app, controls = scripted_app(READY)
    watch = LoopWatch()
    with quiet_collector() as all_is_loaded:  # as a conversation has it
        async with app.run_test(size=(120, 40)) as pilot:
            await settled(pilot)
            all_is_loaded()
            await pilot.pause()
            watch.start()
            controls.emit(*burst)
            await pilot.pause(0.1)
            for key in KEYS:
                await pilot.press(key)
            await pilot.pause(0.1)
            watch.stop()
    return watch.longest_s


if __name__ == "__main__":
    print(json.dumps({name: asyncio.run(longest_block_s(burst)) for name, burst in BURSTS.items()}))
