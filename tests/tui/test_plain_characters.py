"""What is ASCII on the screen is as wide as what it stands for, and says the same."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len
from rich.segment import Segment
from rich.style import Style
from textual.color import Color
from textual.strip import Strip

from voxterm.events import State
from voxterm.tui.panes import figures, status_line
from voxterm.tui.terminal.placed_strip import placed
from voxterm.tui.terminal.plain_characters import PlainCharacters, needs_plain_characters, plain

SOURCES = Path(status_line.__file__).parent.parent

DRAWN = sorted(
    {
        character
        for source in SOURCES.rglob("*.py")
        if source.name not in ("plain_characters.py", "safe_text.py")
        for character in source.read_text(encoding="utf-8")
        if not character.isascii()
    }
    | set("╭╮╰╯─│▁▂▃▄▅▆▇█▔")  # what Textual draws around it
)


@pytest.mark.parametrize("character", DRAWN)
def test_everything_that_the_screen_draws_has_a_letter(character: str) -> None:
    drawn = plain(character)
    assert drawn.isascii()
    assert drawn.isprintable()
    assert len(drawn) == cell_len(character)
    assert "?" not in drawn


def test_states_can_be_told_apart() -> None:
    signs = [plain(status_line.SIGNS[state][0]) for state in State]
    assert len(set(signs)) == len(signs)
    assert plain(figures.WITHIN) != plain(figures.BEYOND) != plain(figures.NOTHING)


def test_a_higher_bar_is_another_letter() -> None:
    assert plain("▁▂▃▄▅▆▇█") == ".:-=+*%#"
    assert plain("██▌ ") == "##- "


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("Café naïve Ünïcode Łódź", "Cafe naive Unicode Lodz"),
        ("e\u0301x", "ex"),  # a mark takes no cell
        ("漢字 x", "???? x"),
        ("Ａ²", "A 2"),
        ("½", "?"),  # and not 1
        ("╭─┬─╮│├╬║", "+-+-+|++|"),
        ("a\x1bb", "ab"),
    ],
)
def test_text_of_people(text: str, shown: str) -> None:
    assert plain(text) == shown


@given(st.text(alphabet=st.characters(exclude_categories=["Cs", "Cc"])))
def test_any_text_keeps_its_width(text: str) -> None:
    drawn = plain(text)
    assert drawn.isascii()
    assert len(drawn) == cell_len(text)


def test_a_line_that_is_kept_in_place_needs_no_sequences_any_more() -> None:
    """Half of them would move it: the blanks are fewer than the cells, for the cursor is set behind them."""
    strip = placed(Strip([Segment("| नमस्ते की |")]), 3, 30, Style())
    assert any("\x1b" in f"{segment.text}" for segment in strip)
    drawn = strip.apply_filter(PlainCharacters(), Color(0, 0, 0))
    written = "".join(f"{segment.text}" for segment in drawn)
    assert written.isprintable()
    assert len(written) == 30 == drawn.cell_length


@pytest.mark.parametrize(
    ("environ", "needed"),
    [
        ({"LANG": "en_US.UTF-8"}, False),
        ({"LANG": "de_DE.utf8@euro"}, False),
        ({"LC_CTYPE": "UTF-8"}, False),  # macOS
        ({"LANG": "C.UTF-8"}, False),
        ({}, False),  # containers, and ssh to a bare machine
        ({"LANG": ""}, False),
        ({"LC_CTYPE": "C.UTF-8"}, False),  # what Python makes of no locale
        ({"LANG": "C", "LC_CTYPE": "C.UTF-8"}, True),  # what Python makes of C
        ({"LANG": "C"}, True),
        ({"LANG": "POSIX"}, True),
        ({"LANG": "de_DE"}, True),
        ({"LANG": "de_DE.ISO-8859-1"}, True),
        ({"LC_ALL": "C", "LANG": "en_US.UTF-8"}, True),
        ({"LC_ALL": "", "LC_CTYPE": "en_US.UTF-8", "LANG": "C"}, False),
        ({"LC_ALL": "en_US.UTF-8", "LANG": "C"}, False),
        ({"TERM": "linux", "LANG": "en_US.UTF-8"}, True),
        ({"TERM": "vt100", "LANG": "en_US.UTF-8"}, True),
        ({"TERM": "xterm", "LANG": "en_US.UTF-8"}, False),
    ],
)
def test_which_terminals_need_it(environ: dict[str, str], needed: bool) -> None:
    assert needs_plain_characters(environ) == needed
