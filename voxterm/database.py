"""The file `sessions.db`: its schema, its transactions, and what is said when the disk or the file fails."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

from voxterm.errors import OutputError, StoreError

DATABASE_NAME = "sessions.db"
BUSY_TIMEOUT_S = 5.0

_STEPS = (
    # From an empty file to version 1. A new version appends a step and changes none.
    """
    CREATE TABLE sessions (
        id TEXT PRIMARY KEY, started_at TEXT NOT NULL, title TEXT NOT NULL,
        profile TEXT NOT NULL, engines TEXT NOT NULL, voice TEXT NOT NULL
    );
    CREATE TABLE turns (
        session TEXT NOT NULL REFERENCES sessions (id) ON DELETE CASCADE,
        number INTEGER NOT NULL, started_at TEXT NOT NULL,
        transcript TEXT NOT NULL, reply TEXT NOT NULL, heard_reply TEXT NOT NULL,
        interrupted INTEGER NOT NULL, typed INTEGER NOT NULL,
        latency_ms TEXT NOT NULL, error TEXT NOT NULL,
        person_audio TEXT, reply_audio TEXT,
        UNIQUE (session, number)
    );
    """,
    # To version 2: the time lines of turns, as `timeline.packed` has them.
    """
    CREATE TABLE timelines (
        session TEXT NOT NULL, number INTEGER NOT NULL, frame_s REAL NOT NULL,
        microphone BLOB NOT NULL, loudspeaker BLOB NOT NULL, speech BLOB NOT NULL, marks TEXT NOT NULL,
        PRIMARY KEY (session, number),
        FOREIGN KEY (session, number) REFERENCES turns (session, number) ON DELETE CASCADE
    );
    """,
    # To version 3: who answers in a session, a persona's name.
    """
    ALTER TABLE sessions ADD COLUMN persona TEXT NOT NULL DEFAULT '';
    """,
)


class Database:
    """SQLite in WAL mode, opened, and made if need be, by the first transaction. One thread at a time."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.path = folder / DATABASE_NAME
        self._connection: sqlite3.Connection | None = None

    def close(self) -> None:
        """May be called twice; the next call opens the database again."""
        if self._connection:
            self._connection.close()
            self._connection = None

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """The database; what is written is on the disk when the block ends well, else undone."""
        with store_errors(self.folder):
            connection = self._connection = self._connection or self._open()
            connection.execute("BEGIN IMMEDIATE")
            try:
                yield connection
            except BaseException:
                connection.rollback()
                raise
            connection.commit()

    def _open(self) -> sqlite3.Connection:
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        connection = sqlite3.connect(
            self.path, timeout=BUSY_TIMEOUT_S, isolation_level=None, check_same_thread=False
        )
        try:
            connection.row_factory = sqlite3.Row
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("PRAGMA synchronous = NORMAL")
            connection.execute("PRAGMA foreign_keys = ON")
            self._bring_up_to_date(connection)
        except BaseException:
            connection.close()
            raise
        return connection

    def _bring_up_to_date(self, connection: sqlite3.Connection) -> None:
        connection.execute("BEGIN IMMEDIATE")  # two programs may come here at once
        version: int = connection.execute("PRAGMA user_version").fetchone()[0]
        if version > len(_STEPS):
            raise StoreError(
                f"{self.path} was written by a newer voxterm (version {version} of the file, "
                f"this one knows up to {len(_STEPS)})",
                "update voxterm, or give another folder in XDG_STATE_HOME",
            )
        for step in _STEPS[version:]:
            for statement in step.split(";"):
                connection.execute(statement)
        connection.execute(f"PRAGMA user_version = {len(_STEPS)}")
        connection.commit()

    def set_aside(self, now: datetime) -> Path:
        """Rename a damaged file, so that the next transaction starts a new one. Its new place."""
        self.close()
        aside = self.path.with_name(f"{DATABASE_NAME}.damaged-{now:%Y%m%d-%H%M%S}")
        with store_errors(self.folder):
            for suffix in ("-wal", "-shm", ""):
                source = self.path.with_name(DATABASE_NAME + suffix)
                if source.exists():
                    source.rename(aside.with_name(aside.name + suffix))
        return aside


@contextmanager
def store_errors(folder: Path) -> Iterator[None]:
    """Whatever the disk or the database says becomes a StoreError."""
    try:
        yield
    except (sqlite3.Error, OSError, OutputError, ValueError) as error:
        raise _explained(folder, error) from error


def _explained(folder: Path, error: Exception) -> StoreError:
    said = str(error)
    if "full" in said or "No space" in said or "quota" in said:
        return StoreError(
            f"no room to store the session in {folder} ({said})", "free some space on that disk"
        )
    if isinstance(error, sqlite3.OperationalError) and "locked" in said:
        return StoreError(f"{folder / DATABASE_NAME} is busy ({said})", "end the program that holds it")
    damaged = isinstance(error, sqlite3.DatabaseError) and not isinstance(error, sqlite3.OperationalError)
    if damaged or isinstance(error, ValueError):
        return StoreError(
            f"{folder / DATABASE_NAME} is damaged ({said})",
            f"move it and its -wal and -shm files aside to start anew; recordings stay in {folder / 'audio'}",
        )
    return StoreError(
        f"the sessions in {folder} cannot be read or written ({said})",
        "make that folder writable, or give another in XDG_STATE_HOME",
    )
