from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from voxterm.engines.protocols import Message
from voxterm.engines.trimming import Turn, beginnings, turns_of

ROLES = st.sampled_from(["system", "user", "assistant"])
DIALOGUES = st.lists(st.builds(Message, ROLES, st.sampled_from(["", " \n", "a", "bc", " d "])), max_size=30)
LENGTHS = st.lists(st.integers(1, 30), min_size=1, max_size=60)


def turns(lengths: list[int]) -> list[Turn]:
    return [[Message("user", "x" * length)] for length in lengths]


def tried(lengths: list[int], room: int, most: int) -> list[int]:
    return list(beginnings(turns(lengths), most, len, room))


@given(DIALOGUES)
def test_a_turn_is_a_line_of_the_persons_and_the_answers_to_it(dialogue: list[Message]) -> None:
    found = turns_of(dialogue)
    assert all(
        [message.role == "user" for message in turn] == [True] + [False] * (len(turn) - 1) for turn in found
    )
    worded = [message for message in dialogue if message.text.strip() and message.role != "system"]
    first = next((at for at, message in enumerate(worded) if message.role == "user"), len(worded))
    assert [message for turn in found for message in turn] == worded[first:]


@given(lengths=LENGTHS, room=st.integers(-5, 900), stays=st.booleans())
def test_ever_less_is_kept_until_only_what_must_stay_is_left(
    lengths: list[int], room: int, stays: bool
) -> None:
    most = len(lengths) - stays
    found = tried(lengths, room, most)
    assert found == sorted(set(found))
    assert found[0] >= 0
    assert found[-1] == most


@given(lengths=LENGTHS, room=st.integers(-5, 900), stays=st.booleans())
def test_what_cannot_fit_is_passed_over_and_what_may_fit_is_not_all_thrown_away(
    lengths: list[int], room: int, stays: bool
) -> None:
    most = len(lengths) - stays
    first = tried(lengths, room, most)[0]
    fewest = next(n for n in range(len(lengths) + 1) if sum(lengths[n:]) <= max(room, 0))
    assert min(fewest, most) <= first <= fewest + max(0, most - fewest + 1) // 2
    if fewest == 0:
        assert first == 0


@given(lengths=LENGTHS, stays=st.booleans())
def test_each_step_goes_to_the_end_of_a_block_and_leaves_half_of_the_turns(
    lengths: list[int], stays: bool
) -> None:
    most = len(lengths) - stays
    for before, after in pairwise(tried(lengths, sum(lengths), most)):
        step = after - before
        assert step == 1 or step <= (most - before) // 2
        if step == 1 and before % 2 == 0:
            assert most - before < 4
        elif most - before >= 16:
            assert after % 8 == 0


@given(length=st.integers(1, 9), holds=st.integers(6, 40))
def test_in_a_full_context_the_beginning_stays_for_several_turns(length: int, holds: int) -> None:
    """One turn at each turn would change the whole prompt every time, and cost a long prefill."""
    firsts = [tried([length] * count, length * holds, count)[0] for count in range(holds, holds + 64)]
    assert firsts == sorted(firsts)
    assert 2 < len(set(firsts)) <= 1 + 64 / 2
    if holds >= 16:
        assert len(set(firsts)) <= 1 + 64 / 8 + 1


@given(length=st.integers(1, 9), holds=st.integers(1, 40))
def test_what_fits_is_kept_whole(length: int, holds: int) -> None:
    assert tried([length] * holds, length * holds, holds)[0] == 0
