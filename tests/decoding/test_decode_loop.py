"""The decode loop against Transformers' own `generate`, and against itself asked in other ways."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from models import ARCHITECTURES, VOCABULARY, decoder_of, loop_of, small_model

from voxterm.decoding import DecodeLoop, Decoder, OutputIds, Prompt, Sampling
from voxterm.errors import EngineError, EngineLoadError

GREEDY = Sampling()
LIVELY = Sampling(temperature=1.3, top_p=0.95, top_k=200, repetition_penalty=1.2)


def prompt_ids(length: int, seed: int = 0) -> list[int]:
    return torch.randint(3, VOCABULARY, (length,), generator=torch.Generator().manual_seed(seed)).tolist()


def row_of(steps: Iterator[tuple[int | None, ...]], row: int = 0) -> list[int]:
    return [token for step in steps if (token := step[row]) is not None]


def answer(
    loop: DecodeLoop, ids: Sequence[int], sampling: Sampling = GREEDY, limit: int = 30, seed: int = 0
) -> list[int]:
    return row_of(loop.generate([Prompt(ids)], [sampling], [limit], seed))


def generated(model: Any, ids: Sequence[int], limit: int = 30, **how: Any) -> list[int]:
    given_ids = torch.tensor([list(ids)])
    mask = torch.ones_like(given_ids)
    out = model.generate(
        given_ids, attention_mask=mask, max_new_tokens=limit, do_sample=False, pad_token_id=0, **how
    )
    tokens: list[int] = out[0, len(ids) :].tolist()
    return tokens[: tokens.index(2)] if 2 in tokens else tokens


@pytest.mark.parametrize("architecture", ARCHITECTURES)
@pytest.mark.parametrize("length", [1, 7, 300])
def test_greedy_equals_generate(architecture: str, length: int) -> None:
    """Token for token: rotation, norms, biases, grouped heads and the cache are the architecture's own."""
    model = small_model(architecture)
    ids = prompt_ids(length)
    assert answer(loop_of(model), ids, limit=60) == generated(model, ids, limit=60)


def test_greedy_with_a_repetition_penalty_equals_generate() -> None:
    model = small_model()
    ids = prompt_ids(20)
    penalized = answer(loop_of(model), ids, Sampling(repetition_penalty=1.3), limit=60)
    assert penalized == generated(model, ids, limit=60, repetition_penalty=1.3)
    assert penalized != answer(loop_of(model), ids, limit=60)


def test_a_span_is_outgrown_in_the_middle_of_an_answer() -> None:
    """The step looks at the first 256 positions only as long as the row is not beyond them."""
    model = small_model()
    ids = prompt_ids(240)
    assert answer(loop_of(model), ids, limit=40) == generated(model, ids, limit=40)


def test_the_stop_id_ends_a_row_and_is_not_given_out() -> None:
    model = small_model()
    free = answer(loop_of(model, stop_ids=()), prompt_ids(9))
    stop = free[4]
    assert answer(loop_of(model, stop_ids={stop}), prompt_ids(9)) == free[: free.index(stop)]


@pytest.mark.parametrize("ahead", [0, 1, 2])
@pytest.mark.parametrize("sampling", [GREEDY, LIVELY])
def test_steps_launched_ahead_change_nothing(ahead: int, sampling: Sampling) -> None:
    """As on a GPU, where the host reads a token while the next is decoded: also for the next prompt."""
    model = small_model()
    loop, plain = loop_of(model, ahead=ahead), loop_of(model, ahead=0)
    first = answer(loop, prompt_ids(9), sampling, seed=3)
    assert first == answer(plain, prompt_ids(9), sampling, seed=3)
    longer = [*prompt_ids(9), *first, *prompt_ids(5, seed=1)]
    assert answer(loop, longer, sampling) == answer(loop_of(model, ahead=0), longer, sampling)


