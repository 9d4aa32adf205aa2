"""`voxterm`: the screen."""

from __future__ import annotations

import argparse
import asyncio
import os
import sys
from contextlib import AsyncExitStack

from voxterm.cli.wiring import settings_of, store_of
from voxterm.config import Settings
from voxterm.errors import EngineError, InputError
from voxterm.tui.app import VoxtermApp
from voxterm.tui.controls import Conversing
from voxterm.tui.terminal.driver import fit_to_terminal, screen_alone, theme_for


def run(arguments: argparse.Namespace) -> int:
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        raise InputError(
            "the screen needs a terminal", "without one use `voxterm talk FILE` or `voxterm demo`"
        )
    settings = settings_of(arguments)
    if arguments.tmux:
        from voxterm.cli.tmux import start_in_tmux

        words = [word for word in sys.argv[1:] if word != "--tmux"]
        start_in_tmux(words if words[:1] == ["run"] else ["run", *words], os.environ)
    log = store_of(settings).folder / "stderr.log"
    with screen_alone(log):
        code = asyncio.run(_on_screen(settings, arguments.resume))
    if code is None:
        raise EngineError(
            f"the screen has failed; {log} says how", "start voxterm --resume: every turn is kept"
        )
    return code


async def _on_screen(settings: Settings, resume: str | None) -> int | None:
    """The exit code; None where the screen itself has failed."""
    async with AsyncExitStack() as things:

        async def opening() -> Conversing:
            from voxterm.cli.opening import open_conversation

            return await open_conversation(settings, resume, things)

        theme = theme_for(os.environ, settings.screen.theme)
        app = VoxtermApp(opening, settings.screen.model_copy(update={"theme": theme}))
        fit_to_terminal(app, os.environ)
        code = await app.run_async()
    if app.refusal:
        raise app.refusal
    return code
