"""Machines for the doctor to look at: an empty file system, programs that answer as told."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

from voxterm.doctor.facts import Facts, Ran, Run
from voxterm.doctor.finding import Finding

T = TypeVar("T")
TURNS = 20  # of the event loop, enough for every task to get as far as it can


class SteppingClock:
    """Time goes from one sleeper's moment to the next one's, in their order, while `running` something."""

    def __init__(self) -> None:
        self._now_s = 100.0
        self._sleepers: list[tuple[float, asyncio.Future[None]]] = []

    def now(self) -> float:
        return self._now_s

    async def sleep_until(self, at_s: float) -> None:
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._sleepers.append((at_s, future))
        await future

    @contextmanager
    def working(self) -> Iterator[None]:
        yield

    async def running(self, job: Coroutine[Any, Any, T]) -> T:
        task = asyncio.create_task(job)
        while not task.done():
            for _ in range(TURNS):
                await asyncio.sleep(0)
            if not self._sleepers:
                continue
            at_s, future = min(self._sleepers, key=lambda sleeper: sleeper[0])
            self._sleepers.remove((at_s, future))
            self._now_s = max(self._now_s, at_s)
            if not future.done():
                future.set_result(None)
        return task.result()


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
