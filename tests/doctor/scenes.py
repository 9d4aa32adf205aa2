"""Machines for the doctor to look at: an empty file system, programs that answer as told."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from voxterm.doctor.facts import Facts, Ran, Run
from voxterm.doctor.finding import Finding


def answering(answers: Mapping[str, Ran]) -> Run:
    """Programs by the beginning of their command line; any other is not installed."""

    def run(command: Sequence[str], limit_s: float) -> Ran:
        line = " ".join(command)
        return next(
            (ran for start, ran in answers.items() if line.startswith(start)), Ran(None, "", "no such file")
        )

    return run


def scene(
    root: Path,
    environ: Mapping[str, str] | None = None,
    answers: Mapping[str, Ran] | None = None,
    closed: Iterable[str] = (),
) -> Facts:
    """A Linux machine whose files lie in `root`; this user may do nothing with those named in `closed`."""
    names = set(closed)
    return Facts(
        environ=environ or {},
        root=root,
        run=answering(answers or {}),
        may=lambda path, mode: path.name not in names,
        user_id=1000,
        process_id=77,
        host="gpubox",
        system="linux",
    )


def one(findings: Iterable[Finding], name: str) -> Finding:
    """The only finding of this name."""
    (found,) = [finding for finding in findings if finding.name == name]
    return found
