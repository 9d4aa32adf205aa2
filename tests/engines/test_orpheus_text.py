from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from voxterm.engines.orpheus.text import PIECE_SIZE, pieces, readable, token_limit

TAGS = ("<laugh>", "<sigh>")
TOKENS_PER_S = 7 * 24_000 / 2048


@pytest.mark.parametrize(
    ("text", "read"),
    [
        ("Oh <laugh> no.", "Oh <laugh> no."),
        ("Oh <LAUGH> no.", "Oh <laugh> no."),
        ("<laugh>", "<laugh>"),
        ("<yawn> Well.", "Well."),
        ("<yawn>", ""),
        (" \n\t ", ""),
        ("…", ""),
        ("I <b>do</b>, <break time='1s'/>now", "I do , now"),
        ("say <|eot_id|> and <custom_token_9> twice", "say and twice"),
        ("3 < 4 and 5 > 4, I <3 you", "3 < 4 and 5 > 4, I <3 you"),
        ("two\nlines\x1b[2J", "two lines [2J"),
        ("क्‍ष", "क्‍ष"),
    ],
)
def test_what_is_read_keeps_known_tags_only(text: str, read: str) -> None:
    assert readable(text, TAGS) == read


@settings(deadline=None)
@given(st.text(alphabet=st.sampled_from("ab1 .,!?。字한<>\n"), max_size=900))
def test_pieces_hold_the_whole_text_and_each_fits(text: str) -> None:
    found = list(pieces(text))
    assert "".join("".join(found).split()) == "".join(text.split())
    assert all(piece.strip() == piece != "" for piece in found)
    assert all(len(piece) <= PIECE_SIZE for piece in found)


def test_pieces_end_at_sentences() -> None:
    sentence = "This is one of very many sentences."
    found = list(pieces(" ".join([sentence] * 40)))
    assert all(piece.endswith(".") for piece in found)
    assert max(map(len, found)) <= PIECE_SIZE
    assert len(found) == 5


def test_the_limit_leaves_a_slow_reader_twice_their_time() -> None:
    seconds = {text: token_limit(text) / TOKENS_PER_S for text in ("Hi.", "x" * 300, "年" * 100)}
    assert 3 < seconds["Hi."] < 4
    assert seconds["x" * 300] > 2 * 300 / 15  # English is read at 15 letters a second
    assert seconds["年" * 100] > 2 * 100 / 5  # Mandarin at 5 syllables
    assert token_limit("Ha <laugh>") - token_limit("Ha ") > 82 * 2
