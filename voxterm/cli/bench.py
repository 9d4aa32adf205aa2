"""`voxterm bench MEASUREMENT`."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from difflib import get_close_matches
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from voxterm.audio.wav import read_audio
from voxterm.bench import report
from voxterm.cli import printing
from voxterm.cli.bench_arguments import CONVERSATION_PARTS
from voxterm.cli.casting import HEARING, INSTALL_PACKAGES, WITHOUT_PACKAGES, cast_of, wishes_of
from voxterm.cli.wiring import demo_clips, headless_settings_of
from voxterm.config import Settings
from voxterm.engines.declared.engines import ENGINES
from voxterm.engines.protocols import Samples, Voice
from voxterm.engines.registry import profile_named
from voxterm.errors import EngineLoadError, InputError
from voxterm.gpu import parse_size
from voxterm.plan import AUTO, Machine, plan_for, playing
from voxterm.voices import Catalogue, voices_folder

if TYPE_CHECKING:
    from numpy.random import Generator

    from voxterm.bench.conversation.script import Scene
    from voxterm.bench.conversation.witness import Record
    from voxterm.bench.models import Subject


def run(arguments: argparse.Namespace) -> int:
    document = MEASUREMENTS[arguments.measurement](arguments)
    if arguments.json:
        printing.print_json(document)
    else:
        report.print_table(document)
    return 0


def _turns(arguments: argparse.Namespace) -> dict[str, object]:
    from voxterm.bench import turns

    settings = headless_settings_of(arguments)
    measured = turns.measure(
        [read_audio(file) for file in arguments.files],
        cast_of(settings),
        settings,
        at_least=arguments.turns,
        realtime=arguments.realtime,
        progress=printing.talk_progress,
    )
    return report.document("turns", sys.argv[1:], measured)


def _conversation(arguments: argparse.Namespace) -> dict[str, object]:
    from voxterm.bench.conversation import measurement, on_devices, simulation

    settings = headless_settings_of(arguments)
    kept = settings.sessions.model_copy(update={"keep_audio": True})
    settings = settings.model_copy(update={"sessions": kept})
    wishes = measurement.Wishes(
        parts=arguments.part or CONVERSATION_PARTS,
        turns=arguments.turns,
        echo_minutes=arguments.echo_minutes,
        seed=arguments.seed,
        files=arguments.files,
        transcripts=arguments.transcripts,
        devices=arguments.devices,
    )
    plan = measurement.plan_of(wishes, settings)

    def run_scene(scene: Scene, random: Generator) -> Record:
        if wishes.devices:
            program = (sys.executable, "-m", "voxterm.cli.in_room")
            return on_devices.run_scene(scene, plan.people, random, program, settings)
        return simulation.run_scene(scene, plan.people, random, cast_of(settings), settings)

    return measurement.document(plan, measurement.measure(plan, run_scene, _tell), sys.argv[1:])


def _endpointing(arguments: argparse.Namespace) -> dict[str, object]:
    from voxterm.bench import endpointing, endpointing_report

    settings = headless_settings_of(arguments)
    stored = [file for file in arguments.files if file.suffix == ".json"]
    recordings = [file for file in arguments.files if file not in stored]
    pauses = [pause for file in stored for pause in endpointing.read_pauses(file)]
    if recordings or not stored:
        labels = endpointing.read_labels(arguments.labels) if arguments.labels else {}
        with endpointing.judges_of(cast_of(settings, HEARING)) as judges:
            said = endpointing.said_in(recordings) if recordings else endpointing.hesitating()
            for name, samples in endpointing.with_noise(said, arguments.noise or ()):
                found = endpointing.pauses_in(name, samples, judges, settings.turns)
                pauses += endpointing.labelled(found, labels)
    return endpointing_report.document(pauses, settings.turns, arguments.fit, sys.argv[1:])


def _decode(arguments: argparse.Namespace) -> dict[str, object]:
    names = ("voxtral", "orpheus") if arguments.model == "both" else (arguments.model,)
    with _subject(arguments, names) as given:
        from voxterm.bench import decode

        figures = decode.measure(
            given, names, tokens=arguments.tokens, rows=arguments.rows, together=arguments.together
        )
        return _document("decode", figures, given, names, decode.notes(given, names, arguments.rows))


def _stt(arguments: argparse.Namespace) -> dict[str, object]:
    from voxterm.bench import stt

    recordings = stt.read_recordings(arguments.files, arguments.transcripts)
    with _engine(arguments, stt.ROLES) as (given, name):
        realtime = arguments.realtime
        figures = stt.measure(given, name, recordings, runs=arguments.runs, realtime=realtime)
        notes = stt.notes(given, name, recordings, realtime=realtime)
        return _document("stt", figures, given, [name], notes)


def _llm(arguments: argparse.Namespace) -> dict[str, object]:
    from voxterm.bench import llm

    with _engine(arguments, llm.ROLES) as (given, name):
        found = llm.measure(given, name, arguments.turns, arguments.text)
        document = _document("llm", llm.figures(found), given, [name], llm.notes(given, name, found))
        return {**document, "turns": [answer.document() for answer in found.answers]}


def _tts(arguments: argparse.Namespace) -> dict[str, object]:
    from voxterm.bench import tts

    with _engine(arguments, tts.ROLES) as (given, name):
        figures = tts.measure(given, name, arguments.text or tts.TEXT, arguments.runs)
        return _document("tts", figures, given, [name], tts.notes(given, name))


def _reply(arguments: argparse.Namespace) -> dict[str, object]:
    clips: list[Samples] = [read_audio(file) for file in arguments.files] or demo_clips()
    with _subject(arguments, ("voxtral", "orpheus")) as given:
        from voxterm.bench import reply

        figures = reply.measure(given, clips, arguments.turns)
        return _document("reply", figures, given, reply.MODELS, reply.notes(given))


def _memory(arguments: argparse.Namespace) -> dict[str, object]:
    with _subject(arguments, ("voxtral", "orpheus")) as given:
        from voxterm.bench import memory

        figures = memory.measure(given, demo_clips()[0])
        return _document("memory", figures, given, given.plan.load_order, memory.notes(given))


def _screen(arguments: argparse.Namespace) -> dict[str, object]:
    from voxterm.bench import screen

    return report.document("screen", sys.argv[1:], screen.measure())


MEASUREMENTS: dict[str, Callable[[argparse.Namespace], dict[str, object]]] = {
    "turns": _turns,
    "conversation": _conversation,
    "endpointing": _endpointing,
    "decode": _decode,
    "stt": _stt,
    "llm": _llm,
    "tts": _tts,
    "reply": _reply,
    "memory": _memory,
    "screen": _screen,
}


@contextmanager
def _engine(arguments: argparse.Namespace, roles: Collection[str]) -> Iterator[tuple[Subject, str]]:
    """The engine that is asked for, planned, and its name: without one the first that plays in one of these
    roles. With random weights any engine could play.

    Raises:
        InputError: there is no such engine, or none plays in such a role.
        EngineLoadError: its packages are not installed.
    """
    from voxterm.bench.models import machine_at

    machine = machine_at(arguments.device, os.environ)
    if arguments.engine:
        name = _checked(arguments.engine, roles)
    else:
        settings = headless_settings_of(arguments)
        name = _playing(settings, roles, machine, any_could=arguments.weights == "random")
    with _subject(arguments, (name,), machine) as given:
        yield given, name


def _checked(name: str, roles: Collection[str]) -> str:
    known = [engine.name for engine in ENGINES.values() if engine.role in roles]
    if name in known:
        return name
    near = get_close_matches(name, known, n=1)
    remedy = f'did you mean "{near[0]}"?' if near else f"there are {', '.join(known)}"
    raise InputError(f'there is no {" or ".join(roles)} "{name}"', remedy)


def _playing(settings: Settings, roles: Collection[str], machine: Machine, *, any_could: bool) -> str:
    """The engine that would play in one of these roles now; `any_could`: were all checkpoints here.

    Raises:
        ConfigError: there is no such profile.
        InputError: none plays in such a role.
    """
    wishes = wishes_of(settings)
    if any_could:
        name = next(iter(wishes.profiles)) if settings.profile == AUTO else settings.profile
        profile = profile_named(name, wishes.profiles)
    else:
        profile = playing(plan_for(settings.profile, wishes, os.environ, machine), wishes)
    for name in profile.engines:
        if ENGINES[name].role in roles:
            return name
    raise InputError(f"no {' or '.join(roles)} plays in {profile.name}", "name one: --engine NAME")


@contextmanager
def _subject(
    arguments: argparse.Namespace, engines: Sequence[str], machine: Machine | None = None
) -> Iterator[Subject]:
    """These engines by the flags and settings, planned for this machine.

    Raises:
        EngineLoadError: their packages are not installed.
    """
    lacking = [line for name in engines for line in ENGINES[name].lacking()]
    if lacking:
        raise EngineLoadError(f"{WITHOUT_PACKAGES}: {', '.join(lacking)}", INSTALL_PACKAGES)
    from voxterm.bench.models import machine_at, subject, with_stand_ins

    settings = headless_settings_of(arguments)
    voice = _voice(settings, engines[-1])
    is_random = arguments.weights == "random"
    with ExitStack() as things:
        if is_random:
            folder = things.enter_context(TemporaryDirectory(prefix="voxterm-bench-"))
            settings = with_stand_ins(settings, engines, Path(folder))
        wishes = wishes_of(settings)
        if arguments.precision:
            wishes = replace(wishes, precision=arguments.precision)
        if arguments.gpu_memory:
            wishes = replace(wishes, memory_limit_bytes=parse_size(arguments.gpu_memory))
        machine = machine or machine_at(arguments.device, os.environ)
        given = subject(settings, engines, wishes, machine, os.environ, voice)
        yield replace(given, tell=_tell, wants_random=is_random)


def _voice(settings: Settings, engine: str) -> Voice | None:
    """Who speaks with this engine, if it is one that speaks."""
    if ENGINES[engine].role != "synthesizer":
        return None
    return Catalogue.read(voices_folder()).voice_for(settings.speech.voice, engine)[0]


def _document(
    bench: str,
    figures: Mapping[str, report.Figure | report.Count],
    given: Subject,
    models: Sequence[str],
    notes: Sequence[str],
) -> dict[str, object]:
    return report.document(bench, sys.argv[1:], figures, given.described(models), notes)


def _tell(part: str) -> None:
    """What is measured now, where somebody watches."""
    if sys.stderr.isatty():
        print(f"voxterm: {part}", file=sys.stderr, flush=True)
