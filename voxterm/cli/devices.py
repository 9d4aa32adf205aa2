"""`voxterm devices`: microphones and loudspeakers, as `--microphone` and `--loudspeaker` take them."""

from __future__ import annotations

import argparse
from dataclasses import asdict

from rich.console import Console
from rich.table import Table
from rich.text import Text

from voxterm.audio.devices import list_devices
from voxterm.cli import printing
from voxterm.errors import one_line


def run(arguments: argparse.Namespace) -> int:
    devices = list_devices()
    if arguments.json:
        printing.print_json({"devices": [asdict(device) for device in devices]})
        return 0
    if not devices:
        print("no sound devices; typing, `voxterm talk FILE` and `voxterm demo` work without")
        return 0
    table = Table("number", "name", "in", "out", "rate (Hz)", "default", box=None, pad_edge=False)
    for device in devices:
        table.add_row(
            str(device.index),
            Text(one_line(device.name)),
            str(device.input_channels),
            str(device.output_channels),
            str(device.default_rate_hz),
            " ".join(
                way
                for way, is_it in (("in", device.is_default_input), ("out", device.is_default_output))
                if is_it
            ),
        )
    Console(highlight=False).print(table)
    return 0
