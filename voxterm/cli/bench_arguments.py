"""What can be typed behind `voxterm bench`."""

from __future__ import annotations

import argparse

from voxterm.cli.arguments import (
    Commands,
    Parser,
    command,
    device,
    few,
    json_argument,
    minutes,
    path,
    positive,
    setting_arguments,
    whole,
)

CONVERSATION_PARTS = ("turns", "noise", "barge-in", "coughs", "echo")
"""What `bench conversation` consists of."""


def bench_arguments(commands: Commands) -> None:
    bench = command(commands, "bench", "measure")
    kinds = bench.add_subparsers(metavar="MEASUREMENT", required=True, parser_class=Parser)
    turns = _measurement(kinds, "turns", "latency of every stage over many turns on recordings")
    turns.add_argument("files", nargs="+", type=path, metavar="FILE")
    turns.add_argument("--turns", type=positive, default=20, metavar="N", help="at least so many turns (20)")
    turns.add_argument("--realtime", action="store_true", help="take as long as it would take to speak")
    decode = _measurement(kinds, "decode", "tokens a second, beside the memory's limit and Transformers")
    decode.add_argument("--model", choices=["voxtral", "orpheus", "both"], default="both")
    decode.add_argument("--tokens", type=positive, default=200, metavar="N", help="of each answer (200)")
    decode.add_argument("--rows", type=few, metavar="N", help="answers at once, 1 to 8 (the engine's own)")
    decode.add_argument(
        "--together", action=argparse.BooleanOptionalAction, default=True, help="both at once"
    )
    stt, llm, tts = _engine_arguments(kinds)
    reply = _measurement(kinds, "reply", "end of a turn to the first sound of the reply, stage by stage")
    reply.add_argument("files", nargs="*", type=path, metavar="FILE", help="what is said (the demo)")
    reply.add_argument("--turns", type=positive, default=50, metavar="N", help="how many are counted (50)")
    memory = _measurement(kinds, "memory", "what the models take, beside what was planned")
    screen = _measurement(
        kinds, "screen", "what the screen costs: bytes over the line, first picture, processor"
    )
    conversation = _conversation_arguments(kinds)
    endpointing = _endpointing_arguments(kinds)
    for parser in (decode, stt, llm, tts, reply, memory):
        _model_arguments(parser)
    for parser in (turns, conversation, endpointing, decode, stt, llm, tts, reply, memory, screen):
        json_argument(parser)
        setting_arguments(parser)


def _engine_arguments(kinds: Commands) -> tuple[argparse.ArgumentParser, ...]:
    """The measurements of one engine: of one that hears, one that answers, one that speaks."""
    stt = _measurement(
        kinds, "stt", "how fast an engine hears, how soon it is done, how many words are right"
    )
    stt.add_argument("files", nargs="*", type=path, metavar="FILE", help="what is said (our recordings)")
    stt.add_argument(
        "--transcripts", type=path, metavar="TSV", help="the words of the files: columns file and text"
    )
    stt.add_argument("--runs", type=positive, default=1, metavar="N", help="how often it is heard (1)")
    stt.add_argument("--realtime", action="store_true", help="take as long as it would take to speak")
    llm = _measurement(kinds, "llm", "how soon an engine answers in a dialogue that grows, and how fast")
    llm.add_argument("--text", default="", help="what is said in every turn (a scripted dialogue)")
    llm.add_argument("--turns", type=positive, default=10, metavar="N", help="of the dialogue (10)")
    tts = _measurement(kinds, "tts", "how soon speech begins and how fast it is made")
    tts.add_argument("--text", default="", help="what is said (two sentences)")
    tts.add_argument("--runs", type=positive, default=10, metavar="N", help="how often it is said (10)")
    for parser in (stt, llm, tts):
        parser.add_argument(
            "--engine", metavar="NAME", help="as profiles name it (the one that would play now)"
        )
    return stt, llm, tts


def _conversation_arguments(kinds: Commands) -> argparse.ArgumentParser:
    talk = _measurement(kinds, "conversation", "taking turns with recorded people, judged by the sound")
    talk.add_argument("files", nargs="*", type=path, metavar="FILE", help="what is said (our recordings)")
    talk.add_argument(
        "--transcripts", type=path, metavar="TSV", help="the words of the files: columns file and text"
    )
    talk.add_argument(
        "--part",
        action="append",
        choices=CONVERSATION_PARTS,
        help="only this part, and others so named (all)",
    )
    talk.add_argument("--turns", type=positive, default=12, metavar="N", help="of each part, about (12)")
    talk.add_argument(
        "--echo-minutes",
        type=minutes,
        default=2.0,
        metavar="M",
        help="how long voxterm speaks alone in an echo (2)",
    )
    talk.add_argument("--seed", type=whole, default=1, metavar="N", help="of all that is drawn (1)")
    talk.add_argument(
        "--devices", action="store_true", help="on real devices, in a private PulseAudio, in real time"
    )
    return talk


def _endpointing_arguments(kinds: Commands) -> argparse.ArgumentParser:
    ends = _measurement(kinds, "endpointing", "how well pauses are told from the ends of turns")
    ends.add_argument(
        "files",
        nargs="*",
        type=path,
        metavar="FILE",
        help="recordings of one utterance each, or pauses that --json wrote (sentences of eSpeak NG)",
    )
    ends.add_argument(
        "--labels", type=path, metavar="TSV", help="name of the file, seconds, finished|unfinished|unclear"
    )
    ends.add_argument(
        "--noise",
        action="append",
        type=positive,
        metavar="DB",
        help="each recording once more, in noise so far below it",
    )
    ends.add_argument("--fit", action="store_true", help="fit the parameters of endpointing on these pauses")
    return ends


def _measurement(kinds: Commands, name: str, text: str) -> argparse.ArgumentParser:
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
    models.add_argument("--device", type=device, metavar="NAME", help="cpu or cuda:N (the GPU, if any)")
    models.add_argument("--gpu-memory", metavar="SIZE", help="hold to so much of the GPU, like 8GB")
