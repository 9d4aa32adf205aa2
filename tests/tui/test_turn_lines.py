from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from scripted import NOON

from voxterm.tui.dialogue import Entry, Notice, Problem, Turn
from voxterm.tui.panes.turn_lines import lines_of, sounding_row
from voxterm.tui.panes.wrap import cells_of


def plain(entry: Entry, width: int = 80) -> list[str]:
    return ["".join(text for text, _ in line).rstrip() for line in lines_of(entry, width)]


def styled(entry: Entry, style: str, width: int = 80) -> str:
    return "".join(text for line in lines_of(entry, width) for text, name in line if name == style)


def test_both_sides_with_time_and_number() -> None:
    turn = Turn(14, NOON, said="How far?", said_is_final=True, reply="Far.", heard_chars=4)
    assert plain(turn) == [
        "12:00:00       you  How far?",
        "turn 14    voxterm  Far.",
        "",
    ]


def test_a_narrow_pane_has_no_times() -> None:
    turn = Turn(14, NOON, said="How far?", said_is_final=True)
    assert plain(turn, 40) == ["    you  How far?", ""]


def test_a_typed_line_says_so() -> None:
    assert plain(Turn(1, NOON, said="hi", said_is_final=True, typed=True))[0] == "12:00:00     you ›  hi"


def test_what_has_no_words_yet_and_what_has_none_at_all() -> None:
    assert plain(Turn(1, NOON))[0].endswith("you  …")
    assert plain(Turn(1, NOON, said_is_final=True))[0].endswith("you  (no words)")


def test_the_word_that_sounds_is_marked_and_no_letter_moves() -> None:
    reply = "one two three"
    before = Turn(1, NOON, reply=reply)
    now = Turn(1, NOON, reply=reply, heard_chars=4, word_from=4, word_end=7)
    assert plain(now)[1] == plain(before)[1].replace("two three", "two▌three")
    assert (styled(now, "heard"), styled(now, "word"), styled(now, "unheard")) == ("one ", "two▌", "three")


def test_the_word_is_found_where_it_is_all_heard() -> None:
    now = Turn(1, NOON, reply="one two three", heard_chars=7, word_from=7, word_end=7)
    assert styled(now, "word") == "two▌"


def test_the_last_word_of_a_line_has_its_mark_too() -> None:
    reply = "abcd " * 30
    end = 4
    for _ in range(30):
        assert "▌" in styled(
            Turn(1, NOON, reply=reply, heard_chars=end - 4, word_from=end - 4, word_end=end), "word"
        )
        end += 5


def test_a_script_without_spaces_keeps_its_letters() -> None:
    now = Turn(1, NOON, reply="とても古い", heard_chars=0, word_end=3)
    assert styled(now, "word") == "とても"
    assert styled(now, "unheard") == "古い"


def test_what_was_never_heard_is_struck_through() -> None:
    turn = Turn(1, NOON, reply="one two three", heard_chars=4, interrupted=True)
    assert (styled(turn, "heard"), styled(turn, "lost")) == ("one ", "two three")
    assert "■ interrupted" in styled(turn, "note")


def test_the_word_that_is_repeated_is_marked_in_what_was_heard_and_in_what_was_lost() -> None:
    heard = Turn(1, NOON, reply="one two three", heard_chars=13, finished=True, word_from=4, word_end=7)
    assert (styled(heard, "heard"), styled(heard, "word")) == ("one three", "two▌")
    cut = Turn(
        1,
        NOON,
        reply="one two three",
        heard_chars=4,
        interrupted=True,
        finished=True,
        word_from=8,
        word_end=13,
    )
    assert (styled(cut, "heard"), styled(cut, "lost"), styled(cut, "word")) == ("one ", "two ", "three▌")


def test_offsets_hold_where_the_text_had_to_be_made_safe() -> None:
    """`\\x1b` is shown as four characters: the offsets of the reply are not those of what is shown."""
    reply = "\x1b\x1b one two"
    turn = Turn(1, NOON, reply=reply, heard_chars=reply.index("two"), interrupted=True)
    assert styled(turn, "lost") == "two"


def test_an_error_stands_in_two_lines() -> None:
    turn = Turn(1, NOON, said="hi", said_is_final=True, problems=(Problem("it broke", "mend it"),))
    assert [line[20:] for line in plain(turn)] == ["hi", "✗ it broke", "→ mend it", ""]
    assert plain(Notice(NOON, "it broke"))[0] == "12:00:00            ✗ it broke"


def test_the_past_is_grey() -> None:
    turn = Turn(
        1, NOON, said="hi", reply="you", heard_chars=1, said_is_final=True, interrupted=True, past=True
    )
    assert {style for line in lines_of(turn, 80) for _, style in line} == {"past", "lost"}


def test_the_row_that_sounds() -> None:
    turn = Turn(
        1,
        NOON,
        said="hi",
        said_is_final=True,
        reply="word " * 60,
        heard_chars=200,
        word_from=200,
        word_end=204,
    )
    row = sounding_row(turn, 80)
    assert row is not None
    assert "▌" in plain(turn)[row]
    assert sounding_row(Turn(1, NOON, reply="a", finished=True), 80) is None


@given(st.text(max_size=200), st.integers(0, 200), st.integers(0, 200), st.booleans(), st.integers(30, 100))
def test_no_line_is_wider_than_the_pane(text: str, heard: int, end: int, cut: bool, width: int) -> None:
    turn = Turn(
        1, NOON, said=text, reply=text, heard_chars=heard, word_from=heard, word_end=end, interrupted=cut
    )
    for line in lines_of(turn, width):
        assert sum(cells_of(character) for piece, _ in line for character in piece) <= width
