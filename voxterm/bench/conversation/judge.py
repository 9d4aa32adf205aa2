"""What happened in a conversation, judged from the ground truth: what was said when, and what was played.

Pure. Of voxterm's own word only this is taken: which turns there were and what their sound and their
history hold, which is what is judged; and its response and endpoint wait.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from voxterm.bench.conversation.person import Said
from voxterm.bench.conversation.traces import lacks_some, place_of, voiced_runs, words_heard
from voxterm.bench.conversation.witness import Record, Speech
from voxterm.engines.protocols import HEARING_RATE_HZ, Samples
from voxterm.events import (
    Interrupted,
    ReplyWentOn,
    ReplyWithdrawn,
    ReplyYielded,
    TurnAudio,
    TurnFinished,
)

ANSWER_WITHIN_S = 2.0
"""An answer that has not begun so long after the voice is missing: nobody waits so long without a word."""

GAP_S = 0.5
"""What sounds again after a shorter silence is the same: the pauses between the sentences of a reply."""

ECHO_OF_VOICE_S = 1.5
"""What voxterm does so long after a person's voice may be because of it."""


class Run(NamedTuple):
    """The loudspeaker sounds."""

    begins_s: float
    ends_s: float


@dataclass(frozen=True, slots=True)
class Turn:
    """A turn as voxterm told it, on the time line, with the sound it was given."""

    finished: TurnFinished
    begins_s: float
    over_s: float  # judged over
    finished_s: float
    sound: Samples | None  # of the person, at 16 kHz; None: it was not kept

    def covers(self, said: Said) -> bool:
        """Some of this was said in the turn."""
        return self.begins_s < said.ends_s and said.begins_s < self.over_s


@dataclass(frozen=True, slots=True)
class Verdict:
    """What became of one thing that was said. None: there was nothing to judge."""

    scene: str
    said: Said
    voice_to_voice_ms: float | None = None
    cut_in: bool | None = None
    cut_in_kept: bool | None = None
    missed_end: bool | None = None
    barge_in_ms: float | None = None
    first_word_lost: bool | None = None
    lacks_some: bool | None = None  # the turn's sound has some of the voice left out in its middle
    ended_answer: bool | None = None  # a noise that is no word


@dataclass(slots=True)
class Judgement:
    """Everything that was found in some scenes."""

    verdicts: list[Verdict] = field(default_factory=list)
    response_ms: list[float] = field(default_factory=list)
    endpoint_wait_ms: list[float] = field(default_factory=list)
    unheard_words: list[int] = field(default_factory=list)  # of each reply of which some was heard
    self_interruptions: int = 0
    yields_to_nobody: int = 0
    turns: int = 0
    speaking_s: float = 0.0

    def add(self, other: Judgement) -> None:
        self.verdicts += other.verdicts
        self.response_ms += other.response_ms
        self.endpoint_wait_ms += other.endpoint_wait_ms
        self.unheard_words += other.unheard_words
        self.self_interruptions += other.self_interruptions
        self.yields_to_nobody += other.yields_to_nobody
        self.turns += other.turns
        self.speaking_s += other.speaking_s


def judge(record: Record) -> Judgement:
    """Judge one scene."""
    turns = turns_of(record)
    short_runs = [Run(*run) for run in voiced_runs(record.loudspeaker, record.loudspeaker_hz, gap_s=0.05)]
    runs = joined(short_runs, GAP_S)
    verdicts = []
    for number, said in enumerate(record.said):
        later = record.said[number + 1 :]
        until_s = later[0].begins_s if later else float("inf")
        if said.is_speech:
            verdicts.append(_of_speech(record.scene, said, until_s, turns, short_runs, runs))
        else:
            ended = not _answer_survived(said, turns)
            verdicts.append(Verdict(record.scene, said, ended_answer=ended))
    first_said_s = min([said.begins_s for said in record.said], default=0.0)  # before it the chime sounds
    latencies = [turn.finished.latency_ms for turn in turns if not turn.finished.typed]
    return Judgement(
        verdicts,
        [ms for latency in latencies if (ms := latency.get("response")) is not None],
        [ms for latency in latencies if (ms := latency.get("endpoint_wait")) is not None],
        list(_unheard_words(record, turns, short_runs)),
        self_interruptions(record, turns),
        _yields_to_nobody(record),
        len(turns),
        sum(run.ends_s - run.begins_s for run in runs if run.begins_s >= first_said_s),
    )


def turns_of(record: Record) -> list[Turn]:
    """The turns that came to their end, in order."""
    sounds = {
        told.event.turn: np.frombuffer(told.event.person, np.float32)
        for told in record.told
        if isinstance(told.event, TurnAudio)
    }
    return [
        Turn(
            event,
            event.started_at_s - record.begins_s,
            event.ended_at_s - record.begins_s,
            event.finished_at_s - record.begins_s,
            sounds.get(event.turn),
        )
        for event in (told.event for told in record.told)
        if isinstance(event, TurnFinished)
    ]


def joined(runs: Sequence[Run], gap_s: float) -> list[Run]:
    """Runs with less than this between them are one."""
    found: list[Run] = []
    for run in runs:
        if found and run.begins_s - found[-1].ends_s < gap_s:
            found[-1] = Run(found[-1].begins_s, run.ends_s)
        else:
            found.append(run)
    return found


