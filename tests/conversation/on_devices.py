"""A conversation on the default devices, told line by line as JSON: what the tests of real devices talk to.

Run as a program, in a room (`room.open_room`): every event is a line on stdout, `stop` on stdin ends it.
"""

from __future__ import annotations

import asyncio
import dataclasses
import json
import sys
from collections.abc import Mapping
from enum import Enum

from voxterm.cli.casting import cast_of
from voxterm.cli.wiring import devices_of
from voxterm.config import Settings
from voxterm.conversation import Conversation
from voxterm.engines.declared.embedded import ElizaSettings
from voxterm.engines.declared.engine_settings import EngineSettings
from voxterm.events import Event, Mark


def told(value: object) -> object:
    """An event, or a part of one, as JSON has it."""
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, Mapping):
        return dict(value)
    if isinstance(value, Mark):
        return dataclasses.asdict(value)
    raise TypeError(f"{type(value).__name__} is no part of an event")


def tell(event: Event) -> None:
    facts = {
        field.name: getattr(event, field.name)
        for field in dataclasses.fields(event)
        if not isinstance(getattr(event, field.name), bytes)
    }
    print(json.dumps({"event": type(event).__name__, **facts}, default=told), flush=True)


async def converse() -> None:
    chatty = ElizaSettings(seed=3)  # answers the demo's first line at length
    settings = Settings(engines=EngineSettings(eliza=chatty))
    conversation = Conversation(cast_of(settings), devices_of(settings), settings)
    conversation.subscribe(tell)

    async def obey() -> None:
        await asyncio.to_thread(sys.stdin.readline)
        conversation.stop()

    obeying = asyncio.create_task(obey())
    await conversation.run()
    obeying.cancel()


if __name__ == "__main__":
    asyncio.run(converse())
