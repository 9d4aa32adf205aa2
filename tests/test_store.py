from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta, timezone
from pathlib import Path

import numpy as np
import pytest
import soundfile  # type: ignore[import-untyped]
from turn_scenes import hesitant, ordinary

from voxterm import database
from voxterm.database import DATABASE_NAME
from voxterm.errors import SessionError, StoreError
from voxterm.store import Session, Store, StoredTurn, TurnRecord, default_state_folder, utc_now
from voxterm.timeline.packed import packed

START = datetime(2026, 11, 21, 14, 30, tzinfo=timezone.utc)


class _Clock:
    """A wall clock that goes on by a second at every look."""

    def __init__(self) -> None:
        self.at = START

    def __call__(self) -> datetime:
        self.at += timedelta(seconds=1)
        return self.at


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    store = Store(tmp_path / "state", now=_Clock())
    yield store
    store.close()


def new_session(store: Store) -> Session:
    return store.new_session("embedded", {"speak": "espeak"}, "en")


def turn_at(at: datetime = START, transcript: str = "Hello", reply: str = "Hi there.") -> TurnRecord:
    return TurnRecord(started_at=at, transcript=transcript, reply=reply, heard_reply=reply[:2])


def test_a_turn_comes_back_as_it_was(store: Store) -> None:
    session = new_session(store)
    turn = TurnRecord(
        started_at=START.astimezone(timezone(timedelta(hours=5, minutes=30))),
        transcript="नमस्ते\x00\x1b[31m 'quoted' \u202e",
        reply="One two three.",
        heard_reply="One two",
        interrupted=True,
        typed=True,
        latency_ms={"response": 12.5, "codec": None},
        error="the voice failed",
    )
    assert session.add_turn(turn) == 1
    (stored,) = session.turns()
    assert stored == StoredTurn(number=1, **vars(turn))
    assert stored.started_at.utcoffset() == timedelta(0)
    session.close()


def test_a_time_line_comes_back_with_its_turn(store: Store) -> None:
    session = new_session(store)
    for timeline in (ordinary(), None, hesitant()):
        number = session.add_turn(turn_at())
        if timeline:
            session.add_timeline(number, timeline)
    session.close()
    store.close()
    first, second, third = store.turns(session.id)
    assert first.timeline == packed(ordinary())
    assert second.timeline is None
    assert third.timeline is not None
    drawn = third.timeline.unpacked(third.number)
    assert (drawn.turn, drawn.marks) == (3, hesitant().marks)
    assert drawn.microphone_dbfs == pytest.approx(hesitant().microphone_dbfs, abs=0.26)


def test_a_time_line_belongs_to_a_turn_and_goes_with_it(store: Store) -> None:
    session = new_session(store)
    with pytest.raises(StoreError):
        session.add_timeline(1, ordinary())
    session.add_timeline(session.add_turn(turn_at()), ordinary())
    session.close()
    store.delete(session.id)
    with store.database.transaction() as connection:
        assert connection.execute("SELECT COUNT(*) FROM timelines").fetchone()[0] == 0


