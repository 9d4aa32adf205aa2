"""`voxterm`: the screen."""

from __future__ import annotations

import argparse
import asyncio
import os
import sys
from contextlib import AsyncExitStack

from voxterm.cli.wiring import settings_of, store_of
from voxterm.config import Settings
from voxterm.errors import InputError
from voxterm.tui.app import VoxtermApp
from voxterm.tui.controls import Conversing
from voxterm.tui.terminal import screen_alone


def run(arguments: argparse.Namespace) -> int:
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        raise InputError(
            "the screen needs a terminal", "without one use `voxterm talk FILE` or `voxterm demo`"
        )
    settings = settings_of(arguments)
    if arguments.tmux:
        from voxterm.cli.tmux import start_in_tmux

        return start_in_tmux(sys.argv[1:], os.environ)
    with screen_alone(store_of(settings).folder / "stderr.log"):
        return asyncio.run(_on_screen(settings, arguments.resume))


async def _on_screen(settings: Settings, resume: str | None) -> int:
    async with AsyncExitStack() as things:

        async def opening() -> Conversing:
            from voxterm.cli.opening import open_conversation

            return await open_conversation(settings, resume, things)

        app = VoxtermApp(opening, settings.screen)
        code = await app.run_async()
    if app.refusal:
        raise app.refusal
    return code or 0
