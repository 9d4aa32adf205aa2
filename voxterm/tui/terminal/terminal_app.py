"""An app that lives well in a terminal: it sends little, stops and goes on, and leaves when that is gone."""

from __future__ import annotations

import asyncio
import signal
from typing import Any

from rich.color import ColorSystem
from rich.console import RenderableType
from textual._compositor import CompositorUpdate
from textual.app import App
from textual.screen import Screen

from voxterm.tui.terminal.changes import Changes
from voxterm.tui.terminal.driver import leave_at_once, stop_until_continued

_ENDING = (signal.SIGTERM, signal.SIGHUP)


class TerminalApp(App[int]):
    """Who derives from it says how to leave, and what it holds that others may want while it is stopped."""

    def __init__(self) -> None:
        super().__init__()
        self._changes = Changes()
        self._is_leaving = False
        self._is_stopping = False

    def leave(self) -> None:
        """Begin to leave, without a question."""
        raise NotImplementedError

    def ask_to_leave(self) -> None:
        """Leave, unless the person would lose something and does not want to."""
        raise NotImplementedError

    async def give_back(self) -> None:
        """The process is about to be stopped: let go of devices."""
        raise NotImplementedError

    async def take_back(self) -> None:
        """It goes on."""
        raise NotImplementedError

    def on_mount(self) -> None:
        loop = asyncio.get_running_loop()
        for number in _ENDING:
            loop.add_signal_handler(number, self.leave)
        loop.add_signal_handler(signal.SIGINT, self.action_break)

    def on_unmount(self) -> None:
        loop = asyncio.get_running_loop()
        for number in (*_ENDING, signal.SIGINT):  # it ends: what is left to be stored is not to be disturbed
            loop.add_signal_handler(number, lambda: None)

    def _display(self, screen: Screen[Any], renderable: RenderableType | None) -> None:
        """Send only the cells that have changed."""
        if isinstance(renderable, CompositorUpdate) and not self._batch_count and not self.is_headless:
            colours = self.console._color_system or ColorSystem.TRUECOLOR
            renderable = self._changes.since_last(renderable, screen.size, colours)
        super()._display(screen, renderable)

    def action_redraw(self) -> None:
        """Draw all anew: something else has written on the terminal."""
        self._changes.forget()
        self.refresh(layout=True)

    def action_break(self) -> None:
        """Ctrl-C: leave; pressed once more, whatever is left is not waited for."""
        if self._is_leaving:
            leave_at_once(self)
        self.ask_to_leave()

    def action_suspend_process(self) -> None:
        """Ctrl-Z: to the shell. A second one while it stops is of the same key press."""
        if not self._is_stopping:
            self._is_stopping = True
            self.run_worker(self._stop(), name="stop")

    async def _stop(self) -> None:
        try:
            await self.give_back()
            stop_until_continued(self)
            self._changes.forget()
            await self.take_back()
        finally:
            self._is_stopping = False

    def on_stop_asked(self) -> None:
        self.action_suspend_process()

    def on_terminal_gone(self) -> None:
        self.leave()
