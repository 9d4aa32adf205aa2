"""Keeps a conversation in its session: every turn is stored once it is finished, on a thread of its own."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta, timezone

from voxterm.clock import Clock, RealClock
from voxterm.conversation.bridge import EngineThread
from voxterm.errors import VoxtermError
from voxterm.events import Event, Trouble, TurnAudio, TurnFinished
from voxterm.store import Session, TurnRecord


class Recorder:
    """Subscribe `follow` to a conversation; `close` when it is over. What cannot be stored is Trouble."""

    def __init__(self, session: Session, clock: Clock, tell: Callable[[Trouble], None]) -> None:
        self._session = session
        self._clock = clock
        self._stored_at = datetime.now(timezone.utc)  # when the newest turn was
        self._tell = tell
        self._errors: dict[int, str] = {}  # by turn, until it is stored
        self._stored = (0, 0)  # the newest turn: its number in the conversation, and in the session
        self._thread = EngineThread("store", RealClock())

    def follow(self, event: Event) -> None:
        """Take every event of the conversation."""
        if isinstance(event, TurnFinished):
            self._store(event.turn, lambda: self._add_turn(event))
        elif isinstance(event, TurnAudio):
            self._store(event.turn, lambda: self._add_audio(event))
        elif isinstance(event, Trouble) and event.turn:
            self._errors[event.turn] = event.what

    async def close(self) -> None:
        """Store what is still on its way."""
        await self._thread.close()

    def _store(self, turn: int, work: Callable[[], object]) -> None:
        def attempt() -> VoxtermError | None:
            try:
                work()
            except VoxtermError as error:
                return error
            return None

        def tell(error: VoxtermError | None) -> None:
            if error:
                self._tell(Trouble(error.what, error.remedy, error.category, turn))

        self._thread.post(attempt, tell)

    def _add_turn(self, event: TurnFinished) -> None:
        self._stored = (event.turn, self._session.add_turn(self._record(event)))

    def _add_audio(self, event: TurnAudio) -> None:
        turn, number = self._stored
        if turn == event.turn:  # else the turn itself could not be stored
            self._session.add_audio(
                number, event.person, event.person_rate_hz, event.reply, event.reply_rate_hz
            )

    def _record(self, finished: TurnFinished) -> TurnRecord:
        return TurnRecord(
            started_at=self._started_at(finished),
            transcript=finished.transcript,
            reply=finished.reply,
            heard_reply=finished.heard_reply,
            interrupted=finished.interrupted,
            typed=finished.typed,
            latency_ms=finished.latency_ms,
            error=self._errors.pop(finished.turn, ""),
        )

    def _started_at(self, finished: TurnFinished) -> datetime:
        """By the clock on the wall, which recordings outrun: no turn begins before the last was stored."""
        now = datetime.now(timezone.utc)
        started_at = now - timedelta(seconds=self._clock.now() - finished.started_at_s)
        started_at, self._stored_at = max(started_at, self._stored_at), now
        return started_at