@pytest.mark.parametrize("ahead", [0, 1, 2])
def test_of_each_step_it_tells_how_probable_the_watched_ids_were(ahead: int) -> None:
    """Also of the step in which the row ended; and steps launched ahead must not be mistaken for it."""
    model: Any = small_model()
    ids, watched = prompt_ids(9), [5, 77, 400]
    free = answer(loop_of(model, stop_ids=()), ids, limit=6)
    loop = loop_of(model, stop_ids={free[4]}, watched_ids=watched, ahead=ahead)
    told = [loop.watched[0] for _ in loop.generate([Prompt(ids)], [GREEDY], [6])]
    said = free[: free.index(free[4])]
    with torch.inference_mode():
        logits = model(torch.tensor([[*ids, *said]])).logits[0, len(ids) - 1 :]
    wanted = logits.softmax(-1)[:, watched].sum(-1)
    torch.testing.assert_close(torch.tensor([*told, loop.watched[0]]), wanted, atol=1e-6, rtol=1e-4)


def test_watching_changes_nothing_of_what_is_said() -> None:
    model = small_model()
    ids = prompt_ids(9)
    watching = answer(loop_of(model, watched_ids=[5, 6]), ids, LIVELY, seed=3)
    assert watching == answer(loop_of(model), ids, LIVELY, seed=3)


def test_the_limit_is_exact() -> None:
    loop = loop_of(small_model(), stop_ids=())
    for limit in (0, 1, 2, 17):
        assert len(answer(loop, prompt_ids(4), limit=limit)) == limit


def test_two_rows_equal_two_singles() -> None:
    """A transcript and an answer are decoded together; neither may know of the other."""
    model = small_model()
    prompts = [Prompt(prompt_ids(40)), Prompt(prompt_ids(13, seed=5))]
    steps = list(loop_of(model, rows=2).generate(prompts, [GREEDY, LIVELY], [25, 50], seed=4))
    alone = loop_of(model, rows=2)
    assert row_of(iter(steps), 0) == row_of(alone.generate([prompts[0], None], [GREEDY, GREEDY], [25, 0]), 0)
    assert row_of(iter(steps), 1) == row_of(
        alone.generate([None, prompts[1]], [GREEDY, LIVELY], [0, 50], 4), 1
    )


def test_a_row_that_sits_out_keeps_its_cache(monkeypatch: pytest.MonkeyPatch) -> None:
    loop = loop_of(small_model(), rows=2)
    both = [Prompt(prompt_ids(30)), Prompt(prompt_ids(30, seed=1))]
    list(loop.generate(both, [GREEDY] * 2, [10, 10]))
    list(loop.generate([Prompt(prompt_ids(50, seed=2)), None], [GREEDY] * 2, [30, 0]))
    read = prefilled(loop, monkeypatch)
    again = row_of(loop.generate([None, both[1]], [GREEDY] * 2, [0, 20]), 1)
    assert read == [1]
    assert again == answer(loop_of(small_model()), both[1].ids, limit=20)


