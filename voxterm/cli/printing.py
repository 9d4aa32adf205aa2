"""What commands print: tables for people on stdout, one JSON document for machines, progress on stderr."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table
from rich.text import Text

from voxterm.audio.recording import RecordedMicrophone
from voxterm.conversation import Cast, Conversation
from voxterm.errors import one_line
from voxterm.events import Event, Levels, Remark, Trouble, TurnFinished
from voxterm.headless import Talked
from voxterm.latency import STAGES, Breakdown, summarize, within_target


def print_json(document: object) -> None:
    """The one document on stdout."""
    print(json.dumps(document, ensure_ascii=False, indent=2))


def talk_document(cast: Cast, talked: Talked) -> dict[str, object]:
    """What `talk` and `demo` say to machines."""
    return {
        "profile": cast.profile,
        "engines": cast.names(),
        "turns": [_turn_document(turn) for turn in talked.turns],
    }


def print_talk(cast: Cast, talked: Talked) -> None:
    """Both sides of the conversation and the latency of each stage."""
    console = Console(highlight=False)
    console.print(Text(f"{cast.profile}: {', '.join(cast.names().values())}  ({cast.reason})", style="dim"))
    for turn in talked.turns:
        console.print(_line("you", turn.transcript))
        console.print(_line("voxterm", turn.heard_reply, turn.reply[len(turn.heard_reply) :]))
    if not talked.turns:
        console.print(Text("no speech was heard"))
        return
    console.print(latency_table([turn.latency_ms for turn in talked.turns]))


def latency_table(turns: Sequence[Breakdown]) -> Table:
    """A row for every stage: median and 95th percentile over the turns, and its target."""
    title = f"latency, {len(turns)} turn{'s' * (len(turns) != 1)}"
    table = Table("stage (ms)", "p50", "p95", "target", "", title=title, title_justify="left")
    for column in table.columns[1:4]:
        column.justify = "right"
    summaries = summarize(turns)
    for stage in STAGES:
        summary = summaries.get(stage.key)
        p50 = summary.p50 if summary else None
        sign = {True: "✓", False: "▲", None: ""}[within_target(stage, p50)]
        target = f"{stage.target_ms:.0f}" if stage.target_ms is not None else "·"
        numbers = (f"{summary.p50:.1f}", f"{summary.p95:.1f}") if summary else ("–", "–")
        table.add_row(stage.label, *numbers, target, sign)
    return table


def print_told(talked: Talked) -> None:
    """What went wrong, and what else was worth knowing, as it came."""
    for told in talked.told:
        print(f"voxterm: {told.text if isinstance(told, Remark) else _in_a_line(told)}", file=sys.stderr)


def print_notes(cast: Cast) -> None:
    """What this cast has less than it could."""
    for note in (*cast.notes, *cast.problems):
        print(f"voxterm: {note}", file=sys.stderr)


@contextmanager
def progress(label: str) -> Iterator[Callable[[float], None]]:
    """A bar that is told the share that is done, 0 to 1; only where stderr is a terminal."""
    if not sys.stderr.isatty():
        yield lambda share: None
        return
    columns = (TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(label, total=1.0)
        yield lambda share: bar.update(task, completed=share)


@contextmanager
def talk_progress(conversation: Conversation, microphone: RecordedMicrophone) -> Iterator[None]:
    """How much of the recordings has been said."""
    with progress("talking") as show:

        def follow(event: Event) -> None:
            if isinstance(event, Levels):
                show(microphone.said_share)

        conversation.subscribe(follow)
        yield


def _line(who: str, said: str, unheard: str = "") -> Text:
    parts = [Text(one_line(said)), Text(one_line(unheard), "strike")]
    return Text.assemble((f"{who:>8}  ", "bold"), Text(" ").join(part for part in parts if part))


def _in_a_line(trouble: Trouble) -> str:
    turn = f"turn {trouble.turn}: " if trouble.turn else ""
    remedy = f"; {trouble.remedy}" if trouble.remedy else ""
    return f"{turn}{trouble.what}{remedy}"


def _turn_document(turn: TurnFinished) -> Mapping[str, object]:
    return {
        "number": turn.turn,
        "transcript": turn.transcript,
        "reply": turn.reply,
        "heard_reply": turn.heard_reply,
        "interrupted": turn.interrupted,
        "latency_ms": {
            key: None if value is None else round(value, 2) for key, value in turn.latency_ms.items()
        },
    }
