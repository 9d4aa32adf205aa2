"""What lies over the screen for a moment: the help and the log of warnings."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import Static

from voxterm.tui.model import Warned
from voxterm.tui.safe_text import safe_line, safe_text
from voxterm.tui.status_line import SIGNS

MAX_CHARS = 1000
"""How much of a text the log shows."""

_HELP = (
    ("space", "talk: once to begin, once more to end"),
    ("m", "mute the microphone, or listen again"),
    ("esc", "interrupt the reply"),
    ("t", "type instead of talking; esc leaves the line"),
    ("r", "repeat the last reply"),
    ("p", "play voxterm's own recording into the talk"),
    ("pgup pgdn", "scroll the talk; end follows it again"),
    ("l", "the log of warnings"),
    ("q ctrl+q", "quit; while typing, ctrl+q alone"),
)

_MARKS = (
    ("▌", "the word that sounds now; the dim rest is yet to come"),
    ("you ›", "typed, not spoken"),
    ("■", "interrupted: what is struck through was not heard"),
    ("✓ ▲", "within its target, beyond its target"),
)


class _Dialog(ModalScreen[None]):
    """A text in a frame. It scrolls where it is too long, and `Esc` closes it."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape,q,enter", "dismiss", "close", show=False)]
    TITLE_OF_FRAME: ClassVar[str]

    def compose(self) -> ComposeResult:
        with VerticalScroll(classes="dialog") as frame:
            frame.border_title = self.TITLE_OF_FRAME
            frame.border_subtitle = "esc closes"
            yield Static(self.text(), markup=False)

    def text(self) -> Content:
        raise NotImplementedError


class HelpDialog(_Dialog):
    BINDINGS: ClassVar[list[BindingType]] = [Binding("question_mark", "dismiss", "close", show=False)]
    TITLE_OF_FRAME = "help"

    def text(self) -> Content:
        keys = [_row(key, does, "bold $text-accent") for key, does in _HELP]
        marks = [_row(mark, means, "bold") for mark, means in _MARKS]
        states = [
            Content.styled(f"{sign} {state.value:<11}", colour) for state, (sign, colour) in SIGNS.items()
        ]
        rows = [Content().join(states[:4]), Content().join(states[4:])]
        return Content("\n").join([*keys, Content(), *marks, Content(), *rows])


class LogDialog(_Dialog):
    """The newest first."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("l", "dismiss", "close", show=False)]
    TITLE_OF_FRAME = "warnings"

    def __init__(self, warnings: Sequence[Warned]) -> None:
        super().__init__()
        self._warnings = warnings

    def text(self) -> Content:
        if not self._warnings:
            return Content.styled("Nothing has gone wrong so far.", "$foreground 60%")
        return Content("\n").join(_warned(warned) for warned in reversed(self._warnings)).rstrip()


def _row(key: str, does: str, style: str) -> Content:
    return Content.assemble((f"{key:<11}", style), does)


def _warned(warned: Warned) -> Content:
    """Time and kind, what, and the remedy, each on a line of its own."""
    return Content.assemble(
        (f"{warned.at:%H:%M:%S}  ", "$foreground 60%"),
        (f"{safe_line(warned.category)}\n", "$text-warning"),
        f"{_bounded(warned.what)}\n",
        (f"→ {_bounded(warned.remedy)}\n" if warned.remedy else "", "$foreground 60%"),
    )


def _bounded(text: str) -> str:
    return safe_text(text if len(text) <= MAX_CHARS else f"{text[:MAX_CHARS]}…")
