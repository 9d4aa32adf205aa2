"""Texts that lie over the screen for a moment: the help, the log of warnings, the latencies explained."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.content import Content
from textual.screen import ModalScreen

from voxterm.latency import STAGES, Stage
from voxterm.tui.advice import ADVICE
from voxterm.tui.keys import APP_KEYS, VIEW_KEYS
from voxterm.tui.model import Latencies, Warned
from voxterm.tui.panes.figures import BEYOND, milliseconds, verdict
from voxterm.tui.panes.hanging import Hanging, HangingText
from voxterm.tui.panes.log_pane import log_paragraphs
from voxterm.tui.panes.status_line import NOT_LISTENING, SIGNS

_MARKS = (
    ("▌", "the word that sounds now; the dim rest is yet to come"),
    ("you ›", "typed, not spoken"),
    ("■", "interrupted: what is struck through was not heard"),
    ("✓ ▲", "within its target, beyond its target"),
)

_EMPTY = Hanging(Content())


class _Dialog(ModalScreen[None]):
    """A text in a frame. It scrolls where it is too long, and `Esc` closes it."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape,q,enter", "dismiss", "close", show=False)]
    TITLE_OF_FRAME: ClassVar[str]

    def compose(self) -> ComposeResult:
        with VerticalScroll(classes="dialog") as frame:
            frame.border_title = self.TITLE_OF_FRAME
            frame.border_subtitle = "esc closes"
            yield HangingText(tuple(self.paragraphs()))

    def paragraphs(self) -> Iterable[Hanging]:
        raise NotImplementedError


class HelpDialog(_Dialog):
    BINDINGS: ClassVar[list[BindingType]] = [Binding("question_mark", "dismiss", "close", show=False)]
    TITLE_OF_FRAME = "help"

    def paragraphs(self) -> Iterable[Hanging]:
        named = [(sign, colour, state.value) for state, (sign, colour) in SIGNS.items()]
        states = [
            Content.styled(f"{sign} {word:<13}", colour)
            for sign, colour, word in (*named, *NOT_LISTENING.values())
        ]
        return [
            *(_row(key.shown, key.help, "bold $text-primary") for key in (*APP_KEYS, *VIEW_KEYS)),
            _EMPTY,
            *(_row(mark, means, "bold") for mark, means in _MARKS),
            _EMPTY,
            *(Hanging(Content().join(states[at : at + 3])) for at in range(0, len(states), 3)),
        ]


class LogDialog(_Dialog):
    """The newest first."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("l", "dismiss", "close", show=False)]
    TITLE_OF_FRAME = "warnings"

    def __init__(self, warnings: Sequence[Warned]) -> None:
        super().__init__()
        self._warnings = warnings

    def paragraphs(self) -> Iterable[Hanging]:
        return log_paragraphs(self._warnings)


class ExplainDialog(_Dialog):
    """What each latency means, how long it took last, and what to try where it is beyond its target."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("e", "dismiss", "close", show=False)]
    TITLE_OF_FRAME = "latency"

    def __init__(self, latencies: Latencies) -> None:
        super().__init__()
        self._last = latencies[-1] if latencies else {}

    def paragraphs(self) -> Iterable[Hanging]:
        return [paragraph for stage in STAGES for paragraph in self._of(stage)]

    def _of(self, stage: Stage) -> Iterator[Hanging]:
        last_ms = self._last.get(stage.key)
        sign, colour = verdict(stage, last_ms)
        target = "" if stage.target_ms is None else f" of {milliseconds(stage.target_ms):>3} "
        figures = f"{milliseconds(last_ms):>5} ms{target}"
        yield Hanging(
            Content.assemble(
                (f"{stage.label:<16}", "bold"), (figures, colour if sign == BEYOND else ""), (sign, colour)
            )
        )
        yield Hanging(Content("  "), ADVICE[stage.key].means, "$foreground 60%")
        if sign == BEYOND:
            yield Hanging(Content("  → "), ADVICE[stage.key].to_try)


def _row(key: str, does: str, style: str) -> Hanging:
    return Hanging(Content.styled(f"{key:<11}", style), does)
