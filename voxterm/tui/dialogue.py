"""The dialogue as it is shown, and how events change it. Pure: no screen, no clock of its own.

Texts are kept as they came; whoever draws them makes them safe. Positions count characters of those texts.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TypeAlias

from voxterm.errors import VoxtermError
from voxterm.events import (
    Event,
    Interrupted,
    PartialTranscript,
    ReplyDelta,
    ReplyHeard,
    ReplyWithdrawn,
    SpeechStarted,
    State,
    StateChanged,
    TranscriptReady,
    Trouble,
    TurnDropped,
    TurnEnded,
    TurnFinished,
)
from voxterm.tui.controls import PastTurn


@dataclass(frozen=True, slots=True)
class Problem:
    """What went wrong, and what a person can do about it."""

    what: str
    remedy: str


@dataclass(frozen=True, slots=True)
class Turn:
    """Both sides of one turn."""

    number: int
    at: datetime
    said: str = ""
    said_is_final: bool = False
    typed: bool = False
    reply: str = ""
    heard_chars: int = 0  # reply[:heard_chars] has left the loudspeaker
    word_from: int = 0  # the word that sounds now begins here or after
    word_end: int = 0  # and ends here; 0: none sounds
    interrupted: bool = False
    finished: bool = False
    past: bool = False  # of the session that is resumed
    problems: tuple[Problem, ...] = ()

    @property
    def lost_from(self) -> int:
        """`reply[lost_from:]` will never be heard."""
        if self.interrupted or (self.finished and self.heard_chars):
            return self.heard_chars
        return len(self.reply)

    @property
    def settled_to(self) -> int:
        """`reply[:settled_to]` is what was said; the rest waits for the loudspeaker or is lost."""
        is_silent = self.finished and not self.interrupted and not self.heard_chars
        return len(self.reply) if is_silent else self.heard_chars


@dataclass(frozen=True, slots=True)
class Notice:
    """Something that belongs to no turn, said where it happened."""

    at: datetime
    what: str
    remedy: str = ""
    is_problem: bool = True


Entry: TypeAlias = Turn | Notice
Dialogue: TypeAlias = tuple[Entry, ...]


def past_dialogue(turns: Sequence[PastTurn]) -> Dialogue:
    """The turns of a resumed session, in their order."""
    return tuple(
        Turn(
            number=turn.number,
            at=turn.time,
            said=turn.transcript,
            said_is_final=True,
            typed=turn.typed,
            reply=turn.reply,
            heard_chars=heard_chars(turn.reply, turn.heard_reply),
            interrupted=turn.interrupted,
            finished=True,
            past=True,
        )
        for turn in turns
    )


def apply_to_dialogue(dialogue: Dialogue, event: Event, at: datetime) -> Dialogue:
    """The dialogue after an event that came at this time of day."""
    match event:
        case Trouble(what, remedy, turn=None):
            return (*dialogue, Notice(at, what, remedy))
        case StateChanged(state=state) if state is not State.SPEAKING:
            return _quiet(dialogue)
        case TurnDropped(turn=number):
            return tuple(entry for entry in dialogue if not _is_turn(entry, number))
        case (
            SpeechStarted()
            | PartialTranscript()
            | TurnEnded()
            | TranscriptReady()
            | ReplyDelta()
            | ReplyWithdrawn()
            | ReplyHeard()
            | Interrupted()
            | TurnFinished()
            | Trouble()
        ):
            return _with_turn(dialogue, event, at)
        case _:
            return dialogue


def with_failure(dialogue: Dialogue, error: VoxtermError, at: datetime) -> Dialogue:
    """The dialogue after the conversation has come to its end by an error."""
    return (*dialogue, Notice(at, error.what, error.remedy))


def transcript(dialogue: Dialogue) -> str:
    """The turns as text in Markdown: what was said, and what of the replies was heard."""
    lines = []
    for entry in dialogue:
        if isinstance(entry, Turn):
            heard = entry.reply[: entry.lost_from].strip()
            lines.append(f"**you** ({entry.at:%H:%M:%S}): {entry.said.strip()}")
            lines += [f"**voxterm**: {heard}{' —' if entry.interrupted else ''}"] if heard else []
    return "\n\n".join(lines) + "\n"


def heard_chars(reply: str, heard_reply: str) -> int:
    """How many characters of the reply were heard; white space at the cut counts as heard."""
    heard = len(heard_reply) if reply.startswith(heard_reply) else _common_prefix(reply, heard_reply)
    rest = reply[heard:]
    return len(reply) if heard and not rest.strip() else heard


def _common_prefix(one: str, other: str) -> int:
    for index, (a, b) in enumerate(zip(one, other, strict=False)):
        if a != b:
            return index
    return min(len(one), len(other))


def _is_turn(entry: Entry, number: int) -> bool:
    return isinstance(entry, Turn) and entry.number == number and not entry.past


def _quiet(dialogue: Dialogue) -> Dialogue:
    """No word sounds any more, not of a finished turn that was repeated either."""
    if not any(isinstance(entry, Turn) and entry.finished and entry.word_end for entry in dialogue):
        return dialogue
    return tuple(
        replace(entry, word_from=0, word_end=0) if isinstance(entry, Turn) and entry.finished else entry
        for entry in dialogue
    )


_TurnEvent: TypeAlias = (
    SpeechStarted
    | PartialTranscript
    | TurnEnded
    | TranscriptReady
    | ReplyDelta
    | ReplyWithdrawn
    | ReplyHeard
    | Interrupted
    | TurnFinished
    | Trouble
)


def _with_turn(dialogue: Dialogue, event: _TurnEvent, at: datetime) -> Dialogue:
    """The dialogue with the event's turn changed, or begun where it is new."""
    number = event.turn or 0
    for index in range(len(dialogue) - 1, -1, -1):
        entry = dialogue[index]
        if isinstance(entry, Turn) and _is_turn(entry, number):
            changed = _repeated(entry, event) if entry.finished else _changed(entry, event)
            return (*dialogue[:index], changed, *dialogue[index + 1 :])
    return (*dialogue, _changed(Turn(number, at), event))


