"""The page of `voxterm doctor`, and its document for machines."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Iterator, Mapping
from dataclasses import asdict

from rich.console import Console
from rich.text import Text

from voxterm.cli import printing
from voxterm.cli.casting import wishes_of
from voxterm.cli.parser import setting_flags
from voxterm.cli.personas import with_persona
from voxterm.config import Settings, load_settings
from voxterm.doctor.examination import Asked, Report, examine
from voxterm.doctor.facts import Facts
from voxterm.doctor.finding import GROUPS, Finding, Verdict
from voxterm.errors import InputError
from voxterm.tui.terminal.safe_text import safe_line
from voxterm.voices import Catalogue, voices_folder

SIGNS: Mapping[Verdict, tuple[str, str]] = {
    "ok": ("✓", "green"),
    "warn": ("▲", "yellow"),
    "bad": ("✗", "red"),
    "info": ("·", "dim"),
}
NAME_CELLS = 16
"""At least; those of a group line up."""
LEAST_CELLS = 60
NO_LAYERS = {"XDG_CONFIG_HOME": os.devnull}
"""An environment in which there is no settings file and no variable."""


def examine_and_print(arguments: argparse.Namespace) -> int:
    """Look at everything; the exit code is 1 where the chosen profile cannot run, 2 where there is none."""
    settings, error = _settings(arguments)
    asked = Asked(
        settings,
        wishes_of,
        config_file=arguments.config,
        settings_error=error,
        voice_problems=Catalogue.read(voices_folder()).problems,
        with_sound=not arguments.no_sound,
        before_sound=_say_what_comes,
    )
    report = examine(asked, Facts(os.environ))
    if arguments.json:
        printing.print_json(_document(report))
    else:
        _print_page(report)
    return 0 if report.can_run else 1 if report.is_profile_known else 2


def _settings(arguments: argparse.Namespace) -> tuple[Settings, InputError | None]:
    """The settings in force; where a file or a variable is wrong, the defaults under the flags.

    Raises:
        ConfigError: a flag is wrong.
    """
    flags = setting_flags(arguments)
    try:
        settings = load_settings(arguments.config, flags, os.environ).settings
        return with_persona(settings, flags), None
    except InputError as error:
        return load_settings(None, flags, NO_LAYERS).settings, error


def _say_what_comes() -> None:
    if sys.stderr.isatty():
        print("a short tone sounds: speak for two seconds …", file=sys.stderr)


def _document(report: Report) -> dict[str, object]:
    return {
        "profile": report.profile,
        "can_run": report.can_run,
        "findings": [asdict(finding) for finding in report.findings],
    }


def _print_page(report: Report) -> None:
    console = Console(highlight=False)
    for group in GROUPS:
        findings = [finding for finding in report.findings if finding.group == group]
        if findings:
            console.print(Text(group, style="bold"))
        name_cells = max([NAME_CELLS, *(len(finding.name) + 1 for finding in findings)])
        for finding in findings:
            for line in _lines(finding, console, name_cells):
                console.print(line, soft_wrap=True)
    console.print(_verdict(report), soft_wrap=True)


def _lines(finding: Finding, console: Console, name_cells: int) -> Iterator[Text]:
    """The sign, the name and what it is, then each step of the remedy on a line of its own, to be copied."""
    sign, style = SIGNS[finding.verdict]
    plain = "dim" if finding.verdict == "info" else ""
    width = max(console.width, LEAST_CELLS) - name_cells - 4
    what = [line.plain.rstrip() for line in Text(safe_line(finding.what)).wrap(console, width)]
    name = f"{safe_line(finding.name)} ".ljust(name_cells)
    yield Text.assemble("  ", (sign, style), " ", name, (what[0], plain))
    for more in what[1:]:
        yield Text(" " * (name_cells + 4) + more, style=plain)
    for step in finding.remedy.splitlines():
        yield Text.assemble(("    → ", style), safe_line(step))


def _verdict(report: Report) -> Text:
    if report.can_run:
        return Text(f"voxterm can run with the profile {report.profile}", style="bold green")
    first = next(finding for finding in report.findings if finding.blocks)
    how = "; what mends it stands there" if first.remedy else ""  # a remedy of several lines is none on one
    what = f"voxterm cannot run with the profile {report.profile} yet: first, {first.name}: {first.what}{how}"
    return Text(safe_line(what), style="bold red")
