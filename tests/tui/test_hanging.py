from __future__ import annotations

from textual.content import Content

from voxterm.tui.panes.hanging import LEAST_CELLS, Hanging


def plain(paragraph: Hanging, width: int) -> list[str]:
    return [line.plain for line in paragraph.lines(width)]


def test_further_lines_begin_where_the_first_one_does() -> None:
    paragraph = Hanging(Content("esc   "), "interrupt the reply that sounds")
    assert plain(paragraph, 20) == ["esc   interrupt the", "      reply that", "      sounds"]


def test_a_lead_without_a_text_and_lines_of_a_text() -> None:
    assert plain(Hanging(Content("alone")), 20) == ["alone"]
    assert plain(Hanging(Content("→ "), "one\ntwo"), 20) == ["→ one", "  two"]


def test_a_text_behind_a_lead_that_takes_all_the_width_is_still_readable() -> None:
    """Else every letter would stand on a line of its own."""
    assert plain(Hanging(Content("x" * 20), "a" * LEAST_CELLS), 20) == ["x" * 20 + "a" * LEAST_CELLS]
