"""Whisper in torch on tiny checkpoints of the real architecture: it must say what Transformers says."""

from __future__ import annotations

import json
import weakref
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from demo_clips import no_progress
from tiny import copied
from tiny_whisper import tiny_whisper
from whisper_reference import features_of, generated, reference_of, speech

from voxterm.checkpoints import RANDOM_WEIGHTS
from voxterm.engines.memory import TRIES
from voxterm.engines.protocols import Placement
from voxterm.engines.stand_ins import whisper as stand_in
from voxterm.engines.stand_ins.whisper import Edition
from voxterm.engines.whisper import model as whisper_model
from voxterm.engines.whisper.model import WhisperModel, opened
from voxterm.errors import CheckpointError, EngineError, EngineMemoryError, VoxtermError

ON_CPU = Placement("cpu", "float32")
EDITIONS = {
    "v2": (Edition(99), 80),
    "v3": (Edition(100), 128),
    "english": (Edition(99, is_multilingual=False), 80),
}
needs_gpu = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs an NVIDIA GPU")


def model_of(folder: Path, placement: Placement = ON_CPU) -> WhisperModel:
    return opened(str(folder), placement, no_progress)


pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    written = {}
    for name, (edition, bins) in EDITIONS.items():
        written[name] = tiny_whisper(tmp_path_factory.mktemp("checkpoints") / name, edition, bins)
    return written


@pytest.fixture(scope="module")
def folder(folders: dict[str, Path]) -> Path:
    return folders["v2"]


@pytest.fixture(scope="module")
def model(folder: Path) -> WhisperModel:
    return model_of(folder)


@pytest.fixture(scope="module")
def reference(folder: Path) -> Any:
    return reference_of(folder)


def prompt_of(model: WhisperModel, language: str = "en") -> list[int]:
    return model.vocabulary.prompt(model.vocabulary.language_id(language))


@pytest.mark.parametrize("name", list(EDITIONS))
@pytest.mark.parametrize("seconds", [0.1, 7.0, 30.0])
def test_says_what_transformers_generates(folders: dict[str, Path], name: str, seconds: float) -> None:
    model, samples = model_of(folders[name]), speech(seconds)
    asked = {"language": "en", "task": "transcribe"} if model.vocabulary.is_multilingual else {}
    model.encode(samples)
    decoded = model.decode(prompt_of(model), [], 60)
    wanted = generated(reference_of(folders[name]), features_of(folders[name], samples), 60, **asked)
    assert len(decoded.ids) >= 8
    assert list(decoded.ids) == wanted[: len(decoded.ids)]
    assert len(set(decoded.ids)) > 4, "it would also agree on one token over and over"


def test_goes_on_after_what_was_said_as_transformers_does(
    model: WhisperModel, reference: Any, folder: Path
) -> None:
    samples = speech(5.0)
    model.encode(samples)
    prompt = prompt_of(model)
    said = list(model.decode(prompt, [], 9).ids)
    given = torch.tensor([[*prompt, *said]])
    wanted = generated(reference, features_of(folder, samples), 30, decoder_input_ids=given)
    assert list(model.decode(prompt, said, 30).ids) == wanted[-30:]


def test_probabilities_are_those_of_transformers(model: WhisperModel, reference: Any, folder: Path) -> None:
    samples = speech(5.0)
    model.encode(samples)
    prompt = prompt_of(model)
    decoded = model.decode(prompt, [], 12)
    ids = torch.tensor([[*prompt, *decoded.ids]])
    with torch.inference_mode():
        logits = reference(features_of(folder, samples), decoder_input_ids=ids).logits[0]
    vocabulary = model.vocabulary
    assert decoded.no_speech == pytest.approx(float(logits[0].softmax(-1)[vocabulary.no_speech_id]), rel=1e-3)
    languages = list(vocabulary.languages.values())
    wanted = logits[0, languages].softmax(-1).tolist()
    assert list(model.languages().values()) == pytest.approx(wanted, abs=1e-5)
    logits = logits.clone()
    logits[:, list(vocabulary.suppressed)] = float("-inf")
    logits[len(prompt) - 1, list(vocabulary.suppressed_at_begin)] = float("-inf")
    steps = logits[len(prompt) - 1 : -1].log_softmax(-1)
    of_ids = steps[range(12), decoded.ids].tolist()
    assert list(decoded.log_probabilities) == pytest.approx(of_ids, abs=1e-3)
    full_stops = steps[:, vocabulary.sentence_ends()].exp().sum(-1).tolist()
    assert list(decoded.full_stops) == pytest.approx(full_stops, abs=1e-6)


