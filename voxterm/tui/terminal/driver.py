"""The terminal that the screen is drawn on: kept for the screen alone, left clean, and never waited for.

Textual draws through `sys.__stderr__`, file descriptor 2. PortAudio and ALSA print there when a device dies,
which would spoil the picture, and sounddevice points it at nothing while it starts, which would swallow parts
of it.
"""

from __future__ import annotations

import os
import re
import selectors
import signal
import sys
from codecs import getincrementaldecoder
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Any, Final, Literal, NoReturn, TypeAlias

from rich.color import ColorSystem
from rich.console import Console
from textual import constants
from textual.app import App
from textual.drivers.linux_driver import LinuxDriver
from textual.filter import Monochrome, NoColor
from textual.message import Message
from textual.theme import BUILTIN_THEMES

from voxterm.tui.terminal.keyboard import (
    ADD_EVENT_TYPES,
    QUERY_FLAGS,
    KeyboardAnswered,
    KeyParser,
    ReleasesReported,
)
from voxterm.tui.terminal.plain_characters import PlainCharacters, needs_plain_characters

Colours: TypeAlias = Literal["true", "256", "16", "none"]

_TRUE_COLOURS = re.compile(r"(xterm-)?(kitty|ghostty)|(foot|alacritty|wezterm|contour|rio)(-.*)?|.*-direct")
"""Terminals known by name: over ssh they come without the COLORTERM that would tell."""

INTERRUPTED_EXIT: Final = 130
"""128 + SIGINT, what shells expect."""

_LOOK_S = 0.1
"""How often the thread that reads keys looks whether it should end."""


@contextmanager
def screen_alone(log: Path) -> Iterator[None]:
    """While inside, the screen draws through a descriptor of its own, and descriptor 2 is the log.

    Where no log can be written, what is printed is lost.
    """
    kept = sys.__stderr__
    screen = os.fdopen(os.dup(2), "w", encoding="utf-8", errors="replace")
    try:
        log.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        printed = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    except OSError:
        printed = os.open(os.devnull, os.O_WRONLY)
    os.dup2(printed, 2)
    os.close(printed)
    sys.__stderr__ = screen  # type: ignore[misc]
    try:
        yield
    finally:
        sys.__stderr__ = kept  # type: ignore[misc]
        os.dup2(screen.fileno(), 2)
        with suppress(OSError):  # the terminal is gone, and what it was not told with it
            screen.close()


# ---- what it can show


def colours(environ: Mapping[str, str]) -> Colours:
    """How many colours the terminal shows, as its variables tell.

    tmux takes any colour and sends on the nearest that the terminal around it has, whatever its TERM says.
    """
    if environ.get("NO_COLOR") or environ.get("TERM") == "dumb":
        return "none"
    if environ.get("TMUX") or _TRUE_COLOURS.fullmatch(environ.get("TERM", "")):
        return "true"
    system = Console(force_terminal=True, _environ=environ).color_system
    return "true" if system == "truecolor" else "256" if system == "256" else "16"


def theme_for(environ: Mapping[str, str], wanted: str) -> str:
    """The theme to draw with: where colours cannot be mixed, one made of the terminal's own.

    Textual would take the nearest of 16 for each colour, and its soft red and green are nearest to grey.
    """
    theme = BUILTIN_THEMES.get(wanted)
    if theme is None or theme.ansi or colours(environ) in ("true", "256"):
        return wanted
    return "ansi-dark" if theme.dark else "ansi-light"


def fit_to_terminal(app: App[Any], environ: Mapping[str, str]) -> None:
    """Let the app draw what this terminal can show, and hear what it can tell. Before the app runs."""
    app.driver_class = TerminalDriver
    shown = colours(environ)
    if shown == "true":
        app.console._color_system = ColorSystem.TRUECOLOR
    if shown == "none":  # Textual would make it grey, which is a colour, and a terminal's own colours black
        app._filters = [kept for kept in app._filters if not isinstance(kept, Monochrome)]
        app._filters.append(NoColor())
    if needs_plain_characters(environ):
        app._filters.append(PlainCharacters())


# ---- stopping, going on and leaving


class StopAsked(Message, bubble=False):
    """Somebody sent SIGTSTP: the app is to make ready and call `stop_until_continued`."""


class TerminalGone(Message, bubble=False):
    """There is no terminal any more: nothing can be shown, no key will come."""


def stop_until_continued(app: App[Any]) -> None:
    """Stop, as Ctrl-Z does, with the terminal as it was before; draw anew when the shell says to go on.

    All that runs is stopped with the process: give back devices first. Where no shell waits, as in a window
    that was opened for voxterm alone, the system does not stop it, and it only draws anew. Where there is no
    terminal, nothing happens.
    """
    if app._driver is not None and app._driver.can_suspend:
        with app.suspend():
            _stop_job()


