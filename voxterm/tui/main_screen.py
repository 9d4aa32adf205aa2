"""The screen that holds what is shown, and hands each pane its part."""

from __future__ import annotations

from typing import ClassVar

from textual import events, on
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Horizontal, Vertical
from textual.reactive import var
from textual.screen import Screen
from textual.widgets import Input, Static

from voxterm.events import Levels
from voxterm.gauges import Gauges
from voxterm.tui.dialogue import Dialogue
from voxterm.tui.keys import VIEW_KEYS, bindings, opening
from voxterm.tui.model import Devices, Latencies, ScreenModel, Status, Warned
from voxterm.tui.panes.audio_pane import AudioPane
from voxterm.tui.panes.banner import Banner
from voxterm.tui.panes.conversation_pane import ConversationPane
from voxterm.tui.panes.figures_line import FiguresLine
from voxterm.tui.panes.gpu_pane import GpuPane
from voxterm.tui.panes.keys_line import KeysLine
from voxterm.tui.panes.latency_pane import LatencyPane
from voxterm.tui.panes.log_pane import LogPane
from voxterm.tui.panes.prompt import Prompt
from voxterm.tui.panes.search_line import SearchInput, SearchLine
from voxterm.tui.panes.status_line import StatusLine
from voxterm.tui.panes.tabs_line import VIEWS, TabsLine

MIN_WIDTH, MIN_HEIGHT = 50, 14
"""Below this, the screen only says that it is too small."""

PANES_WIDTH, PANES_HEIGHT = 100, 30
"""From this size on, the instruments stand beside the talk; below it, one at a time stands in its place."""

TWO_COLUMNS_WIDTH = 190
"""From this width on, the instruments have two columns."""

ROOMY_HEIGHT = 40
"""From this height on, a column of them has room for everything."""

LAYOUTS = ("all", "talk", "instruments")
"""What is shown where there is room for all of it."""


_OPENING = opening(VIEW_KEYS)


