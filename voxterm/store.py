"""Sessions in SQLite: what `add_turn` has taken is on the disk, and stays there if the program is killed.

One folder holds it all: `sessions.db`, `audio/<session>/0001-person.flac`, and `locks/<session>.lock`, which
is held for as long as a program has the session open. Methods block, and may be called from any thread, one
at a time. Whatever keeps the folder from being read or written is a StoreError with its remedy.
"""

from __future__ import annotations

import fcntl
import json
import os
import secrets
import shutil
import sqlite3
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timezone
from difflib import get_close_matches
from pathlib import Path
from typing import TypeAlias

from voxterm.database import Database, store_errors
from voxterm.errors import SessionError, StoreError
from voxterm.events import TurnTimeline
from voxterm.timeline.packed import PackedTimeline, marks_as_text, marks_of_text, packed

FIRST_WORDS_CHARS = 60

_SUMMARIES = """
    SELECT id, started_at, title, profile, engines, voice, persona,
        (SELECT COUNT(*) FROM turns WHERE session = id) AS turns,
        (SELECT transcript FROM turns WHERE session = id AND transcript <> '' ORDER BY number LIMIT 1)
            AS first,
        COALESCE((SELECT MAX(turns.started_at) FROM turns WHERE session = id), started_at) AS last_at
    FROM sessions
"""

_TURNS = "SELECT * FROM turns LEFT JOIN timelines USING (session, number) WHERE session = ? ORDER BY number"

Now: TypeAlias = Callable[[], datetime]


def default_state_folder() -> Path:
    """Where this system keeps a program's state: on Linux in `$XDG_STATE_HOME` or `~/.local/state`."""
    from platformdirs import user_state_path

    return user_state_path("voxterm", appauthor=False)


def state_folder(named: str) -> Path:
    """The folder of the settings; the system's own where they name none."""
    return Path(named).expanduser() if named else default_state_folder()


def utc_now() -> datetime:
    return datetime.now(timezone.utc)


@dataclass(frozen=True, kw_only=True)
class TurnRecord:
    """A turn as it ended. `started_at` knows its time zone."""

    started_at: datetime
    transcript: str
    reply: str
    heard_reply: str
    interrupted: bool = False
    typed: bool = False
    latency_ms: Mapping[str, float | None] = field(default_factory=dict)
    error: str = ""


@dataclass(frozen=True, kw_only=True)
class StoredTurn(TurnRecord):
    """A turn of a session. Its number is its own for ever; times are UTC."""

    number: int
    person_audio: Path | None = None
    reply_audio: Path | None = None
    timeline: PackedTimeline | None = None


@dataclass(frozen=True, kw_only=True)
class SessionSummary:
    """A session at a glance. `duration_s` runs from its start to the start of its last turn."""

    id: str
    started_at: datetime
    title: str
    profile: str
    engines: Mapping[str, str]  # role → engine
    voice: str
    turns: int
    first_words: str
    duration_s: float
    persona: str = ""  # who answers in it; "": the system prompt alone


