"""`voxterm doctor`: what is right and what is not, each with the command that mends it.

What is looked at first needs no package, so that a missing one can be named; the rest is in `doctor_page`.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from dataclasses import asdict

from voxterm.doctor.finding import Finding
from voxterm.doctor.packages import package_findings, read_packages
from voxterm.errors import one_line


def run(arguments: argparse.Namespace) -> int:
    """Reads of the arguments: config, json, no_sound, and the flags that are settings."""
    if missing := _missing_packages():
        _print_missing(missing, as_json=arguments.json)
        return 1
    from voxterm.cli.doctor_page import examine_and_print

    return examine_and_print(arguments)


def _missing_packages() -> list[Finding]:
    """What keeps the rest of voxterm from being imported."""
    try:
        found = [f for f in package_findings(read_packages(), needs_models=False) if f.blocks]
        if not found:
            import voxterm.cli.doctor_page  # noqa: F401 - a package that is there may still not load
    except (ImportError, OSError) as error:
        remedy = "pip install --force-reinstall voxterm, or `make install` where it was cloned"
        what = f"one of them does not load: {one_line(str(error))}"
        return [Finding("program", "packages", "bad", what, remedy, blocks=True)]
    return found


def _print_missing(findings: Sequence[Finding], *, as_json: bool) -> None:
    if as_json:
        document = {"profile": "", "can_run": False, "findings": [asdict(finding) for finding in findings]}
        print(json.dumps(document, ensure_ascii=False, indent=2))
        return
    for finding in findings:
        print(f"✗ {finding.name}  {finding.what}\n    → {finding.remedy}")
    print("voxterm cannot run, nor look any further, without its packages")