class MainScreen(Screen[None]):
    """`show` takes a model; a pane is drawn anew only where its own part has changed."""

    AUTO_FOCUS = ""
    BINDINGS: ClassVar[list[BindingType]] = [
        *bindings(VIEW_KEYS),
        *((f"{number}", f"view('{name}')") for number, name in enumerate(VIEWS, start=1)),
    ]

    status: var[Status] = var(Status())
    dialogue: var[Dialogue] = var(())
    latencies: var[Latencies] = var(())
    devices: var[Devices] = var(Devices())
    levels: var[Levels | None] = var(None)
    gauges: var[Gauges | None] = var(None)
    warnings: var[tuple[Warned, ...]] = var(())
    elapsed_s: var[int] = var(0)
    threshold: var[float] = var(0.5)
    typing: var[bool] = var(False)
    searching: var[bool] = var(False)
    view: var[str] = var(VIEWS[0])
    layout_name: var[str] = var(LAYOUTS[0])

    def compose(self) -> ComposeResult:
        yield Static("", id="too-small", markup=False)
        yield StatusLine().data_bind(MainScreen.status, MainScreen.devices, MainScreen.elapsed_s)
        yield TabsLine().data_bind(MainScreen.view, MainScreen.warnings)
        with Horizontal(id="body"):
            with Vertical(id="talk"):
                yield Banner().data_bind(MainScreen.status, MainScreen.devices)
                yield ConversationPane().data_bind(MainScreen.dialogue)
            with Horizontal(id="instruments"):
                with Vertical(id="of-the-talk"):
                    yield LatencyPane().data_bind(MainScreen.latencies)
                    yield AudioPane().data_bind(MainScreen.levels, MainScreen.devices, MainScreen.threshold)
                with Vertical(id="of-the-machine"):
                    yield GpuPane().data_bind(MainScreen.gauges)
                    yield LogPane().data_bind(MainScreen.warnings)
        yield FiguresLine().data_bind(
            MainScreen.latencies, MainScreen.levels, MainScreen.devices, MainScreen.gauges
        )
        yield Prompt()
        yield SearchLine()
        yield KeysLine().data_bind(
            MainScreen.warnings, MainScreen.status, MainScreen.typing, MainScreen.searching
        )

    def show(self, model: ScreenModel) -> None:
        """Show all of the model but its levels."""
        self.status = model.status
        self.dialogue = model.dialogue
        self.latencies = model.latencies
        self.devices = model.devices
        self.gauges = model.gauges
        self.warnings = model.warnings

    def show_levels(self, model: ScreenModel) -> None:
        self.levels = model.levels

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """As the app's."""
        if action in _OPENING:
            return not isinstance(self.focused, Input)
        return super().check_action(action, parameters)

    # ---- what fits

    def on_resize(self, event: events.Resize) -> None:
        width, height = event.size
        is_too_small = width < MIN_WIDTH or height < MIN_HEIGHT
        self.set_class(is_too_small, "-too-small")
        self.set_class(width >= PANES_WIDTH and height >= PANES_HEIGHT, "-panes")
        self.set_class(width >= TWO_COLUMNS_WIDTH, "-two-columns")
        self.set_class(height >= ROOMY_HEIGHT, "-roomy")
        if is_too_small:
            self.query_one("#too-small", Static).update(
                f"terminal too small: {width}×{height}\nvoxterm needs {MIN_WIDTH}×{MIN_HEIGHT}"
            )

    def watch_view(self, before: str, now: str) -> None:
        self.remove_class(f"-view-{before}")
        self.add_class(f"-view-{now}")

    def watch_layout_name(self, before: str, now: str) -> None:
        self.remove_class(f"-layout-{before}")
        self.add_class(f"-layout-{now}")

    def action_next_view(self, direction: int) -> None:
        """The next pane; or the next layout, where all panes fit."""
        if self.has_class("-panes"):
            self.layout_name = LAYOUTS[(LAYOUTS.index(self.layout_name) + direction) % len(LAYOUTS)]
        else:
            self.view = VIEWS[(VIEWS.index(self.view) + direction) % len(VIEWS)]

    def action_view(self, name: str) -> None:
        self.view = name

    # ---- the talk

    def action_page(self, direction: int) -> None:
        self.query_one(ConversationPane).page(direction)

    def action_to_start(self) -> None:
        self.query_one(ConversationPane).to_start()

    def action_follow(self) -> None:
        self.query_one(ConversationPane).follow()

    def action_search(self) -> None:
        self.searching = True
        self.view, self.layout_name = VIEWS[0], LAYOUTS[0]
        self.set_focus(self.query_one(SearchInput))  # at once: the next keys may have come already
        self._search(self.query_one(SearchInput).value)

    def action_next_match(self, direction: int) -> None:
        self.query_one(SearchLine).show_found(*self.query_one(ConversationPane).next_match(direction))

    @on(Input.Changed, "#sought")
    def _search_anew(self, event: Input.Changed) -> None:
        if self.searching:
            self._search(event.value)

    @on(Input.Submitted, "#sought")
    def _search_on(self) -> None:
        self.action_next_match(-1)  # back in time, where people look for things

    @on(SearchInput.Gone)
    def _go_to_match(self, event: SearchInput.Gone) -> None:
        self.action_next_match(event.direction)

    @on(SearchInput.Ended)
    def _end_search(self) -> None:
        self.set_focus(None)
        self.searching = False
        self._search("")

    def _search(self, sought: str) -> None:
        self.query_one(SearchLine).show_found(*self.query_one(ConversationPane).search(sought))

    def watch_searching(self, searching: bool) -> None:
        self.set_class(searching, "-searching")

    # ---- the line for typing

    def on_descendant_focus(self, event: events.DescendantFocus) -> None:
        self.typing = event.widget.id == "typed"

    def on_descendant_blur(self) -> None:
        self.typing = False
