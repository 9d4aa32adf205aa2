"""Keys as terminals report them: pressed, repeated while held and, where the terminal can, released.

The kitty keyboard protocol (https://sw.kovidgoyal.net/kitty/keyboard-protocol/) reports a release as
`CSI code;modifiers:3 u`. For a key that makes text, like space, it does so only with its flags 2 (event
types) and 8 (all keys as escape codes) together. Textual 8.2 asks for 1, 8 and 16 (the text of a key), so
that one more bit is wanted; but its parser cannot read the event types that come with it, and it would type a
terminal's answers as if they were keys. `KeyParser` reads both. A terminal that does not know the protocol,
and tmux and screen, which do not pass it on, never answer: then nothing is asked of them.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import cast

from textual import events
from textual._keyboard_protocol import FUNCTIONAL_KEYS
from textual._xterm_parser import XTermParser
from textual.keys import Keys, _character_to_key
from textual.message import Message

QUERY_FLAGS = "\x1b[?u"
"""Answered by `CSI ? flags u` from a terminal that knows the protocol."""

ADD_EVENT_TYPES = "\x1b[=2;2u"
"""Report repeats and releases too. It changes the flags that Textual has pushed, and goes with them."""

_EVENT_TYPES, _ALL_KEYS = 0b10, 0b1000

_ANSWER = re.compile(r"\x1b\[\?(\d{1,9})u")

_KEY = re.compile(
    r"\x1b\[(?P<code>\d*)(?::[\d:]*)?"  # behind the colon, what the key makes with shift or on another layout
    r"(?:;(?P<modifiers>\d*)(?::(?P<event>\d*))?)?(?P<text>;[\d:]*)?(?P<end>[u~ABCDEFHPQRS])"
)


class KeyReleased(Message, bubble=False):
    """A key was let go. `key` is its name without modifiers, for these may have been let go before it."""

    def __init__(self, key: str) -> None:
        super().__init__()
        self.key = key


class KeyboardAnswered(Message, bubble=False):
    """The terminal tells which flags of the protocol are set."""

    key = ""  # the parser asks every token for one

    def __init__(self, flags: int) -> None:
        super().__init__()
        self.flags = flags

    @property
    def has_event_types(self) -> bool:
        return bool(self.flags & _EVENT_TYPES)

    @property
    def reports_releases(self) -> bool:
        """Whether the release of any key is reported, also of one that makes text."""
        return self.has_event_types and bool(self.flags & _ALL_KEYS)


class ReleasesReported(Message, bubble=False):
    """From now on every key that is let go is told with `KeyReleased`."""


class KeyParser(XTermParser):
    """Textual's parser, which also takes event types and answers. A key that repeats is pressed again."""

    def _sequence_to_key_events(self, sequence: str, alt: bool = False) -> Iterable[events.Key]:
        try:
            yield from self._read(sequence, alt)
        except (ValueError, OverflowError):  # a number that is no character: nothing that a key sends
            yield events.Key(Keys.Ignore, sequence)

    def _read(self, sequence: str, alt: bool) -> Iterable[events.Key]:
        if answer := _ANSWER.fullmatch(sequence):
            yield cast(events.Key, KeyboardAnswered(int(answer[1])))
            return
        key = _KEY.fullmatch(sequence) if ":" in sequence else None
        if key is None:
            yield from super()._sequence_to_key_events(sequence, alt)
        elif key["event"] == "3":
            yield cast(events.Key, KeyReleased(_name(key)))
        else:
            yield from super()._sequence_to_key_events(_without_event_type(key), alt)


def _name(key: re.Match[str]) -> str:
    code = key["code"] or "1"
    return FUNCTIONAL_KEYS.get(f"{code}{key['end']}") or _character_to_key(chr(int(code)))


def _without_event_type(key: re.Match[str]) -> str:
    """The same key as a terminal sends it that was not asked for event types."""
    modifiers, text = key["modifiers"] or "", key["text"] or ""
    if not text and modifiers in ("", "1"):
        return f"\x1b[{key['code']}{key['end']}"
    return f"\x1b[{key['code']};{modifiers}{text}{key['end']}"


class TalkKey:
    """The key to talk with: held where releases are reported, else pressed to begin and again to end."""

    def __init__(self, talk: Callable[[bool], None], is_talking: Callable[[], bool]) -> None:
        self.reports_releases = False
        self._talk = talk
        self._is_talking = is_talking
        self._is_held = False

    def press(self) -> None:
        """It was pressed, or repeats while it is held."""
        if self._is_held:
            return
        self._is_held = self.reports_releases
        self._talk(self._is_held or not self._is_talking())

    def release(self) -> None:
        """It was let go, or nobody would tell if it were: the terminal has lost the keyboard."""
        if self._is_held:
            self._is_held = False
            self._talk(False)
