"""The local LLM on tiny checkpoints of the real architectures: it must say what Transformers says."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
from llm_scene import HELLO, LIMIT, SYSTEM, Reads, loaded, said
from tiny_llm import FAMILIES, tiny_llm

from voxterm.decoding import DecodeLoop
from voxterm.decoding import loop as loop_module
from voxterm.engines.declared.llm import LlmSettings
from voxterm.engines.llm.engine import TransformersLlm, placed
from voxterm.engines.protocols import (
    Delta,
    LanguageModel,
    Message,
    PacedEngine,
    PlacedEngine,
    Placement,
)
from voxterm.errors import EngineError


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("checkpoints")
    return {family: tiny_llm(folder / family, family) for family in FAMILIES}


@pytest.fixture(scope="module")
def engines(folders: dict[str, Path]) -> dict[str, TransformersLlm]:
    return {family: loaded(folder) for family, folder in folders.items()}


@pytest.fixture(scope="module")
def engine(engines: dict[str, TransformersLlm]) -> TransformersLlm:
    return engines["qwen2"]


class Reference:
    """What Transformers makes of the same dialogue."""

    def __init__(self, folder: Path) -> None:
        from transformers import AutoModelForCausalLM, AutoTokenizer

        self._model: Any = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)
        self._tokenizer: Any = AutoTokenizer.from_pretrained(folder)

    def ids(self, history: Sequence[Message], end: str, **how: Any) -> list[int]:
        messages = [{"role": message.role, "content": message.text} for message in history]
        inputs = self._tokenizer.apply_chat_template(
            messages, add_generation_prompt=True, enable_thinking=False, return_tensors="pt"
        )
        end_id = self._tokenizer.convert_tokens_to_ids(end)
        with torch.inference_mode():
            out = self._model.generate(
                **inputs,
                max_new_tokens=LIMIT,
                do_sample=False,
                pad_token_id=0,
                eos_token_id=[end_id, self._tokenizer.eos_token_id],
                **how,
            )
        ids: list[int] = out[0, inputs["input_ids"].shape[1] :].tolist()
        return ids[:-1] if ids[-1] in (end_id, self._tokenizer.eos_token_id) else ids

    def text(self, ids: Sequence[int]) -> str:
        whole = self._tokenizer.decode(ids, skip_special_tokens=True, clean_up_tokenization_spaces=False)
        return str(whole).replace("�", "")


ENDS = {"llama": "<|eot_id|>", "mistral": "</s>", "qwen2": "<|im_end|>", "qwen3": "<|im_end|>"}


def in_first_line(history: Sequence[Message]) -> list[Message]:
    """The system text as `llm.prompt` has it where the template would move it about."""
    return [Message("user", f"{SYSTEM.text}\n\n{history[1].text}"), *history[2:]]


def test_has_the_roles_that_it_should(engine: TransformersLlm) -> None:
    assert isinstance(engine, LanguageModel)
    assert isinstance(engine, PlacedEngine)
    assert isinstance(engine, PacedEngine)
    assert engine.name == "llm"


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("penalty", [1.0, 1.3])
def test_it_says_what_transformers_generates_turn_after_turn(
    folders: dict[str, Path], monkeypatch: pytest.MonkeyPatch, family: str, penalty: float
) -> None:
    reference = Reference(folders[family])
    engine = loaded(folders[family], repetition_penalty=penalty)
    reads = Reads(monkeypatch)
    history = list(HELLO)
    for line in ("How are you today?", "Grüße! 🙂", "Well, what then?", ""):
        asked = in_first_line(history) if family == "mistral" else history
        wanted = reference.ids(asked, ENDS[family], repetition_penalty=penalty)
        reply = said(engine.reply(history))
        assert reads.replies[-1] == wanted
        if family != "mistral":  # of bytes that are no text its decoder shows less in one piece
            assert reply.lstrip() == reference.text(wanted).lstrip()
        history += [Message("assistant", reply), Message("user", line)]
    assert len(history) == 10


@pytest.mark.parametrize("end", ["<|eot_id|>", "<|end_of_text|>"])
def test_a_reply_ends_with_its_turn_as_with_its_text(
    engines: dict[str, TransformersLlm], monkeypatch: pytest.MonkeyPatch, end: str
) -> None:
    """Llama's chat models end their turn, of which config.json and the tokenizer may know nothing."""
    engine = engines["llama"]
    assert engine._loaded is not None
    tokenizer = engine._loaded.prompts._tokenizer
    ids = tokenizer.encode(f"A friend.{end} And who", add_special_tokens=False)
    written = iter(ids)

    def wanted(logits: torch.Tensor, *_: Any) -> torch.Tensor:
        chosen = torch.zeros_like(logits)
        chosen[0, next(written)] = 1.0
        return chosen

    monkeypatch.setattr(loop_module, "penalized", wanted)
    assert said(engine.reply(HELLO)) == "A friend."


