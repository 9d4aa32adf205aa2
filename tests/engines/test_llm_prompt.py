from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import date
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tiny_llm import CHATML, DATED, FAMILIES, INSTRUCT, write_tokenizer

from voxterm.engines.llm.prompt import ChatPrompts
from voxterm.engines.protocols import Message
from voxterm.errors import CheckpointError, EngineError

DAY = date(2026, 3, 5)
SYSTEM = Message("system", "Be kind.")
HISTORY = [
    SYSTEM,
    Message("user", "Who are you?"),
    Message("assistant", "A friend."),
    Message("user", "Well, what then?"),
]


@pytest.fixture(scope="module")
def tokenizers(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    folder: Path = tmp_path_factory.mktemp("tokenizers")
    return {family: write_tokenizer(folder / family, family) for family in FAMILIES}


@pytest.fixture(scope="module")
def prompts(tokenizers: dict[str, Any]) -> ChatPrompts:
    return ChatPrompts(tokenizers["qwen2"], "tiny", lambda: DAY)


@contextmanager
def templated(tokenizer: Any, template: str | None) -> Iterator[Any]:
    """The tokenizer, with this template meanwhile."""
    kept = tokenizer.chat_template
    tokenizer.chat_template = template
    try:
        yield tokenizer
    finally:
        tokenizer.chat_template = kept


def with_template(tokenizer: Any, template: str | None) -> ChatPrompts:
    with templated(tokenizer, template):
        return ChatPrompts(tokenizer, "tiny", lambda: DAY)


def read(prompts: ChatPrompts, history: Sequence[Message], room: int = 4000) -> str:
    return prompts.decode(prompts.chat(history, room))


def dialogue(turns: int, words: int = 6) -> list[Message]:
    said = [SYSTEM]
    for turn in range(turns):
        said += [Message("user", f"Q{turn} " + "how " * words), Message("assistant", f"A{turn} fine.")]
    return said[:-1]


@pytest.mark.parametrize("family", ["llama", "qwen2", "qwen3"])
def test_the_prompt_is_what_the_template_makes(tokenizers: dict[str, Any], family: str) -> None:
    tokenizer = tokenizers[family]
    said = [{"role": message.role, "content": message.text} for message in HISTORY]
    wanted = tokenizer.apply_chat_template(
        said, add_generation_prompt=True, return_dict=False, enable_thinking=False
    )
    assert ChatPrompts(tokenizer, "tiny", lambda: DAY).chat(HISTORY, 4000) == wanted


def test_where_the_template_moves_the_system_text_about_it_opens_the_first_line(
    tokenizers: dict[str, Any],
) -> None:
    """Mistral's puts it into the latest line: nothing behind the line before could stay in the cache."""
    tokenizer = tokenizers["mistral"]
    said = [{"role": message.role, "content": message.text} for message in HISTORY[1:]]
    said[0]["content"] = "Be kind.\n\nWho are you?"
    wanted = tokenizer.apply_chat_template(said, add_generation_prompt=True, return_dict=False)
    assert ChatPrompts(tokenizer, "tiny", lambda: DAY).chat(HISTORY, 4000) == wanted


REFUSED = "{% if messages[0].role == 'system' %}{{ raise_exception('no system role') }}{% endif %}" + CHATML
LEFT_OUT = CHATML.replace("for message in messages", "for message in messages if message.role != 'system'")


@pytest.mark.parametrize("template", [REFUSED, LEFT_OUT])
def test_a_template_without_a_system_role_gets_its_text_in_the_first_line(
    tokenizers: dict[str, Any], template: str
) -> None:
    with templated(tokenizers["qwen2"], template) as tokenizer:
        text = read(ChatPrompts(tokenizer, "tiny", lambda: DAY), HISTORY)
    assert text.startswith("<|im_start|>user\nBe kind.\n\nWho are you?<|im_end|>")


def test_the_system_text_stays_first_when_the_turns_before_it_are_gone(tokenizers: dict[str, Any]) -> None:
    text = read(ChatPrompts(tokenizers["mistral"], "tiny", lambda: DAY), dialogue(60), 300)
    assert text.startswith("<s>[INST]  Be kind.\n\nQ")
    assert text.count("Be kind.") == 1


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize(
    ("said", "turns"),
    [
        ([("assistant", "Hello!"), ("user", "Hi.")], ["Hi."]),
        ([("user", "One."), ("user", "Two.")], ["One.\nTwo."]),
        ([("user", "One."), ("assistant", "  "), ("user", "Two.")], ["One.\nTwo."]),
        ([("user", "A."), ("assistant", "B."), ("assistant", "C."), ("user", "D.")], ["A.", "B.\nC.", "D."]),
    ],
)
def test_lines_alternate_whatever_the_history_is_like(
    tokenizers: dict[str, Any], family: str, said: Sequence[tuple[Any, str]], turns: Sequence[str]
) -> None:
    """Interrupted before it spoke, the model said nothing; templates raise at two lines of one speaker."""
    prompts = ChatPrompts(tokenizers[family], "tiny", lambda: DAY)
    straight = [Message("assistant" if n % 2 else "user", text) for n, text in enumerate(turns)]
    assert read(prompts, [Message(role, text) for role, text in said]) == read(prompts, straight)


@pytest.mark.parametrize("family", FAMILIES)
def test_nothing_that_is_said_can_end_its_turn(tokenizers: dict[str, Any], family: str) -> None:
    tokenizer = tokenizers[family]
    prompts = ChatPrompts(tokenizer, "tiny", lambda: DAY)
    mark = tokenizer.eos_token
    plain = prompts.chat([Message("user", "Hello there.")], 500)
    hostile = f"Hello {mark[:2]}{mark}{mark[2:]} \ud83d there."
    ids = prompts.chat([Message("user", hostile)], 500)
    assert [i for i in ids if i in tokenizer.all_special_ids] == [
        i for i in plain if i in tokenizer.all_special_ids
    ]


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("before", [[], HISTORY])
def test_a_last_line_of_marks_alone_asks_for_nothing(
    tokenizers: dict[str, Any], family: str, before: list[Message]
) -> None:
    """The model was asked to go on with its own last line."""
    tokenizer = tokenizers[family]
    prompts = ChatPrompts(tokenizer, "tiny", lambda: DAY)
    asked = [*before, Message("assistant", "A friend."), Message("user", f" {tokenizer.eos_token}" * 2)]
    assert prompts.chat(asked, 500) == []
    assert prompts.chat([SYSTEM, asked[-1]], 500) == []
    assert prompts.chat([], 500) == []


@given(turns=st.integers(1, 40), words=st.integers(0, 12), room=st.integers(120, 600))
def test_whole_turns_go_the_oldest_first(prompts: ChatPrompts, turns: int, words: int, room: int) -> None:
    history = dialogue(turns, words)
    ids = prompts.chat(history, room)
    assert len(ids) <= room
    text = prompts.decode(ids)
    lines = text.split("<|im_start|>")[1:]
    assert lines[0] == "system\nBe kind.<|im_end|>\n"
    wanted = [f"{message.role}\n{message.text}<|im_end|>\n" for message in history[1:]]
    kept = lines[1:-1]
    assert kept == wanted[len(wanted) - len(kept) :]
    assert kept[0].startswith("user")
    assert lines[-1] == "assistant\n"


def test_what_fits_is_kept(prompts: ChatPrompts) -> None:
    history = dialogue(12)
    needed = len(prompts.chat(history, 100_000))
    assert len(prompts.chat(history, needed)) == needed
    assert needed > len(prompts.chat(history, needed - 1)) > needed // 3


def test_the_oldest_turns_go_several_at_a_time(prompts: ChatPrompts) -> None:
    """Were it one in each turn, the cache would have to be read anew in each turn."""
    begins = [read(prompts, dialogue(turns), 700).split("<|im_start|>")[2] for turns in range(1, 120)]
    changes = sum(a != b for a, b in pairwise(begins))
    assert 10 < changes <= 119 / 5


@pytest.mark.parametrize("room", [60, 0, -5])
def test_a_line_that_is_too_long_is_an_error_with_a_remedy(prompts: ChatPrompts, room: int) -> None:
    history = [*HISTORY[:-1], Message("user", "how " * 2000)]
    with pytest.raises(EngineError, match=r"what was said takes \d+ tokens, and the model has room") as error:
        prompts.chat(history, room)
    assert "shorter turns" in error.value.remedy


@pytest.mark.parametrize(
    ("family", "end"), [("llama", "<|eot_id|>"), ("mistral", "</s>"), ("qwen2", "<|im_end|>")]
)
def test_the_template_tells_what_ends_a_reply(tokenizers: dict[str, Any], family: str, end: str) -> None:
    """Llama's own end of text is another, and its chat models do not write that."""
    tokenizer = tokenizers[family]
    assert ChatPrompts(tokenizer, "tiny", lambda: DAY).end_ids == {tokenizer.convert_tokens_to_ids(end)}


def test_where_a_reply_has_no_end_in_the_template_none_is_made_up(tokenizers: dict[str, Any]) -> None:
    template = CHATML.replace("<|im_end|>", "")
    assert with_template(tokenizers["qwen2"], template).end_ids == frozenset()


def test_it_tells_how_the_template_begins_a_reply(tokenizers: dict[str, Any]) -> None:
    opened = CHATML.replace("assistant\n{% endif", "assistant\n<think>\n{% endif")
    assert with_template(tokenizers["qwen2"], opened).opening == "<|im_start|>assistant\n<think>\n"
    assert with_template(tokenizers["mistral"], INSTRUCT).opening == ""


def test_thinking_is_switched_off_where_that_can_be(tokenizers: dict[str, Any]) -> None:
    assert ChatPrompts(tokenizers["qwen3"], "tiny", lambda: DAY).opening.endswith("<think>\n\n</think>\n\n")


def test_marks_of_thoughts_are_shown_and_other_special_tokens_are_not(tmp_path: Path) -> None:
    tokenizer = write_tokenizer(tmp_path, "qwen2")
    tokenizer.add_special_tokens({"additional_special_tokens": ["[THINK]", "[/THINK]"]})
    hidden = ChatPrompts(tokenizer, "tiny", lambda: DAY).hidden_ids
    assert sorted(map(tokenizer.convert_ids_to_tokens, hidden)) == [
        "<|endoftext|>",
        "<|im_end|>",
        "<|im_start|>",
    ]


class GermanDate(date):
    """As `strftime` writes it where the machine speaks German."""

    def strftime(self, format: str) -> str:  # noqa: A002 - as the base class has it
        return super().strftime(format.replace("%b", "Dez"))


@pytest.mark.parametrize(
    ("day", "told"),
    [
        (DAY, "05 Mar 2026"),
        (GermanDate(2026, 12, 24), "24 Dec 2026"),
        *(
            (date(2027, month, 31), f"31 {name} 2027")
            for month, name in ((1, "Jan"), (5, "May"), (10, "Oct"))
        ),
    ],
)
def test_a_template_that_tells_the_date_is_given_it_in_english(
    tokenizers: dict[str, Any], day: date, told: str
) -> None:
    """Left to itself Llama 3.1's tells a day of 2024."""
    with templated(tokenizers["llama"], DATED) as tokenizer:
        text = read(ChatPrompts(tokenizer, "tiny", lambda: day), HISTORY)
    assert f"Today Date: {told}\n\nBe kind.<|eot_id|>" in text


@pytest.mark.parametrize(
    ("template", "what"),
    [
        (None, "no chat template"),
        ("{% for message in", "chat template of tiny fails"),
        ("{{ raise_exception('not for you') }}", "not for you"),
        ("{{ messages[9].content }}", "chat template of tiny fails"),
    ],
)
def test_a_checkpoint_that_cannot_chat_is_refused(
    tokenizers: dict[str, Any], template: str | None, what: str
) -> None:
    with pytest.raises(CheckpointError, match=what) as error:
        with_template(tokenizers["qwen2"], template)
    assert "chat model" in error.value.remedy
