"""`voxterm sessions`: the conversations that were kept, the latest first."""

from __future__ import annotations

import argparse

from rich.console import Console
from rich.table import Table
from rich.text import Text

from voxterm.cli import printing
from voxterm.cli.wiring import settings_of, store_of
from voxterm.errors import one_line
from voxterm.store import SessionSummary

ID_CHARS = 20  # what is typed again must be whole


def run(arguments: argparse.Namespace) -> int:
    store = store_of(settings_of(arguments))
    try:
        sessions = [session for session in store.sessions() if session.turns]
    finally:
        store.close()
    if arguments.json:
        printing.print_json({"sessions": [_document(session) for session in sessions]})
    elif not sessions:
        print(f"no sessions in {store.folder} yet; start one with `voxterm`")
    else:
        Console(highlight=False).print(_table(sessions))
    return 0


def _table(sessions: list[SessionSummary]) -> Table:
    table = Table("id", "started", "turns", "length", "profile", "first words", box=None, pad_edge=False)
    for column in table.columns[:-1]:
        column.no_wrap = True
        column.min_width = ID_CHARS if column.header == "id" else None
    for session in sessions:
        minutes, seconds = divmod(round(session.duration_s), 60)
        table.add_row(
            session.id,
            f"{session.started_at.astimezone():%Y-%m-%d %H:%M}",
            str(session.turns),
            f"{minutes}:{seconds:02d}",
            session.profile,
            Text(one_line(session.title or session.first_words), no_wrap=True, overflow="ellipsis"),
        )
    return table


def _document(session: SessionSummary) -> dict[str, object]:
    return {
        "id": session.id,
        "started_at": session.started_at.isoformat(),
        "title": session.title,
        "turns": session.turns,
        "duration_s": round(session.duration_s, 3),
        "profile": session.profile,
        "engines": dict(session.engines),
        "voice": session.voice,
        "persona": session.persona,
        "first_words": session.first_words,
    }
