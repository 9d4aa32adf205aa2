"""What the arguments of all commands are made of: the parser, what several commands share, and the types."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any, NoReturn, TypeAlias

from voxterm.errors import InputError


class Parser(argparse.ArgumentParser):
    """Says in one line what is wrong."""

    def __init__(self, **settings: Any) -> None:
        super().__init__(**{**settings, "allow_abbrev": False})  # a part of a flag may come to mean another

    def error(self, message: str) -> NoReturn:
        raise InputError(message, f"see {self.prog} --help")


Commands: TypeAlias = "argparse._SubParsersAction[Parser]"


def command(commands: Commands, name: str, text: str) -> argparse.ArgumentParser:
    parser = commands.add_parser(name, help=text, description=text[0].upper() + text[1:] + ".")
    parser.set_defaults(module=name)
    return parser


def setting_arguments(parser: argparse.ArgumentParser) -> None:
    settings = parser.add_argument_group("settings")
    settings.add_argument("--config", type=path, metavar="FILE", help="settings that lie over the user's")
    settings.add_argument(
        "--profile",
        metavar="NAME",
        help="which engines: auto, or a profile of config.toml, like voxtral-orpheus, whisper-llm-kokoro "
        "or embedded",
    )
    settings.add_argument("--persona", metavar="NAME", help='who answers, like tutor; "" for none')
    settings.add_argument("--voice", metavar="NAME", help="who speaks")
    settings.add_argument("--speed", metavar="X", help="how fast, 0.5 to 2.0")
    settings.add_argument(
        "--set", action="append", metavar="KEY=VALUE", help="any setting, like turns.pause_ms=250"
    )


def resume_argument(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--resume", nargs="?", const="", metavar="ID", help="go on with a session (the latest, without ID)"
    )


def json_argument(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--json", action="store_true", help="one JSON document on standard output, nothing else there"
    )


def positive(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is no whole number from 1 on")
    return int(text)


def whole(text: str) -> int:
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(f"{text!r} is no whole number")
    return int(text)


def minutes(text: str) -> float:
    try:
        minutes = float(text)
    except ValueError:
        minutes = -1.0
    if not 0 <= minutes <= 600:
        raise argparse.ArgumentTypeError(f"{text!r} is no number of minutes, 0 to 600")
    return minutes


def few(text: str) -> int:
    if not text.isdecimal() or not 1 <= int(text) <= 8:
        raise argparse.ArgumentTypeError(f"{text!r} is no whole number from 1 to 8")
    return int(text)


def device(text: str) -> str:
    if text == "cuda":
        return "cuda:0"
    if text != "cpu" and not (text.startswith("cuda:") and text[5:].isdecimal()):
        raise argparse.ArgumentTypeError(f"{text!r} is neither cpu nor cuda:N")
    return text


def path(text: str) -> Path:
    if not text:
        raise argparse.ArgumentTypeError("the name is empty")
    return Path(text)