def test_the_language_is_the_one_transformers_detects(
    model: WhisperModel, reference: Any, folder: Path
) -> None:
    samples = speech(5.0)
    model.encode(samples)
    probabilities = model.languages()
    wanted = int(reference.detect_language(features_of(folder, samples))[0])
    assert max(probabilities, key=lambda id_: probabilities[id_]) == wanted
    assert sum(probabilities.values()) == pytest.approx(1.0)


def test_a_temperature_draws_by_its_seed(model: WhisperModel) -> None:
    model.encode(speech(5.0))
    prompt = prompt_of(model)
    first, again, other = (model.decode(prompt, [], 40, 1.0, seed).ids for seed in (1, 1, 2))
    assert first == again
    assert first != other
    assert first != model.decode(prompt, [], 40).ids


def test_ends_where_the_model_does(model: WhisperModel, monkeypatch: pytest.MonkeyPatch) -> None:
    model.encode(speech(5.0))
    prompt = prompt_of(model)
    whole = model.decode(prompt, [], 30)
    monkeypatch.setattr(model.vocabulary, "end_id", whole.ids[11])
    ended = model.decode(prompt, [], 30)
    assert ended.ids == whole.ids[:11]
    assert ended.log_probabilities == whole.log_probabilities[:12]
    assert not ended.is_full


def test_stops_where_its_positions_end_and_says_so(model: WhisperModel) -> None:
    model.encode(speech(5.0))
    prompt = prompt_of(model)
    said = list(range(1000, 1436))
    decoded = model.decode(prompt, said, 100)
    assert len(decoded.ids) == 448 - 436 - 4
    assert decoded.is_full
    assert not model.decode(prompt, said, 5).is_full
    assert model.decode(prompt, list(range(444)), 5).is_full


def test_stops_in_a_loop(model: WhisperModel, monkeypatch: pytest.MonkeyPatch) -> None:
    model.encode(speech(5.0))
    vocabulary = model.vocabulary
    only = torch.full((vocabulary.size,), float("-inf"))
    only[777] = 0.0
    monkeypatch.setattr(model._decoder._state, "suppressed", only)
    decoded = model.decode(prompt_of(model), [], 300)
    assert decoded.ids == (777,) * 8
    assert not decoded.is_full


def test_an_output_layer_of_its_own_is_used(folder: Path, tmp_path: Path) -> None:
    from safetensors.torch import load_file, save_file

    untied = copied(folder, tmp_path / "untied")
    about = json.loads((untied / "config.json").read_text())
    (untied / "config.json").write_text(json.dumps({**about, "tie_word_embeddings": False}))
    weights = load_file(untied / "model.safetensors")
    weights["proj_out.weight"] = weights["model.decoder.embed_tokens.weight"].roll(1, 0).contiguous()
    save_file(weights, untied / "model.safetensors", metadata={"format": "pt"})
    samples = speech(3.0)
    model = model_of(untied)
    model.encode(samples)
    decoded = model.decode(prompt_of(model), [], 10)
    wanted = generated(
        reference_of(untied), features_of(untied, samples), 10, language="en", task="transcribe"
    )
    assert list(decoded.ids) == wanted


def test_a_checkpoint_of_old_has_its_tokenizer_in_parts_and_no_generation_config(
    folder: Path, tmp_path: Path, model: WhisperModel
) -> None:
    old = copied(folder, tmp_path / "old")
    tokenizer = json.loads((old / "tokenizer.json").read_text())
    for name in ("tokenizer.json", "generation_config.json", "tokenizer_config.json"):
        (old / name).unlink()
    text = tokenizer["model"]["vocab"]
    (old / "vocab.json").write_text(json.dumps(text))
    (old / "merges.txt").write_text("#version: 0.2\n")
    added = {token["content"]: token["id"] for token in tokenizer["added_tokens"]}
    (old / "added_tokens.json").write_text(json.dumps(added))
    about = json.loads((old / "config.json").read_text())
    about |= {"suppress_tokens": list(model.vocabulary.suppressed), "begin_suppress_tokens": [220, 50257]}
    (old / "config.json").write_text(json.dumps(about))
    again = model_of(old)
    assert again.vocabulary.languages == model.vocabulary.languages
    samples = speech(3.0)
    for each in (model, again):
        each.encode(samples)
    prompt = prompt_of(model)
    assert again.decode(prompt, [], 20) == model.decode(prompt, [], 20)