def test_an_older_file_is_brought_up_to_date_and_loses_nothing(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Version 1 had no time lines, and nobody in particular answered."""
    monkeypatch.setattr(database, "_STEPS", database._STEPS[:1])
    with store.database.transaction() as connection:
        connection.execute(
            "INSERT INTO sessions VALUES ('old', '2026-01-01T00:00:00.000+00:00', '', 'embedded', '{}', 'en')"
        )
        connection.execute(
            "INSERT INTO turns VALUES ('old', 1, '2026-01-01T00:00:01.000+00:00', 'Hello', 'Hi', 'Hi', 0, 0, "
            "'{}', '', NULL, NULL)"
        )
        assert connection.execute("PRAGMA user_version").fetchone()[0] == 1
    store.close()
    monkeypatch.undo()
    (old,) = store.turns("old")
    assert (old.transcript, old.timeline) == ("Hello", None)
    session = store.open_session("old")
    session.add_timeline(session.add_turn(turn_at()), ordinary())
    session.close()
    assert [turn.timeline is not None for turn in store.turns("old")] == [False, True]
    assert store.find("old").persona == ""


def test_a_session_keeps_who_answers_last(store: Store) -> None:
    plain = new_session(store)
    session = store.new_session("embedded", {}, "en", persona="tutor")
    assert (store.find(plain.id).persona, store.find(session.id).persona) == ("", "tutor")
    session.note_persona("expert")
    session.note_persona("")
    session.note_persona("storyteller")
    assert (store.find(plain.id).persona, store.find(session.id).persona) == ("", "storyteller")
    session.close()
    plain.close()


def test_a_broken_character_does_not_lose_the_turn(store: Store) -> None:
    """SQLite refuses lone surrogates, and the whole turn with them."""
    session = new_session(store)
    session.add_turn(turn_at(reply="a\ud83d"))
    assert [turn.reply for turn in session.turns()] == ["a?"]
    session.close()


def test_numbers_go_on_when_a_session_is_resumed(store: Store) -> None:
    session = new_session(store)
    assert [session.add_turn(turn_at()) for _ in range(3)] == [1, 2, 3]
    session.close()
    store.close()
    resumed = store.open_session(session.id)
    assert resumed.add_turn(turn_at()) == 4
    assert [turn.number for turn in resumed.turns()] == [1, 2, 3, 4]
    resumed.close()


def test_numbers_are_unique_in_the_file_itself(store: Store) -> None:
    session = new_session(store)
    session.add_turn(turn_at())
    session.close()
    with store.database.transaction() as connection, pytest.raises(sqlite3.IntegrityError):
        connection.execute("INSERT INTO turns SELECT * FROM turns")


def test_the_latest_session_is_the_one_last_spoken_in(store: Store) -> None:
    first, second, empty = new_session(store), new_session(store), new_session(store)
    second.add_turn(turn_at(START))
    first.add_turn(turn_at(START + timedelta(hours=2)))
    for session in (first, second, empty):
        session.close()
    assert store.sessions()[0].id == first.id
    resumed = store.open_session()
    assert resumed.id == first.id
    resumed.close()


def test_the_latest_session_has_turns_if_any_has(store: Store) -> None:
    spoken, empty = new_session(store), new_session(store)
    spoken.add_turn(turn_at(START))
    assert store.find().id == spoken.id
    assert {summary.id for summary in store.sessions()} == {spoken.id, empty.id}
    spoken.close()
    empty.close()


def test_summaries(store: Store) -> None:
    session = store.new_session("embedded", {"speak": "espeak"}, "en", title="A walk")
    (empty,) = store.sessions()
    assert (empty.turns, empty.first_words, empty.duration_s) == (0, "", 0.0)
    session.add_turn(turn_at(empty.started_at + timedelta(seconds=5), transcript=""))
    session.add_turn(turn_at(empty.started_at + timedelta(seconds=65), transcript="Tell me " * 20))
    session.close()
    (summary,) = store.sessions()
    assert summary.id == session.id
    assert summary.id.startswith(f"{summary.started_at.astimezone():%Y%m%d-%H%M%S}-")
    assert (summary.title, summary.profile, summary.engines, summary.voice) == (
        "A walk",
        "embedded",
        {"speak": "espeak"},
        "en",
    )
    assert (summary.turns, summary.duration_s) == (2, 65.0)
    assert summary.first_words == ("Tell me " * 20)[:60]
    store.rename(session.id, "Another")
    assert store.sessions()[0].title == "Another"


def test_an_unknown_session_names_those_that_are_near(store: Store) -> None:
    with pytest.raises(SessionError, match=r"no session in .* yet"):
        store.open_session()
    session = new_session(store)
    session.close()
    with pytest.raises(SessionError, match=f"did you mean {session.id}"):
        store.open_session(session.id[:-1] + "x")
    with pytest.raises(SessionError, match=f"the latest is {session.id}"):
        store.rename("zzz", "title")
    with pytest.raises(SessionError):
        store.delete("zzz")


def test_a_session_is_open_only_once(store: Store) -> None:
    session = new_session(store)
    with pytest.raises(SessionError, match=f"process {os.getpid()}.*; end that one, or start a new session"):
        store.open_session(session.id)
    with pytest.raises(SessionError, match="is open in another voxterm"):
        store.delete(session.id)
    session.close()
    session.close()
    store.open_session(session.id).close()


def test_delete_takes_turns_and_recordings(store: Store) -> None:
    kept, gone = new_session(store), new_session(store)
    for session in (kept, gone):
        session.add_audio(session.add_turn(turn_at()), np.zeros(160, np.float32).tobytes(), 16_000, b"", 0)
        session.close()
    store.delete(gone.id)
    assert [summary.id for summary in store.sessions()] == [kept.id]
    assert store.turns(gone.id) == []
    assert len(store.turns(kept.id)) == 1
    assert [path.name for path in (store.folder / "audio").iterdir()] == [kept.id]
    assert [path.stem for path in (store.folder / "locks").iterdir()] == [kept.id]


def test_recordings_are_kept_beside_the_turns(store: Store) -> None:
    session = new_session(store)
    number = session.add_turn(turn_at())
    person = np.sin(np.arange(1_600) / 20).astype(np.float32) / 2
    reply = np.full(2_400, 0.25, np.float32)
    session.add_audio(number, person.tobytes(), 16_000, reply.tobytes(), 24_000)
    session.close()
    (turn,) = store.turns(session.id)
    folder = store.folder / "audio" / session.id
    assert (turn.person_audio, turn.reply_audio) == (folder / "0001-person.flac", folder / "0001-reply.flac")
    assert sorted(path.name for path in folder.iterdir()) == ["0001-person.flac", "0001-reply.flac"]
    for path, samples, rate_hz in ((turn.person_audio, person, 16_000), (turn.reply_audio, reply, 24_000)):
        read, read_rate_hz = soundfile.read(path, dtype="float32")
        assert read_rate_hz == rate_hz
        np.testing.assert_allclose(read, samples, atol=1e-4)


def test_the_folder_can_be_moved_with_its_recordings(store: Store, tmp_path: Path) -> None:
    session = new_session(store)
    session.add_audio(session.add_turn(turn_at()), b"", 0, np.zeros(160, np.float32).tobytes(), 24_000)
    session.close()
    store.close()
    moved = Store(store.folder.rename(tmp_path / "elsewhere"))
    (turn,) = moved.turns(session.id)
    moved.close()
    assert turn.person_audio is None
    assert turn.reply_audio is not None
    assert turn.reply_audio.exists()


def test_a_recording_that_fails_leaves_no_part_behind(store: Store) -> None:
    session = new_session(store)
    number = session.add_turn(turn_at())
    (store.folder / "audio" / session.id / "0001-person.flac").mkdir(parents=True)
    with pytest.raises(StoreError, match="cannot be read or written"):
        session.add_audio(number, np.zeros(160, np.float32).tobytes(), 16_000, b"", 0)
    assert [path.name for path in (store.folder / "audio" / session.id).iterdir()] == ["0001-person.flac"]
    assert session.turns()[0].person_audio is None
    session.close()


def test_nothing_is_made_before_the_first_call(tmp_path: Path) -> None:
    Store(tmp_path / "state").close()
    assert list(tmp_path.iterdir()) == []


def test_the_state_is_for_its_owner_alone(store: Store) -> None:
    new_session(store).close()
    assert store.folder.stat().st_mode & 0o077 == 0


def test_a_folder_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(
        StoreError, match=r"cannot be read or written .*; make that folder writable"
    ) as caught:
        new_session(Store(tmp_path / "file" / "state"))
    assert caught.value.exit_code == 1


def test_a_newer_file_is_left_alone(store: Store) -> None:
    new_session(store).close()
    with store.database.transaction() as connection:
        connection.execute("PRAGMA user_version = 7")
    store.close()
    with pytest.raises(StoreError, match=r"newer voxterm \(version 7 .* up to 3\); update voxterm"):
        store.sessions()


@pytest.mark.parametrize("content", [b"this is no database " * 500, b"SQLite format 3\0" + b"\xff" * 8_000])
def test_a_damaged_file_is_moved_aside_only_on_request(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / DATABASE_NAME
    path.write_bytes(content)
    store = Store(tmp_path, now=_Clock())
    for _ in range(2):
        with pytest.raises(StoreError) as caught:
            store.sessions()
        assert str(path) in caught.value.what
        assert "damaged" in caught.value.what
        assert "aside" in caught.value.remedy
    with pytest.raises(StoreError, match="damaged"):
        new_session(store)
    assert path.read_bytes() == content
    aside = store.set_aside()
    assert aside.read_bytes() == content
    assert not path.exists()
    assert store.sessions() == []
    store.close()


def test_a_row_that_cannot_be_read_is_damage(store: Store) -> None:
    session = new_session(store)
    session.add_turn(turn_at())
    with store.database.transaction() as connection:
        connection.execute("UPDATE turns SET latency_ms = '{'")
    with pytest.raises(StoreError, match="damaged"):
        session.turns()
    session.close()


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (sqlite3.OperationalError("database or disk is full"), "no room .*free some space"),
        (OSError(28, "No space left on device"), "no room .*free some space"),
        (sqlite3.OperationalError("database is locked"), "is busy .*end the program"),
        (sqlite3.OperationalError("attempt to write a readonly database"), "make that folder writable"),
        (PermissionError(13, "Permission denied"), "make that folder writable"),
    ],
)
def test_what_the_disk_says_becomes_a_remedy(store: Store, error: Exception, said: str) -> None:
    with pytest.raises(StoreError, match=said), store.database.transaction():
        raise error


def test_a_full_disk_takes_back_the_turn_alone(store: Store) -> None:
    session = new_session(store)
    session.add_turn(turn_at())
    with store.database.transaction() as connection:
        pages = connection.execute("PRAGMA page_count").fetchone()[0]
    with store.database.transaction() as connection:
        connection.execute(f"PRAGMA max_page_count = {pages}")
    with pytest.raises(StoreError, match="no room"):
        session.add_turn(turn_at(reply="x" * 100_000))
    with store.database.transaction() as connection:
        connection.execute("PRAGMA max_page_count = 1000000")
    assert session.add_turn(turn_at()) == 2
    session.close()


def test_any_thread_may_write(store: Store) -> None:
    """The connection is opened in one thread and used in another, as behind an executor."""
    session = new_session(store)
    numbers: list[int] = []
    thread = threading.Thread(target=lambda: numbers.append(session.add_turn(turn_at())))
    thread.start()
    thread.join(10)
    assert numbers == [1]
    session.close()


def test_two_programs_write_two_sessions_at_once(store: Store) -> None:
    other = Store(store.folder)
    mine, theirs = new_session(store), new_session(other)
    for _ in range(20):
        mine.add_turn(turn_at())
        theirs.add_turn(turn_at())
    assert [len(session.turns()) for session in (mine, theirs)] == [20, 20]
    for closing in (mine, theirs, other):
        closing.close()


_WRITE_FOR_EVER = """
import sys
from pathlib import Path
from voxterm.store import Store, TurnRecord, utc_now
store = Store(Path(sys.argv[1]))
session = store.new_session("embedded", {}, "en")
print(session.id, flush=True)
while True:
    record = TurnRecord(started_at=utc_now(), transcript="x" * 5000, reply="y" * 5000, heard_reply="")
    print(session.add_turn(record), flush=True)
"""


@pytest.fixture
def writer(tmp_path: Path) -> Iterator[Callable[[], subprocess.Popen[str]]]:
    """Starts a program that writes turns as fast as it can."""
    started: list[subprocess.Popen[str]] = []

    def start() -> subprocess.Popen[str]:
        command = [sys.executable, "-c", _WRITE_FOR_EVER, str(tmp_path / "state")]
        started.append(
            subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=Path(__file__).parents[1])
        )
        return started[-1]

    yield start
    for process in started:
        process.kill()
        process.communicate()


def test_a_killed_program_loses_no_turn(store: Store, writer: Callable[[], subprocess.Popen[str]]) -> None:
    process = writer()
    assert process.stdout is not None
    session_id = process.stdout.readline().strip()
    for _ in range(50):
        assert process.stdout.readline()
    with pytest.raises(SessionError, match=f"process {process.pid}"):
        store.open_session(session_id)
    process.send_signal(signal.SIGKILL)
    committed = process.stdout.read().split()
    process.wait(10)
    session = store.open_session(session_id)
    turns = session.turns()
    assert [turn.number for turn in turns] == list(range(1, len(turns) + 1))
    assert len(turns) >= max([50, *map(int, committed[-1:])])
    assert all(turn.reply == "y" * 5000 for turn in turns)
    assert session.add_turn(turn_at()) == len(turns) + 1
    session.close()


def test_state_folder_follows_the_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    if sys.platform == "linux":
        assert default_state_folder() == tmp_path / "voxterm"
    assert default_state_folder().name == "voxterm"
    assert utc_now().utcoffset() == timedelta(0)
