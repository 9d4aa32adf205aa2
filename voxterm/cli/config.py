"""`voxterm config`: the settings in force, and where each comes from."""

from __future__ import annotations

import argparse
import os

from rich.console import Console
from rich.table import Table
from rich.text import Text

from voxterm.cli import printing
from voxterm.cli.parser import setting_flags
from voxterm.config import describe, load_settings, without_secrets


def run(arguments: argparse.Namespace) -> int:
    loaded = load_settings(arguments.config, setting_flags(arguments), os.environ)
    rows = describe(loaded)
    if arguments.json:
        values = without_secrets(loaded.settings).model_dump()
        printing.print_json({"settings": values, "origins": loaded.origins})
        return 0
    table = Table("setting", "value", "from", box=None, pad_edge=False)
    for key, value, origin in rows:
        table.add_row(key, Text(value), Text(origin, style="dim"))
    Console(highlight=False).print(table)
    return 0