def leave_at_once(app: App[Any]) -> NoReturn:
    """End the process with the terminal clean, whatever still runs in it. Finished turns are in the store."""
    if driver := app._driver:
        driver.stop_application_mode()
        driver.close()
    os._exit(INTERRUPTED_EXIT)


def _stop_job() -> None:
    kept = signal.signal(signal.SIGTSTP, signal.SIG_DFL)
    try:
        os.kill(0, signal.SIGTSTP)  # with its children, and the shell script that it may be part of
        _stop_in_background()
    finally:
        signal.signal(signal.SIGTSTP, kept)


def _stop_in_background() -> None:
    """Who is continued by `bg` may not touch the terminal, and has nothing to do without it."""
    while _is_in_background():
        os.kill(0, signal.SIGTTIN)


def _is_in_background() -> bool:
    try:
        return os.tcgetpgrp(sys.__stdin__.fileno()) != os.getpgrp()  # type: ignore[union-attr]
    except (OSError, AttributeError):
        return False


class _LastingFile:
    """A terminal to write to. When it is gone, what is written is lost, and the writer goes on."""

    def __init__(self, file: IO[str]) -> None:
        self._file = file
        self._is_gone = False

    def write(self, text: str) -> int:
        if not self._is_gone:
            try:
                self._file.write(text)
            except OSError:
                self._is_gone = True
        return len(text)

    def flush(self) -> None:
        if not self._is_gone:
            try:
                self._file.flush()
            except OSError:
                self._is_gone = True

    def fileno(self) -> int:
        return self._file.fileno()


class TerminalDriver(LinuxDriver):
    """Textual's driver, with four things more.

    - It asks for key releases where the terminal knows them (`ReleasesReported`, then `KeyReleased`).
    - It outlives the terminal (`TerminalGone`): Textual's writer would die, and fill a queue that the event
      loop then waits at for ever; its reader would show a traceback, or never sleep again.
    - A lone Esc is a key after `ESCDELAY`, 0.1 s, and not only when the reader looks again up to 0.1 s later.
    - It comes back after SIGSTOP, with one reader, one writer, and the terminal's own modes to return to.
    """

    def __init__(
        self, app: App[Any], *, debug: bool = False, mouse: bool = True, size: tuple[int, int] | None = None
    ) -> None:
        super().__init__(app, debug=debug, mouse=mouse, size=size)
        self._file: IO[str] = _LastingFile(sys.__stderr__)  # type: ignore[assignment, arg-type]
        self._may_add_event_types = False
        self._is_gone = False

    def start_application_mode(self) -> None:
        super().start_application_mode()  # type: ignore[no-untyped-call]
        if self._key_thread is not None and not constants.DISABLE_KITTY_KEY:
            self._may_add_event_types = True
            self.write(QUERY_FLAGS)

    def process_message(self, message: Message) -> None:
        if isinstance(message, KeyboardAnswered):
            self._take_answer(message)
        else:
            super().process_message(message)

    def _take_answer(self, answer: KeyboardAnswered) -> None:
        """First what Textual has set, then what has become of the request for more."""
        if answer.reports_releases:
            self.send_message(ReleasesReported())
        elif self._may_add_event_types:
            self.write(ADD_EVENT_TYPES + QUERY_FLAGS)
        self._may_add_event_types = False

    def run_input_thread(self) -> None:
        parser = KeyParser(self._debug)
        decode = getincrementaldecoder("utf-8")("replace").decode
        with selectors.SelectSelector() as selector:
            selector.register(self.fileno, selectors.EVENT_READ)
            while not self.exit_event.is_set():
                wait_s = _LOOK_S if parser._timeout_time is None else constants.ESCAPE_DELAY
                if selector.select(min(wait_s, _LOOK_S)):
                    read = self._read()
                    if not read:
                        self._is_gone = True
                        self.send_message(TerminalGone())
                        return
                    for message in parser.feed(decode(read)):
                        self.process_message(message)
                for message in parser.tick():
                    self.process_message(message)

    def _read(self) -> bytes:
        """What was typed; nothing at the end of the terminal."""
        try:
            return os.read(self.fileno, 4096)
        except OSError:
            return b""

    def _sigtstp_application(self, *_: object) -> None:
        self.send_message(StopAsked())

    def _sigcont_application(self, *_: object) -> None:
        if self._auto_restart:  # else it was stopped by `stop_until_continued`, which goes on by itself
            self._loop.call_soon_threadsafe(self._app.call_later, self._come_back)

    async def _come_back(self) -> None:
        """Whoever had the terminal meanwhile has left it in modes of its own."""
        if self._is_gone:  # its end is told by SIGHUP and SIGCONT
            return
        with self.no_automatic_restart():
            _stop_in_background()
        self.suspend_application_mode()
        self.resume_application_mode()
        await self._app.run_action("redraw")