def prefilled(loop: DecodeLoop, monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many positions each prefill from now on reads."""
    read: list[int] = []
    real = Decoder.prefill

    def counting(self: Decoder, x: torch.Tensor, *rest: Any) -> torch.Tensor:
        read.append(len(x))
        return real(self, x, *rest)

    monkeypatch.setattr(Decoder, "prefill", counting)
    return read


def test_what_stays_of_a_prompt_is_not_read_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """A dialogue grows at its end: earlier turns and the answers to them are in the cache."""
    model = small_model()
    loop = loop_of(model)
    system, question = prompt_ids(50), prompt_ids(10, seed=1)
    reply = answer(loop, [*system, *question])
    read = prefilled(loop, monkeypatch)
    follow_up = [*system, *question, *reply, *prompt_ids(10, seed=2)]
    with_prefix = answer(loop, follow_up)
    assert read[0] <= 11
    assert with_prefix == answer(loop_of(model), follow_up) == generated(model, follow_up)


@settings(max_examples=25, deadline=None)
@given(data=st.data())
def test_any_order_of_prompts_and_cancels_answers_as_a_fresh_loop(data: st.DataObject) -> None:
    """Whatever was asked before, and wherever it was broken off, an answer depends on its prompt alone."""
    model = MODEL
    loop = loop_of(model, capacity=128, ahead=data.draw(st.sampled_from([0, 1])))
    fresh = loop_of(model, capacity=128)
    for _ in range(data.draw(st.integers(1, 4))):
        shared = data.draw(st.integers(0, 12))
        ids = [
            *prompt_ids(12)[:shared],
            *prompt_ids(data.draw(st.integers(1, 8)), data.draw(st.integers(0, 3))),
        ]
        sampling = data.draw(st.sampled_from([GREEDY, LIVELY]))
        fresh._cache.forget()
        expected = answer(fresh, ids, sampling, limit=12, seed=1)
        steps = loop.generate([Prompt(ids)], [sampling], [12], seed=1)
        taken = data.draw(st.integers(0, 13))
        got = [token for token in (next(steps, (None,))[0] for _ in range(taken)) if token is not None]
        steps.close()
        assert got == expected[:taken]


MODEL = small_model()


def test_vectors_stand_in_for_the_embeddings_of_an_id() -> None:
    model = small_model()
    ids = [5, 24, 24, 24, 6, 7]
    vectors = torch.randn(3, 64, generator=torch.Generator().manual_seed(1))
    embedded = model.get_input_embeddings()(torch.tensor([ids])).detach().clone()
    embedded[0, 1:4] = vectors
    expected = model.generate(  # type: ignore[operator]
        inputs_embeds=embedded,
        attention_mask=torch.ones(1, 6),
        max_new_tokens=20,
        do_sample=False,
        pad_token_id=0,
    )[0].tolist()
    loop = loop_of(model, stop_ids=())
    got = row_of(loop.generate([Prompt(ids, vectors, 24)], [GREEDY], [20]))
    assert got[: len(expected)] == expected[: len(got)]
    assert len(got) == 20


def test_other_vectors_are_read_although_the_ids_are_the_same() -> None:
    """Two clips of audio have the same placeholder ids."""
    model = small_model()
    loop = loop_of(model, stop_ids=())
    ids = [5, 6, *[24] * 8, 7]
    one, two = torch.randn(2, 8, 64, generator=torch.Generator().manual_seed(1)).unbind()
    first = row_of(loop.generate([Prompt(ids, one, 24)], [GREEDY], [20]))
    second = row_of(loop.generate([Prompt(ids, two, 24)], [GREEDY], [20]))
    assert first != second
    assert second == row_of(loop_of(model, stop_ids=()).generate([Prompt(ids, two, 24)], [GREEDY], [20]))
    assert row_of(loop.generate([Prompt([*ids, 9], two, 24)], [GREEDY], [20])) == row_of(
        loop_of(model, stop_ids=()).generate([Prompt([*ids, 9], two, 24)], [GREEDY], [20])
    )


def test_vectors_must_be_as_many_as_their_places() -> None:
    with pytest.raises(EngineError, match="2 places for 3 vectors"):
        list(loop_of(small_model()).generate([Prompt([24, 24, 1], torch.zeros(3, 64), 24)], [GREEDY], [5]))


@pytest.mark.parametrize("ids", [range(100, 200), range(5, 1000, 9)])
def test_only_the_ids_that_may_be_sampled_are(ids: Sequence[int]) -> None:
    """In a dense span, and spread over the vocabulary; penalties count the prompt's ids among them."""
    model = small_model()
    decoder = decoder_of(model, output=OutputIds(list(ids)))
    assert decoder.outputs == len(ids)
    loop = DecodeLoop(decoder, 1, 256, ())
    got = answer(loop, prompt_ids(30), Sampling(repetition_penalty=1.5), limit=40)
    assert set(got) <= set(ids)
    others = [i for i in range(VOCABULARY) if i not in set(ids)]
    reference = generated(
        model, prompt_ids(30), limit=40, repetition_penalty=1.5, suppress_tokens=others, eos_token_id=None
    )
    assert got == reference


def test_rows_of_a_dense_span_are_read_where_they_are_and_holes_are_never_sampled() -> None:
    model = small_model("llama tied, scaled rope")
    ids = [i for i in range(100, 400) if i not in (101, 250)]
    decoder = decoder_of(model, output=OutputIds(ids))
    table = decoder.embedding
    assert decoder._head.data.data_ptr() == table.data[100].data_ptr()
    loop = DecodeLoop(decoder, 1, 512, ())
    got = answer(loop, prompt_ids(30), Sampling(temperature=30.0), limit=400)
    assert set(got) <= set(ids)
    assert len(set(got)) > 100


@pytest.mark.parametrize(("precision", "closeness"), [("bf16", 0.999), ("int8", 0.998), ("int4", 0.97)])
def test_fewer_bits_keep_the_meaning(precision: str, closeness: float) -> None:
    model = small_model("wide")
    x = torch.randn(6, 256)
    exact = decoder_of(model)
    rounded = decoder_of(small_model("wide"), precision)

    def logits(decoder: Decoder) -> torch.Tensor:
        cache = torch.zeros(2, 2, 16, 16, dtype=decoder.dtype)
        with torch.inference_mode():
            return decoder.prefill(x.to(decoder.dtype), decoder.rotation(16), 0, (cache, cache.clone()))

    likeness = torch.cosine_similarity(logits(exact), logits(rounded), dim=0)
    assert likeness > closeness
    assert rounded.step_bytes < exact.step_bytes


def test_a_prompt_that_does_not_fit_is_refused_before_anything_is_read() -> None:
    loop = loop_of(small_model(), capacity=64)
    with pytest.raises(EngineError, match="60 tokens and an answer of 5 are more than the 64"):
        next(loop.generate([Prompt(prompt_ids(60))], [GREEDY], [5]))
    assert len(answer(loop, prompt_ids(60), limit=4)) <= 4
    with pytest.raises(EngineError, match="without a token"):
        next(loop.generate([Prompt([])], [GREEDY], [5]))


def test_an_older_answer_cannot_go_on_beside_a_newer_one() -> None:
    """Both would write into one cache."""
    loop = loop_of(small_model(), stop_ids=())
    older = loop.generate([Prompt(prompt_ids(5))], [GREEDY], [30])
    next(older)
    newer = loop.generate([Prompt(prompt_ids(6, seed=1))], [GREEDY], [30])
    first = next(newer)[0]
    with pytest.raises(EngineError, match="another answer"):
        next(older)
    assert [first, *row_of(newer)] == answer(loop_of(small_model(), stop_ids=()), prompt_ids(6, seed=1))


def test_warm_up_leaves_nothing_behind() -> None:
    model = small_model()
    loop = loop_of(model, rows=2)
    loop.warm_up()
    got = row_of(loop.generate([Prompt(prompt_ids(8)), None], [LIVELY, GREEDY], [30, 0], seed=2))
    cold = loop_of(model, rows=2)
    assert got == row_of(cold.generate([Prompt(prompt_ids(8)), None], [LIVELY, GREEDY], [30, 0], seed=2))


def test_an_unknown_architecture_is_refused() -> None:
    model = small_model()
    model.config.hidden_act = "gelu"
    with pytest.raises(EngineLoadError, match="does not know the architecture llama"):
        decoder_of(model)


def test_the_model_it_came_from_can_still_be_used_and_shares_its_memory() -> None:
    model = small_model()
    before = generated(model, prompt_ids(9))
    decoder = decoder_of(model)
    layer: Any = model.model.layers[0]
    assert layer.self_attn.q_proj.weight.data_ptr() == decoder.layers[0].qkv.data.data_ptr()
    assert generated(model, prompt_ids(9)) == before
    held = sum({p.data_ptr(): p.nbytes for p in model.parameters()}.values())
    assert decoder.memory_bytes == held


def test_progress_ends_at_all_bytes() -> None:
    model: Any = small_model()
    told: list[tuple[int, int]] = []
    Decoder(
        model.model, model.lm_head, "cpu", "float32", progress=lambda done, total: told.append((done, total))
    )
    total = sum(parameter.nbytes for parameter in model.parameters())
    assert told[-1] == (total, total)
    assert [done for done, _ in told] == sorted(done for done, _ in told)
