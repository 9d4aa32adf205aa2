"""`voxterm export ID`: a session as Markdown, JSON, subtitles or sound; a turn's time line as a picture."""

from __future__ import annotations

import argparse
import sys

from voxterm.cli.wiring import settings_of, store_of
from voxterm.errors import InputError
from voxterm.export import Drawn, export_session


def run(arguments: argparse.Namespace) -> int:
    if arguments.turn is not None and arguments.format != "svg":
        raise InputError(
            f"--turn {arguments.turn} says nothing of a {arguments.format} file", "it goes with --format svg"
        )
    settings = settings_of(arguments)
    store = store_of(settings)
    drawn = Drawn(arguments.turn, settings.turns.speech_threshold)
    try:
        summary = store.find(arguments.id or None)
        turns = store.turns(summary.id)
        export_session(summary, turns, arguments.format, arguments.out or sys.stdout, drawn)
    finally:
        store.close()
    return 0