def _of_speech(
    scene: str, said: Said, until_s: float, turns: Sequence[Turn], short: Sequence[Run], runs: Sequence[Run]
) -> Verdict:
    sounds_at_end = any(run.begins_s < said.ends_s < run.ends_s for run in short)
    answers_s = [run.begins_s for run in short if said.ends_s <= run.begins_s < until_s]
    waited_s = answers_s[0] - said.ends_s if answers_s and not sounds_at_end else None
    into = next((run for run in runs if run.begins_s < said.begins_s < run.ends_s), None)
    cut_in = any(said.begins_s <= run.begins_s < said.ends_s for run in runs)
    kept = any(said.begins_s < turn.over_s < said.ends_s for turn in turns)
    sounds = [turn.sound for turn in turns if turn.covers(said) and turn.sound is not None]
    return Verdict(
        scene,
        said,
        voice_to_voice_ms=None if waited_s is None else 1000 * waited_s,
        cut_in=cut_in,
        cut_in_kept=kept,
        missed_end=not sounds_at_end and (waited_s is None or waited_s > ANSWER_WITHIN_S),
        barge_in_ms=1000 * (into.ends_s - said.begins_s) if into and said.interrupts else None,
        first_word_lost=_all(place_of(said.line.voice, sound, HEARING_RATE_HZ) is None for sound in sounds),
        lacks_some=lacks_some(said.line.voice, sounds[0], HEARING_RATE_HZ) if len(sounds) == 1 else None,
    )


def _all(judged: Iterable[bool]) -> bool | None:
    """Whether it is so for all; None where there is none."""
    known = list(judged)
    return all(known) if known else None


def _answer_survived(noise: Said, turns: Sequence[Turn]) -> bool:
    """The answer that was sounding came to its end, and the noise became no turn."""
    if any(turn.covers(noise) for turn in turns):
        return False
    return any(
        turn.over_s <= noise.begins_s <= turn.finished_s and not turn.finished.interrupted for turn in turns
    )


def self_interruptions(record: Record, turns: Sequence[Turn]) -> int:
    """How often a reply was cut off or taken back, or a turn was heard, while nobody had made a sound."""
    alone_s = [at_s for at_s in _cut_off(record) if not _somebody_spoke(record.said, at_s)]
    unsaid = [
        turn
        for turn in turns
        if not turn.finished.typed
        and not any(turn.covers(said) for said in record.said)
        and not any(turn.begins_s - ECHO_OF_VOICE_S < at_s < turn.over_s for at_s in alone_s)
    ]
    return len(alone_s) + len(unsaid)


def _cut_off(record: Record) -> Iterator[float]:
    """When replies fell silent that did not go on."""
    yielded_s: float | None = None
    for event in (told.event for told in record.told):
        if isinstance(event, ReplyYielded):
            yielded_s = event.at_s - record.begins_s
        elif isinstance(event, ReplyWentOn):
            yielded_s = None
        elif isinstance(event, Interrupted) and event.by_voice:
            yield event.at_s - record.begins_s
            yielded_s = None
        elif isinstance(event, ReplyWithdrawn) and yielded_s is not None:
            yield yielded_s
            yielded_s = None


def _somebody_spoke(said: Sequence[Said], at_s: float) -> bool:
    return any(one.begins_s <= at_s <= one.ends_s + ECHO_OF_VOICE_S for one in said)


def _yields_to_nobody(record: Record) -> int:
    yields_s = [t.event.at_s - record.begins_s for t in record.told if isinstance(t.event, ReplyYielded)]
    return sum(not _somebody_spoke(record.said, at_s) for at_s in yields_s)


def _unheard_words(record: Record, turns: Sequence[Turn], runs: Sequence[Run]) -> Iterator[int]:
    """Of each reply that is in the history: how many of its words had not left the loudspeaker."""
    for number, turn in enumerate(turns):
        kept = len(turn.finished.heard_reply.split())
        until_s = min([later.over_s for later in turns[number + 1 :]], default=float("inf"))
        sounds = [run for run in runs if turn.over_s <= run.begins_s < min(until_s, turn.finished_s + 0.3)]
        spoken = speeches_of(turn, record.speeches)
        if not kept or not spoken:
            continue
        heard = 0
        if sounds:
            end = round(sounds[-1].ends_s * record.loudspeaker_hz)
            found = words_heard(record.loudspeaker[:end], record.loudspeaker_hz, spoken)
            if found is None:
                continue
            heard = found
        yield max(0, kept - heard)


def speeches_of(turn: Turn, speeches: Sequence[Speech]) -> list[Speech]:
    """What was spoken for this turn: of several attempts the one that got furthest, of two alike the last."""
    reply = turn.finished.reply.split()
    made = [speech for speech in speeches if turn.begins_s <= speech.asked_s <= turn.finished_s]
    found: list[Speech] = []
    for begin in range(len(made)):
        attempt = made[begin : begin + _begins(reply, [speech.text.split() for speech in made[begin:]])]
        if len(attempt) >= max(1, len(found)):
            found = attempt
    return found


def _begins(reply: Sequence[str], texts: Sequence[Sequence[str]]) -> int:
    """How many of these texts, one after the other, are the beginning of the reply."""
    words = 0
    for count, text in enumerate(texts):
        if list(text) != list(reply[words : words + len(text)]):
            return count
        words += len(text)
    return len(texts)