def changed(folder: Path, name: str, **about: Any) -> None:
    document = json.loads((folder / name).read_text())
    (folder / name).write_text(json.dumps(document | about))


def without_a_weight(folder: Path, name: str) -> None:
    from safetensors.torch import load_file, save_file

    weights = load_file(folder / "model.safetensors")
    del weights[name]
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})


@pytest.mark.parametrize(
    ("breaking", "what"),
    [
        (lambda at: changed(at, "config.json", architectures=["LlamaForCausalLM"]), "holds LlamaForCausalLM"),
        (lambda at: changed(at, "config.json", d_model=32), "is broken"),
        (lambda at: changed(at, "config.json", d_model="x"), "config.json of .* is broken"),
        (lambda at: changed(at, "config.json", max_source_positions=750), "750 frames"),
        (lambda at: changed(at, "config.json", vocab_size=None), "names no vocab_size"),
        (lambda at: changed(at, "config.json", vocab_size=50_000), "not Whisper's"),
        (lambda at: (at / "tokenizer.json").unlink(), "no tokens of text"),
        (lambda at: changed(at, "generation_config.json", decoder_start_token_id=50_257), "begins with"),
        (lambda at: (at / "tokenizer.json").write_text("{"), "tokenizer of .* cannot be read"),
        (lambda at: (at / "generation_config.json").write_text("{"), "generation_config.json cannot be read"),
        (lambda at: (at / "model.safetensors").write_bytes(b"x" * 100), "safetensors"),
        (lambda at: (at / "model.safetensors").unlink(), "holds no weights"),
        (lambda at: without_a_weight(at, "model.encoder.conv1.weight"), "lacks 1 weights"),
    ],
)
def test_a_wrong_or_broken_checkpoint_is_an_error_with_a_remedy(
    folder: Path, tmp_path: Path, breaking: Any, what: str
) -> None:
    broken = copied(folder, tmp_path / "broken")
    breaking(broken)
    with pytest.raises(CheckpointError, match=what) as error:
        model_of(broken)
    assert error.value.remedy


def test_no_checkpoint_at_all_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="no folder"):
        model_of(tmp_path / "nothing")


