"""Every key of the screen, once: of it are made the bindings, the foot line, the help and README's table."""

from __future__ import annotations

from dataclasses import dataclass

from textual.binding import Binding, BindingType


@dataclass(frozen=True, slots=True)
class Key:
    """A key and what it does.

    `keys` are Textual's names, comma-separated; `shown` is what a keyboard has written on it.
    """

    keys: str
    shown: str
    action: str
    label: str  # a word or two, for the line at the bottom
    help: str
    on_line: bool = False
    is_urgent: bool = False  # heard while a line is typed too
    opens: bool = False  # something that the next keys are meant for, even those that came with it
    click: str = ""  # what a click on it does, where that is something else


APP_KEYS: tuple[Key, ...] = (
    Key(
        "space",
        "space",
        "talk",
        "talk",
        "talk: hold it down, or press to begin and again to end",
        on_line=True,
        click="toggle_talk",
    ),
    Key("m", "m", "mute", "mute", "mute the microphone, or listen again", on_line=True),
    Key("escape", "esc", "interrupt", "interrupt", "interrupt the reply", on_line=True),
    Key(
        "t,enter",
        "t",
        "type",
        "type",
        "type instead of talking; esc leaves the line",
        on_line=True,
        opens=True,
    ),
    Key("r", "r", "repeat", "repeat", "repeat the last reply"),
    Key("v", "v", "voice", "voice", "choose who speaks", on_line=True, opens=True),
    Key(
        "a",
        "a",
        "persona",
        "persona",
        "choose who answers: a persona, with its voice",
        on_line=True,
        opens=True,
    ),
    Key(
        "d", "d", "devices", "devices", "choose the microphone and the loudspeaker", on_line=True, opens=True
    ),
    Key("plus,equals_sign", "+", "speed(0.1)", "faster", "speak faster"),
    Key("minus", "-", "speed(-0.1)", "slower", "speak more slowly"),
    Key(
        "s",
        "s",
        "sessions",
        "sessions",
        "open, rename, export or delete a session; begin a new one",
        on_line=True,
        opens=True,
    ),
    Key(
        "ctrl+s",
        "ctrl+s",
        "save",
        "save",
        "save the transcript into the folder you started in",
        is_urgent=True,
    ),
    Key("o", "o", "keep_audio", "record", "keep the sound of both sides with the session, or stop that"),
    Key("c", "c", "clear", "clear", "clear the dialogue: the models forget it, the session keeps it"),
    Key("p", "p", "play", "play", "play voxterm's own recording into the talk"),
    Key(
        "e",
        "e",
        "explain",
        "explain",
        "what each latency means, and what to try where it is beyond its target",
        opens=True,
    ),
    Key("k", "k", "theme", "theme", "choose the colours", opens=True),
    Key("l", "l", "log", "log", "the last warnings", on_line=True, opens=True),
    Key("question_mark", "?", "help", "help", "this help", on_line=True, opens=True),
    Key("ctrl+p", "ctrl+p", "command_palette", "commands", "everything, to search in", is_urgent=True),
    Key("ctrl+l", "ctrl+l", "redraw", "redraw", "draw the screen anew", is_urgent=True),
    Key(
        "ctrl+z",
        "ctrl+z",
        "suspend_process",
        "suspend",
        "to the shell, the devices given back; fg returns",
        is_urgent=True,
    ),
    Key("q", "q", "leave", "quit", "quit; while typing, ctrl+q", on_line=True),
    Key("ctrl+q", "ctrl+q", "leave", "quit", "quit, from anywhere", is_urgent=True),
    Key("ctrl+c", "ctrl+c", "break", "break", "quit; twice: at once, whatever still runs", is_urgent=True),
)

VIEW_KEYS: tuple[Key, ...] = (
    Key("tab", "tab", "next_view(1)", "next pane", "the next pane, or the next layout where all panes fit"),
    Key("shift+tab", "shift+tab", "next_view(-1)", "pane before", "the one before"),
    Key("1,2,3,4,5", "1 … 5", "", "pane", "talk, latency, memory, audio or log, where they do not all fit"),
    Key(
        "slash",
        "/",
        "search",
        "search",
        "search the talk: enter goes further back, ↓ forth, esc ends it",
        opens=True,
    ),
    Key("pageup", "pgup", "page(-1)", "scroll back", "scroll the talk back while it goes on"),
    Key("pagedown", "pgdn", "page(1)", "scroll forth", "scroll forth"),
    Key("home", "home", "to_start", "beginning", "the beginning of the talk"),
    Key("end", "end", "follow", "follow", "follow the talk again"),
)


def bindings(keys: tuple[Key, ...]) -> list[BindingType]:
    """What Textual is to do for these keys."""
    return [
        Binding(key.keys, key.action, key.label, priority=key.is_urgent or key.opens)
        for key in keys
        if key.action
    ]


def opening(keys: tuple[Key, ...]) -> frozenset[str]:
    """The actions of those keys that open something."""
    return frozenset(key.action for key in keys if key.opens)


def table() -> str:
    """All keys as a table of Markdown, for README."""
    rows = [f"| `{key.shown}` | {key.help} |" for key in (*APP_KEYS, *VIEW_KEYS)]
    return "\n".join(["| key | what it does |", "| --- | --- |", *rows])
