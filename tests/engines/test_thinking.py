from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from voxterm.engines.thinking import ALL_MARKS, PAIRS, ThinkingFilter

HARMONY = (
    "<|channel|>analysis<|message|>The user greets me.<|end|>"
    "<|start|>assistant<|channel|>final<|message|>Hello there.<|return|>"
)


def filtered(*pieces: str, prompt: str = "") -> str:
    thoughts = ThinkingFilter(prompt)
    return "".join([*(thoughts.push(piece) for piece in pieces), thoughts.finish()])


@pytest.mark.parametrize(("opens", "closes"), list(PAIRS.items()))
def test_what_stands_between_the_marks_is_dropped_and_the_space_after_it(opens: str, closes: str) -> None:
    assert filtered(f"{opens}\nHm, a greeting.\n{closes}\n\nHello.") == "Hello."


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ("Hello.", "Hello."),
        ("  Hello. ", "  Hello. "),
        ("", ""),
        ("1 < 2, a <thin line", "1 < 2, a <thin line"),
        ("One <think>two</think> three", "One three"),
        ("One<think>two</think> three", "One three"),
        ("<think></think>One<think>x</think>Two", "OneTwo"),
        ("<think>a [THINK] b</think>c", "c"),
        ("<think>a </thinking> <|end|> b</think>c", "c"),
        ("said</think> on", "said on"),
        ("<think>never ends", ""),
        ("almost <thi", "almost <thi"),
        (HARMONY, "Hello there."),
        ("<|channel|>final<|message|>Yes.", "Yes."),
        ("<|channel|>analysis<|message|>a <think> b<|end|><|start|>assistant<|message|>Yes.<|end|>", "Yes."),
        ("<|channel|>commentary to=functions.f <|constrain|>json<|message|>{}<|call|>", ""),
        ("<|channel|>analysis", ""),
    ],
)
def test_only_the_reply_is_said(written: str, said: str) -> None:
    assert filtered(written) == said


@pytest.mark.parametrize(
    ("prompt", "written", "said"),
    [
        ("<|im_start|>assistant\n<think>\n", "Hm.\n</think>\n\nHello.", "Hello."),
        ("<|im_start|>assistant\n<think>\n\n</think>\n\n", "Hello.", "Hello."),
        ("<|start|>assistant", HARMONY, "Hello there."),
        ("<|im_start|>assistant\n", "Hello.", "Hello."),
        ("a prompt that ends in <", "think>Hello.", "think>Hello."),
    ],
)
def test_a_template_may_have_opened_the_thought(prompt: str, written: str, said: str) -> None:
    assert filtered(written, prompt=prompt) == said


def test_it_knows_whether_a_thought_is_under_way() -> None:
    thoughts = ThinkingFilter()
    states = []
    for piece in ("Well, ", "<think>", "hm", "</think>", "yes"):
        thoughts.push(piece)
        states.append(thoughts.thinking)
    assert states == [False, True, True, False, False]


def test_text_that_cannot_be_a_mark_does_not_wait() -> None:
    """Each piece held back is heard later."""
    thoughts = ThinkingFilter()
    assert [thoughts.push(piece) for piece in ("Hel", "lo <", "3 ", "<th", "ree")] == [
        "Hel",
        "lo ",
        "<3 ",
        "",
        "<three",
    ]


def test_no_mark_begins_another() -> None:
    """Else the shorter one would win, or not, by where the text is cut."""
    assert not [(a, b) for a in ALL_MARKS for b in ALL_MARKS if a != b and b.startswith(a)]


texts = st.lists(
    st.one_of(
        st.sampled_from(ALL_MARKS),
        st.sampled_from([mark[:size] for mark in ALL_MARKS for size in (1, 3, len(mark) - 1)]),
        st.sampled_from([" ", "\n", "final", "analysis", "assistant"]),
        st.text(max_size=5),
    ),
    max_size=12,
).map("".join)


@given(text=texts, prompt=texts, cuts=st.sets(st.integers(0, 60)))
def test_however_the_text_is_cut_the_same_is_said(text: str, prompt: str, cuts: set[int]) -> None:
    edges = [0, *sorted(cut for cut in cuts if cut < len(text)), len(text)]
    pieces = [text[a:b] for a, b in pairwise(edges)]
    whole, cut = ThinkingFilter(prompt), ThinkingFilter(prompt)
    said = whole.push(text) + whole.finish()
    assert "".join([*map(cut.push, pieces), cut.finish()]) == said
    assert cut.thinking == whole.thinking


@given(text=texts)
def test_a_thought_around_anything_but_its_end_is_silent(text: str) -> None:
    inside = text.replace("</think>", "")
    if "</think>" not in f"{inside}</think>"[:-1]:
        assert filtered(f"<think>{inside}</think>Yes.") == "Yes."


@given(text=st.text().filter(lambda text: not any(mark in text for mark in ALL_MARKS)))
def test_text_without_marks_stays_as_it_is(text: str) -> None:
    assert filtered(*text) == text
