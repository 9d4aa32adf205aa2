from __future__ import annotations

import random
import re

import pytest
from demo_clips import no_progress
from hypothesis import given
from hypothesis import strategies as st

from voxterm.engines.eliza import MAX_HEARD_CHARS, Eliza
from voxterm.engines.protocols import LanguageModel, Message
from voxterm.errors import EngineError


def loaded(seed: int | None = 1) -> Eliza:
    eliza = Eliza(seed=seed)
    eliza.load(no_progress)
    return eliza


@pytest.fixture(scope="module")
def eliza() -> Eliza:
    return loaded()


def answer(eliza: Eliza, text: str) -> str:
    return "".join(delta.text for delta in eliza.reply([Message("user", text)]))


def answers(eliza: Eliza, text: str) -> set[str]:
    """All that it can say to a line, or nearly."""
    return {answer(eliza, text) for _ in range(200)}


def test_it_is_a_language_model(eliza: Eliza) -> None:
    assert isinstance(eliza, LanguageModel)


@given(text=st.text(max_size=3 * MAX_HEARD_CHARS))
def test_any_line_has_an_answer_that_can_be_shown_and_spoken(eliza: Eliza, text: str) -> None:
    said = answer(eliza, text)
    assert any(c.isalnum() for c in said)
    assert said.isprintable()
    assert not re.search(r"\s[.,;:!?]|\s\s|^\s|\s$", said)
    assert len(said) < MAX_HEARD_CHARS * 4


@given(
    text=st.from_regex(
        r"(i need|i am|why don't you|because|my|you|ı|İ)? ?[a-z '?.!ıſK]{0,40}", fullmatch=True
    )
)
def test_lines_that_meet_a_rule_have_one_too(eliza: Eliza, text: str) -> None:
    """NLTK's own reflection fails with a KeyError on a Turkish dotless i, which it takes for "i"."""
    assert any(c.isalnum() for c in answer(eliza, text))


def test_persons_are_exchanged(eliza: Eliza) -> None:
    assert "Why do you need your coffee?" in answers(eliza, "I need my coffee.")


def test_punctuation_is_tidy(eliza: Eliza) -> None:
    for said in answers(eliza, "I need it  ?") | answers(eliza, "i am tired . "):
        assert not re.search(r"[.?!,]\s*[?.!,](?!\.)", said.replace("...", ""))
        assert said[0].isupper()


def test_the_last_message_is_answered(eliza: Eliza) -> None:
    history = [Message("user", "hello"), Message("assistant", "Hi."), Message("user", "I need cake")]
    assert "cake" in {
        word.strip("?.") for _ in range(20) for d in eliza.reply(history) for word in d.text.split()
    }


def test_it_comes_word_by_word(eliza: Eliza) -> None:
    deltas = list(eliza.reply([Message("user", "I need help")]))
    assert len(deltas) > 2
    assert all(len(delta.text.split()) == 1 for delta in deltas)


def test_a_seed_makes_it_repeat_itself_and_leaves_the_global_generator_alone() -> None:
    lines = ["hello", "I need help", "why", "my cat is ill", "yes"]
    state = random.getstate()
    dialogues = [[answer(eliza, line) for line in lines] for eliza in (loaded(7), loaded(7), loaded(8))]
    assert dialogues[0] == dialogues[1] != dialogues[2]
    assert random.getstate() == state


def test_a_long_line_is_answered_at_once(eliza: Eliza) -> None:
    assert len(answer(eliza, "i need " + "because i am " * 100_000)) < 1000


def test_closed_it_says_that_it_is_not_loaded() -> None:
    eliza = loaded()
    eliza.close()
    eliza.close()
    with pytest.raises(EngineError, match="not loaded"):
        answer(eliza, "hello")