class Store:
    """All sessions of a folder. Nothing is opened or made before the first call."""

    def __init__(self, folder: Path, now: Now = utc_now) -> None:
        self.folder = folder
        self.database = Database(folder)
        self._now = now

    def new_session(
        self, profile: str, engines: Mapping[str, str], voice: str, title: str = "", persona: str = ""
    ) -> Session:
        """Begin a session; it is the caller's until it is closed."""
        started_at = self._now()
        session_id = f"{started_at.astimezone():%Y%m%d-%H%M%S}-{secrets.token_hex(2)}"
        lock = _SessionLock(self.folder, session_id)
        texts = (_storable(title), profile, json.dumps(dict(engines)), voice, persona)
        row = (session_id, _iso(started_at), *texts)
        try:
            with self.database.transaction() as connection:
                connection.execute("INSERT INTO sessions VALUES (?, ?, ?, ?, ?, ?, ?)", row)
        except StoreError:
            lock.release()
            raise
        return Session(self, session_id, lock)

    def open_session(self, session_id: str | None = None) -> Session:
        """Go on with a session; None: with the one last spoken in.

        Raises:
            SessionError: there is none of that name, or a program has it open.
        """
        found = self.find(session_id)
        return Session(self, found.id, _SessionLock(self.folder, found.id))

    def find(self, session_id: str | None = None) -> SessionSummary:
        """The session of that name; None: the one last spoken in.

        Raises:
            SessionError: there is none; names that are near are in the remedy.
        """
        summaries = self.sessions()
        if session_id is None and summaries:
            return next((summary for summary in summaries if summary.turns), summaries[0])
        for summary in summaries:
            if summary.id == session_id:
                return summary
        if not summaries:
            raise SessionError(f"there is no session in {self.folder} yet", "start one with `voxterm`")
        near = get_close_matches(session_id or "", [summary.id for summary in summaries], n=3, cutoff=0.5)
        remedy = f"did you mean {' or '.join(near)}?" if near else f"the latest is {summaries[0].id}"
        raise SessionError(f"there is no session {session_id}", remedy)

    def sessions(self) -> list[SessionSummary]:
        """Every session, the one last spoken in first."""
        with self.database.transaction() as connection:
            rows = connection.execute(f"{_SUMMARIES} ORDER BY last_at DESC, id DESC").fetchall()
            return [_summary(row) for row in rows]

    def turns(self, session_id: str) -> list[StoredTurn]:
        """The turns of a session, in order. It need not be open."""
        with self.database.transaction() as connection:
            return [self._turn(row) for row in connection.execute(_TURNS, (session_id,))]

    def rename(self, session_id: str, title: str) -> None:
        """Give a session a title.

        Raises:
            SessionError: there is none of that name.
        """
        found = self.find(session_id)
        with self.database.transaction() as connection:
            connection.execute("UPDATE sessions SET title = ? WHERE id = ?", (_storable(title), found.id))

    def delete(self, session_id: str) -> None:
        """Remove a session, its turns and its recordings.

        Raises:
            SessionError: there is none of that name, or a program has it open.
        """
        lock = _SessionLock(self.folder, self.find(session_id).id)
        try:
            with self.database.transaction() as connection:
                connection.execute("DELETE FROM sessions WHERE id = ?", (session_id,))
                if (self.folder / "audio" / session_id).exists():
                    shutil.rmtree(self.folder / "audio" / session_id)
                lock.path.unlink()
        finally:
            lock.release()

    def set_aside(self) -> Path:
        """Rename a damaged database, so that the next call starts a new one. Its new place."""
        return self.database.set_aside(self._now())

    def close(self) -> None:
        """May be called twice; the next call opens the database again."""
        self.database.close()

    def _turn(self, row: sqlite3.Row) -> StoredTurn:
        return StoredTurn(
            number=row["number"],
            started_at=datetime.fromisoformat(row["started_at"]),
            transcript=row["transcript"],
            reply=row["reply"],
            heard_reply=row["heard_reply"],
            interrupted=bool(row["interrupted"]),
            typed=bool(row["typed"]),
            latency_ms=json.loads(row["latency_ms"]),
            error=row["error"],
            person_audio=self.folder / row["person_audio"] if row["person_audio"] else None,
            reply_audio=self.folder / row["reply_audio"] if row["reply_audio"] else None,
            timeline=_timeline(row),
        )