def _changed(turn: Turn, event: _TurnEvent) -> Turn:
    match event:
        case PartialTranscript(text=text):
            turn = turn if turn.said_is_final else replace(turn, said=text)
        case TurnEnded(typed=str(text)):
            turn = replace(turn, said=text, said_is_final=True, typed=True)
        case TranscriptReady(text=text):
            turn = replace(turn, said=text, said_is_final=True)
        case ReplyDelta(text=text):
            turn = replace(turn, reply=turn.reply + text)
        case ReplyWithdrawn():
            turn = replace(turn, reply="", heard_chars=0, word_from=0, word_end=0, said_is_final=False)
        case ReplyHeard(heard_chars=heard, word_end=word_end):
            turn = replace(turn, heard_chars=heard, word_from=heard, word_end=word_end)
        case Interrupted():
            turn = replace(turn, interrupted=True, word_from=0, word_end=0)
        case TurnFinished():
            turn = _finished(turn, event)
        case Trouble(what=what, remedy=remedy):
            turn = replace(turn, problems=(*turn.problems, Problem(what, remedy)))
    return turn


def _repeated(turn: Turn, event: _TurnEvent) -> Turn:
    """A complete turn stays as it is: its reply may be spoken again, and what comes late is dropped."""
    match event:
        case ReplyHeard(heard_chars=heard, word_end=word_end):
            turn = replace(turn, word_from=heard, word_end=word_end)
        case Interrupted():
            turn = replace(turn, word_from=0, word_end=0)
        case Trouble(what=what, remedy=remedy):
            turn = replace(turn, problems=(*turn.problems, Problem(what, remedy)))
    return turn


def _finished(turn: Turn, event: TurnFinished) -> Turn:
    return replace(
        turn,
        said=event.transcript,
        said_is_final=True,
        typed=event.typed,
        reply=event.reply,
        heard_chars=heard_chars(event.reply, event.heard_reply),
        word_from=0,
        word_end=0,
        interrupted=event.interrupted,
        finished=True,
    )