def test_the_same_seed_says_the_same_and_none_says_another(folders: dict[str, Path]) -> None:
    lively: dict[str, Any] = {"temperature": 1.5, "top_p": 1.0, "top_k": 0}
    seeded = loaded(folders["qwen2"], **lively, seed=8)
    assert said(seeded.reply(HELLO)) == said(seeded.reply(HELLO)) != ""
    free = loaded(folders["qwen2"], **lively, seed=None)
    assert len({said(free.reply(HELLO)) for _ in range(4)}) == 4


@pytest.mark.parametrize("temperature", [0.0, 1.2])
def test_a_reply_may_be_closed_at_any_point(folders: dict[str, Path], temperature: float) -> None:
    engine = loaded(folders["qwen3"], temperature=temperature)
    whole = list(engine.reply(HELLO))
    assert len(whole) > 5
    longer = [*HELLO[:-1], Message("user", HELLO[-1].text + " Well?")]
    wanted = list(loaded(folders["qwen3"], temperature=temperature).reply(longer))
    for point in range(len(whole) + 1):
        reply = engine.reply(HELLO)
        assert [next(reply) for _ in range(point)] == whole[:point]
        reply.close()  # type: ignore[attr-defined]
        assert list(engine.reply(HELLO)) == whole, f"after it was closed at {point}"
        assert list(engine.reply(longer)) == wanted


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("text", ["", " \n ", "\t", "its own mark"])
def test_to_nothing_there_is_no_answer(engines: dict[str, TransformersLlm], family: str, text: str) -> None:
    """A line of the template's marks alone was a ValueError of Transformers, or the line before was asked."""
    engine = engines[family]
    text = ENDS[family] if text == "its own mark" else text
    assert list(engine.reply([*HELLO, Message("assistant", "A friend."), Message("user", text)])) == []
    assert list(engine.reply([SYSTEM, Message("user", text)])) == []
    assert list(engine.reply([])) == []
    assert list(engine.reply([*HELLO, Message("assistant", "A friend.")])) == []


def test_the_shortest_line_is_answered_without_a_system_message(engine: TransformersLlm) -> None:
    assert said(engine.reply([Message("user", "?")]))


def test_a_line_that_is_too_long_is_an_error_and_the_next_one_works(engine: TransformersLlm) -> None:
    before = said(engine.reply(HELLO))
    with pytest.raises(EngineError, match=r"takes \d+ tokens, and the model has room for 1008") as error:
        list(engine.reply([SYSTEM, Message("user", "how are you? " * 5000)]))
    assert error.value.remedy
    assert said(engine.reply(HELLO)) == before


def test_a_very_long_dialogue_is_answered(engine: TransformersLlm) -> None:
    turn = [Message("user", "How are you today? " * 5), Message("assistant", "I am fine, thank you. " * 5)]
    assert said(engine.reply([SYSTEM, *turn * 300, HELLO[-1]]))


def test_a_reply_leaves_half_of_a_short_context_to_the_dialogue(folders: dict[str, Path]) -> None:
    engine = loaded(folders["qwen2"], reply_tokens=4000)
    assert len(said(engine.reply([SYSTEM, Message("user", "how are you? " * 70)]))) > 0


def scripted(monkeypatch: pytest.MonkeyPatch, engine: TransformersLlm, text: str) -> None:
    """Have the model write this."""
    assert engine._loaded is not None
    ids = engine._loaded.prompts._tokenizer.encode(text, add_special_tokens=False)

    def generate(*_: Any) -> Iterator[tuple[int | None, ...]]:
        yield from ((token,) for token in ids)

    monkeypatch.setattr(DecodeLoop, "generate", generate)


