"""Keeps a conversation in its session: every turn once it is finished, and who answers; on its own thread."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta, timezone

from voxterm.clock import Clock, RealClock
from voxterm.conversation.bridge import EngineThread
from voxterm.errors import VoxtermError
from voxterm.events import Event, PersonaChanged, Trouble, TurnAudio, TurnFinished, TurnTimeline
from voxterm.store import Session, TurnRecord


class Recorder:
    """Subscribe `follow` to a conversation; `close` when it is over. What cannot be stored is Trouble."""

    def __init__(self, session: Session | None, clock: Clock, tell: Callable[[Trouble], None]) -> None:
        """Without a session nothing is kept."""
        self._session = session
        self._clock = clock
        self._stored_at = datetime.now(timezone.utc)  # when the newest turn was
        self._tell = tell
        self._errors: dict[int, str] = {}  # by turn, until it is finished
        self._stored: tuple[Session, int, int] | None = None  # the newest turn: its number here, and there
        self._thread = EngineThread("store", RealClock())

    def follow(self, event: Event) -> None:
        """Take every event of the conversation."""
        session = self._session
        if session is None:
            return
        if isinstance(event, TurnFinished):
            error = self._errors.pop(event.turn, "")
            self._store(event.turn, lambda: self._add_turn(session, event, error))
        elif isinstance(event, TurnAudio):
            self._store(event.turn, lambda: self._add_audio(session, event))
        elif isinstance(event, TurnTimeline):
            self._store(event.turn, lambda: self._add_timeline(session, event))
        elif isinstance(event, PersonaChanged):
            self._store(None, lambda: session.note_persona(event.name))
        elif isinstance(event, Trouble) and event.turn:
            self._errors[event.turn] = event.what

    def go_on_in(self, session: Session | None) -> None:
        """Keep what comes from now on in another session; what is on its way goes into the one before."""
        self._session = session
        self._errors.clear()

    async def settle(self) -> None:
        """Return when all that came so far is stored."""
        await self._thread.call(lambda: None)

    async def close(self) -> None:
        """Store what is still on its way."""
        await self._thread.close()

    def _store(self, turn: int | None, work: Callable[[], object]) -> None:
        def attempt() -> VoxtermError | None:
            try:
                work()
            except VoxtermError as error:
                return error
            return None

        def tell(error: VoxtermError | None) -> None:
            if error:
                self._tell(Trouble.of(error, turn=turn))

        self._thread.post(attempt, tell)

    def _add_turn(self, session: Session, event: TurnFinished, error: str) -> None:
        self._stored = (session, event.turn, session.add_turn(self._record(event, error)))

    def _add_audio(self, session: Session, event: TurnAudio) -> None:
        number = self._number(session, event.turn)
        if number:
            session.add_audio(number, event.person, event.person_rate_hz, event.reply, event.reply_rate_hz)

    def _add_timeline(self, session: Session, event: TurnTimeline) -> None:
        number = self._number(session, event.turn)
        if number:
            session.add_timeline(number, event)

    def _number(self, session: Session, turn: int) -> int | None:
        """Under which number the session has that turn; None: it could not be stored."""
        return self._stored[2] if self._stored and self._stored[:2] == (session, turn) else None

    def _record(self, finished: TurnFinished, error: str) -> TurnRecord:
        return TurnRecord(
            started_at=self._started_at(finished),
            transcript=finished.transcript,
            reply=finished.reply,
            heard_reply=finished.heard_reply,
            interrupted=finished.interrupted,
            typed=finished.typed,
            latency_ms=finished.latency_ms,
            error=error,
        )

    def _started_at(self, finished: TurnFinished) -> datetime:
        """By the clock on the wall, which recordings outrun: no turn begins before the last was stored."""
        now = datetime.now(timezone.utc)
        started_at = now - timedelta(seconds=self._clock.now() - finished.started_at_s)
        started_at, self._stored_at = max(started_at, self._stored_at), now
        return started_at
