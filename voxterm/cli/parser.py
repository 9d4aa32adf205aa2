"""What can be typed: commands, their arguments, and which module runs each. Imports nothing heavy."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any, NoReturn

from voxterm import __version__
from voxterm.errors import InputError

SETTING_FLAGS = {
    "profile": "profile",
    "voice": "speech.voice",
    "speed": "speech.speed",
    "microphone": "audio.microphone",
    "loudspeaker": "audio.loudspeaker",
}
"""Flags that are settings: argument → dotted key."""

CONVERSATION_PARTS = ("turns", "noise", "barge-in", "coughs", "echo")
"""What `bench conversation` consists of."""


class _Parser(argparse.ArgumentParser):
    """Says in one line what is wrong."""

    def __init__(self, **settings: Any) -> None:
        super().__init__(**{**settings, "allow_abbrev": False})  # a part of a flag may come to mean another

    def error(self, message: str) -> NoReturn:
        raise InputError(message, f"see {self.prog} --help")


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
        flags[key.strip()] = value.strip()
    return flags


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog="voxterm",
        description="Real-time spoken conversation in the terminal. Without a command: the screen.",
        epilog="voxterm COMMAND --help tells the arguments of a command.",
    )
    parser.add_argument("--version", action="version", version=f"voxterm {__version__}")
    commands = parser.add_subparsers(metavar="COMMAND", required=True, parser_class=_Parser)
    _run_arguments(commands)
    _talk_arguments(commands)
    _speech_arguments(commands)
    _session_arguments(commands)
    _bench_arguments(commands)
    _fetch_arguments(commands)
    _plan_arguments(commands)
    _doctor_arguments(commands)
    return parser


def _run_arguments(commands: argparse._SubParsersAction[_Parser]) -> None:
    run = _command(commands, "run", "talk on the screen; what voxterm does without a command")
    run.add_argument(
        "--tmux", action="store_true", help="in a tmux session of its own, which outlives the link to here"
    )
    _resume_argument(run)
    run.add_argument("--microphone", metavar="DEVICE", help="name, part of a name or number")
    run.add_argument("--loudspeaker", metavar="DEVICE", help="name, part of a name or number")
    _setting_arguments(run)


def _talk_arguments(commands: argparse._SubParsersAction[_Parser]) -> None:
    talk = _command(commands, "talk", "the same conversation with recordings as the microphone, no screen")
    talk.add_argument("files", nargs="+", type=_path, metavar="FILE", help="WAV, FLAC, OGG or MP3")
    talk.add_argument(
        "--out", type=_path, metavar="FILE", help="what the loudspeaker would play, as WAV or FLAC"
    )
    talk.add_argument("--realtime", action="store_true", help="take as long as it would take to speak")
    talk.add_argument("--talk-over", action="store_true", help="go on speaking while voxterm answers")
    _resume_argument(talk)
    _json_argument(talk)
    _setting_arguments(talk)
    demo = _command(commands, "demo", "a short conversation with a shipped recording as the person")
    demo.add_argument(
        "--out", type=_path, metavar="FILE.wav", default=Path("voxterm-demo.wav"), help="both sides of it"
    )
    demo.add_argument("--loudspeaker", metavar="DEVICE", help="name, part of a name or number")
    _json_argument(demo)
    _setting_arguments(demo)


def _speech_arguments(commands: argparse._SubParsersAction[_Parser]) -> None:
    say = _command(commands, "say", "speak a text into a file")
    say.add_argument("text", metavar="TEXT", help="after -- it may begin with a dash")
    say.add_argument("--out", type=_path, metavar="FILE.wav", required=True)
    _setting_arguments(say)
    transcribe = _command(commands, "transcribe", "write down what is said in a recording")
    transcribe.add_argument("file", type=_path, metavar="FILE")
    _json_argument(transcribe)
    _setting_arguments(transcribe)
    devices = _command(commands, "devices", "list microphones and loudspeakers")
    _json_argument(devices)
    config = _command(commands, "config", "print the settings in force and where each comes from")
    _json_argument(config)
    _setting_arguments(config)


def _session_arguments(commands: argparse._SubParsersAction[_Parser]) -> None:
    sessions = _command(commands, "sessions", "list the conversations that were kept")
    _json_argument(sessions)
    _setting_arguments(sessions)
    export = _command(commands, "export", "write a session to a file")
    export.add_argument("id", metavar="ID", nargs="?", default="", help="the latest, if none is given")
    export.add_argument("--format", choices=["md", "json", "srt", "wav", "svg"], default="md")
    export.add_argument(
        "--turn", type=_positive, metavar="N", help="whose time line svg draws (the last that has one)"
    )
    export.add_argument("--out", type=_path, metavar="FILE", help="else to standard output (not for wav)")
    _setting_arguments(export)


def _bench_arguments(commands: argparse._SubParsersAction[_Parser]) -> None:
    bench = _command(commands, "bench", "measure")
    kinds = bench.add_subparsers(metavar="MEASUREMENT", required=True, parser_class=_Parser)
    turns = _measurement(kinds, "turns", "latency of every stage over many turns on recordings")
    turns.add_argument("files", nargs="+", type=_path, metavar="FILE")
    turns.add_argument("--turns", type=_positive, default=20, metavar="N", help="at least so many turns (20)")
    turns.add_argument("--realtime", action="store_true", help="take as long as it would take to speak")
    decode = _measurement(kinds, "decode", "tokens a second, beside the memory's limit and Transformers")
    decode.add_argument("--model", choices=["voxtral", "orpheus", "both"], default="both")
    decode.add_argument("--tokens", type=_positive, default=200, metavar="N", help="of each answer (200)")
    decode.add_argument("--rows", type=_few, metavar="N", help="answers at once, 1 to 8 (the engine's own)")
    decode.add_argument(
        "--together", action=argparse.BooleanOptionalAction, default=True, help="both at once"
    )
    tts = _measurement(kinds, "tts", "how soon speech begins and how fast it is made")
    tts.add_argument("--text", default="", help="what is said (two sentences)")
    tts.add_argument("--runs", type=_positive, default=10, metavar="N", help="how often it is said (10)")
    reply = _measurement(kinds, "reply", "end of a turn to the first sound of the reply, stage by stage")
    reply.add_argument("files", nargs="*", type=_path, metavar="FILE", help="what is said (the demo)")
    reply.add_argument("--turns", type=_positive, default=50, metavar="N", help="how many are counted (50)")
    memory = _measurement(kinds, "memory", "what the models take, beside what was planned")
    screen = _measurement(
        kinds, "screen", "what the screen costs: bytes over the line, first picture, processor"
    )
    conversation = _conversation_arguments(kinds)
    endpointing = _endpointing_arguments(kinds)
    for parser in (decode, tts, reply, memory):
        _model_arguments(parser)
    for parser in (turns, conversation, endpointing, decode, tts, reply, memory, screen):
        _json_argument(parser)
        _setting_arguments(parser)


def _conversation_arguments(kinds: argparse._SubParsersAction[_Parser]) -> argparse.ArgumentParser:
    talk = _measurement(kinds, "conversation", "taking turns with recorded people, judged by the sound")
    talk.add_argument("files", nargs="*", type=_path, metavar="FILE", help="what is said (our recordings)")
    talk.add_argument(
        "--transcripts", type=_path, metavar="TSV", help="the words of the files: columns file and text"
    )
    talk.add_argument(
        "--part",
        action="append",
        choices=CONVERSATION_PARTS,
        help="only this part, and others so named (all)",
    )
    talk.add_argument("--turns", type=_positive, default=12, metavar="N", help="of each part, about (12)")
    talk.add_argument(
        "--echo-minutes",
        type=_minutes,
        default=2.0,
        metavar="M",
        help="how long voxterm speaks alone in an echo (2)",
    )
    talk.add_argument("--seed", type=_whole, default=1, metavar="N", help="of all that is drawn (1)")
    talk.add_argument(
        "--devices", action="store_true", help="on real devices, in a private PulseAudio, in real time"
    )
    return talk


def _endpointing_arguments(kinds: argparse._SubParsersAction[_Parser]) -> argparse.ArgumentParser:
    ends = _measurement(kinds, "endpointing", "how well pauses are told from the ends of turns")
    ends.add_argument(
        "files",
        nargs="*",
        type=_path,
        metavar="FILE",
        help="recordings of one utterance each, or pauses that --json wrote (sentences of eSpeak NG)",
    )
    ends.add_argument(
        "--labels", type=_path, metavar="TSV", help="name of the file, seconds, finished|unfinished|unclear"
    )
    ends.add_argument(
        "--noise",
        action="append",
        type=_positive,
        metavar="DB",
        help="each recording once more, in noise so far below it",
    )
    ends.add_argument("--fit", action="store_true", help="fit the parameters of endpointing on these pauses")
    return ends


def _measurement(kinds: argparse._SubParsersAction[_Parser], name: str, text: str) -> argparse.ArgumentParser:
    parser = kinds.add_parser(name, help=text, description=text[0].upper() + text[1:] + ".")
    parser.set_defaults(module="bench", measurement=name)
    return parser


def _model_arguments(parser: argparse.ArgumentParser) -> None:
    models = parser.add_argument_group("models")
    models.add_argument(
        "--weights",
        choices=["checkpoint", "random"],
        default="checkpoint",
        help="random: models of the published sizes with weights drawn on the device, no download needed",
    )
    models.add_argument(
        "--precision", choices=["float32", "bf16", "int8", "int4"], help="at most so many bits (bf16)"
    )
    models.add_argument("--device", type=_device, metavar="NAME", help="cpu or cuda:N (the GPU, if any)")
    models.add_argument("--gpu-memory", metavar="SIZE", help="hold to so much of the GPU, like 8GB")


def _fetch_arguments(commands: argparse._SubParsersAction[_Parser]) -> None:
    fetch = _command(commands, "fetch", "download the checkpoints that a profile needs")
    fetch.add_argument(
        "what", nargs="?", default="", metavar="PROFILE", help="or one checkpoint, as OWNER/REPO"
    )
    _setting_arguments(fetch)


def _plan_arguments(commands: argparse._SubParsersAction[_Parser]) -> None:
    plan = _command(commands, "plan", "show what each model would get of a GPU's memory, and what fits")
    plan.add_argument(
        "--gpu-memory", metavar="SIZE", help="of another machine, like 8GB or 24GiB (this machine)"
    )
    _json_argument(plan)
    _setting_arguments(plan)


def _doctor_arguments(commands: argparse._SubParsersAction[_Parser]) -> None:
    doctor = _command(commands, "doctor", "look whether voxterm can run here, and what mends it")
    doctor.add_argument("--no-sound", action="store_true", help="play no tone and do not listen")
    doctor.add_argument("--microphone", metavar="DEVICE", help="name, part of a name or number")
    doctor.add_argument("--loudspeaker", metavar="DEVICE", help="name, part of a name or number")
    _json_argument(doctor)
    _setting_arguments(doctor)


def _command(commands: argparse._SubParsersAction[_Parser], name: str, text: str) -> argparse.ArgumentParser:
    parser = commands.add_parser(name, help=text, description=text[0].upper() + text[1:] + ".")
    parser.set_defaults(module=name)
    return parser


def _setting_arguments(parser: argparse.ArgumentParser) -> None:
    settings = parser.add_argument_group("settings")
    settings.add_argument("--config", type=_path, metavar="FILE", help="settings that lie over the user's")
    settings.add_argument("--profile", metavar="NAME", help="which engines: auto, voxtral-orpheus, embedded")
    settings.add_argument("--voice", metavar="NAME", help="who speaks")
    settings.add_argument("--speed", metavar="X", help="how fast, 0.5 to 2.0")
    settings.add_argument(
        "--set", action="append", metavar="KEY=VALUE", help="any setting, like turns.pause_ms=250"
    )


def _resume_argument(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--resume", nargs="?", const="", metavar="ID", help="go on with a session (the latest, without ID)"
    )


def _json_argument(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--json", action="store_true", help="one JSON document on standard output, nothing else there"
    )


def _positive(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is no whole number from 1 on")
    return int(text)


def _whole(text: str) -> int:
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(f"{text!r} is no whole number")
    return int(text)


def _minutes(text: str) -> float:
    try:
        minutes = float(text)
    except ValueError:
        minutes = -1.0
    if not 0 <= minutes <= 600:
        raise argparse.ArgumentTypeError(f"{text!r} is no number of minutes, 0 to 600")
    return minutes


def _few(text: str) -> int:
    if not text.isdecimal() or not 1 <= int(text) <= 8:
        raise argparse.ArgumentTypeError(f"{text!r} is no whole number from 1 to 8")
    return int(text)


def _device(text: str) -> str:
    if text == "cuda":
        return "cuda:0"
    if text != "cpu" and not (text.startswith("cuda:") and text[5:].isdecimal()):
        raise argparse.ArgumentTypeError(f"{text!r} is neither cpu nor cuda:N")
    return text


def _path(text: str) -> Path:
    if not text:
        raise argparse.ArgumentTypeError("the name is empty")
    return Path(text)
