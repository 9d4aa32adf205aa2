"""Bytes as terminals send them → keys pressed, keys released, answers."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from textual import events

from voxterm.tui.terminal.keyboard import KeyboardAnswered, KeyParser, KeyReleased, TalkKey


def read(sent: str) -> list[str]:
    """`key=character` for what is pressed, `key up` for what is released, and other messages by name."""
    told: list[str] = []
    for message in KeyParser().feed(sent):
        if isinstance(message, events.Key):
            told.append(message.key if message.character is None else f"{message.key}={message.character}")
        elif isinstance(message, KeyReleased):
            told.append(f"{message.key} up")
        else:
            told.append(type(message).__name__)
    return told


@pytest.mark.parametrize(
    ("terminal", "sent"),
    [
        ("kitty", "\x1b[32;;32u\x1b[32;1:2;32u\x1b[32;1:3u"),
        ("foot", "\x1b[32;1:1;32u\x1b[32;1:2;32u\x1b[32;1:3u"),
        ("WezTerm", "\x1b[32;1:1;32u\x1b[32;1:1;32u\x1b[32;1:3u"),  # a repeat is a press
        ("Ghostty", "\x1b[32;1;32u\x1b[32;1:2;32u\x1b[32;1:3u"),
        ("with text on release", "\x1b[32;1:1;32u\x1b[32;1:2;32u\x1b[32;1:3;32u"),
        ("with num lock", "\x1b[32;129:1;32u\x1b[32;129:2;32u\x1b[32;129:3u"),
    ],
)
def test_a_held_space_in_many_terminals(terminal: str, sent: str) -> None:
    assert read(sent) == ["space= ", "space= ", "space up"]


@pytest.mark.parametrize(
    ("sent", "told"),
    [
        ("\x1b[57441;2:1u\x1b[97;2:1;65u\x1b[97;2:3u\x1b[57441;1:3u", ["left_shift", "A=A", "a up"]),
        ("\x1b[97:65;2:1;65u", ["A=A"]),  # with the key that shift makes
        ("\x1b[228;1:1;228u\x1b[228;1:3u", ["ä=ä", "ä up"]),
        ("\x1b[0;;233u", ["é=é"]),  # from a dead key or an input method
        ("\x1b[0;1:1;26085:26412u", ["日=日", "本=本"]),
        ("\x1b[13;1:1u\x1b[13;1:3u", ["enter=\r", "enter up"]),
        ("\x1b[13u", ["enter=\r"]),
        ("\x1b[27;1:1u\x1b[27;1:3u", ["escape", "escape up"]),
        ("\x1b[127;1:2u\x1b[127;1:3u", ["backspace=\x7f", "backspace up"]),
        ("\x1b[9;2:1u", ["shift+tab"]),
        ("\x1b[99;5:1u\x1b[99;5:3u", ["ctrl+c", "c up"]),
        ("\x1b[122;5u", ["ctrl+z"]),
        ("\x1b[1;1:1A\x1b[1;1:3A", ["up", "up up"]),
        ("\x1b[1;5:2C", ["ctrl+right"]),
        ("\x1b[5;1:1~\x1b[5;1:3~", ["pageup", "pageup up"]),
        ("\x1b[3;1:3~", ["delete up"]),
        ("q\x1b[Aä", ["q=q", "up", "ä=ä"]),  # from a terminal that knows nothing of this
    ],
)
def test_every_key_still_is_what_it_was(sent: str, told: list[str]) -> None:
    """Textual's own parser fails on every one of these that has an event type."""
    heard = [word for word in read(sent) if not word.startswith("left_shift up")]
    assert heard == told


def test_an_answer_of_the_terminal_is_not_typed() -> None:
    """Textual's own parser types `[?25u`."""
    (answer,) = KeyParser().feed("\x1b[?25u")
    assert isinstance(answer, KeyboardAnswered)
    assert answer.flags == 25


@pytest.mark.parametrize(("flags", "reports"), [(0, False), (1, False), (3, False), (25, False), (27, True)])
def test_keys_that_make_text_are_released_only_with_two_flags(flags: int, reports: bool) -> None:
    assert KeyboardAnswered(flags).reports_releases == reports


@given(st.text(alphabet="0123456789:;?<u~ARM", max_size=16))
def test_no_sequence_ends_the_reading(body: str) -> None:
    parser = KeyParser()
    list(parser.feed(f"\x1b[{body}u"))
    keys = [token for token in parser.feed("q" * 40) if isinstance(token, events.Key)]
    assert keys[-1].key == "q"


class Talk:
    def __init__(self) -> None:
        self.is_on = False
        self.asked: list[bool] = []
        self.key = TalkKey(self.ask, lambda: self.is_on)

    def ask(self, is_on: bool) -> None:
        self.asked.append(is_on)
        self.is_on = is_on


def test_where_releases_are_reported_the_key_is_held() -> None:
    talk = Talk()
    talk.key.reports_releases = True
    for _ in range(20):  # it repeats
        talk.key.press()
    assert talk.asked == [True]
    talk.key.release()
    talk.key.release()  # the focus is lost too
    assert talk.asked == [True, False]


def test_elsewhere_it_is_pressed_twice() -> None:
    talk = Talk()
    talk.key.press()
    talk.key.release()  # the focus is lost: nobody was holding it
    assert talk.asked == [True]
    talk.key.press()
    assert talk.asked == [True, False]


def test_a_repeat_does_not_begin_anew_what_ended_while_it_was_held() -> None:
    talk = Talk()
    talk.key.reports_releases = True
    talk.key.press()
    talk.is_on = False  # the microphone went away
    talk.key.press()
    assert talk.asked == [True]
