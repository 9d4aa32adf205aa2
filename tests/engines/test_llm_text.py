from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tiny_llm import FAMILIES, write_tokenizer

from voxterm.engines.llm.text import TokenText

LINES = (
    "Good morning! How are you today?",
    "Grüße: नमस्ते, 你好 🙂🎉 — und übermorgen?",
    "  two spaces,  in between \n\n and behind  ",
    "",
    " ",
)


@pytest.fixture(scope="module", params=FAMILIES)
def tokenizer(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Any:
    folder: Path = tmp_path_factory.mktemp("tokenizers") / request.param
    return write_tokenizer(folder, request.param)


def whole(tokenizer: Any, ids: list[int]) -> str:
    """What its library makes of them at once."""
    return str(tokenizer.backend_tokenizer.decode(ids, skip_special_tokens=True))


def pieces(tokenizer: Any, ids: list[int]) -> list[str]:
    def decode(some: Any) -> str:
        text = tokenizer.decode(list(some), skip_special_tokens=False, clean_up_tokenization_spaces=False)
        return str(text)

    hidden = [id_ for id_, token in tokenizer.added_tokens_decoder.items() if token.special]
    text = TokenText(decode, hidden)
    return [*map(text.take, ids), text.finish()]


@pytest.mark.parametrize("line", LINES)
def test_the_pieces_are_the_text(tokenizer: Any, line: str) -> None:
    ids = tokenizer.encode(line, add_special_tokens=False)
    assert "".join(pieces(tokenizer, ids)) == whole(tokenizer, ids)


def test_no_piece_has_half_a_character(tokenizer: Any) -> None:
    ids = tokenizer.encode("🙂🎉 ñ 你好 🙂", add_special_tokens=False)
    given_out = pieces(tokenizer, ids)
    assert "".join(given_out).split() == ["🙂🎉", "ñ", "你好", "🙂"]
    assert len(given_out) > len("🙂🎉 ñ 你好 🙂") // 2, "nor are they held back together"


def test_a_character_that_is_never_completed_is_not_shown(tokenizer: Any) -> None:
    ids = tokenizer.encode("Yes 🧿", add_special_tokens=False)
    assert "".join(pieces(tokenizer, ids[:-1])).rstrip() == "Yes"
    assert "".join(pieces(tokenizer, ids)) == "Yes 🧿"


def test_special_tokens_are_not_shown_and_change_nothing_around_them(tokenizer: Any) -> None:
    ids = tokenizer.encode("Well, then. Who are you?", add_special_tokens=False)
    marked = [tokenizer.eos_token_id, *ids[:4], tokenizer.eos_token_id, *ids[4:]]
    assert "".join(pieces(tokenizer, marked)) == whole(tokenizer, ids)


@given(text=st.text(max_size=40))
def test_any_text_comes_out_as_it_would_in_one_piece(tokenizer: Any, text: str) -> None:
    ids = tokenizer.encode(text, add_special_tokens=False)
    assert "".join(pieces(tokenizer, ids)) == whole(tokenizer, ids).replace("�", "")


@given(ids=st.lists(st.integers(0, 500), max_size=40))
def test_any_tokens_at_all_come_out_as_text(tokenizer: Any, ids: list[int]) -> None:
    """Models with a fault, or sampled too freely, make bytes that are no characters."""
    given_out = "".join(pieces(tokenizer, ids))
    assert "�" not in given_out
    if "<0x00>" not in tokenizer.get_vocab():  # bytes to fall back to lose more than themselves
        assert given_out == whole(tokenizer, ids).replace("�", "")