def test_what_does_not_fit_is_tried_twice_and_told(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tries = []

    def full(*_: Any) -> None:
        tries.append(1)
        raise torch.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr(whisper_model, "placed_module", full)
    with pytest.raises(
        EngineMemoryError, match=r"Whisper needs its checkpoint of .* GB and its cache on cpu"
    ):
        model_of(folder)
    assert len(tries) == TRIES


@pytest.mark.parametrize(
    ("failure", "kind"),
    [(torch.OutOfMemoryError("CUDA out of memory"), EngineMemoryError), (RuntimeError("lost"), EngineError)],
)
def test_a_failure_in_the_midst_is_told_and_the_next_call_works(
    model: WhisperModel, monkeypatch: pytest.MonkeyPatch, failure: Exception, kind: type[VoxtermError]
) -> None:
    samples = speech(3.0)
    prompt = prompt_of(model)
    model.encode(samples)
    whole = model.decode(prompt, [], 20)

    def broken(*_: Any, **__: Any) -> None:
        raise failure

    for part in ("linear", "scaled_dot_product_attention"):
        with monkeypatch.context() as patched:
            patched.setattr(torch.nn.functional, part, broken)
            for work in (lambda: model.encode(samples), lambda: model.decode(prompt, [], 20)):
                with pytest.raises(kind, match=r"ran out|failed: lost") as error:
                    work()
                assert error.value.remedy
    model.encode(samples)
    assert model.decode(prompt, [], 20) == whole


def test_closing_gives_all_memory_back(folder: Path) -> None:
    model = model_of(folder)
    model.encode(speech(1.0))
    held = [
        *(weakref.ref(parameter) for parameter in model._encoder.parameters()),
        *(weakref.ref(tensor) for tensor in (model._decoder.heard, model._decoder._own)),
        *(weakref.ref(tensor) for tensor in (model._decoder._embedding, model._decoder._layers[0].qkv)),
    ]
    model.close()
    assert [ref for ref in held if ref() is not None] == []


def test_memory_is_that_of_the_weights_and_the_caches(folder: Path, model: WhisperModel) -> None:
    from safetensors.torch import load_file

    weights = load_file(folder / "model.safetensors")
    whole = sum(weight.nbytes for weight in weights.values())
    hidden, layers = 64, 2
    caches = 2 * layers * (448 + 1500) * hidden * 4
    assert model.memory_bytes == {"Whisper": whole, "Whisper cache": caches}
    in_bf16 = model_of(folder, Placement("cpu", "bf16")).memory_bytes
    assert in_bf16 == {"Whisper": whole // 2, "Whisper cache": caches // 2}
    assert model_of(folder, Placement("cpu", "int8")).memory_bytes == in_bf16


def test_bf16_runs(folder: Path) -> None:
    model = model_of(folder, Placement("cpu", "bf16"))
    model.encode(speech(3.0))
    decoded = model.decode(prompt_of(model), [], 20)
    assert len(decoded.ids) == 20
    assert all(np.isfinite(decoded.log_probabilities))


def test_progress_ends_with_all_of_it(folder: Path) -> None:
    told: list[tuple[int, int]] = []
    opened(str(folder), ON_CPU, lambda done, total: told.append((done, total)))
    assert told[-1][0] == told[-1][1]
    assert all(done <= total for done, total in told)


def test_a_stand_in_has_the_full_size_and_no_weights(tmp_path: Path) -> None:
    stand_in.write(tmp_path / "turbo")
    about = json.loads((tmp_path / "turbo" / "config.json").read_text())
    assert (about["encoder_layers"], about["decoder_layers"], about["vocab_size"]) == (32, 4, 51_866)
    assert sum(path.stat().st_size for path in (tmp_path / "turbo").iterdir()) < 4_000_000


def test_a_stand_in_is_loaded_with_random_weights(tmp_path: Path, folder: Path) -> None:
    small = tmp_path / "small"
    stand_in.write(small)
    sizes = {"layers": 2, "attention_heads": 4, "ffn_dim": 128}
    both = {f"{part}_{name}": size for part in ("encoder", "decoder") for name, size in sizes.items()}
    changed(small, "config.json", d_model=64, **both)
    assert json.loads((small / "config.json").read_text())[RANDOM_WEIGHTS] is True
    model = model_of(small)
    assert model.is_stand_in
    assert not model_of(folder).is_stand_in
    model.warm_up()
    model.encode(speech(2.0))
    assert model.decode(prompt_of(model, "yue"), [], 10).ids


def test_warming_up_leaves_nothing_behind(folder: Path, model: WhisperModel) -> None:
    warm = model_of(folder)
    warm.warm_up()
    assert warm.speed is None, "too few tokens to tell"
    for each in (model, warm):
        each.encode(speech(3.0))
    prompt = prompt_of(model)
    assert warm.decode(prompt, [], 20) == model.decode(prompt, [], 20)
    assert warm.speed is not None
    assert warm.speed.times_real_time is None


@pytest.mark.gpu
@needs_gpu
def test_says_the_same_on_a_gpu(folder: Path, model: WhisperModel) -> None:
    on_gpu = model_of(folder, Placement("cuda:0", "float32"))
    on_gpu.warm_up()
    prompt = prompt_of(model)
    for seconds in (5.0, 2.0):
        decoded = []
        for each in (model, on_gpu):
            each.encode(speech(seconds))
            said = list(each.decode(prompt, [], 8).ids)
            decoded.append([said, list(each.decode(prompt, said, 30).ids)])
            each.decode(prompt, [], 20, 0.8)
        assert decoded[0] == decoded[1]
    on_gpu.close()


@pytest.mark.gpu
@needs_gpu
def test_gives_the_memory_of_a_gpu_back(folder: Path) -> None:
    before = torch.cuda.memory_allocated()
    on_gpu = model_of(folder, Placement("cuda:0", "bf16"))
    on_gpu.warm_up()
    assert torch.cuda.memory_allocated() > before
    on_gpu.close()
    assert torch.cuda.memory_allocated() <= before + 1_000_000
