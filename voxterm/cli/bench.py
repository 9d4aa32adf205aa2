"""`voxterm bench MEASUREMENT`."""

from __future__ import annotations

import argparse
import sys

from voxterm.audio.wav import read_audio
from voxterm.bench import report, turns
from voxterm.cli import printing
from voxterm.cli.casting import cast_of
from voxterm.cli.wiring import headless_settings_of


def run(arguments: argparse.Namespace) -> int:
    settings = headless_settings_of(arguments)
    clips = [read_audio(file) for file in arguments.files]
    measured = turns.measure(
        clips,
        cast_of(settings),
        settings,
        at_least=arguments.turns,
        realtime=arguments.realtime,
        progress=printing.talk_progress,
    )
    document = report.document("turns", sys.argv[1:], measured)
    if arguments.json:
        printing.print_json(document)
    else:
        report.print_table(document)
    return 0
