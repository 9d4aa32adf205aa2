"""`voxterm`: the screen."""

from __future__ import annotations

import argparse
import asyncio
import sys

from voxterm.cli.casting import cast_of
from voxterm.cli.wiring import Kept, demo_clips, devices_of, kept_session, settings_of
from voxterm.config import Settings
from voxterm.conversation import Cast, Conversation
from voxterm.errors import InputError
from voxterm.store import StoredTurn
from voxterm.tui.app import VoxtermApp
from voxterm.tui.controls import PastTurn
from voxterm.tui.terminal import screen_alone


def run(arguments: argparse.Namespace) -> int:
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        raise InputError(
            "the screen needs a terminal", "without one use `voxterm talk FILE` or `voxterm demo`"
        )
    settings = settings_of(arguments)
    cast = cast_of(settings)
    kept = kept_session(settings, cast, arguments.resume)
    try:
        with screen_alone(kept.store.folder / "stderr.log"):
            return asyncio.run(_on_screen(settings, cast, kept))
    finally:
        kept.close()


async def _on_screen(settings: Settings, cast: Cast, kept: Kept) -> int:
    devices = devices_of(settings)
    conversation = Conversation(cast, devices, settings, kept.history(settings), demo_clips())
    async with kept.recording(conversation, devices.clock):
        code = await VoxtermApp(
            conversation, settings.screen, [_past(turn) for turn in kept.past]
        ).run_async()
    return code or 0


def _past(turn: StoredTurn) -> PastTurn:
    return PastTurn(
        number=turn.number,
        time=turn.started_at.astimezone(),
        transcript=turn.transcript,
        reply=turn.reply,
        heard_reply=turn.heard_reply,
        interrupted=turn.interrupted,
        typed=turn.typed,
    )
