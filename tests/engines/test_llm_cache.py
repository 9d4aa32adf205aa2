"""What the KV cache holds of one turn serves the next."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from pathlib import Path

import pytest
from demo_clips import no_progress
from llm_scene import HELLO, LIMIT, ON_CPU, Reads, loaded, said
from tiny_llm import DATED, tiny_llm

from voxterm.checkpoints import find
from voxterm.decoding.cache import Held, Prompt
from voxterm.engines.declared.llm import LlmSettings
from voxterm.engines.llm.engine import TransformersLlm
from voxterm.engines.llm.model import read_tokenizer
from voxterm.engines.protocols import Message


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TransformersLlm]:
    greedy = loaded(tiny_llm(tmp_path_factory.mktemp("checkpoints") / "qwen2", "qwen2"))
    yield greedy
    greedy.close()


def test_each_turn_reads_only_what_is_new(engine: TransformersLlm, monkeypatch: pytest.MonkeyPatch) -> None:
    reads = Reads(monkeypatch)
    history = list(HELLO)
    for _ in range(8):
        reply = said(engine.reply(history))
        history += [Message("assistant", reply), Message("user", "How are you today?")]
    for turn in range(1, 8):
        before, now = reads.prompts[turn - 1], reads.prompts[turn]
        assert now[: len(before)] == before
        held = [*before, *reads.replies[turn - 1][:-1]]  # the last token was never read
        assert reads.read[turn] == len(now) - Held(held).common(Prompt(now)) <= len(now) - len(before)
    assert reads.read[7] < len(reads.prompts[7]) / 4


def test_asked_again_it_reads_one_token(engine: TransformersLlm, monkeypatch: pytest.MonkeyPatch) -> None:
    """As in a pause that goes on."""
    list(engine.reply(HELLO))
    reads = Reads(monkeypatch)
    first = list(engine.reply(HELLO))
    assert list(engine.reply(HELLO)) == first
    assert reads.read == [1, 1]


def test_in_a_full_context_most_turns_read_only_what_is_new(
    engine: TransformersLlm, monkeypatch: pytest.MonkeyPatch
) -> None:
    reads = Reads(monkeypatch)
    history = list(HELLO)
    for turn in range(80):
        said(engine.reply(history))
        history += [
            Message("assistant", "I am fine, thank you."),
            Message("user", f"How are you today, {turn}?"),
        ]
    full = [(read, len(ids)) for read, ids in zip(reads.read, reads.prompts, strict=True)][30:]
    anew = sum(read > size / 2 for read, size in full)
    assert 2 <= anew <= len(full) / 4
    assert min(size for _, size in full) > 400


def test_a_dialogue_keeps_the_day_on_which_it_began(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Over midnight it would be read anew from its beginning."""
    folder = tiny_llm(tmp_path / "llama", "llama")
    (folder / "chat_template.jinja").write_text(DATED, encoding="utf-8")
    day = date(2026, 12, 31)
    settings = LlmSettings(checkpoint=str(folder), reply_tokens=LIMIT, temperature=0.0)
    engine = TransformersLlm(ON_CPU, settings, today=lambda: day)
    reads = Reads(monkeypatch)
    engine.load(no_progress)
    said = [*HELLO, Message("assistant", "A friend."), Message("user", "How are you today?")]
    for history in (HELLO, said):
        list(engine.reply(history))
        day = date(2027, 1, 1)
    list(engine.reply(HELLO))
    decode = read_tokenizer(find(str(folder))).decode
    told = [decode(ids).partition("Today Date: ")[2].partition("\n")[0] for ids in reads.prompts]
    assert told == ["31 Dec 2026", "31 Dec 2026", "01 Jan 2027"]
    assert reads.read[1] < len(reads.prompts[1]) / 2
    engine.close()
