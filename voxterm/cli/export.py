"""`voxterm export ID`: a session as Markdown, JSON, subtitles or sound."""

from __future__ import annotations

import argparse
import sys

from voxterm.cli.wiring import settings_of, store_of
from voxterm.export import export_session


def run(arguments: argparse.Namespace) -> int:
    store = store_of(settings_of(arguments))
    try:
        summary = store.find(arguments.id or None)
        export_session(summary, store.turns(summary.id), arguments.format, arguments.out or sys.stdout)
    finally:
        store.close()
    return 0
