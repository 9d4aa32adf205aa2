"""What a check found, and how a check is kept from taking the others with it."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal, TypeAlias, TypeVar

from voxterm.errors import InputError, VoxtermError

Verdict: TypeAlias = Literal["ok", "warn", "bad", "info"]
Group: TypeAlias = Literal["program", "gpu", "models", "sound", "terminal"]

GROUPS: tuple[Group, ...] = ("program", "gpu", "models", "sound", "terminal")

CHECK_S = 8.0
"""How long one check may take; each of its own waits is shorter."""

REPORT_IT = "look again; if it stays so, report what `voxterm doctor --json` prints"

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of the page. "info" is neither right nor wrong here."""

    group: Group
    name: str
    verdict: Verdict
    what: str
    remedy: str = ""  # what to type or do, one step a line; always there where it is "warn" or "bad"
    blocks: bool = False  # voxterm cannot run with the chosen profile until this is mended


@dataclass(slots=True)
class Findings:
    """All that was found so far."""

    found: list[Finding] = field(default_factory=list)

    def look(
        self, group: Group, name: str, check: Callable[[], T], otherwise: T, limit_s: float = CHECK_S
    ) -> T:
        """What the check gives; where it raises or takes too long, `otherwise` and a finding that says so.

        What voxterm would refuse to start with (an InputError) blocks.
        """
        try:
            return within(limit_s, check)
        except TimeoutError:
            what = f"no answer within {limit_s:.0f} s"
        except VoxtermError as error:
            blocks = isinstance(error, InputError)
            self.found.append(
                Finding(group, name, "bad", error.what, error.remedy or REPORT_IT, blocks=blocks)
            )
            return otherwise
        except Exception as error:  # whatever it is: the other checks have to go on, and the page says it
            what = f"could not be looked at ({type(error).__name__}: {error})"
        self.found.append(Finding(group, name, "warn", what, REPORT_IT))
        return otherwise


def within(limit_s: float, job: Callable[[], T]) -> T:
    """What the job gives, on a thread of its own that is left behind when the time is over.

    Raises:
        TimeoutError: it takes longer.
        Exception: whatever the job raises.
    """
    done: list[T] = []
    failed: list[BaseException] = []

    def run() -> None:
        try:
            done.append(job())
        except BaseException as error:  # handed on to whoever waits
            failed.append(error)

    thread = threading.Thread(target=run, name="voxterm-doctor", daemon=True)
    thread.start()
    thread.join(limit_s)
    if failed:
        raise failed[0]
    if not done:
        raise TimeoutError
    return done[0]
