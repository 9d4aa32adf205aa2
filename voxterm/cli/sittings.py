"""The sessions that are kept, for the screen: to look at, and to go on with in place of the one under way."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

from voxterm.cli.wiring import Kept, kept_session
from voxterm.clock import Clock
from voxterm.config import Settings
from voxterm.conversation import Cast, Conversation
from voxterm.errors import SessionError, VoxtermError
from voxterm.events import Trouble
from voxterm.export import Drawn, export_session, new_file
from voxterm.recorder import Recorder
from voxterm.store import SessionSummary, Store, StoredTurn
from voxterm.tui.controls import ExportFormat, PastTurn, SessionChoice


class Sittings:
    """Implements `tui.controls.Sessions`. It begins with the session of `kept`; `close` lets go of its last.

    Raises, in every method but `close`:
        SessionError: there is no session of that name, or another program has it open.
        StoreError: the folder cannot be read or written.
    """

    def __init__(self, kept: Kept, settings: Settings, cast: Cast, folder: Path | None = None) -> None:
        """`folder` is where exports go; None: the folder that the program was started in."""
        self._kept = kept
        self._settings = settings
        self._cast = cast
        self._folder = folder or Path()
        self._shelf = Store(kept.store.folder)  # `kept.store` is the recorder's: one thread at a time
        self._sitting: tuple[Conversation, Recorder] | None = None
        self._opening = asyncio.Lock()
        self._leaving: asyncio.Task[None] | None = None

    @asynccontextmanager
    async def recording(self, conversation: Conversation, clock: Clock) -> AsyncIterator[None]:
        """While inside, every turn is stored as it is finished, in whichever session is open then."""
        async with self._kept.recording(conversation, clock) as recorder:
            self._sitting = (conversation, recorder)
            try:
                yield
            finally:
                self._sitting = None
                await self._left()

    def close(self) -> None:
        """Let the session go that is open last."""
        self._shelf.close()
        self._kept.close()

    @property
    def current_id(self) -> str | None:
        """The session under way; None: what is said is not kept."""
        return self._kept.session.id if self._kept.session else None

    def list(self) -> Sequence[SessionChoice]:
        """Those in which something was said, and the current one; the one last spoken in first."""
        current = self.current_id
        return [
            _choice(summary, is_current=summary.id == current)
            for summary in self._shelf.sessions()
            if summary.turns or summary.id == current
        ]

    def rename(self, session_id: str, title: str) -> None:
        """Give it a title."""
        self._shelf.rename(session_id, title)

    def delete(self, session_id: str) -> None:
        """Remove it, with its recordings; never the current one."""
        if session_id == self.current_id:
            raise SessionError(f"session {session_id} is the one under way", "begin a new one first")
        self._shelf.delete(session_id)

    def export(self, session_id: str, form: ExportFormat) -> Path:
        """Write it into the folder, never over another file; where.

        Raises:
            OutputError, AudioFileError: the file cannot be written, or a recording not be read.
        """
        summary = self._shelf.find(session_id)
        turns = self._shelf.turns(session_id)
        path = new_file(self._folder, f"voxterm-{summary.id}", form)
        try:
            drawn = Drawn(speech_threshold=self._settings.turns.speech_threshold)
            export_session(summary, turns, form, path, drawn)
        except BaseException:
            path.unlink(missing_ok=True)
            raise
        return path

    async def open(self, session_id: str | None) -> Sequence[PastTurn]:
        """Go on with that session, or with a new one for None.

        When it returns, all of the one before was told, and nothing of the one that it returns.
        """
        async with self._opening:
            await self._left()
            if self._sitting is None:
                raise SessionError("no conversation is under way", "start voxterm again")
            if session_id is not None and session_id == self.current_id:
                raise SessionError(f"session {session_id} is open already", "choose another")
            conversation, recorder = self._sitting
            opened = await asyncio.to_thread(self._open, session_id, conversation)
            try:
                await conversation.take_up(opened.history(self._settings), opened.last_turn)
            except BaseException:
                opened.close()
                raise
            recorder.go_on_in(opened.session)
            if opened.persona != conversation.personality.name:
                conversation.choose_persona(opened.persona)
            left, self._kept = self._kept, opened
            self._leaving = asyncio.create_task(_leave(left, conversation, recorder), name="leave a session")
            return [past_turn(turn) for turn in opened.past]

    def _open(self, session_id: str | None, conversation: Conversation) -> Kept:
        """Blocks. A new session notes the voice that speaks now, and who answers."""
        now = replace(self._cast, voice=conversation.voice, personality=conversation.personality)
        return kept_session(self._settings, now, session_id)

    async def _left(self) -> None:
        """Wait until the session before is stored and closed."""
        if self._leaving is not None:
            await asyncio.wait({self._leaving})


def past_turn(turn: StoredTurn) -> PastTurn:
    """A stored turn as the screen shows it, in local time."""
    return PastTurn(
        number=turn.number,
        time=turn.started_at.astimezone(),
        transcript=turn.transcript,
        reply=turn.reply,
        heard_reply=turn.heard_reply,
        interrupted=turn.interrupted,
        typed=turn.typed,
    )


def _choice(summary: SessionSummary, *, is_current: bool) -> SessionChoice:
    return SessionChoice(
        id=summary.id,
        started_at=summary.started_at.astimezone(),
        title=summary.title,
        first_words=summary.first_words,
        turns=summary.turns,
        duration_s=summary.duration_s,
        is_current=is_current,
    )


async def _leave(left: Kept, conversation: Conversation, recorder: Recorder) -> None:
    """Store what is on its way into the session that was left, and let it go."""
    try:
        await recorder.settle()
        await asyncio.to_thread(left.close)
    except VoxtermError as error:
        conversation.tell(Trouble.of(error))