@pytest.mark.parametrize(
    "text",
    [
        "<think>\nWho asks?\n</think>\n\nA friend. 🙂",
        "[THINK]Who asks?[/THINK]A friend. 🙂",
        "<|channel|>analysis<|message|>Who asks?<|end|><|start|>assistant"
        "<|channel|>final<|message|>A friend. 🙂",
        "A friend.<think>Or am I?</think> 🙂",
    ],
)
@pytest.mark.parametrize("family", ["llama", "qwen3"])
def test_thoughts_are_not_said(
    engines: dict[str, TransformersLlm], monkeypatch: pytest.MonkeyPatch, family: str, text: str
) -> None:
    scripted(monkeypatch, engines[family], text)
    assert said(engines[family].reply(HELLO)) == "A friend. 🙂"


def test_thoughts_that_the_template_began_are_not_said(
    engine: TransformersLlm, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert engine._loaded is not None
    monkeypatch.setattr(engine._loaded.prompts, "opening", "<|im_start|>assistant\n<think>\n")
    scripted(monkeypatch, engine, "Who asks?\n</think>\n\nA friend.")
    assert said(engine.reply(HELLO)) == "A friend."


def test_thoughts_without_end_are_an_error_with_a_remedy(
    engine: TransformersLlm, monkeypatch: pytest.MonkeyPatch
) -> None:
    scripted(monkeypatch, engine, "<think>Who asks? Who asks? Who asks?")
    with pytest.raises(EngineError, match="did nothing but think") as error:
        list(engine.reply(HELLO))
    assert "reply_tokens" in error.value.remedy
    assert "does not think" in error.value.remedy


def test_while_it_thinks_each_token_is_a_moment_at_which_it_can_be_closed(
    engine: TransformersLlm, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It could not be cancelled before its thoughts had ended, or their limit was reached."""
    written: list[int] = []

    def generate(*_: Any) -> Iterator[tuple[int | None, ...]]:
        assert engine._loaded is not None
        for token in engine._loaded.prompts._tokenizer.encode("<think>" + "Who asks? " * 30):
            written.append(token)
            yield (token,)

    monkeypatch.setattr(DecodeLoop, "generate", generate)
    reply = engine.reply(HELLO)
    for count in range(1, 30):
        assert next(reply) == Delta("")
        assert len(written) == count
    reply.close()  # type: ignore[attr-defined]
    assert len(written) == 29


def test_thoughts_behind_a_reply_are_no_error(
    engine: TransformersLlm, monkeypatch: pytest.MonkeyPatch
) -> None:
    scripted(monkeypatch, engine, "A friend. <think>Or am I")
    assert said(engine.reply(HELLO)) == "A friend. "


@pytest.mark.parametrize("context_tokens", [1024, 512])
def test_warming_up_changes_nothing_of_what_is_said(folders: dict[str, Path], context_tokens: int) -> None:
    placement = Placement("cpu", "float32", context_tokens)
    cold, warm = loaded(folders["qwen2"], placement), loaded(folders["qwen2"], placement)
    warm.warm_up()
    assert warm.speeds == {}
    assert said(warm.reply(HELLO)) == said(cold.reply(HELLO)) != ""


def test_its_speed_is_that_of_its_steps_without_the_prefill_and_the_listener(
    folders: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    now_s = 0.0

    def generate(*_: Any) -> Iterator[tuple[int | None, ...]]:
        nonlocal now_s
        now_s += 3.0
        for _number in range(20):
            now_s += 0.01
            yield (70,)

    engine = loaded(folders["qwen2"])
    assert engine.speeds == {}
    monkeypatch.setattr(DecodeLoop, "generate", generate)
    monkeypatch.setattr(engine, "_now", lambda: now_s)
    for _ in engine.reply(HELLO):
        now_s += 5.0
    assert engine.speeds["LLM"].tokens_per_s == pytest.approx(100.0)
    assert engine.speeds["LLM"].times_real_time is None


def test_its_section_of_the_settings_is_taken_and_the_plan_may_grant_less() -> None:
    settings = LlmSettings(context_tokens=2048)
    assert placed(Placement("cpu", "bf16", 99_999), settings).placement.context_tokens == 2048
    granted = placed(Placement("cpu", "int8", 1024), settings)
    assert granted.placement == Placement("cpu", "int8", 1024)
    assert granted._settings is settings
