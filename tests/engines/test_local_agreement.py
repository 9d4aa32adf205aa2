"""Which words stay, by scripted hypotheses."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from voxterm.engines.whisper.local_agreement import LocalAgreement

HYPOTHESES = st.lists(st.lists(st.sampled_from("abc"), max_size=8), max_size=12)


def after(*hypotheses: str) -> LocalAgreement[str]:
    agreement: LocalAgreement[str] = LocalAgreement()
    for hypothesis in hypotheses:
        agreement.insert(hypothesis.split()[len(agreement.committed) :])
    return agreement


def test_what_two_hypotheses_begin_with_is_committed_and_the_rest_of_the_newer_one_is_shown() -> None:
    agreement = after("I want to", "I want two tickets")
    assert agreement.committed == ("I", "want")
    assert agreement.tail == ("two", "tickets")
    assert agreement.words == ("I", "want", "two", "tickets")


def test_one_hypothesis_alone_commits_nothing() -> None:
    assert after("I want to").committed == ()


def test_only_neighbours_agree() -> None:
    """Two equal hypotheses with another between them are no agreement."""
    agreement = after("we go", "they went", "we go")
    assert agreement.committed == ()
    assert agreement.tail == ("we", "go")


def test_a_shorter_hypothesis_takes_unstable_words_away() -> None:
    agreement = after("we go", "we go home", "we go")
    assert agreement.committed == ("we", "go")
    assert agreement.tail == ()


def test_words_held_back_are_shown_and_not_committed() -> None:
    agreement: LocalAgreement[str] = LocalAgreement()
    agreement.insert(["we", "go"])
    agreement.insert(["we", "go"], held_back=1)
    assert agreement.committed == ("we",)
    assert agreement.tail == ("go",)


def test_a_new_window_begins_with_what_is_known() -> None:
    agreement = after("a b c", "a b c d")
    agreement.restart(["c"], ["d"])
    agreement.insert(["d", "e"])
    assert agreement.committed == ("c", "d")


@given(HYPOTHESES, st.integers(0, 3))
def test_committed_words_only_grow_and_were_in_two_hypotheses(
    hypotheses: list[list[str]], held_back: int
) -> None:
    agreement: LocalAgreement[str] = LocalAgreement()
    tail: tuple[str, ...] = ()
    for heard in hypotheses:
        before = agreement.committed
        agreement.insert(heard, held_back)
        new = agreement.committed[len(before) :]
        assert agreement.committed[: len(before)] == before
        assert agreement.words == (*before, *heard)
        assert new == tuple(heard[: len(new)]) == tail[: len(new)]
        assert len(new) <= max(len(heard) - held_back, 0)
        tail = agreement.tail
