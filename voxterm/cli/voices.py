"""`voxterm voices`: who can speak, in which language, and what is still to be fetched for it."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Collection, Mapping, Sequence

from rich.console import Console
from rich.table import Table
from rich.text import Text

from voxterm.cli import printing
from voxterm.cli.voice_needs import VoiceNeeds
from voxterm.cli.wiring import settings_of
from voxterm.engines.protocols import Voice
from voxterm.errors import VoxtermError, one_line
from voxterm.voices import Catalogue, voices_folder

NAMED = 3
"""How many of those that need the same are named."""

MISSING = "▲"


def run(arguments: argparse.Namespace) -> int:
    needs = VoiceNeeds(settings_of(arguments).engines)
    catalogue = Catalogue.read(voices_folder())
    for problem in catalogue.problems:
        print(f"voxterm: {problem}", file=sys.stderr)
    voices = catalogue.chosen(arguments.language, arguments.engine)
    lacking = {voice.name: errors for voice in voices if (errors := needs.lacking(voice))}
    if arguments.json:
        printing.print_json(
            {"voices": [_document(voice, needs, voice.name not in lacking) for voice in voices]}
        )
        return 0
    console = Console(highlight=False)
    console.print(_table(voices, lacking))
    for line in _remedies(lacking):
        console.print(line, soft_wrap=True)
    return 0


def _table(voices: Sequence[Voice], lacking: Collection[str]) -> Table:
    table = Table("name", "engine", "language", "", "description", box=None, pad_edge=False)
    for column in table.columns[:-1]:
        column.no_wrap = True
    for voice in voices:
        table.add_row(
            Text(one_line(voice.name)),
            voice.engine,
            Text(one_line(voice.language)),
            MISSING if voice.name in lacking else "",
            Text(one_line(voice.description)),
        )
    return table


def _remedies(lacking: Mapping[str, Sequence[VoxtermError]]) -> list[Text]:
    """A line for each thing that is not here, and who needs it."""
    whose: dict[str, list[str]] = {}
    for name, errors in lacking.items():
        for error in errors:
            whose.setdefault(str(error), []).append(name)
    lines = []
    for what, names in whose.items():
        others = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
        lines.append(Text(one_line(f"{MISSING} {what} ({', '.join(names[:NAMED])}{others})")))
    return lines


def _document(voice: Voice, needs: VoiceNeeds, is_here: bool) -> Mapping[str, object]:
    return {
        "name": voice.name,
        "engine": voice.engine,
        "language": voice.language,
        "checkpoint": needs.checkpoint(voice),
        "speaker": voice.speaker,
        "description": voice.description,
        "tags": list(voice.tags),
        "is_here": is_here,
    }
