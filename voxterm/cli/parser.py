"""What can be typed: commands, their arguments, and which module runs each. Imports nothing heavy."""

from __future__ import annotations

import argparse
from pathlib import Path

from voxterm import __version__
from voxterm.cli.arguments import (
    Commands,
    Parser,
    command,
    json_argument,
    path,
    positive,
    resume_argument,
    setting_arguments,
)
from voxterm.cli.bench_arguments import bench_arguments
from voxterm.errors import InputError

SETTING_FLAGS = {
    "profile": "profile",
    "persona": "dialogue.persona",
    "voice": "speech.voice",
    "speed": "speech.speed",
    "microphone": "audio.microphone",
    "loudspeaker": "audio.loudspeaker",
}
"""Flags that are settings: argument → dotted key."""


def parse(argv: list[str]) -> argparse.Namespace:
    """The arguments, with `module` naming the command's module.

    Raises:
        InputError: they make no sense.
    """
    starts_screen = not argv or (argv[0].startswith("-") and argv[0] not in ("-h", "--help", "--version"))
    arguments, unknown = _parser().parse_known_args(["run", *argv] if starts_screen else argv)
    if unknown:
        raise InputError(f"what is {' '.join(unknown)}?", f"see voxterm {arguments.module} --help")
    return arguments


def setting_flags(arguments: argparse.Namespace) -> dict[str, object]:
    """Dotted key → value of the flags that were given."""
    from voxterm.config_layers import OfSet

    flags: dict[str, object] = {
        key: getattr(arguments, name)
        for name, key in SETTING_FLAGS.items()
        if getattr(arguments, name, None) is not None
    }
    for pair in getattr(arguments, "set", None) or []:
        key, equals, value = pair.partition("=")
        if not equals:
            raise InputError(
                f"--set {pair} sets nothing", "write --set KEY=VALUE, like --set turns.pause_ms=250"
            )
        flags[key.strip()] = OfSet(value.strip())
    return flags


def _parser() -> argparse.ArgumentParser:
    parser = Parser(
        prog="voxterm",
        description="Real-time spoken conversation in the terminal. Without a command: the screen.",
        epilog="voxterm COMMAND --help tells the arguments of a command.",
    )
    parser.add_argument("--version", action="version", version=f"voxterm {__version__}")
    commands = parser.add_subparsers(metavar="COMMAND", required=True, parser_class=Parser)
    _run_arguments(commands)
    _talk_arguments(commands)
    _speech_arguments(commands)
    _session_arguments(commands)
    bench_arguments(commands)
    _fetch_arguments(commands)
    _plan_arguments(commands)
    _doctor_arguments(commands)
    return parser


def _run_arguments(commands: Commands) -> None:
    run = command(commands, "run", "talk on the screen; what voxterm does without a command")
    run.add_argument(
        "--tmux", action="store_true", help="in a tmux session of its own, which outlives the link to here"
    )
    resume_argument(run)
    run.add_argument("--microphone", metavar="DEVICE", help="name, part of a name or number")
    run.add_argument("--loudspeaker", metavar="DEVICE", help="name, part of a name or number")
    setting_arguments(run)


def _talk_arguments(commands: Commands) -> None:
    talk = command(commands, "talk", "the same conversation with recordings as the microphone, no screen")
    talk.add_argument("files", nargs="+", type=path, metavar="FILE", help="WAV, FLAC, OGG or MP3")
    talk.add_argument(
        "--out", type=path, metavar="FILE", help="what the loudspeaker would play, as WAV or FLAC"
    )
    talk.add_argument("--realtime", action="store_true", help="take as long as it would take to speak")
    talk.add_argument("--talk-over", action="store_true", help="go on speaking while voxterm answers")
    resume_argument(talk)
    json_argument(talk)
    setting_arguments(talk)
    demo = command(commands, "demo", "a short conversation with a shipped recording as the person")
    demo.add_argument(
        "--out", type=path, metavar="FILE.wav", default=Path("voxterm-demo.wav"), help="both sides of it"
    )
    demo.add_argument("--loudspeaker", metavar="DEVICE", help="name, part of a name or number")
    json_argument(demo)
    setting_arguments(demo)


def _speech_arguments(commands: Commands) -> None:
    say = command(commands, "say", "speak a text into a file")
    say.add_argument("text", metavar="TEXT", help="after -- it may begin with a dash")
    say.add_argument("--out", type=path, metavar="FILE.wav", required=True)
    setting_arguments(say)
    voices = command(commands, "voices", "list who can speak")
    voices.add_argument("--language", default="", metavar="CODE", help="like hi or pt-BR (all)")
    voices.add_argument("--engine", default="", metavar="NAME", help="like orpheus (all)")
    json_argument(voices)
    setting_arguments(voices)
    transcribe = command(commands, "transcribe", "write down what is said in a recording")
    transcribe.add_argument("file", type=path, metavar="FILE")
    json_argument(transcribe)
    setting_arguments(transcribe)
    devices = command(commands, "devices", "list microphones and loudspeakers")
    json_argument(devices)
    config = command(commands, "config", "print the settings in force and where each comes from")
    json_argument(config)
    setting_arguments(config)


def _session_arguments(commands: Commands) -> None:
    sessions = command(commands, "sessions", "list the conversations that were kept")
    json_argument(sessions)
    setting_arguments(sessions)
    export = command(commands, "export", "write a session to a file")
    export.add_argument("id", metavar="ID", nargs="?", default="", help="the latest, if none is given")
    export.add_argument("--format", choices=["md", "json", "srt", "wav", "svg"], default="md")
    export.add_argument(
        "--turn", type=positive, metavar="N", help="whose time line svg draws (the last that has one)"
    )
    export.add_argument("--out", type=path, metavar="FILE", help="else to standard output (not for wav)")
    setting_arguments(export)


def _fetch_arguments(commands: Commands) -> None:
    fetch = command(commands, "fetch", "download the checkpoints that a profile needs")
    fetch.add_argument(
        "what",
        nargs="?",
        default="",
        metavar="PROFILE",
        help="or one checkpoint, as OWNER/REPO (what auto would take on this machine)",
    )
    setting_arguments(fetch)


def _plan_arguments(commands: Commands) -> None:
    plan = command(commands, "plan", "show what each model would get of a GPU's memory, and what fits")
    plan.add_argument(
        "--gpu-memory", metavar="SIZE", help="of another machine, like 8GB or 24GiB (this machine)"
    )
    json_argument(plan)
    setting_arguments(plan)


def _doctor_arguments(commands: Commands) -> None:
    doctor = command(commands, "doctor", "look whether voxterm can run here, and what mends it")
    doctor.add_argument("--no-sound", action="store_true", help="play no tone and do not listen")
    doctor.add_argument("--microphone", metavar="DEVICE", help="name, part of a name or number")
    doctor.add_argument("--loudspeaker", metavar="DEVICE", help="name, part of a name or number")
    json_argument(doctor)
    setting_arguments(doctor)
