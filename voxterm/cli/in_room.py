"""The conversation that `voxterm bench conversation --devices` talks with: in a room, on its default devices.

Usage: python -m voxterm.cli.in_room TASK, a pickled `Task`. It says a line when it listens, ends at a line on
standard input, and leaves what it found where the task says.
"""

from __future__ import annotations

import asyncio
import pickle
import sys
import time
from pathlib import Path

from voxterm.bench.conversation.on_devices import Found, Task
from voxterm.bench.conversation.witness import Speech, Told, watched
from voxterm.cli.casting import cast_of
from voxterm.cli.wiring import devices_of
from voxterm.conversation import Conversation
from voxterm.events import Event, State, StateChanged


async def converse(task: Task) -> Found:
    """Talk until a line comes in.

    Raises:
        VoxtermError: an engine cannot be loaded.
    """
    told: list[Told] = []
    speeches: list[Speech] = []
    settings = task.settings
    cast = watched(cast_of(settings), time.monotonic, speeches, task.reply_sentences)
    conversation = Conversation(cast, devices_of(settings), settings)
    listening = asyncio.Event()

    def follow(event: Event) -> None:
        told.append(Told(time.monotonic(), event))
        if isinstance(event, StateChanged) and event.state is State.LISTENING and not listening.is_set():
            listening.set()
            print("listening", flush=True)

    async def obey() -> None:
        await asyncio.to_thread(sys.stdin.readline)
        conversation.stop()

    conversation.subscribe(follow)
    obeying = asyncio.create_task(obey())
    await conversation.run()
    obeying.cancel()
    return Found(told, speeches)


def main() -> None:
    task: Task = pickle.loads(Path(sys.argv[1]).read_bytes())
    task.found.write_bytes(pickle.dumps(asyncio.run(converse(task))))


if __name__ == "__main__":
    main()
