"""The screen that holds what is shown, and hands each pane its part."""

from __future__ import annotations

from textual import events
from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical
from textual.reactive import var
from textual.screen import Screen
from textual.widgets import Static

from voxterm.events import Levels
from voxterm.tui.audio_pane import AudioPane
from voxterm.tui.banner import Banner
from voxterm.tui.conversation_pane import ConversationPane
from voxterm.tui.dialogue import Dialogue
from voxterm.tui.figures_line import FiguresLine
from voxterm.tui.keys_line import KeysLine
from voxterm.tui.latency_pane import LatencyPane
from voxterm.tui.model import Devices, Latencies, ScreenModel, Status, Warned
from voxterm.tui.prompt import Prompt
from voxterm.tui.status_line import StatusLine

MIN_WIDTH, MIN_HEIGHT = 50, 14
"""Below this, the screen only says that it is too small."""

PANES_WIDTH, PANES_HEIGHT = 100, 30
"""From this size on, the instruments have panes; below it they are one line of figures."""


class MainScreen(Screen[None]):
    """`show` takes a model; a pane is drawn anew only where its own part has changed."""

    AUTO_FOCUS = ""

    status: var[Status] = var(Status())
    dialogue: var[Dialogue] = var(())
    latencies: var[Latencies] = var(())
    devices: var[Devices] = var(Devices())
    levels: var[Levels | None] = var(None)
    warnings: var[tuple[Warned, ...]] = var(())
    elapsed_s: var[int] = var(0)
    typing: var[bool] = var(False)

    def compose(self) -> ComposeResult:
        yield Static("", id="too-small", markup=False)
        yield StatusLine().data_bind(MainScreen.status, MainScreen.devices, MainScreen.elapsed_s)
        with Horizontal(id="body"):
            with Vertical(id="talk"):
                yield Banner().data_bind(MainScreen.status, MainScreen.devices)
                yield ConversationPane().data_bind(MainScreen.dialogue)
            with Vertical(id="instruments"):
                yield LatencyPane().data_bind(MainScreen.latencies)
                yield AudioPane().data_bind(MainScreen.levels, MainScreen.devices)
        yield FiguresLine().data_bind(MainScreen.latencies, MainScreen.levels, MainScreen.devices)
        yield Prompt()
        yield KeysLine().data_bind(MainScreen.warnings, MainScreen.typing)

    def show(self, model: ScreenModel) -> None:
        """Show all of the model but its levels."""
        self.status = model.status
        self.dialogue = model.dialogue
        self.latencies = model.latencies
        self.devices = model.devices
        self.warnings = model.warnings

    def show_levels(self, model: ScreenModel) -> None:
        self.levels = model.levels

    def on_resize(self, event: events.Resize) -> None:
        width, height = event.size
        is_too_small = width < MIN_WIDTH or height < MIN_HEIGHT
        self.set_class(is_too_small, "-too-small")
        self.set_class(width >= PANES_WIDTH and height >= PANES_HEIGHT, "-panes")
        if is_too_small:
            self.query_one("#too-small", Static).update(
                f"terminal too small: {width}×{height}\nvoxterm needs {MIN_WIDTH}×{MIN_HEIGHT}"
            )

    def on_descendant_focus(self, event: events.DescendantFocus) -> None:
        self.typing = event.widget.id == "typed"

    def on_descendant_blur(self) -> None:
        self.typing = False
