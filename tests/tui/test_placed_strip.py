from __future__ import annotations

from rich.console import Console
from rich.segment import Segment
from rich.style import Style
from textual.strip import Strip

from voxterm.tui.terminal.placed_strip import placed

BOLD = Style(bold=True)


def written(strip: Strip) -> str:
    return strip.render(Console()).replace("\x1b[1m", "").replace("\x1b[0m", "")


def test_latin_text_is_only_filled_up() -> None:
    assert written(placed(Strip([Segment("abc", BOLD)]), 4, 6, BOLD)) == "abc   "


def test_vowel_signs_get_their_cells_and_what_follows_its_column() -> None:
    """In tmux such a line pushed the panes on its right aside, one cell for every sign."""
    strip = placed(Strip([Segment("का की", BOLD)]), 4, 10, BOLD)
    assert strip.cell_length == 10  # as Textual counts: three letters and seven blanks
    assert written(strip) == "\x1b[10Xका की" + " " * 5 + "\x1b[15G"


def test_a_picture_of_it_has_no_sequences() -> None:
    assert placed(Strip([Segment("का", BOLD)]), 0, 4, BOLD).text == "का   "


def test_a_line_that_is_cut_carries_nothing() -> None:
    """Textual counts control segments as letters when it crops; the rest of the line must not be lost."""
    strip = placed(Strip([Segment("ab ", BOLD), Segment("का", BOLD)]), 0, 12, BOLD)
    assert "\x1b[13G" not in written(strip.crop(0, 8))
    assert strip.crop(0, 8).text == "ab का    "
