"""All scenes of the measurement, one after the other, and the document that comes of them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

import numpy as np
from numpy.random import Generator

from voxterm.bench import report
from voxterm.bench.conversation.judge import ANSWER_WITHIN_S, Judgement, Verdict, judge
from voxterm.bench.conversation.lines import Line, read_lines, read_transcripts
from voxterm.bench.conversation.script import ECHO_COUPLING_DB, People, Scene, scenes
from voxterm.bench.conversation.witness import Record
from voxterm.bench.report import Count, Figure
from voxterm.config import Settings
from voxterm.engines import registry

SHIPPED = Path(__file__).parents[2] / "data"
"""Where the recordings are that are said if none are given, with what is said in them."""

RunScene: TypeAlias = Callable[[Scene, Generator], Record]


@dataclass(frozen=True, slots=True)
class Plan:
    """What is to be measured."""

    scenes: tuple[Scene, ...]
    people: People
    seed: int
    recordings: tuple[str, ...]
    devices: bool


@dataclass(frozen=True, slots=True)
class Wishes:
    """What was asked for: which parts, how much of each, who speaks (no files: those that are shipped)."""

    parts: Sequence[str]
    turns: int
    echo_minutes: float
    seed: int
    files: Sequence[Path] = ()
    transcripts: Path | None = None
    devices: bool = False


def plan_of(wishes: Wishes, settings: Settings) -> Plan:
    """Who says what, drawn from the seed.

    Raises:
        InputError: a recording or the transcripts cannot be used.
    """
    random = np.random.default_rng(wishes.seed)
    files = wishes.files or sorted(SHIPPED.glob("*.flac"))
    transcripts = wishes.transcripts if wishes.files else SHIPPED / "transcripts.tsv"
    recorded = read_lines(files, read_transcripts(transcripts) if transcripts else {})
    people = (
        People(tuple(recorded), tuple(recorded)) if wishes.files else _everybody(recorded, random, settings)
    )
    found = scenes(wishes.parts, people, random, turns=wishes.turns, echo_minutes=wishes.echo_minutes)
    names = tuple(file.name for file in files)
    return Plan(tuple(found), people, wishes.seed, names, wishes.devices)


def measure(plan: Plan, run_scene: RunScene, tell: Callable[[str], None]) -> dict[str, Judgement]:
    """Talk every scene through, and judge it. By the name of the scene."""
    found = {}
    for number, scene in enumerate(plan.scenes):
        tell(f"{scene.name}, {number + 1} of {len(plan.scenes)}")
        found[scene.name] = judge(run_scene(scene, np.random.default_rng([plan.seed, number])))
    return found


def document(plan: Plan, judgements: Mapping[str, Judgement], argv: Sequence[str]) -> dict[str, object]:
    """The figures of all scenes together; under "scenes" those of each, under "said" what became of what."""
    whole = Judgement()
    for judgement in judgements.values():
        whole.add(judgement)
    return {
        **report.document("conversation", argv, figures(whole), notes=_notes(plan)),
        "scenes": {name: report.told(figures(judgement)) for name, judgement in judgements.items()},
        "said": [_told(verdict) for verdict in whole.verdicts],
    }


def figures(found: Judgement) -> dict[str, Figure | Count]:
    """The figures of what was found. A count is of so many chances."""
    spoken = [verdict for verdict in found.verdicts if verdict.said.is_speech]
    minutes = found.speaking_s / 60
    alone = f"turns, {minutes:.1f} minutes of speaking"
    return {
        "voice_to_voice_ms": Figure(_known(v.voice_to_voice_ms for v in spoken), "ms"),
        "response_ms": Figure(found.response_ms, "ms"),
        "endpoint_wait_ms": Figure(found.endpoint_wait_ms, "ms"),
        "barge_in_ms": Figure(_known(v.barge_in_ms for v in spoken), "ms"),
        "cut_ins": _count((v.cut_in for v in spoken), "utterances"),
        "cut_ins_kept": _count((v.cut_in_kept for v in spoken), "utterances"),
        "missed_ends": _count((v.missed_end for v in spoken), "utterances"),
        "first_words_lost": _count((v.first_word_lost for v in spoken), "utterances"),
        "speech_left_out": _count((v.lacks_some for v in spoken), "utterances"),
        "unheard_words_kept": Count(sum(found.unheard_words), len(found.unheard_words), "replies"),
        "coughs_that_ended": _count((v.ended_answer for v in found.verdicts), "coughs, mm-hms and doors"),
        "self_interruptions": Count(found.self_interruptions, found.turns, alone),
        "yields_to_nobody": Count(found.yields_to_nobody, found.turns, alone),
        "turns": Figure([float(found.turns)], "turns"),
        "speaking_minutes": Figure([minutes], "minutes"),
    }


def _everybody(recorded: Sequence[Line], random: Generator, settings: Settings) -> People:
    """The recorded people, and the made ones."""
    synthesizer = registry.build_embedded_voice()
    synthesizer.load(lambda done_bytes, total_bytes: None)
    try:
        return People.of(recorded, synthesizer, random)
    finally:
        synthesizer.close()


def _known(values: Iterable[float | None]) -> list[float]:
    return [value for value in values if value is not None]


def _count(happened: Iterable[bool | None], unit: str) -> Count:
    """Of those of which it could be said."""
    known = [one for one in happened if one is not None]
    return Count(sum(known), len(known), unit)


def _told(verdict: Verdict) -> dict[str, object]:
    """What was said, when, and what became of it; only what there was to judge."""
    said = verdict.said
    facts = {
        "scene": verdict.scene,
        "what": said.line.name,
        "into_a_reply": said.interrupts,
        "begins_s": round(said.begins_s, 3),
        "ends_s": round(said.ends_s, 3),
    }
    judged = {key: getattr(verdict, key) for key in Verdict.__slots__ if key not in ("scene", "said")}
    return facts | {key: value for key, value in judged.items() if value is not None}


def _notes(plan: Plan) -> list[str]:
    """What a reader of the figures has to know."""
    made = sum(line.made for line in plan.people.lines)
    where = (
        "on PortAudio devices in a private PulseAudio" if plan.devices else "on files: devices cost nothing"
    )
    notes = [
        f"seed {plan.seed}, {where}",
        f"recorded people: {', '.join(plan.recordings)}",
        "the voice of a person begins and ends where the clean recording does, by its level, to 10 ms",
        f"a missed end: no answer within {ANSWER_WITHIN_S:.0f} s of the voice",
    ]
    if made:
        notes.append(f"made, not recorded: {made} sentences by eSpeak NG, with a pause in each")
    if any(act.line.words == 0 for scene in plan.scenes for act in scene.acts):
        notes.append("made, not recorded: coughs, mm-hms and doors")
    if any(scene.reply_sentences for scene in plan.scenes):
        notes.append("replies that are spoken into are a scripted passage, begun with the model's first word")
    if any(scene.echo_ms for scene in plan.scenes):
        soonest = ", on devices after 100 ms at the soonest" if plan.devices else ""
        room = f"{ECHO_COUPLING_DB:.0f} dB in a made room with a tail of 100 ms"
        notes.append(f"the echo is the loudspeaker at {room}{soonest}")
    return notes