class Session:
    """A session that this program has to itself until it is closed, or ends in whatever way."""

    def __init__(self, store: Store, session_id: str, lock: _SessionLock) -> None:
        self.id = session_id
        self._store = store
        self._lock = lock

    def add_turn(self, turn: TurnRecord) -> int:
        """Store a turn; its number, one more than the last."""
        values = (
            _iso(turn.started_at),
            *map(_storable, (turn.transcript, turn.reply, turn.heard_reply)),
            turn.interrupted,
            turn.typed,
            json.dumps(dict(turn.latency_ms)),
            _storable(turn.error),
        )
        with self._store.database.transaction() as connection:
            last = connection.execute(
                "SELECT MAX(number) FROM turns WHERE session = ?", (self.id,)
            ).fetchone()
            number: int = (last[0] or 0) + 1
            connection.execute(
                "INSERT INTO turns VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, NULL, NULL)",
                (self.id, number, *values),
            )
        return number

    def add_audio(
        self, turn: int, person: bytes, person_rate_hz: int, reply: bytes, reply_rate_hz: int
    ) -> None:
        """Keep the sound of a stored turn: float32 mono as bytes, b"" for none."""
        recorded = {
            "person_audio": self._write(f"{turn:04d}-person", person, person_rate_hz),
            "reply_audio": self._write(f"{turn:04d}-reply", reply, reply_rate_hz),
        }
        with self._store.database.transaction() as connection:
            for column, path in recorded.items():
                if path:
                    connection.execute(
                        f"UPDATE turns SET {column} = ? WHERE session = ? AND number = ?",
                        (path, self.id, turn),
                    )

    def add_timeline(self, turn: int, timeline: TurnTimeline) -> None:
        """Keep the time line of a stored turn."""
        kept = packed(timeline)
        row = (kept.frame_s, kept.microphone, kept.loudspeaker, kept.speech, marks_as_text(kept.marks))
        with self._store.database.transaction() as connection:
            connection.execute("INSERT INTO timelines VALUES (?, ?, ?, ?, ?, ?, ?)", (self.id, turn, *row))

    def note_persona(self, name: str) -> None:
        """Keep who answers from now on: a persona's name, "" for the system prompt alone."""
        with self._store.database.transaction() as connection:
            connection.execute("UPDATE sessions SET persona = ? WHERE id = ?", (name, self.id))

    def turns(self) -> list[StoredTurn]:
        return self._store.turns(self.id)

    def close(self) -> None:
        """Let others open the session. May be called twice."""
        self._lock.release()

    def _write(self, name: str, samples: bytes, rate_hz: int) -> str | None:
        """Write a recording, whole or not at all; its place in the store's folder."""
        if not samples:
            return None
        import numpy as np

        from voxterm.audio.wav import write_audio

        folder = self._store.folder / "audio" / self.id
        part = folder / f".{name}.part.flac"
        place = folder / f"{name}.flac"
        with store_errors(self._store.folder):
            folder.mkdir(parents=True, exist_ok=True)
            try:
                write_audio(part, np.frombuffer(samples, np.float32), rate_hz)
                part.replace(place)
            finally:
                part.unlink(missing_ok=True)
        return str(place.relative_to(self._store.folder))


class _SessionLock:
    """A session is open in one program at a time. The system drops the lock when that program ends.

    Raises:
        SessionError: another program holds it.
    """

    def __init__(self, folder: Path, session_id: str) -> None:
        self.path = folder / "locks" / f"{session_id}.lock"
        with store_errors(folder):
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)  # what is said here is private
            self.path.parent.mkdir(exist_ok=True)
            self._file: int | None = os.open(self.path, os.O_RDWR | os.O_CREAT, 0o600)
            try:
                self._take(self._file, session_id)
            except BaseException:
                self.release()
                raise

    def _take(self, file: int, session_id: str) -> None:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.read(file, 20).decode("ascii", "replace") or "unknown"
            raise SessionError(
                f"session {session_id} is open in another voxterm (process {holder})",
                "end that one, or start a new session",
            ) from None
        os.ftruncate(file, 0)
        os.write(file, str(os.getpid()).encode())

    def release(self) -> None:
        if self._file is not None:
            os.close(self._file)
            self._file = None


def _summary(row: sqlite3.Row) -> SessionSummary:
    started_at = datetime.fromisoformat(row["started_at"])
    return SessionSummary(
        id=row["id"],
        started_at=started_at,
        title=row["title"],
        profile=row["profile"],
        engines=json.loads(row["engines"]),
        voice=row["voice"],
        persona=row["persona"],
        turns=row["turns"],
        first_words=(row["first"] or "")[:FIRST_WORDS_CHARS],
        duration_s=max(0.0, (datetime.fromisoformat(row["last_at"]) - started_at).total_seconds()),
    )


def _timeline(row: sqlite3.Row) -> PackedTimeline | None:
    """None: the turn was stored by a voxterm that kept none."""
    if row["marks"] is None:
        return None
    series = (row["microphone"], row["loudspeaker"], row["speech"])
    return PackedTimeline(row["frame_s"], *series, marks_of_text(row["marks"]))


def _iso(moment: datetime) -> str:
    return moment.astimezone(timezone.utc).isoformat(timespec="milliseconds")


def _storable(text: str) -> str:
    """SQLite takes no lone surrogates, which a tokenizer may yet let through."""
    return text.encode("utf-8", "replace").decode()
