"""What stands in for the words of a model with random weights."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from mistral_common.tokens.tokenizers.mistral import MistralTokenizer

from voxterm.bench.watching import REPLY, WatchedLoop, in_slots, scripted, slotted
from voxterm.decoding import DecodeLoop, Decoder, Prompt, Sampling
from voxterm.engines.orpheus.tokens import FrameBuilder, code_in_slot, prompt_ids
from voxterm.sentences import SentenceSplitter

ASKED = [Prompt(prompt_ids(range(30)))]


def babble(count: int) -> Iterator[tuple[int | None, ...]]:
    return iter([(128_266 + 31 * n % 28_672,) for n in range(count)])


@given(st.integers(0, 156_939), st.integers(0, 6))
def test_every_id_becomes_a_code_of_its_slot(token: int, slot: int) -> None:
    code = code_in_slot(slotted(token, slot), slot)
    assert code == (token - 128_266) % 4096


def test_babble_becomes_whole_frames_without_a_stray() -> None:
    builder = FrameBuilder()
    frames = [builder.push(token) for (token,) in in_slots(babble(2000), ASKED) if token is not None]
    assert builder.strays == 0
    assert builder.accepted % 7 == 0
    assert sum(frame is not None for frame in frames) == 23  # 30 letters, 15 a second, 85 ms a frame


def test_a_longer_text_is_spoken_for_longer() -> None:
    long = [Prompt(prompt_ids(range(300)))]
    assert len(list(in_slots(babble(2000), long))) > 5 * len(list(in_slots(babble(2000), ASKED)))


def test_rows_say_their_scripts_and_the_shorter_one_ends_first() -> None:
    steps = iter([(1, 2)] * 10)
    assert list(scripted([7, 8, 9], [5])(steps, ASKED * 2)) == [(7, 5), (8, None), (9, None)]


def test_the_first_piece_of_the_scripted_reply_comes_with_its_eighth_token(voxtral_folder: Path) -> None:
    tokenizer = MistralTokenizer.from_file(voxtral_folder / "tekken.json").instruct_tokenizer.tokenizer
    splitter, cut_at = SentenceSplitter(), 0
    for number, token in enumerate(tokenizer.encode(REPLY, bos=False, eos=False), 1):
        if splitter.push(tokenizer.id_to_byte_piece(token).decode()):  # type: ignore[attr-defined]
            cut_at = number
            break
    assert cut_at == 8


@pytest.fixture(scope="module")
def loop(orpheus_folder: Path) -> DecodeLoop:
    from transformers import LlamaConfig, LlamaForCausalLM

    config = json.loads((orpheus_folder / "config.json").read_text(encoding="utf-8"))
    with torch.device("meta"):
        model = LlamaForCausalLM(LlamaConfig.from_dict({**config, "vocab_size": 512}))
    return DecodeLoop(Decoder(model.model, model.lm_head, "cpu", "float32"), 1, 64, ())


def test_a_watched_loop_says_the_same_and_counts(loop: DecodeLoop) -> None:
    asked = [Prompt(list(range(20)))]
    expected = list(loop.generate(asked, [Sampling()], [8]))
    watched = WatchedLoop(loop)
    assert list(watched.generate(asked, [Sampling()], [8])) == expected
    assert (watched.seen.steps, watched.seen.prompt_tokens) == (8, (20,))
    assert watched.seen.new_tokens == (1,), "all but the last was in the cache"
    assert watched.seen.steps_per_s is not None
    assert watched.capacity == 64


def test_closing_a_watched_answer_closes_the_loop_s(loop: DecodeLoop) -> None:
    """An answer left open would let the next one fail in the middle."""
    watched = WatchedLoop(loop)
    steps = watched.generate([Prompt([1, 2, 3])], [Sampling()], [8])
    next(steps)
    steps.close()
    assert len(list(watched.generate([Prompt([1, 2, 3])], [Sampling()], [8]))) == 8
