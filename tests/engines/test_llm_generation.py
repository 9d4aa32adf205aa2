"""What ends a reply and how its words are chosen, by what the checkpoint's authors publish."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from llm_scene import HELLO, loaded
from tiny_llm import tiny_llm

from voxterm.checkpoints import Checkpoint
from voxterm.decoding import DecodeLoop, Sampling
from voxterm.engines.declared.llm import LlmSettings
from voxterm.engines.llm.generation import chosen_sampling, declared_ends, generation_config
from voxterm.errors import CheckpointError

QWEN25 = {"temperature": 0.7, "top_p": 0.8, "top_k": 20, "repetition_penalty": 1.1, "do_sample": True}
LLAMA3 = {"temperature": 0.6, "top_p": 0.9, "do_sample": True}
FALLBACK = Sampling(0.7, 0.8, 20, 1.0)


def published(folder: Path, text: str) -> Checkpoint:
    (folder / "generation_config.json").write_text(text, encoding="utf-8")
    return Checkpoint("tiny", folder, {"eos_token_id": 7}, (), 0)


@pytest.mark.parametrize(
    ("generation", "wanted"),
    [
        (QWEN25, Sampling(0.7, 0.8, 20, 1.1)),
        (LLAMA3, Sampling(0.6, 0.9, 20, 1.0)),
        ({"temperature": 1, "top_k": 0}, Sampling(1.0, 0.8, 0, 1.0)),
        ({"eos_token_id": 2}, FALLBACK),
        ({}, FALLBACK),
    ],
)
def test_what_is_published_is_taken_and_the_rest_falls_back(
    generation: dict[str, Any], wanted: Sampling
) -> None:
    assert chosen_sampling(LlmSettings(), generation) == wanted


def test_what_is_set_wins() -> None:
    """One value alone too."""
    every = LlmSettings(temperature=0.0, top_p=0.5, top_k=0, repetition_penalty=1.0)
    assert chosen_sampling(every, QWEN25) == Sampling(0.0, 0.5, 0, 1.0)
    assert chosen_sampling(LlmSettings(top_p=0.5), QWEN25) == Sampling(0.7, 0.5, 20, 1.1)
    assert chosen_sampling(LlmSettings(temperature=0.3), {"do_sample": False}).temperature == 0.3


@pytest.mark.parametrize(
    "nonsense",
    [
        {"temperature": "warm", "top_p": [0.8], "top_k": 20.5, "repetition_penalty": {}},
        {"temperature": -1, "top_p": 0, "top_k": -1, "repetition_penalty": 0.5},
        {"temperature": 9.0, "top_p": 1.5, "top_k": 10**6, "repetition_penalty": 3},
        {"temperature": True, "top_p": True, "top_k": True, "repetition_penalty": True},
        {"temperature": float("nan"), "top_p": float("inf"), "top_k": 10**400, "repetition_penalty": 10**400},
        dict.fromkeys(QWEN25),
    ],
)
def test_nonsense_is_as_if_it_were_not_there(nonsense: dict[str, Any]) -> None:
    assert chosen_sampling(LlmSettings(), nonsense) == FALLBACK
    mixed = nonsense | {"top_p": 0.9}
    assert chosen_sampling(LlmSettings(), mixed) == Sampling(0.7, 0.9, 20, 1.0)


@pytest.mark.parametrize(
    ("generation", "temperature"),
    [
        ({"do_sample": False}, 0.0),
        ({"do_sample": False, "temperature": None}, 0.0),
        ({"do_sample": False, "temperature": 0.6}, 0.6),
        ({"do_sample": None}, 0.7),
        ({"do_sample": 0}, 0.7),
        ({"do_sample": True}, 0.7),
    ],
)
def test_without_sampling_means_the_most_probable_word_where_no_temperature_is_named(
    generation: dict[str, Any], temperature: float
) -> None:
    assert chosen_sampling(LlmSettings(), generation).temperature == temperature


@given(st.dictionaries(st.sampled_from([*QWEN25]), st.none() | st.booleans() | st.integers() | st.floats()))
def test_whatever_is_published_the_values_could_have_been_set(generation: dict[str, Any]) -> None:
    chosen = chosen_sampling(LlmSettings(), generation)
    LlmSettings(
        temperature=chosen.temperature,
        top_p=chosen.top_p,
        top_k=chosen.top_k,
        repetition_penalty=chosen.repetition_penalty,
    )


@pytest.mark.parametrize(
    ("text", "ends"),
    [
        ('{"eos_token_id": [3, 4]}', {3, 4, 7}),
        ('{"eos_token_id": 3}', {3, 7}),
        ('{"eos_token_id": ["</s>", null]}', {7}),
        ("{}", {7}),
        ("[]", {7}),
    ],
)
def test_what_ends_a_reply_stands_in_both_files(tmp_path: Path, text: str, ends: set[int]) -> None:
    checkpoint = published(tmp_path, text)
    assert declared_ends(checkpoint, generation_config(checkpoint)) == ends


def test_a_checkpoint_may_come_without(tmp_path: Path) -> None:
    assert generation_config(Checkpoint("tiny", tmp_path, {}, (), 0)) == {}


def test_a_file_that_is_no_json_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match=r"generation_config\.json is no JSON") as error:
        generation_config(published(tmp_path, "{"))
    assert error.value.remedy


def test_a_reply_is_sampled_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tiny_llm(tmp_path / "qwen2", "qwen2")
    published(folder, json.dumps(QWEN25))
    asked: list[Sampling] = []

    def generate(
        _: Any, prompts: Any, sampling: list[Sampling], *__: Any
    ) -> Iterator[tuple[int | None, ...]]:
        asked.extend(sampling)
        yield from ()

    monkeypatch.setattr(DecodeLoop, "generate", generate)
    list(loaded(folder, temperature=None).reply(HELLO))
    list(loaded(folder, temperature=0.2).reply(HELLO))
    assert asked == [Sampling(0.7, 0.8, 20, 1.1), Sampling(0.2, 0.8, 20, 1.1)]
