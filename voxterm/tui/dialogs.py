"""Texts that lie over the screen for a moment: the help, the log of warnings, the latencies explained."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import Static

from voxterm.latency import STAGES, Stage
from voxterm.tui.advice import ADVICE
from voxterm.tui.figures import BEYOND, milliseconds, verdict
from voxterm.tui.keys import APP_KEYS, VIEW_KEYS
from voxterm.tui.log_pane import log_text
from voxterm.tui.model import Latencies, Warned
from voxterm.tui.status_line import SIGNS

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
        keys = [_row(key.shown, key.help, "bold $text-accent") for key in (*APP_KEYS, *VIEW_KEYS)]
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
        return log_text(self._warnings)


class ExplainDialog(_Dialog):
    """What each latency means, how long it took last, and what to try where it is beyond its target."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("e", "dismiss", "close", show=False)]
    TITLE_OF_FRAME = "latency"

    def __init__(self, latencies: Latencies) -> None:
        super().__init__()
        self._last = latencies[-1] if latencies else {}

    def text(self) -> Content:
        return Content("\n").join(line for stage in STAGES for line in self._lines(stage))

    def _lines(self, stage: Stage) -> Iterator[Content]:
        last_ms = self._last.get(stage.key)
        sign, colour = verdict(stage, last_ms)
        figures = f"{milliseconds(last_ms):>5} of {milliseconds(stage.target_ms)} ms {sign}"
        yield Content.assemble((f"{stage.label:<16}", "bold"), (figures, colour))
        yield Content.styled(f"  {ADVICE[stage.key].means}", "$foreground 60%")
        if sign == BEYOND:
            yield Content(f"  → {ADVICE[stage.key].to_try}")


def _row(key: str, does: str, style: str) -> Content:
    return Content.assemble((f"{key:<11}", style), does)
